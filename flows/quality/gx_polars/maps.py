"""Map metrics: a condition that each row meets or not, how many do not, which values they have and where they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl
from great_expectations.constants import MAX_RESULT_RECORDS

from flows.quality.gx_polars import registration
from flows.quality.gx_polars.engine import POSITION, Call, Pandas, Provider, Query

NUMBER = "__number"
"""Number of a row among those that do not meet a condition, from 0."""
SIMPLE = (pl.String, pl.Boolean, pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt64, pl.UInt32, pl.UInt16, pl.UInt8, pl.Float64, pl.Date)
"""Types whose Python values are those that Great Expectations shows."""

Unexpected = Callable[[Call], pl.Expr]
"""The rows among those considered that do not meet the condition."""
Offenders = Callable[[Call, pl.LazyFrame], pl.LazyFrame]
"""Of numbered rows, those that do not meet a condition that looks at several rows."""


def missing(column: str, kind: pl.DataType) -> pl.Expr:
    """Null, and NaN, which pandas does not tell from it."""
    return pl.col(column).is_null() | pl.col(column).is_nan() if kind.is_float() else pl.col(column).is_null()


def considered(call: Call) -> pl.Expr | None:
    """Which rows count, beside those that the row condition leaves out; None for all."""
    names = call.columns
    lacking = [missing(n, call.engine.schema[n]) for n in names]
    if "column" in call.domain:
        return ~lacking[0]
    how = call.domain.get("ignore_row_if")
    if how in ("both_values_are_missing", "all_values_are_missing"):
        return ~pl.all_horizontal(lacking)
    if how in ("either_value_is_missing", "any_value_is_missing"):
        return ~pl.any_horizontal(lacking)
    if how in ("neither", "never"):
        return None
    raise Pandas  # its own message


def put_map(name: str, unexpected: Unexpected, *, keeps_missing: bool = False) -> None:
    """A condition on each row alone. `keeps_missing`: it is about missing values too."""

    def wrong(call: Call) -> pl.Expr:
        counted = None if keeps_missing else considered(call)
        found = unexpected(call)
        return found if counted is None else counted & found

    def count(call: Call) -> Query:
        return aggregate(call, wrong(call).sum(), int)

    def rows(call: Call) -> pl.LazyFrame:
        return call.rows(numbered=True).filter(wrong(call))

    _put(name, count, rows)


def put_offenders(name: str, count: Callable[[Call], Query], offenders: Offenders) -> None:
    """A condition on several rows together."""

    def rows(call: Call) -> pl.LazyFrame:
        counted = considered(call)
        every = call.rows(numbered=True)
        return offenders(call, every if counted is None else every.filter(counted))

    _put(name, count, rows)


def aggregate(call: Call, value: pl.Expr, finish: Callable[[Any], Any]) -> Query:
    def first(rows: pl.DataFrame) -> Any:
        return finish(rows.item())

    return Query(first, over=call.rows().select(value.alias("value"))) if call.filtered else Query(first, aggregate=value)


def _put(name: str, count: Callable[[Call], Query], rows: Callable[[Call], pl.LazyFrame]) -> None:
    forms: dict[str, tuple[Callable[[Call], Any], dict[str, str] | None]] = {
        "unexpected_count": (count, None),
        "unexpected_values": (_values(name, rows), {"unexpected_count": f"{name}.unexpected_count"}),
        "unexpected_index_list": (_positions(name, rows), {"unexpected_count": f"{name}.unexpected_count"}),
        "unexpected_index_query": (_index_query(name, rows), {"unexpected_count": f"{name}.unexpected_count"}),
        "unexpected_rows": (_whole_rows(rows), {"unexpected_count": f"{name}.unexpected_count"}),
        "filtered_row_count": (_considered_rows, None),
    }
    for suffix, (form, after) in forms.items():
        if registration.known(metric := f"{name}.{suffix}"):
            registration.put(metric, Provider(form, registration.on_pandas(metric)), after)


def _considered_rows(call: Call) -> Query:
    counted = considered(call)
    return aggregate(call, pl.len() if counted is None else counted.sum(), int)


def _found(name: str, rows: Callable[[Call], pl.LazyFrame], call: Call) -> pl.LazyFrame:
    """Places of the rows that do not meet the condition, with the values of the first of them (of all, if they are shown beside index
    columns). It is one query for all metrics that show something of the same rows."""
    mark = (name, repr(call.domain), repr(call.arguments))
    found: pl.LazyFrame | None = call.engine.kept.get(mark)
    if found is None:
        keys = _keys(call)
        shown = list(dict.fromkeys([*call.columns, *keys]))
        found = rows(call).select(POSITION, *shown)
        if not keys:
            first = pl.col(NUMBER) < _limit(call)
            found = found.with_row_index(NUMBER).select(POSITION, *(pl.when(first).then(pl.col(c)).alias(c) for c in shown))
        call.engine.kept[mark] = found
    return found


def _keys(call: Call) -> list[str]:
    """Index columns. Raises: Pandas if they are not all there, or values are not to be shown beside them."""
    wanted = call.arguments["result_format"]
    keys = list(wanted.get("unexpected_index_column_names") or [])
    if keys and (wanted.get("exclude_unexpected_values") or not set(keys) <= set(call.engine.schema)):
        raise Pandas
    return keys


def _limit(call: Call) -> int:
    """How many values are shown."""
    wanted = call.arguments["result_format"]
    most = MAX_RESULT_RECORDS if wanted["result_format"] == "COMPLETE" else wanted["partial_unexpected_count"]
    return int(min(most, MAX_RESULT_RECORDS))


def _values(name: str, rows: Callable[[Call], pl.LazyFrame]) -> Callable[[Call], Any]:
    def plan(call: Call) -> Any:
        if not call.metrics["unexpected_count"]:
            return []
        columns = call.columns

        def finish(frame: pl.DataFrame) -> list[Any]:
            values = _python(call, frame.head(_limit(call)), columns)
            if "column_A" in call.domain:
                return list(zip(*values, strict=True))
            return (
                [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)] if "column_list" in call.domain else values[0]
            )

        return Query(finish, over=_found(name, rows, call))

    return plan


def _python(call: Call, frame: pl.DataFrame, columns: list[str]) -> list[list[Any]]:
    """The values of each column as Great Expectations shows them when it takes them out of a pandas frame: missing numbers are NaN."""
    schema = call.engine.schema
    others = list(dict.fromkeys(c for c in columns if schema[c] not in SIMPLE))
    converted = call.engine.to_pandas(frame.select(others).lazy()) if others else None
    found = []
    for name in columns:
        if converted is not None and name in others:
            found.append(list(converted[name].values if "column_A" in call.domain else converted[name]))
        else:
            values = frame[name].to_list()
            found.append([math.nan if v is None else v for v in values] if schema[name].is_numeric() else values)
    return found


def _positions(name: str, rows: Callable[[Call], pl.LazyFrame]) -> Callable[[Call], Any]:
    """Numbers of the rows, or what the index columns hold there, with the values that are unexpected."""

    def plan(call: Call) -> Any:
        if not call.metrics["unexpected_count"]:
            return []
        wanted, keys = call.arguments["result_format"], _keys(call)

        def finish(frame: pl.DataFrame) -> list[Any]:
            shown = frame if wanted["result_format"] == "COMPLETE" else frame.head(wanted["partial_unexpected_count"])
            if not keys:
                return shown[POSITION].to_list()
            names = list(dict.fromkeys([*call.columns, *keys]))
            return [dict(zip(names, row, strict=True)) for row in zip(*_python(call, shown, names), strict=True)]

        return Query(finish, over=_found(name, rows, call))

    return plan


def _index_query(name: str, rows: Callable[[Call], pl.LazyFrame]) -> Callable[[Call], Any]:
    """The pandas expression that gives the rows."""

    def plan(call: Call) -> Any:
        if call.arguments["result_format"].get("return_unexpected_index_query") is False:
            return None
        if not call.metrics["unexpected_count"]:
            return "df.filter(items=[], axis=0)"
        return Query(lambda frame: f"df.filter(items={frame[POSITION].to_list()}, axis=0)", over=_found(name, rows, call))

    return plan


def _whole_rows(rows: Callable[[Call], pl.LazyFrame]) -> Callable[[Call], Any]:
    """All columns of the first rows, as a pandas frame whose index is their places."""

    def plan(call: Call) -> Any:
        places = rows(call).select(POSITION).head(_limit(call) if call.metrics["unexpected_count"] else 0)
        every = call.engine.rows({}, numbered=True).join(places, on=POSITION, how="semi", maintain_order="left")

        def finish(frame: pl.DataFrame) -> Any:
            return call.engine.to_pandas(frame.drop(POSITION).lazy()).set_axis(frame[POSITION].to_list(), axis=0)

        return Query(finish, over=every)

    return plan
