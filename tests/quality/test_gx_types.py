"""Right answers for types and tables that pandas does not know, or holds as something else."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from flows.quality import expectations

PARIS = pl.Series(["2024-01-01T00:00", None, "2024-01-01T00:00"]).str.to_datetime("%Y-%m-%dT%H:%M", time_zone="Europe/Paris")
COLUMNS = {
    "decimal": pl.Series([Decimal("1.10"), None, Decimal("1.10")], dtype=pl.Decimal(10, 2)),
    "categorical": pl.Series(["a", None, "a"], dtype=pl.Categorical),
    "enum": pl.Series(["a", None, "a"], dtype=pl.Enum(["a", "b"])),
    "list": pl.Series([[1], None, [1]]),
    "struct": pl.Series([{"a": 1}, None, {"a": 1}]),
    "moment": PARIS,
    "time": pl.Series([datetime.time(1), None, datetime.time(1)]),
    "bytes": pl.Series([b"a", None, b"a"]),
    "large": pl.Series([2**64 - 1, None, 2**64 - 1], dtype=pl.UInt64),
    "small": pl.Series([1, None, 1], dtype=pl.Int8),
    "float": pl.Series([1.5, math.nan, 1.5], dtype=pl.Float32),
    'select * from "x"; --': pl.Series(["a", None, "a"]),
    "région.siège": pl.Series([1, None, 1]),
}


def ask(frame: pl.DataFrame, kind: str, result_format: Any = "COMPLETE", **arguments: Any) -> Any:
    from flows.quality.gx_polars import validate

    expectations._import()
    with expectations._quiet():
        return validate(frame, [expectations._implementation(kind)(**arguments)], result_format)[0]


@pytest.mark.parametrize("name", COLUMNS)
def test_missing_and_equal_values_of_every_type(name: str) -> None:
    frame = pl.DataFrame({name: COLUMNS[name]})
    missing = ask(frame, "expect_column_values_to_not_be_null", column=name)
    assert (missing.success, missing.result["unexpected_count"], missing.result["unexpected_index_list"]) == (False, 1, [1])
    twice = ask(frame, "expect_column_values_to_be_unique", column=name)
    assert (twice.success, twice.result["unexpected_index_list"], len(twice.result["unexpected_list"])) == (False, [0, 2], 2)


@pytest.mark.parametrize("kind", [c.dtype for c in COLUMNS.values()], ids=list(COLUMNS))
def test_no_rows_and_no_values(kind: pl.DataType) -> None:
    for rows in (0, 3):
        frame = pl.DataFrame({"x": pl.Series([None] * rows, dtype=kind)})
        assert ask(frame, "expect_column_values_to_be_unique", column="x").success
        assert ask(frame, "expect_column_values_to_be_null", column="x").success
        assert ask(frame, "expect_column_values_to_not_be_null", column="x").success == (rows == 0)
        assert ask(frame, "expect_table_row_count_to_equal", value=rows).success


@pytest.mark.parametrize(
    ("kind", "arguments", "success"),
    [
        ("expect_column_values_to_be_between", {"min_value": 1.1, "max_value": 1.1}, True),
        ("expect_column_values_to_be_between", {"min_value": 1.1, "strict_min": True}, False),
        ("expect_column_values_to_be_in_set", {"value_set": [1.1]}, True),
        ("expect_column_values_to_be_in_set", {"value_set": [1.1000001]}, False),
        ("expect_column_mean_to_be_between", {"min_value": 1.0999, "max_value": 1.1001}, True),
        ("expect_column_sum_to_be_between", {"min_value": 2.1999, "max_value": 2.2001}, True),
    ],
)
def test_decimals_are_what_is_written(kind: str, arguments: dict[str, Any], success: bool) -> None:
    answer = ask(pl.DataFrame({"x": COLUMNS["decimal"]}), kind, column="x", **arguments)
    assert answer.success == success and not expectations._exception(answer.exception_info)


def test_categories_are_texts() -> None:
    for name in ("categorical", "enum"):
        frame = pl.DataFrame({"x": COLUMNS[name]})
        assert ask(frame, "expect_column_values_to_be_in_set", column="x", value_set=["a"]).success
        assert not ask(frame, "expect_column_values_to_match_regex", column="x", regex="^b").success


def test_large_integers_stay_exact() -> None:
    frame = pl.DataFrame({"x": COLUMNS["large"]})
    answer = ask(frame, "expect_column_max_to_be_between", column="x", max_value=5)
    assert answer.result["observed_value"] == 2**64 - 1


def test_infinite_values() -> None:
    frame = pl.DataFrame({"x": [math.inf, -math.inf, 1.0, math.nan]})
    assert ask(frame, "expect_column_values_to_be_between", column="x", min_value=0).result["unexpected_index_list"] == [1]
    assert ask(frame, "expect_column_max_to_be_between", column="x", max_value=10).result["observed_value"] == math.inf


def test_each_failed_expectation_has_its_own_message() -> None:
    from flows.quality.gx_polars import validate

    expectations._import()
    kinds = [
        ("expect_column_mean_to_be_between", {"column": "t", "min_value": 1}),
        ("expect_column_max_to_be_between", {"column": "absent"}),
    ]
    with expectations._quiet():
        found = validate(pl.DataFrame({"t": ["a"]}), [expectations._implementation(k)(**a | {"max_value": 3}) for k, a in kinds])
    messages = [expectations._exception(f.exception_info) for f in found]
    assert "absent" in messages[1] and "absent" not in messages[0] and messages[0]


@pytest.mark.parametrize("result_format", ["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"])
@pytest.mark.parametrize("keys", [None, ["id"], ["id", "région"]])
def test_every_result_format_is_as_on_pandas(result_format: str, keys: list[str] | None) -> None:
    from flows.quality.gx_polars import validate
    from flows.quality.gx_polars.validation import ephemeral_context

    expectations._import()
    frame = pl.DataFrame({"id": range(300), "région": ["11"] * 300, "x": ["a", "b", "b"] * 100})
    shape = {"result_format": result_format, "partial_unexpected_count": 3} | ({"unexpected_index_column_names": keys} if keys else {})
    kinds = [("expect_column_values_to_be_in_set", {"value_set": ["a"]}), ("expect_column_values_to_be_unique", {})]
    with expectations._quiet():
        asked = [expectations._implementation(k)(column="x", **a) for k, a in kinds]
        context = ephemeral_context()
        whole = context.data_sources.add_pandas("p").add_dataframe_asset("r").add_batch_definition_whole_dataframe("all")
        on_pandas = [whole.get_batch(batch_parameters={"dataframe": frame.to_pandas()}).validate(e, result_format=shape) for e in asked]
        on_polars = validate(frame, asked, shape, context=context)
    for ours, theirs in zip(on_polars, on_pandas, strict=True):
        assert (ours.success, ours.to_json_dict()["result"]) == (theirs.success, theirs.to_json_dict()["result"])
