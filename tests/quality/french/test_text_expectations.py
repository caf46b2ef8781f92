"""The expectations in suites, on Polars and on Great Expectations' pandas engine."""

from __future__ import annotations

from inspect import signature
from typing import Any

import polars as pl
import pytest

from flows.quality.expectations import _import, evaluate, select
from flows.quality.french import leakage, near_duplicates
from flows.quality.suites import Suite
from flows.validation import expectation_types
from tests.quality.french.test_near_duplicates import CLOSE, FIRST, OTHER

ENGLISH = "The employer shall inform each employee in writing at least fifteen days before the visit."
ROWS = pl.DataFrame(
    {
        "texte": [FIRST, ENGLISH, None, CLOSE, "Le dÃ©lai &amp; la date", OTHER],
        "nom": ["Dupont Jean", "TEST", None, "Durand", "à compléter", "Avenir"],
        "cote": ["train", "train", "train", "test", "test", None],
        "lon": [2.35, 48.85, None, 55.45, 0.0, None],
        "lat": [48.85, 2.35, None, -20.88, 0.0, 48.85],
        "x": [652_000.0, 6_862_000.0, None, 652.0, 0.0, None],
        "y": [6_862_000.0, 652_000.0, None, 6862.0, 0.0, None],
        "point": ["48.85, 2.35", "2.35, 48.85", None, "-20.88, 55.45", "Paris", None],
    }
)
DEGREES, METRES = {"column_A": "lon", "column_B": "lat"}, {"column_A": "x", "column_B": "y"}
CASES: list[tuple[str, dict[str, Any], list[int]]] = [
    ("expect_column_values_to_be_in_french", {"column": "texte"}, [1]),
    ("expect_column_values_to_be_in_french", {"column": "texte", "min_length": 1000}, []),
    ("expect_column_values_to_be_in_french", {"column": "texte", "mostly": 0.5}, [1]),
    ("expect_column_values_to_be_free_of_mojibake", {"column": "texte"}, [4]),
    ("expect_column_values_to_be_free_of_html", {"column": "texte"}, [4]),
    ("expect_column_values_to_not_be_placeholders", {"column": "nom"}, [1, 4]),
    ("expect_column_values_to_not_be_placeholders", {"column": "nom", "allowed": ["test"], "also": ["durand"]}, [3, 4]),
    ("expect_column_values_to_not_be_near_duplicates", {"column": "texte"}, [3]),
    ("expect_column_values_to_not_be_near_duplicates", {"column": "texte", "threshold": 0.99}, []),
    ("expect_multicolumn_values_to_not_be_leaked", {"column_list": ["texte", "cote"]}, [3]),
    ("expect_multicolumn_values_to_not_be_leaked", {"column_list": ["texte", "cote"], "threshold": 1}, []),
    ("expect_column_values_to_be_points_in_france", {"column": "point"}, [1, 4]),
    ("expect_column_values_to_be_points_in_france", {"column": "point", "zones": ["metropole"]}, [1, 3, 4]),
    ("expect_column_pair_values_to_be_in_france", DEGREES, [1, 4, 5]),
    ("expect_column_pair_values_to_be_in_france", {**DEGREES, "zones": ["reunion"], "ignore_row_if": "either_value_is_missing"}, [0, 1, 4]),
    ("expect_column_pair_values_to_be_lambert93", METRES, [1, 3, 4]),
    ("expect_column_pair_values_to_not_be_swapped", DEGREES, [1]),
    ("expect_column_pair_values_to_not_be_swapped", {**METRES, "system": "lambert93"}, [1]),
]


def found(kind: str, arguments: dict[str, Any]) -> tuple[Any, str]:
    """What a suite says, and of which rows it was asked."""
    batch, table = select([Suite("essai.json", [{"type": kind, "kwargs": arguments}], "0")])
    (one,) = evaluate(ROWS.lazy(), batch or table, show_values=True)
    return one, "batch" if batch else "table"


@pytest.mark.parametrize(("kind", "arguments", "refused"), CASES)
def test_in_a_suite(kind: str, arguments: dict[str, Any], refused: list[int]) -> None:
    answer, _ = found(kind, arguments)
    assert answer.result.error == ""
    assert (answer.unexpected_rows, answer.result.success) == (refused, not refused or "mostly" in arguments)


@pytest.fixture(scope="module")
def pandas_batch() -> Any:
    context = _import().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("textes").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": ROWS.to_pandas()})


@pytest.mark.parametrize(("kind", "arguments", "refused"), CASES)
def test_on_pandas(pandas_batch: Any, kind: str, arguments: dict[str, Any], refused: list[int]) -> None:
    answer = pandas_batch.validate(expectation(kind)(**arguments), result_format="COMPLETE")
    assert list(answer.result["unexpected_index_list"] or []) == refused


def expectation(kind: str) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    _import()
    return get_expectation_impl(kind)


def test_every_expectation_has_a_case_and_is_known_to_validate() -> None:
    from flows.quality.french.text_expectations import CHECKS

    ours = {e.expectation_type for e in CHECKS} | ACROSS
    assert {kind for kind, _, _ in CASES} == ours
    assert ours <= expectation_types()


ACROSS = {"expect_column_values_to_not_be_near_duplicates", "expect_multicolumn_values_to_not_be_leaked"}


def test_what_looks_at_several_rows_is_asked_of_the_table_as_it_would_be() -> None:
    assert {kind for kind, arguments, _ in CASES if found(kind, arguments)[1] == "table"} == ACROSS


def test_arguments_are_those_of_the_check() -> None:
    from flows.quality.french.text_expectations import CHECKS

    checks = CHECKS | {
        expectation(k): c for k, c in zip(sorted(ACROSS), (near_duplicates.is_not_near_duplicate, leakage.is_not_leaked), strict=True)
    }
    for kind, check in checks.items():
        keywords = {p.name: p.default for p in signature(check).parameters.values() if p.kind is p.KEYWORD_ONLY}
        own = {n: f.default for n, f in kind.__fields__.items() if n not in {*kind.__mro__[1].__fields__, "ignore_row_if"}}
        assert own == keywords
        assert all(f"`{name}`" in " ".join(kind.__doc__.split()) for name in keywords), kind
        assert kind.sentence


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("expect_column_values_to_not_be_near_duplicates", {"column": "texte", "threshold": 1.2}),
        ("expect_column_values_to_not_be_near_duplicates", {"column": "texte", "shingle": 0}),
        ("expect_column_values_to_be_in_french", {"column": "texte", "min_confidence": 40}),
        ("expect_column_pair_values_to_be_in_france", {**DEGREES, "zones": ["bretagne"]}),
        ("expect_column_values_to_be_points_in_france", {"column": "point", "order": "lon lat"}),
        ("expect_column_pair_values_to_not_be_swapped", {**DEGREES, "system": "utm"}),
        ("expect_column_values_to_be_in_french", {"column": "absente"}),
    ],
)
def test_wrong_arguments_are_told(kind: str, arguments: dict[str, Any]) -> None:
    answer, _ = found(kind, arguments)
    assert not answer.result.success and answer.result.error


def test_an_empty_table_meets_everything() -> None:
    for kind, arguments, _ in CASES:
        batch, table = select([Suite("essai.json", [{"type": kind, "kwargs": arguments}], "0")])
        answer = evaluate(ROWS.head(0).lazy(), batch or table, show_values=True)[0].result
        assert (answer.success, answer.error) == (True, ""), kind
