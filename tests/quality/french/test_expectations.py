"""The expectations in suites, on Polars and on Great Expectations' pandas engine."""

from __future__ import annotations

import inspect
from typing import Any

import polars as pl
import pytest

from flows.quality.expectations import _import, evaluate, select
from flows.quality.french import lists
from flows.quality.suites import Suite
from flows.validation import expectation_types
from tests.conftest import REPOSITORY

ROWS = pl.DataFrame(
    {
        "siren": ["732829320", "732829321", None],
        "siret": ["73282932000074", "73282932000079", "35600000000048"],
        "nir": ["253072B07300470", "253072C07300443", None],
        "rna": ["W751515517", "751515517", "W2A1000123"],
        "finess": ["2A0000014", "2A0000015", None],
        "uai": ["0750655E", "0750655F", None],
        "iban": ["FR7630006000011234567890189", "DE89370400440532013000", "x"],
        "phone": ["01 40 20 50 50", "15", None],
        "email": ["a@example.fr", "a@b", None],
        "date": ["29/02/2024", "29/02/2023", None],
        "commune": ["01015", "01340", "75101"],
        "departement": ["2A", "20", None],
        "code_postal": ["01300", "72302", "75002"],
        "naf": ["62.01Z", "6201Z", "62.10Y"],
        "rome": ["M1805", "M9999", None],
        "idcc": ["0016", "16", "2111"],
        "numero": [732829320, 1, None],
    }
)
CASES: list[tuple[str, dict[str, Any], list[int]]] = [
    ("expect_column_values_to_be_siren", {"column": "siren"}, [1]),
    ("expect_column_values_to_be_siret", {"column": "siret"}, [1]),
    ("expect_column_values_to_be_nir", {"column": "nir"}, [1]),
    ("expect_column_values_to_be_rna", {"column": "rna"}, [1]),
    ("expect_column_values_to_be_finess", {"column": "finess"}, [1]),
    ("expect_column_values_to_be_uai", {"column": "uai"}, [1]),
    ("expect_column_values_to_be_iban", {"column": "iban"}, [2]),
    ("expect_column_values_to_be_iban", {"column": "iban", "french": True}, [1, 2]),
    ("expect_column_values_to_be_french_phone", {"column": "phone"}, [1]),
    ("expect_column_values_to_be_french_phone", {"column": "phone", "line": "mobile"}, [0, 1]),
    ("expect_column_values_to_be_email", {"column": "email"}, [1]),
    ("expect_column_values_to_be_french_date", {"column": "date"}, [1]),
    ("expect_column_values_to_be_french_date", {"column": "date", "max_value": "2020-01-01"}, [0, 1]),
    ("expect_column_values_to_be_commune", {"column": "commune"}, [1]),
    ("expect_column_values_to_be_commune", {"column": "commune", "former": True, "arrondissements": False}, [2]),
    ("expect_column_values_to_be_department", {"column": "departement"}, [1]),
    ("expect_column_values_to_be_postal_code", {"column": "code_postal"}, [1]),
    ("expect_column_values_to_be_postal_code", {"column": "code_postal", "cedex": True}, []),
    ("expect_column_values_to_be_naf", {"column": "naf"}, [2]),
    ("expect_column_values_to_be_naf", {"column": "naf", "nomenclature": ["rev2", "2025"], "dot": True}, [1]),
    ("expect_column_values_to_be_rome", {"column": "rome"}, [1]),
    ("expect_column_values_to_be_idcc", {"column": "idcc"}, [1, 2]),
    ("expect_column_values_to_be_idcc", {"column": "idcc", "former": True, "also": ["16"]}, []),
    ("expect_column_pair_values_to_be_postal_code_and_commune", {"column_A": "code_postal", "column_B": "commune"}, [1, 2]),
    (
        "expect_column_values_to_be_siren",
        {"column": "siren", "row_condition": 'siret == "73282932000074"', "condition_parser": "pandas"},
        [],
    ),
]


def _evaluated(kind: str, arguments: dict[str, Any]) -> Any:
    batch, _ = select([Suite("essai.json", [{"type": kind, "kwargs": arguments}], "0")])
    (found,) = evaluate(ROWS.lazy(), batch, show_values=True)
    return found


@pytest.mark.parametrize(("kind", "arguments", "refused"), CASES)
def test_in_a_suite(kind, arguments, refused):
    found = _evaluated(kind, arguments)
    assert found.result.error == ""
    assert (found.unexpected_rows, found.result.success) == (refused, not refused)


