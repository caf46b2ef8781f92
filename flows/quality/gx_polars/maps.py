"""Map metrics: a condition that each row meets or not, how many do not, which values they have and where they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from great_expectations.constants import MAX_RESULT_RECORDS

from flows.quality.gx_polars import registration
from flows.quality.gx_polars.engine import POSITION, Call, Pandas, Provider, Query

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
        "unexpected_values": (_values(rows), {"unexpected_count": f"{name}.unexpected_count"}),
        "unexpected_index_list": (_positions(rows), {"unexpected_count": f"{name}.unexpected_count"}),
        "unexpected_index_query": (_index_query(rows), {"unexpected_count": f"{name}.unexpected_count"}),
        "filtered_row_count": (_considered_rows, None),
    }
    for suffix, (form, after) in forms.items():
        if registration.known(metric := f"{name}.{suffix}"):
            registration.put(metric, Provider(form, registration.on_pandas(metric)), after)


def _considered_rows(call: Call) -> Query:
    counted = considered(call)
    return aggregate(call, pl.len() if counted is None else counted.sum(), int)


def _values(rows: Callable[[Call], pl.LazyFrame]) -> Callable[[Call], Any]:
    def plan(call: Call) -> Any:
        if not call.metrics["unexpected_count"]:
            return []
        wanted = call.arguments["result_format"]
        limit = MAX_RESULT_RECORDS if wanted["result_format"] == "COMPLETE" else min(wanted["partial_unexpected_count"], MAX_RESULT_RECORDS)
        shape = tuple if "column_A" in call.domain else dict if "column_list" in call.domain else None
        few = rows(call).select(list(dict.fromkeys(call.columns))).head(limit)
        simple = all(call.engine.schema[c] in SIMPLE for c in call.columns)

        def finish(frame: pl.DataFrame) -> list[Any]:
            if not simple:
                return _converted(call.engine.to_pandas(frame.lazy()), call.columns, shape)
            if shape is None:
                return frame.to_series().to_list()
            return frame.rows() if shape is tuple else frame.rows(named=True)

        return Query(finish, over=few)

    return plan


def _converted(frame: Any, columns: list[str], shape: Any) -> list[Any]:
    """Values as Great Expectations takes them out of a pandas frame."""
    if shape is None:
        return list(frame[columns[0]])
    if shape is dict:
        return list(frame[columns].to_dict("records"))
    return list(zip(*(frame[c].values for c in columns), strict=True))


def _positions(rows: Callable[[Call], pl.LazyFrame]) -> Callable[[Call], Any]:
    """Numbers of the rows, or what the index columns hold there, with the values that are unexpected."""

    def plan(call: Call) -> Any:
        if not call.metrics["unexpected_count"]:
            return []
        wanted = call.arguments["result_format"]
        keys = list(wanted.get("unexpected_index_column_names") or [])
        if keys and (wanted.get("exclude_unexpected_values") or not set(keys) <= set(call.engine.schema)):
            raise Pandas
        shown = list(dict.fromkeys([*call.columns, *keys]))
        found = rows(call).select(shown if keys else POSITION)
        if wanted["result_format"] != "COMPLETE":
            found = found.head(wanted["partial_unexpected_count"])

        def finish(frame: pl.DataFrame) -> list[Any]:
            if not keys:
                return frame.to_series().to_list()
            if all(call.engine.schema[c] in SIMPLE for c in shown):
                return frame.rows(named=True)
            return _converted(call.engine.to_pandas(frame.lazy()), shown, dict)

        return Query(finish, over=found)

    return plan


def _index_query(rows: Callable[[Call], pl.LazyFrame]) -> Callable[[Call], Any]:
    """The pandas expression that gives the rows."""

    def plan(call: Call) -> Any:
        if call.arguments["result_format"].get("return_unexpected_index_query") is False:
            return None
        if not call.metrics["unexpected_count"]:
            return "df.filter(items=[], axis=0)"
        return Query(lambda frame: f"df.filter(items={frame.to_series().to_list()}, axis=0)", over=rows(call).select(POSITION))

    return plan
