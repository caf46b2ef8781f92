"""The Polars engine answers as Great Expectations on pandas does."""

from __future__ import annotations

import math
from datetime import date
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flows.quality import expectations

SHAPE = {"result_format": "COMPLETE", "partial_unexpected_count": 5, "return_unexpected_index_query": False}
TEXTS = st.sampled_from(["", "a", "b\n", "été", "12", "12\n", "AB-12", "x" * 30, "ａ", "a.b", "$", "\u00a0"])
TABLES = st.lists(
    st.tuples(
        st.none() | st.integers(-5, 5),
        st.none() | st.floats(-3, 3, width=16) | st.sampled_from([math.inf, -math.inf, math.nan]),
        st.none() | TEXTS,
        st.none() | st.dates(date(2019, 12, 1), date(2020, 2, 1)),
        st.none() | st.integers(0, 3),
        st.none() | st.booleans(),
    ),
    max_size=12,
)
SCHEMA = {"n": pl.Int64, "x": pl.Float64, "t": pl.String, "d": pl.Date, "m": pl.Int64, "b": pl.Boolean}
QUANTILES = {"quantiles": [0.1, 0.5, 0.9], "value_ranges": [[-4, 0], [-1, 1], [None, 3]]}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("expect_table_row_count_to_be_between", {"min_value": 2, "max_value": 8}),
    ("expect_column_values_to_not_be_null", {"column": "n"}),
    ("expect_column_values_to_not_be_null", {"column": "x", "mostly": 0.8}),
    ("expect_column_values_to_be_null", {"column": "x"}),
    ("expect_column_values_to_be_between", {"column": "n", "min_value": -0.5, "max_value": 3}),
    ("expect_column_values_to_be_between", {"column": "x", "min_value": -1, "strict_min": True}),
    ("expect_column_values_to_be_between", {"column": "d", "min_value": "2020-01-01", "max_value": "2020-01-15", "strict_max": True}),
    ("expect_column_values_to_be_in_set", {"column": "t", "value_set": ["a", "été", "12"]}),
    ("expect_column_values_to_be_in_set", {"column": "n", "value_set": [1, 2, 3]}),
    ("expect_column_values_to_not_be_in_set", {"column": "t", "value_set": ["a", ""]}),
    ("expect_column_values_to_not_be_in_set", {"column": "x", "value_set": [1.0]}),
    ("expect_column_value_lengths_to_be_between", {"column": "t", "min_value": 1, "max_value": 3}),
    ("expect_column_value_lengths_to_equal", {"column": "t", "value": 2}),
    ("expect_column_values_to_match_regex", {"column": "t", "regex": r"^\d{2}$"}),
    ("expect_column_values_to_match_regex", {"column": "t", "regex": r"^(a|b)$|^[A-Z]{2}-\d+$"}),
    ("expect_column_values_to_match_regex", {"column": "t", "regex": r"^(?=a)\w"}),
    ("expect_column_values_to_not_match_regex", {"column": "t", "regex": r"\s"}),
    ("expect_column_values_to_not_match_regex", {"column": "t", "regex": r"\."}),
    ("expect_column_values_to_match_regex_list", {"column": "t", "regex_list": ["^a", "^1"], "match_on": "all"}),
    ("expect_column_values_to_not_match_regex_list", {"column": "t", "regex_list": ["^a", "^1"]}),
    ("expect_column_values_to_be_unique", {"column": "n"}),
    ("expect_column_values_to_be_unique", {"column": "t"}),
    ("expect_column_min_to_be_between", {"column": "n", "min_value": -3}),
    ("expect_column_max_to_be_between", {"column": "x", "max_value": 2}),
    ("expect_column_mean_to_be_between", {"column": "n", "min_value": -1, "max_value": 1}),
    ("expect_column_sum_to_be_between", {"column": "n", "min_value": -1, "max_value": 10}),
    ("expect_column_stdev_to_be_between", {"column": "n", "min_value": 0, "max_value": 2}),
    ("expect_column_unique_value_count_to_be_between", {"column": "t", "min_value": 2, "max_value": 4}),
    ("expect_column_distinct_values_to_be_in_set", {"column": "t", "value_set": ["a", "été", ""]}),
    ("expect_column_distinct_values_to_equal_set", {"column": "n", "value_set": [1, 2]}),
    ("expect_column_distinct_values_to_contain_set", {"column": "t", "value_set": ["a"]}),
    ("expect_column_unique_value_count_to_be_between", {"column": "n", "min_value": 2, "max_value": 4}),
    ("expect_column_proportion_of_unique_values_to_be_between", {"column": "t", "min_value": 0.5}),
    ("expect_column_proportion_of_non_null_values_to_be_between", {"column": "x", "min_value": 0.5}),
    ("expect_column_median_to_be_between", {"column": "x", "min_value": -1, "max_value": 1}),
    ("expect_column_quantile_values_to_be_between", {"column": "n", "quantile_ranges": QUANTILES, "allow_relative_error": "linear"}),
    ("expect_column_quantile_values_to_be_between", {"column": "x", "quantile_ranges": QUANTILES}),
    ("expect_column_most_common_value_to_be_in_set", {"column": "t", "value_set": ["a", "été"], "ties_okay": True}),
    ("expect_column_most_common_value_to_be_in_set", {"column": "n", "value_set": [1, 2]}),
    ("expect_column_value_z_scores_to_be_less_than", {"column": "n", "threshold": 1.2, "double_sided": True}),
    ("expect_column_values_to_not_be_outliers", {"column": "n", "method": "iqr", "multiplier": 1.0}),
    ("expect_column_values_to_match_strftime_format", {"column": "t", "strftime_format": "%d"}),
    ("expect_column_values_to_be_dateutil_parseable", {"column": "t"}),
    ("expect_column_values_to_be_json_parseable", {"column": "t"}),
    ("expect_column_values_to_be_of_type", {"column": "t", "type_": "str"}),
    ("expect_column_values_to_be_in_type_list", {"column": "n", "type_list": ["int", "float"]}),
    ("expect_column_values_to_match_regex", {"column": "n", "regex": "^-"}),
    ("expect_column_values_to_be_decreasing", {"column": "x", "strictly": True}),
    ("expect_column_values_to_be_increasing", {"column": "d"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "n", "column_B": "m"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "n", "column_B": "m", "ignore_row_if": "neither"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "m", "column_B": "n", "or_equal": True}),
    ("expect_column_pair_values_to_be_in_set", {"column_A": "m", "column_B": "t", "value_pairs_set": [(1, "a"), (None, "été"), (2, None)]}),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["n", "m"], "sum_total": 3}),
    ("expect_multicolumn_values_to_be_equal", {"column_list": ["n", "m"], "ignore_row_if": "never"}),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["n", "m"]}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["m", "t"], "ignore_row_if": "any_value_is_missing"}),
    ("expect_column_to_exist", {"column": "m", "column_index": 4}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": ["n", "x", "t", "d", "m", "b"]}),
    ("expect_table_column_count_to_equal", {"value": 6}),
    ("expect_column_mean_to_be_between", {"column": "b", "min_value": 0.5}),
    ("expect_column_values_to_be_in_set", {"column": "b", "value_set": [True]}),
    ("expect_column_values_to_be_increasing", {"column": "n"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["n", "t"]}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "x", "column_B": "n"}),
    ("expect_column_quantile_values_to_be_between", {"column": "n", "quantile_ranges": QUANTILES}),
    ("expect_column_quantile_values_to_be_between", {"column": "n", "quantile_ranges": {"quantiles": [0.3], "value_ranges": [[0, 2]]}}),
    ("expect_column_quantile_values_to_be_between", {"column": "x", "quantile_ranges": QUANTILES, "allow_relative_error": "lower"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "x", "column_B": "n", "ignore_row_if": "neither"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "n", "column_B": "t"}),
    ("expect_column_pair_values_to_be_in_set", {"column_A": "x", "column_B": "m", "value_pairs_set": [(1, 1), (0.5, None), (None, 2)]}),
    ("expect_column_pair_values_to_be_in_set", {"column_A": "n", "column_B": "m", "value_pairs_set": []}),
    ("expect_multicolumn_values_to_be_equal", {"column_list": ["n", "x", "m"]}),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["n", "x"], "sum_total": 1.5, "mostly": 0.5}),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["n", "x"], "ignore_row_if": "any_value_is_missing"}),
    ("expect_column_values_to_not_be_null", {"column": "absent"}),
    ("expect_column_values_to_not_be_null", {"column": "t", "row_condition": "n > 0", "condition_parser": "pandas"}),
    ("expect_column_values_to_be_in_set", {"column": "t", "value_set": ["a"], "row_condition": "n > 0", "condition_parser": "pandas"}),
    ("expect_column_mean_to_be_between", {"column": "n", "min_value": 2, "row_condition": "n > 0", "condition_parser": "pandas"}),
]  # fmt: skip


