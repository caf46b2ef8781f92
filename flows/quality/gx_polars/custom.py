r"""Conditions of your own, written once as Polars expressions, for this engine and for Great Expectations' pandas engine alike.

>>> def siren(values: pl.Expr) -> pl.Expr:
...     return values.str.contains(r"^\d{9}$")
>>> column_condition("column_values.siren", siren)
>>> class ExpectColumnValuesToBeSiren(ColumnMapExpectation):
...     map_metric = "column_values.siren"
...     success_keys = ("mostly",)

A pair or several columns need `ignore_row_if` in their class too ("neither" and "never" leave out no row).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
    multicolumn_condition_partial,
)

from flows.quality.gx_polars import maps
from flows.quality.gx_polars.engine import POSITION, Call, Query

MULTICOLUMN = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")


Accepts = Callable[[str, pl.DataType], None]
"""Asked about the name and the type of each column beforehand; raises an error that says what is wrong with a type."""


def column_condition(
    name: str,
    meets: Callable[..., pl.Expr],
    arguments: tuple[str, ...] = (),
    *,
    across_rows: bool = False,
    accepts: Accepts | None = None,
) -> None:
    """Register the map metric `name` ("column_values.…").

    `meets(values, **arguments)` is true where a value meets the condition; what it says of nulls does not matter.
    `across_rows`: it looks at several rows at once, and sees the column without its nulls.
    """

    def test(columns: dict[str, pl.Expr], given: dict[str, Any]) -> pl.Expr:
        return meets(next(iter(columns.values())), **given)

    def on_pandas(cls: Any, column: Any, **given: Any) -> Any:
        return _evaluate({"column": column}, test, _chosen(given, arguments), accepts)

    _provide(ColumnMapMetricProvider, name, arguments, column_condition_partial, on_pandas)
    _put(name, test, arguments, across_rows, accepts)


def pair_condition(name: str, meets: Callable[..., pl.Expr], arguments: tuple[str, ...] = (), *, accepts: Accepts | None = None) -> None:
    """Register the map metric `name` ("column_pair_values.…"). `meets(a, b, **arguments)` is true where a pair meets the condition."""

    def test(columns: dict[str, pl.Expr], given: dict[str, Any]) -> pl.Expr:
        return meets(*columns.values(), **given)

    def on_pandas(cls: Any, column_A: Any, column_B: Any, **given: Any) -> Any:
        return _evaluate({"a": column_A, "b": column_B}, test, _chosen(given, arguments), accepts)

    _provide(ColumnPairMapMetricProvider, name, arguments, column_pair_condition_partial, on_pandas)
    _put(name, test, arguments, False, accepts)


def columns_condition(name: str, meets: Callable[..., pl.Expr], arguments: tuple[str, ...] = (), *, across_rows: bool = False) -> None:
    """Register the map metric `name` ("multicolumn_values.…"). `meets({column: values}, **arguments)`, in the order of column_list."""

    def test(columns: dict[str, pl.Expr], given: dict[str, Any]) -> pl.Expr:
        return meets(columns, **given)

    def on_pandas(cls: Any, column_list: Any, **given: Any) -> Any:
        return _evaluate({c: column_list[c] for c in column_list.columns}, test, _chosen(given, arguments))

    _provide(MulticolumnMapMetricProvider, name, arguments, multicolumn_condition_partial, on_pandas)
    _put(name, test, arguments, across_rows)


Test = Callable[[dict[str, pl.Expr], dict[str, Any]], pl.Expr]


def _chosen(given: dict[str, Any], arguments: tuple[str, ...]) -> dict[str, Any]:
    """Arguments that were not given keep the defaults of the condition."""
    return {k: given[k] for k in arguments if given.get(k) is not None}


def _evaluate(columns: dict[str, Any], test: Test, given: dict[str, Any], accepts: Accepts | None = None) -> Any:
    """pandas columns -> a pandas column of true and false, with their index."""
    series = list(columns.values())
    frame = pl.DataFrame({name: pl.from_pandas(values.reset_index(drop=True)) for name, values in columns.items()})
    if accepts is not None:
        for name, values in columns.items():
            accepts(str(values.name), frame.schema[name])
    met = frame.select(test({c: pl.col(c) for c in columns}, given).fill_null(False).alias("met"))["met"]
    return pd.Series(met.to_numpy(), index=series[0].index, dtype=bool)


def _provide(base: Any, name: str, arguments: tuple[str, ...], partial: Any, function: Callable[..., Any]) -> None:
    """Great Expectations registers a metric when its class is made."""
    fields = {"condition_metric_name": name, "condition_value_keys": arguments, "_pandas": partial(engine=PandasExecutionEngine)(function)}
    if base is MulticolumnMapMetricProvider:
        fields["condition_domain_keys"] = MULTICOLUMN
    type(f"{name.title().replace('.', '').replace('_', '')}Metric", (base,), fields)


def _put(name: str, test: Test, arguments: tuple[str, ...], across_rows: bool, accepts: Accepts | None = None) -> None:
    def wrong(call: Call) -> pl.Expr:
        if accepts is not None:
            for column in call.columns:
                accepts(column, call.engine.schema[column])
        given = _chosen(call.arguments, arguments)
        return ~test({c: pl.col(c) for c in call.columns}, given).fill_null(False)

    def offenders(call: Call, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select(POSITION, *dict.fromkeys(call.columns), *_keys(call)).filter(wrong(call))

    def count(call: Call) -> Any:
        counted = maps.considered(call)
        rows = call.rows() if counted is None else call.rows().filter(counted)
        return Query(lambda found: int(found.item()), over=rows.select(wrong(call).sum().alias("value")))

    if across_rows:
        maps.put_offenders(name, count, offenders)
    else:
        maps.put_map(name, wrong)


def _keys(call: Call) -> list[str]:
    """Index columns that a result shows."""
    wanted = (call.arguments.get("result_format") or {}).get("unexpected_index_column_names") or []
    return [c for c in wanted if c in call.engine.schema and c not in call.columns]
