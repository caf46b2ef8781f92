"""Metrics that are one value for a whole column or table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl
from great_expectations.expectations.metrics.column_aggregate_metrics import column_distinct_values_missing_from_column as coercing

from flows.quality.gx_polars.engine import Call, Pandas, Query
from flows.quality.gx_polars.maps import aggregate, missing
from flows.quality.gx_polars.several import comparable

BYTES_A_ROW = 120
"""What counting distinct texts takes a row (measured: 100 for 10 million of 14 characters)."""


def row_count(call: Call) -> Query:
    return aggregate(call, pl.len(), int)


def columns(call: Call) -> list[str]:
    return list(call.engine.columns)


def _numbers(call: Call) -> pl.Expr:
    """Decimals as floats: pandas holds them as objects, with which Great Expectations cannot compute."""
    column = pl.col(call.column)
    if call.kind.is_decimal():
        return column.cast(pl.Float64)
    if not (call.kind.is_integer() or call.kind.is_float()):
        raise Pandas
    return column.fill_nan(None) if call.kind.is_float() else column


def _none(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _found(value: Any) -> Any:
    if _none(value):  # no value at all, or infinite ones: pandas has its own answers
        raise Pandas
    return value


def _ordered(call: Call) -> pl.Expr:
    naive = call.kind == pl.Datetime and getattr(call.kind, "time_zone", None) is None
    return pl.col(call.column) if naive or call.kind in (pl.Date, pl.String) else _numbers(call)


def smallest(call: Call) -> Query:
    return aggregate(call, _ordered(call).min(), _found)


def largest(call: Call) -> Query:
    return aggregate(call, _ordered(call).max(), _found)


def mean(call: Call) -> Query:
    return aggregate(call, _numbers(call).mean(), _found)


def total(call: Call) -> Query:
    numbers = _numbers(call)
    return aggregate(call, pl.when(numbers.count() > 0).then(numbers.sum()), _found)


def deviation(call: Call) -> Query:
    return aggregate(call, _numbers(call).std(), _found)


def median(call: Call) -> Query:
    return aggregate(call, _numbers(call).median(), _found)


def quantiles(call: Call) -> Query:
    """Of integers with nulls too: interpolation between two values, as pandas does it."""
    wanted = call.arguments.get("quantiles")
    how: Any = call.arguments.get("allow_relative_error") or "nearest"
    if not isinstance(wanted, list | tuple) or how not in ("linear", "lower", "higher", "midpoint"):
        raise Pandas  # pandas takes the even one of two that are equally near
    numbers = _numbers(call).drop_nulls().cast(pl.Float64)
    return aggregate(call, pl.concat_list([numbers.quantile(q, interpolation=how) for q in wanted]), _list)


def _list(value: Any) -> list[Any]:
    if value is None or any(_none(v) for v in value):
        raise Pandas
    return list(value)


def nonnull_count(call: Call) -> Query:
    return aggregate(call, (~missing(call.column, call.kind)).sum(), int)


def _countable(call: Call) -> None:
    if call.kind != pl.String and not call.kind.is_integer():
        raise Pandas


def distinct_count(call: Call) -> Query:
    if not comparable(call.kind):
        raise Pandas
    parts = call.engine.parts(BYTES_A_ROW)
    values = call.rows().select(pl.col(call.column).drop_nulls())
    if parts == 1:
        return aggregate(call, pl.col(call.column).drop_nulls().n_unique(), int)

    def one_after_the_other(_: pl.DataFrame) -> int:
        shares = (values.filter(pl.col(call.column).hash() % parts == part).select(pl.col(call.column).n_unique()) for part in range(parts))
        return sum(int(share.collect(engine="streaming").item()) for share in shares)

    return Query(one_after_the_other, over=pl.LazyFrame({"x": [0]}))


def distinct_values(call: Call) -> Query:
    _countable(call)
    return Query(lambda rows: set(rows.to_series().to_list()), over=call.rows().select(pl.col(call.column).drop_nulls().unique()))


def most_common(call: Call) -> Query:
    """All values that are there most often, in order."""
    _countable(call)
    counted = call.rows().select(pl.col(call.column).drop_nulls()).group_by(call.column).len("__times")
    return Query(
        lambda rows: rows.to_series().to_list(),
        over=counted.filter(pl.col("__times") == pl.col("__times").max()).select(pl.col(call.column).sort()),
    )


def distinct_against(finish: Callable[[set[Any], Call], list[Any]], counted: bool) -> Callable[[Call], Query]:
    def plan(call: Call) -> Query:
        _countable(call)

        def whole(rows: pl.DataFrame) -> Any:
            values = finish(set(rows.to_series().to_list()), call)
            return len(values) if counted else values[: call.arguments.get("limit") or coercing.MAX_DISTINCT_VALUES]

        return Query(whole, over=call.rows().select(pl.col(call.column).drop_nulls().unique()))

    return plan


def lacking(found: set[Any], call: Call) -> list[Any]:
    return list(coercing._coerce_value_set_to_column_type(found, call.arguments["value_set"]) - found)


def besides(found: set[Any], call: Call) -> list[Any]:
    return sorted(found - coercing._coerce_value_set_to_column_type(found, call.arguments["value_set"]))
