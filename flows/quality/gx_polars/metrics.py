"""Which metrics have a Polars form."""

from __future__ import annotations

from flows.quality.gx_polars import aggregates, arguments, conditions, several
from flows.quality.gx_polars.engine import Provider
from flows.quality.gx_polars.maps import Unexpected, put_map, put_offenders
from flows.quality.gx_polars.registration import has_polars_form, on_pandas, put

MET = {
    "column_values.in_set": conditions.in_set,
    "column_values.not_in_set": conditions.not_in_set,
    "column_values.between": conditions.between,
    "column_values.value_length.between": conditions.length_between,
    "column_values.value_length.equals": conditions.length_equals,
    "column_values.match_regex": conditions.match_regex,
    "column_values.not_match_regex": conditions.not_match_regex,
    "column_values.match_regex_list": conditions.match_regex_list,
    "column_values.not_match_regex_list": conditions.not_match_regex_list,
    "column_values.match_strftime_format": conditions.strftime_format,
    "column_values.dateutil_parseable": conditions.dateutil_parseable,
    "column_values.json_parseable": conditions.json_parseable,
    "column_values.match_json_schema": conditions.json_schema,
}
WRONG: dict[str, Unexpected] = {
    "column_pair_values.equal": several.pair_equal,
    "column_pair_values.a_greater_than_b": several.pair_greater,
    "column_pair_values.in_set": several.pair_in_set,
    "multicolumn_sum.equal": several.sum_equals,
    "multicolumn_values.equal": several.all_equal,
    "select_column_values.unique.within_record": several.all_different,
}
VALUES = {
    "column.min": aggregates.smallest,
    "column.max": aggregates.largest,
    "column.mean": aggregates.mean,
    "column.sum": aggregates.total,
    "column.standard_deviation": aggregates.deviation,
    "column.median": aggregates.median,
    "column.quantile_values": aggregates.quantiles,
    "column.non_null_count": aggregates.nonnull_count,
    "column.distinct_values": aggregates.distinct_values,
    "column.distinct_values.count": aggregates.distinct_count,
    "column.most_common_value": aggregates.most_common,
    "column.distinct_values.missing_from_column": aggregates.distinct_against(aggregates.lacking, counted=False),
    "column.distinct_values.missing_from_column.count": aggregates.distinct_against(aggregates.lacking, counted=True),
    "column.distinct_values.not_in_set": aggregates.distinct_against(aggregates.besides, counted=False),
    "column.distinct_values.not_in_set.count": aggregates.distinct_against(aggregates.besides, counted=True),
}


def register() -> None:
    """Once a process, before the first validation."""
    if has_polars_form("table.row_count"):
        return
    arguments.read_once()
    put("table.row_count", Provider(aggregates.row_count))
    put("table.columns", Provider(aggregates.columns))
    for name, plan in VALUES.items():
        put(name, Provider(plan, on_pandas(name)))
    put_map("column_values.nonnull", lambda call: ~conditions.nonnull(call), keeps_missing=True)
    put_map("column_values.null", lambda call: ~conditions.null(call), keeps_missing=True)
    for name, meets in MET.items():
        put_map(name, _not(meets))
    for name, wrong in WRONG.items():
        put_map(name, wrong)
    put_offenders("column_values.unique", several.equal_rows_count, several.equal_rows)
    put_offenders("compound_columns.unique", several.equal_rows_count, several.equal_rows)
    put_offenders("column_values.increasing", *several.order(ascending=True))
    put_offenders("column_values.decreasing", *several.order(ascending=False))


def _not(meets: Unexpected) -> Unexpected:
    return lambda call: ~meets(call)