@pytest.fixture(scope="module")
def batch() -> Any:
    context = _import().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("essai").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": ROWS.to_pandas()})


@pytest.mark.parametrize(("kind", "arguments", "refused"), CASES)
def test_on_pandas(batch, kind, arguments, refused):
    answer = batch.validate(_class(kind)(**arguments), result_format="COMPLETE")
    assert (answer.success, list(answer.result["unexpected_index_list"] or [])) == (not refused, refused)


def _class(kind: str) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    _import()
    return get_expectation_impl(kind)


def test_every_expectation_has_a_case():
    from flows.quality.french.expectations import CHECKS

    assert {kind for kind, _, _ in CASES} == {expectation.expectation_type for expectation in CHECKS}


def test_validate_knows_them():
    assert {kind for kind, _, _ in CASES} <= expectation_types()


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in CASES}))
def test_arguments_are_those_of_the_check(kind):
    from flows.quality.french.expectations import CHECKS

    expectation = _class(kind)
    keywords = {p.name: p.default for p in inspect.signature(CHECKS[expectation]).parameters.values() if p.kind is p.KEYWORD_ONLY}
    base = set(expectation.__mro__[1].__fields__) | {"ignore_row_if"}
    assert {name: field.default for name, field in expectation.__fields__.items() if name not in base} == keywords
    assert all(f"`{name}`" in " ".join(expectation.__doc__.split()) for name in keywords)


def test_they_are_documented():
    from flows.quality.french.expectations import CHECKS

    text = (REPOSITORY / "docs" / "french-expectations.md").read_text(encoding="utf-8")
    for expectation in CHECKS:
        name = expectation.expectation_type.removeprefix("expect_column_values_to_be_")
        rows = [line for line in text.splitlines() if f"`{name}`" in line]
        assert rows, name
        for argument in set(expectation.success_keys) - {"mostly", "also"}:
            assert f"`{argument}`" in "".join(rows) + text.partition("is met where the commune")[2].partition("##")[0], (name, argument)
    assert all(f"`{name}`" in text for name in lists.manifest())


@pytest.mark.parametrize("column", ["numero"])
def test_a_column_of_numbers_is_an_error_that_says_what_to_do(batch, column):
    error = _evaluated("expect_column_values_to_be_siren", {"column": column}).result.error
    assert "'numero' is of type Int64" in error and "declare the column as string" in error
    answer = batch.validate(_class("expect_column_values_to_be_siren")(column=column))
    assert not answer.success and "codes are text" in str(answer.exception_info)


@pytest.mark.parametrize(
    "arguments", [{"column": "siren", "espaces": True}, {"column": "siren", "spaces": "peut-être"}, {"column": "absente"}, {}]
)
def test_wrong_arguments_are_told(arguments):
    found = _evaluated("expect_column_values_to_be_siren", arguments)
    assert not found.result.success and found.result.error


def test_texts_of_few_values_are_texts():
    rows = ROWS.select(pl.col("siren").cast(pl.Categorical)).lazy()
    batch, _ = select([Suite("essai.json", [{"type": "expect_column_values_to_be_siren", "kwargs": {"column": "siren"}}], "0")])
    assert evaluate(rows, batch, show_values=True)[0].unexpected_rows == [1]


def test_a_bound_that_is_no_day_is_told():
    error = _evaluated("expect_column_values_to_be_french_date", {"column": "date", "max_value": "31/12/2030"}).result.error
    assert "max_value" in error and "31/12/2030" in error


@pytest.mark.parametrize("values", [[], [None, None], ["", " ", "é", "\x00", "9" * 40, "A" * 40, "FR76" + "9" * 23, "FR76" + "A" * 23]])
def test_every_check_answers_whatever_the_column_holds(values):
    from flows.quality.french.expectations import CHECKS

    rows = pl.LazyFrame({"v": values}, schema={"v": pl.String})
    for expectation, check in CHECKS.items():
        columns = [pl.col("v")] * (2 if "pair" in expectation.expectation_type else 1)
        met = rows.select(check(*columns).fill_null(False).alias("met")).collect(engine="streaming")["met"]
        assert met.dtype == pl.Boolean and met.to_list() == [False] * len(values), expectation.expectation_type


def test_an_empty_column_meets_everything():
    rows = pl.LazyFrame({"siren": [None, None]})
    batch, _ = select([Suite("essai.json", [{"type": "expect_column_values_to_be_siren", "kwargs": {"column": "siren"}}], "0")])
    found = evaluate(rows, batch, show_values=True)[0].result
    assert found.success and found.error == ""
