"""Expectations in, Great Expectations' own results out."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from flows.quality.gx_polars.engine import MEMORY, PolarsExecutionEngine
from flows.quality.gx_polars.frames import to_pandas as convert
from flows.quality.gx_polars.metrics import register


def validate(
    rows: pl.LazyFrame | pl.DataFrame,
    expectations: Iterable[Any],
    result_format: str | dict[str, Any] = "SUMMARY",
    *,
    context: Any = None,
    columns: list[str] | None = None,
    memory: int = MEMORY,
    to_pandas: Callable[[pl.LazyFrame], Any] = convert,
) -> list[Any]:
    """Evaluate GX Expectation objects (or an ExpectationSuite's) on `rows`, all together.

    `result_format` as in Great Expectations; `context` any GX data context, an ephemeral one if None;
    `columns` the names of all columns where `rows` has only some of them; `memory` bytes that a search for equal values may take;
    `to_pandas` makes the pandas frame for what has no Polars form.
    Returns: ExpectationValidationResults in the order of `expectations`; one that raised has it in `exception_info`.
    """
    from great_expectations.validator.validator import Validator

    register()
    lazy = rows.lazy()
    asked = list(getattr(expectations, "expectations", expectations))
    validator = Validator(
        execution_engine=PolarsExecutionEngine(lazy, to_pandas, columns, memory), data_context=context or ephemeral_context()
    )
    configurations = []
    for number, expectation in enumerate(asked):
        configuration: Any = expectation.configuration
        configuration.id = f"{number}"
        configurations.append(configuration)
    shape = {"result_format": result_format} if isinstance(result_format, str) else result_format
    runtime = {"result_format": shape, "catch_exceptions": True}
    try:
        results = validator.graph_validate(configurations=configurations, runtime_configuration=runtime)
    except Exception:  # arguments that an expectation refuses when it is asked for its metrics: only that one has no result
        results = [_alone(validator, configuration, runtime) for configuration in configurations]
    by_number: dict[Any, Any] = {getattr(result.expectation_config, "id", None): result for result in results}
    return [by_number[f"{number}"] for number in range(len(asked))]


def _alone(validator: Any, configuration: Any, runtime: dict[str, Any]) -> Any:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

    try:
        return validator.graph_validate(configurations=[configuration], runtime_configuration=runtime)[0]
    except Exception as error:
        raised = {"raised_exception": True, "exception_message": str(error), "exception_traceback": traceback.format_exc()}
        return ExpectationValidationResult(success=False, expectation_config=configuration, result={}, exception_info=raised)


def unsupported(expectation: Any) -> str:
    """Why an Expectation class cannot be evaluated here, "" if it can: it needs a metric that is there for databases only."""
    from flows.quality.gx_polars.registration import has_polars_form, known

    register()
    map_metric = getattr(expectation, "map_metric", None)
    needed = [f"{map_metric}.unexpected_count"] if map_metric else list(getattr(expectation, "metric_dependencies", None) or ())
    if getattr(expectation, "expectation_type", "") == "expect_table_row_count_to_equal_other_table":
        return "it looks at another table of a database"
    lacking = [name for name in needed if not known(name) and not has_polars_form(name)]
    return f"Great Expectations computes {', '.join(lacking)} in databases only" if lacking else ""


def ephemeral_context() -> Any:
    import great_expectations

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}  # type: ignore[assignment]
    return context
