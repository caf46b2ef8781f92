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


def test_sums_of_small_integers_do_not_overflow() -> None:
    frame = pl.DataFrame({"a": [100, 1], "b": [100, 1]}, schema={"a": pl.Int8, "b": pl.Int8})
    assert ask(frame, "expect_multicolumn_sum_to_equal", column_list=["a", "b"], sum_total=200).result["unexpected_index_list"] == [1]


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int32, pl.UInt16, pl.UInt64])
def test_integers_of_every_size_are_integers_to_pandas_too(kind: Any) -> None:
    from flows.quality.gx_polars.frames import to_pandas

    frame = pl.DataFrame({"x": [7, None]}, schema={"x": kind})
    converted = to_pandas(frame.lazy())["x"]
    assert (str(converted.dtype), converted[0], repr(converted[1])) == (kind.__name__, 7, "<NA>")
    assert ask(frame, "expect_column_values_to_match_regex", column="x", regex=r"^\d(?!\.)$").success  # Python's look-around, on pandas


def test_two_quantiles_of_one_column_have_their_own_values() -> None:
    from flows.quality.gx_polars import validate

    expectations._import()
    kind = expectations._implementation("expect_column_quantile_values_to_be_between")
    asked = [kind(column="x", quantile_ranges={"quantiles": [q], "value_ranges": [[0, 9]]}) for q in (0.0, 0.5, 1.0)]
    with expectations._quiet():
        found = validate(pl.DataFrame({"x": [1, 2, 3]}), asked)
    assert [f.result["observed_value"] for f in found] == [{"quantiles": [q], "values": [v]} for q, v in ((0.0, 1), (0.5, 2), (1.0, 3))]


def test_parameters_are_substituted_and_one_without_a_value_is_an_error_of_its_own() -> None:
    from great_expectations import ExpectationSuite

    from flows.quality.gx_polars import validate

    expectations._import()
    kind = expectations._implementation("expect_column_values_to_be_between")
    asked = [
        kind(column="x", min_value={"$PARAMETER": "least"}),
        kind(column="x", min_value={"$PARAMETER": "unknown"}),
        kind(column="day", max_value={"$PARAMETER": "now() - timedelta(days=1)"}),
    ]
    frame = pl.DataFrame({"x": [1, 2, 3], "day": [datetime.datetime(2020, 1, 1), datetime.datetime(2999, 1, 1), None]})
    with expectations._quiet():
        found = validate(frame, asked, "COMPLETE", parameters={"least": 2})
        of_suite = validate(frame, ExpectationSuite("s", expectations=asked[:1], suite_parameters={"least": 3}), "COMPLETE")
    assert [f.result.get("unexpected_index_list") for f in (*found, *of_suite)] == [[0], None, [1], [0, 1]]
    assert "unknown" in expectations._exception(found[1].exception_info) and not expectations._exception(found[0].exception_info)


def test_rows_that_failed_are_read_once_and_shown_without_converting_the_table() -> None:
    from flows.quality.gx_polars import frames, validate

    expectations._import()
    seen: list[str] = []

    def slow(values: pl.Series) -> pl.Series:
        seen.extend(values.to_list())
        return values

    lazy = pl.LazyFrame({"x": ["a", "b"] * 150, "y": range(300)}).with_columns(
        pl.col("x").map_batches(slow, pl.String, is_elementwise=True)
    )
    heights: list[int] = []

    def convert(rows: pl.LazyFrame) -> Any:
        heights.append(rows.collect().height)
        return frames.to_pandas(rows)

    asked = [expectations._implementation("expect_column_values_to_be_in_set")(column="x", value_set=["a"])]
    shape = {"result_format": "COMPLETE", "partial_unexpected_count": 3}
    with expectations._quiet():
        found = validate(lazy, asked, shape)[0].result
    assert (len(found["unexpected_index_list"]), len(found["unexpected_list"]), len(seen)) == (150, 150, 2 * 300)
    with expectations._quiet():
        rows = validate(lazy, asked, {**shape, "result_format": "SUMMARY", "include_unexpected_rows": True}, to_pandas=convert)[0].result
    assert rows["unexpected_rows"].index.to_list() == [1, 3, 5] and list(rows["unexpected_rows"].columns) == ["x", "y"] and heights == [3]


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
