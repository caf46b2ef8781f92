"""The engine: which rows a metric is about, and all metrics that are ready computed in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import great_expectations.exceptions as gx_exceptions
import polars as pl
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.registry import get_metric_provider

from flows.quality.gx_polars import row_conditions

POSITION = "__position"
"""Number of a row in the batch, from 0; what pandas' index is to Great Expectations."""
CONDITION = ("batch_id", "row_condition", "condition_parser")
MEMORY = 256 << 20  # bytes: little beside what Great Expectations itself takes, and columns of six million values are read once


class Pandas(Exception):
    """Raised by a Polars form that does not cover this column or argument: the pandas form is used instead."""


@dataclass(frozen=True)
class Query:
    """Rows to collect, and what a metric makes of them. Queries without rows of their own (`over` is None) share one pass."""

    finish: Callable[[pl.DataFrame], Any]
    aggregate: pl.Expr | None = None
    over: pl.LazyFrame | None = None


@dataclass(frozen=True)
class Call:
    """A metric that is to be computed."""

    engine: PolarsExecutionEngine
    name: str
    domain: dict[str, Any]
    arguments: dict[str, Any]
    metrics: dict[str, Any]
    """Values of what it depends on."""

    @property
    def columns(self) -> list[str]:
        """The columns that it is about. Raises: InvalidMetricAccessorDomainKwargsKeyError if the batch lacks one."""
        single = [self.domain[a] for a in ("column", "column_A", "column_B") if a in self.domain]
        names = single or list(self.domain.get("column_list") or [])
        for name in names:
            if name not in self.engine.schema:
                raise gx_exceptions.InvalidMetricAccessorDomainKwargsKeyError(f'Error: The column "{name}" in BatchData does not exist.')
        return names

    @property
    def column(self) -> str:
        return self.columns[0]

    @property
    def kind(self) -> pl.DataType:
        return self.engine.schema[self.column]

    @property
    def filtered(self) -> bool:
        """Whether it is about some rows of the batch only."""
        return bool(self.domain.get("row_condition"))

    def rows(self, numbered: bool = False) -> pl.LazyFrame:
        """The rows that meet its row condition; `numbered` with POSITION."""
        return self.engine.rows(self.domain, numbered)


class Provider:
    """A Polars form of a metric: a Query, or a value that is known without one; and the pandas form for what it does not cover."""

    def __init__(self, plan: Callable[[Call], Query | Any], pandas: Callable[[Call], Any] | None = None) -> None:
        self.plan, self.pandas = plan, pandas
        self.metric_fn_type: Any = None


class _Lazily:
    """The batch as Great Expectations' pandas code wants it, converted when it is first asked for."""

    def __init__(self, convert: Callable[[], Any]) -> None:
        self._convert, self._frame = convert, None

    @property
    def dataframe(self) -> Any:
        if self._frame is None:
            self._frame = self._convert()
        return self._frame


