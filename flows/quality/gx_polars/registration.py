"""Puts Polars forms beside Great Expectations' own for the same metrics, domains and arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from great_expectations.expectations import registry
from great_expectations.expectations.metrics.metric_provider import MetricProvider
from great_expectations.validator.metric_configuration import MetricConfiguration

from flows.quality.gx_polars.engine import CONDITION, Call, PolarsExecutionEngine, Provider


def put(name: str, provider: Provider, after: dict[str, str] | None = None) -> None:
    """`after`: further metrics, of the same columns and arguments, whose values it waits for."""
    known = registry._registered_metrics[name]
    own = pandas_form(name)[0]

    def dependencies(cls: Any, metric: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if name == "table.columns":
            return {}
        table = {k: v for k, v in metric.metric_domain_kwargs.items() if k in CONDITION or k == "table"}
        wanted = {"table.columns": MetricConfiguration("table.columns", table, None)}
        arguments = {k: v for k, v in metric.metric_value_kwargs.items() if k != "result_format"}
        for label, other in (after or {}).items():
            wanted[label] = MetricConfiguration(other, metric.metric_domain_kwargs, arguments)
        return wanted

    holder = type("Polars", (MetricProvider,), {
        "domain_keys": own.domain_keys, "value_keys": own.value_keys, "default_kwarg_values": own.default_kwarg_values,
        "_get_evaluation_dependencies": classmethod(dependencies),
    })  # fmt: skip
    registry.register_metric(
        metric_name=name, metric_domain_keys=known["metric_domain_keys"], metric_value_keys=known["metric_value_keys"],
        execution_engine=PolarsExecutionEngine, metric_class=holder, metric_provider=provider,  # type: ignore[arg-type]
    )  # fmt: skip


def known(name: str) -> bool:
    """Whether Great Expectations has such a metric on pandas."""
    return "PandasExecutionEngine" in registry._registered_metrics.get(name, {}).get("providers", {})


def has_polars_form(name: str) -> bool:
    return "PolarsExecutionEngine" in registry._registered_metrics.get(name, {}).get("providers", {})


def pandas_form(name: str) -> tuple[Any, Any]:
    """(class, function) of Great Expectations' own form of a metric."""
    providers: dict[str, tuple[Any, Any]] = registry._registered_metrics[name]["providers"]  # type: ignore[assignment]
    return providers["PandasExecutionEngine"]


def on_pandas(name: str) -> Callable[[Call], Any]:
    """Great Expectations' own form of a metric, with all that it depends on, on the pandas frame."""

    def compute(call: Call) -> Any:
        return _resolve(MetricConfiguration(name, call.domain, call.arguments), call.engine.pandas, {})

    return compute


def _resolve(metric: Any, engine: Any, known: dict[Any, Any]) -> Any:
    holder = pandas_form(metric.metric_name)[0]
    needs = holder.get_evaluation_dependencies(metric=metric, execution_engine=engine)
    for need in needs.values():
        known[need.id] = _resolve(need, engine, known)
    metric.metric_dependencies = needs
    return engine.resolve_metrics([metric], known)[metric.id]
