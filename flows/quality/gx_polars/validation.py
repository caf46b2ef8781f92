"""Expectations in, Great Expectations' own results out."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.validator.validator import Validator

from flows.quality.gx_polars import frames
from flows.quality.gx_polars.engine import CONDITION, MEMORY, PolarsExecutionEngine
from flows.quality.gx_polars.metrics import register

QUANTILES = "expect_column_quantile_values_to_be_between"
DOMAIN = ("column", *CONDITION)
ALIKE = ("ExpectCompoundColumnsToBeUnique",)
"""Expectations about several columns that do not compare them with each other."""


def validate(
    rows: pl.LazyFrame | pl.DataFrame,
    expectations: Any,
    result_format: str | dict[str, Any] = "SUMMARY",
    *,
    context: Any = None,
    columns: list[str] | None = None,
    memory: int = MEMORY,
    parameters: Mapping[str, Any] | None = None,
    to_pandas: Callable[[pl.LazyFrame], Any] | None = None,
) -> list[Any]:
    """Evaluate GX Expectation objects (or an ExpectationSuite's) on `rows`, all together.

    `result_format` as in Great Expectations; `context` any GX data context, an ephemeral one if None;
    `columns` the names of all columns where `rows` has only some of them; `memory` bytes that a search for equal values may take;
    `parameters` values of {"$PARAMETER": name} in the arguments, beside those of the ExpectationSuite;
    `to_pandas` makes the pandas frame for what has no Polars form.
    Returns: ExpectationValidationResults in the order of `expectations`; one that raised has it in `exception_info`.
    """
    register()
    asked = list(getattr(expectations, "expectations", expectations))
    given = {**(getattr(expectations, "suite_parameters", None) or {}), **(parameters or {})}
    floating = _compared(asked)
    convert = to_pandas or (lambda frame: frames.to_pandas(frame, floating))
    lazy, context = rows.lazy(), context or ephemeral_context()
    shape = {"result_format": result_format} if isinstance(result_format, str) else result_format
    runtime = {"result_format": shape, "catch_exceptions": True}
    found: dict[int, Any] = {}
    for together in _rounds([expectation.configuration for expectation in asked]):
        validator = Validator(execution_engine=PolarsExecutionEngine(lazy, convert, columns, memory), data_context=context)
        ready = []
        for number, configuration in together.items():
            configuration.id = f"{number}"
            try:
                ready += validator.process_expectations_for_validation([configuration], given)
            except Exception as error:  # a parameter without a value
                found[number] = _failure(configuration, error)
        try:
            results = validator.graph_validate(configurations=ready, runtime_configuration=runtime)
        except Exception:  # arguments that an expectation refuses when it is asked for its metrics: only that one has no result
            results = [_alone(validator, configuration, runtime) for configuration in ready]
        by_number: dict[Any, Any] = {getattr(result.expectation_config, "id", None): result for result in results}
        found |= {number: by_number[f"{number}"] for number in together if number not in found}
    return [found[number] for number in range(len(asked))]


def _rounds(configurations: list[Any]) -> list[dict[int, Any]]:
    """Those that can be evaluated together, by number. Great Expectations takes different quantiles of the same column for the same metric,
    and would give one's values to the other."""
    rounds, before = list[dict[int, Any]]([{}]), Counter[str]()
    for number, configuration in enumerate(configurations):
        place = 0
        if configuration.type == QUANTILES:
            domain = repr(sorted((k, repr(v)) for k, v in configuration.kwargs.items() if k in DOMAIN))
            place = before[domain]
            before[domain] += 1
        if place == len(rounds):
            rounds.append({})
        rounds[place][number] = configuration
    return rounds


def _compared(expectations: Iterable[Any]) -> frozenset[str]:
    """Columns that are compared with each other: pandas' own missing integer (NA) cannot be, a missing float (NaN) can."""
    pairs = {getattr(e, a, None) for e in expectations for a in ("column_A", "column_B")}
    several = {c for e in expectations if type(e).__name__ not in ALIKE for c in getattr(e, "column_list", None) or ()}
    return frozenset(c for c in pairs | several if isinstance(c, str))


def _alone(validator: Any, configuration: Any, runtime: dict[str, Any]) -> Any:
    try:
        return validator.graph_validate(configurations=[configuration], runtime_configuration=runtime)[0]
    except Exception as error:
        return _failure(configuration, error)


def _failure(configuration: Any, error: Exception) -> Any:
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