class PolarsExecutionEngine(PandasExecutionEngine):
    """Evaluates metrics on `frame`.

    It is a PandasExecutionEngine so that a metric without a Polars form is computed by Great Expectations' own pandas code, on what
    `to_pandas` makes of the frame, with the same row numbers. `memory`: bytes that one search for equal values may take.
    """

    def __init__(
        self, frame: pl.LazyFrame, to_pandas: Callable[[pl.LazyFrame], Any], columns: list[str] | None = None, memory: int = MEMORY
    ) -> None:
        """`columns`: names of all columns of the batch, where `frame` has only those that the expectations name."""
        schema = frame.collect_schema()
        texts = [name for name, kind in schema.items() if kind in (pl.Categorical, pl.Enum)]
        frame = frame.with_columns(pl.col(texts).cast(pl.String)) if texts else frame
        self.frame = frame
        self.schema = dict(schema) | dict.fromkeys(texts, pl.String())
        self.columns = columns or list(self.schema)
        self.memory = memory
        self._height: int | None = None
        self.to_pandas = to_pandas
        converted = _Lazily(lambda: self._whole(to_pandas(frame)))
        super().__init__()
        self.pandas = PandasExecutionEngine()
        """Great Expectations' own engine, for what has no Polars form."""
        for engine in (self, self.pandas):
            engine._batch_manager.save_batch_data(batch_id="rows", batch_data=converted)
        self._failed: dict[Any, Exception] = {}
        self.kept: dict[Any, Any] = {}
        """What forms keep for the next metric of the same column, such as the values that are there twice."""

    def _whole(self, converted: Any) -> Any:
        """Columns that no expectation names are there for those that ask which there are."""
        return converted if list(converted.columns) == self.columns else converted.reindex(columns=self.columns)

    def parts(self, bytes_a_row: int) -> int:
        """How many times rows are read, each time for a share of their values, so that what is kept meanwhile stays within `memory`."""
        if self._height is None:
            self._height = int(self.frame.select(pl.len()).collect(engine="streaming").item())
        return max(1, -(-self._height * bytes_a_row // self.memory))

    def rows(self, domain: dict[str, Any], numbered: bool = False) -> pl.LazyFrame:
        """Rows that meet the row condition; `numbered` with POSITION.

        A condition that has no Polars form is evaluated by Great Expectations' own code.
        """
        frame = self.frame.with_row_index(POSITION) if numbered else self.frame
        if not domain.get("row_condition"):
            return frame
        condition = row_conditions.expression(domain["row_condition"], domain.get("condition_parser"), self.schema)
        if condition is not None:
            return frame.filter(condition)
        index = self.pandas.get_domain_records({k: v for k, v in domain.items() if k in CONDITION}).index
        positions = pl.LazyFrame({POSITION: index.to_list()}, schema={POSITION: pl.get_index_type()})
        rows = (frame if numbered else frame.with_row_index(POSITION)).join(positions, on=POSITION, how="semi", maintain_order="left")
        return rows if numbered else rows.drop(POSITION)

    def resolve_metrics(
        self, metrics_to_resolve: Iterable[Any], metrics: dict[Any, Any] | None = None, runtime_configuration: dict[str, Any] | None = None
    ) -> dict[Any, Any]:
        """Raises: MetricResolutionError that names a metric that failed; what was found is kept for the next call."""
        cache: dict[Any, Any] = self._metric_cache  # type: ignore[assignment]
        queries: list[tuple[Any, Provider, Call, Query]] = []
        found: dict[Any, Any] = {}
        failed: dict[Any, Exception] = {}
        for metric in metrics_to_resolve:
            if metric.id in cache:
                found[metric.id] = cache[metric.id]
                continue
            if metric.id in self._failed:
                failed[metric] = self._failed[metric.id]
                continue
            provider = get_metric_provider(metric_name=metric.metric_name, execution_engine=self)[1]
            try:
                if isinstance(provider, Provider):
                    call = self._call(metric, metrics or {})
                    planned = _plan(provider, call)
                    if isinstance(planned, Query):
                        queries.append((metric, provider, call, planned))
                    else:
                        found[metric.id] = planned
                else:
                    found.update(super().resolve_metrics([metric], metrics, runtime_configuration))
            except Exception as error:  # whatever a metric raises is the answer to the expectations that need it
                failed[metric] = error
        _collect(self.frame, queries, found, failed)
        cache.update(found)
        if failed:
            self._failed.update({metric.id: error for metric, error in failed.items()})
            metric, reason = next(iter(failed.items()))  # one at a time: Great Expectations gives its message to all that it names
            raise gx_exceptions.MetricResolutionError(message=str(reason), failed_metrics=(metric,)) from reason
        return found

    def _call(self, metric: Any, metrics: dict[Any, Any]) -> Call:
        dependencies = self._get_computed_metric_evaluation_dependencies_by_metric_name(metric, metrics)
        return Call(self, metric.metric_name, dict(metric.metric_domain_kwargs), dict(metric.metric_value_kwargs or {}), dependencies)


def _plan(provider: Provider, call: Call) -> Any:
    try:
        return provider.plan(call)
    except Pandas:
        if provider.pandas is None:
            raise
        return provider.pandas(call)


def _collect(
    frame: pl.LazyFrame, queries: list[tuple[Any, Provider, Call, Query]], found: dict[Any, Any], failed: dict[Any, Exception]
) -> None:
    """All in one pass; if that fails, each alone, to know which one it was. It gets the pandas form's answer, or its error."""
    shared = [q for q in queries if q[3].over is None]
    own = [q for q in queries if q[3].over is not None]
    each = {id(q.over): q.over for _, _, _, q in own}  # several may want to know something of the same rows
    lazy = [frame.select(q.aggregate.alias(str(i)) for i, (_, _, _, q) in enumerate(shared) if q.aggregate is not None)] if shared else []
    lazy += [over for over in each.values() if over is not None]
    if not lazy:
        return
    try:
        frames = pl.collect_all(lazy, engine="streaming")
    except Exception as error:
        if len(queries) > 1:
            for one in queries:
                _collect(frame, [one], found, failed)
            return
        metric, provider, call, _ = queries[0]
        _finish(metric, provider, call, _raising(error), pl.DataFrame(), found, failed)
        return
    if shared:
        together = frames.pop(0)
        frames = [together.select(pl.col(str(i)).alias("value")) for i in range(len(shared))] + frames
    rows_of = dict(zip(each, frames[len(shared) :], strict=True))
    frames = frames[: len(shared)] + [rows_of[id(q.over)] for _, _, _, q in own]
    for (metric, provider, call, query), rows in zip(shared + own, frames, strict=True):
        _finish(metric, provider, call, query.finish, rows, found, failed)


def _raising(error: Exception) -> Callable[[pl.DataFrame], Any]:
    def finish(_: pl.DataFrame) -> Any:
        raise Pandas from error

    return finish


def _finish(
    metric: Any,
    provider: Provider,
    call: Call,
    finish: Callable[[pl.DataFrame], Any],
    rows: pl.DataFrame,
    found: dict[Any, Any],
    failed: dict[Any, Exception],
) -> None:
    try:
        try:
            found[metric.id] = finish(rows)
        except Pandas as signal:
            if provider.pandas is None:
                raise (signal.__cause__ or signal) from None
            found[metric.id] = provider.pandas(call)
    except Exception as error:
        failed[metric] = error
