"""Metrics that are one value for a whole column or table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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


EXACT = 2**53
"""From here on a float does not hold every integer."""
INTERPOLATED = ("linear", "midpoint")


def quantiles(call: Call) -> Query:
    """Interpolated as pandas does it."""
    wanted = call.arguments.get("quantiles")
    how: Any = call.arguments.get("allow_relative_error") or "nearest"
    if (
        not isinstance(wanted, list | tuple)
        or not wanted
        or how not in (*INTERPOLATED, "lower", "higher", "nearest")
        or not call.kind.is_numeric()
    ):
        raise Pandas
    numbers = _numbers(call).drop_nulls()
    odd = numbers.is_infinite().any() if _floats(call) else ~numbers.is_between(-EXACT, EXACT).all()
    hows: tuple[Any, ...] = ("lower", "higher") if how == "nearest" else (how,)
    found = [pl.concat_list([numbers.cast(pl.Float64).quantile(q, interpolation=h) for q in wanted]).alias(h) for h in hows]

    def finish(value: dict[str, Any]) -> list[Any]:
        if value["odd"] or any(_none(v) for h in hows for v in value[h] or [None]):
            raise Pandas  # pandas interpolates infinite values and large integers in its own way
        values = _nearest(wanted, value["count"], value["lower"], value["higher"]) if how == "nearest" else list(value[how])
        return values if how in INTERPOLATED or _floats(call) else [int(v) for v in values]

    return aggregate(call, pl.struct(numbers.count().alias("count"), odd.alias("odd"), *found), finish)


def _floats(call: Call) -> bool:
    return call.kind.is_float() or call.kind.is_decimal()


def _nearest(wanted: Sequence[float], count: int, lower: list[Any], higher: list[Any]) -> list[Any]:
    """The nearer of two values; the one with the even number where they are equally near, as numpy does it, which is given percentages."""
    places = [(count - 1) * (q * 100 / 100) for q in wanted]
    return [low if round(place) == math.floor(place) else high for place, low, high in zip(places, lower, higher, strict=True)]


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