@cache
def _context() -> Any:
    context = expectations._import().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def _both(rows: list[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
    from flows.quality.gx_polars import validate
    from flows.quality.gx_polars.frames import to_pandas

    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    asked = [expectations._implementation(kind)(**arguments) for kind, arguments in ASKED]

    def as_floats(rows: pl.LazyFrame) -> Any:
        return to_pandas(rows, frozenset({"n", "m"}))

    with expectations._quiet():
        asset = _context().data_sources.add_or_update_pandas("pandas").add_dataframe_asset("rows")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": as_floats(frame.lazy())})
        pandas = [batch.validate(e, result_format=SHAPE) for e in asked]
        polars = validate(frame, asked, SHAPE, context=_context(), to_pandas=as_floats)
    return polars, pandas


def _facts(answer: Any) -> Any:
    plain = answer.to_json_dict()
    result = {k: _rounded(v) for k, v in plain["result"].items() if k != "details"}
    counted = result.get("partial_unexpected_counts", [])
    if any("None" in repr(c["value"]) or "nan" in repr(c["value"]) for c in counted):  # pandas counts each missing value as another one
        del result["partial_unexpected_counts"]
    return plain["success"], {k: v for k, v in result.items() if v == v}, "raised" if _raised(plain["exception_info"]) else ""


def _rounded(value: Any) -> Any:
    """Sums in another order differ in their last digit."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return (round(float(value), 9) if math.isfinite(value) else str(value)) if isinstance(value, float) else value


def _raised(info: dict[str, Any]) -> bool:
    return any(v is True or (isinstance(v, dict) and v.get("raised_exception")) for v in info.values())


@given(TABLES)
@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # a second each: shrinking takes minutes
def test_random_tables(rows: list[tuple[Any, ...]]) -> None:
    for (kind, arguments), polars, pandas in zip(ASKED, *_both(rows), strict=True):
        assert _facts(polars) == _facts(pandas), (kind, arguments, rows)


@pytest.mark.parametrize("rows", [[], [(None,) * 6], [(1, 1.0, "a", date(2020, 1, 1), 1, True)]], ids=["empty", "nulls", "one"])
def test_small_tables(rows: list[tuple[Any, ...]]) -> None:
    for (kind, arguments), polars, pandas in zip(ASKED, *_both(rows), strict=True):
        assert _facts(polars) == _facts(pandas), (kind, arguments)


@given(TABLES)
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_little_memory_changes_no_answer(rows: list[tuple[Any, ...]]) -> None:
    """Equal values are then looked for in as many passes as there are rows."""
    from flows.quality.gx_polars import validate

    several = ("unique", "distinct")
    asked = [expectations._implementation(kind)(**arguments) for kind, arguments in ASKED if any(s in kind for s in several)]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    with expectations._quiet():
        enough, little = (validate(frame, asked, SHAPE, context=_context(), memory=memory) for memory in (1 << 30, 50))
    for one, other in zip(enough, little, strict=True):
        assert _facts(one) == _facts(other)


def test_a_suite_with_polars_forms_alone_never_converts_to_pandas() -> None:
    from flows.quality.gx_polars import validate

    frame = pl.DataFrame({"n": [1, 2, None], "t": ["a", "b", "c"]}).lazy()
    asked = [
        expectations._implementation(kind)(**arguments)
        for kind, arguments in [
            ("expect_column_values_to_be_unique", {"column": "n"}),
            ("expect_column_values_to_match_regex", {"column": "t", "regex": "^[ab]$"}),
            ("expect_table_row_count_to_be_between", {"min_value": 1}),
        ]
    ]

    def refuse(_: pl.LazyFrame) -> Any:
        raise AssertionError("converted")

    with expectations._quiet():
        found = validate(frame, asked, SHAPE, context=_context(), to_pandas=refuse)
    assert [f.success for f in found] == [True, False, True]
    assert found[1].result["unexpected_index_list"] == [2]
