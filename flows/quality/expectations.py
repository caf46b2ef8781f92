"""Runs suites with Great Expectations, on Polars where it can.

Only the columns that the expectations name are read. Row expectations are evaluated on the
batch; those that look at several rows at once (uniqueness, order) and table expectations on the prospective table.
"""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flows.quality.previous import PREVIOUS
from flows.quality.results import CheckResult
from flows.quality.suites import Suite

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 5
EXAMPLE_LENGTH = 2_000  # characters of a value; what is shown is cut once it is masked: half an address is not seen to be one
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

ACROSS_ROWS = {
    "expect_column_values_to_be_unique",
    "expect_compound_columns_to_be_unique",
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_decreasing",
    "expect_column_values_to_not_be_near_duplicates",
    "expect_multicolumn_values_to_not_be_leaked",
    "expect_multicolumn_values_to_refer_to_rows",
}


@dataclass(frozen=True)
class Evaluated:
    """A result, and the positions (from 0) of the rows that do not meet it; None for table expectations."""

    result: CheckResult
    unexpected_rows: list[int] | None = None


@dataclass(frozen=True)
class Selection:
    """The expectations of some suites that are evaluated on the same rows."""

    entries: list[tuple[Suite, dict[str, Any]]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.entries)


def select(suites: list[Suite]) -> tuple[Selection, Selection]:
    """(for the batch alone, for the prospective table)."""
    on_batch, on_table = Selection(), Selection()
    for suite in suites:
        for expectation in suite.expectations:
            if expectation["type"] in PREVIOUS:  # evaluated beside the version before: previous.py
                continue
            alone = _looks_at_rows(expectation["type"]) and expectation["type"] not in ACROSS_ROWS
            (on_batch if alone else on_table).entries.append((suite, expectation))
    return on_batch, on_table


def evaluate(rows: pl.LazyFrame, selection: Selection, *, show_values: bool, memory_mb: int = 256) -> list[Evaluated]:
    """Evaluate expectations on `rows`. One that cannot be evaluated is a failed result with its `error`, not an exception."""
    if not selection:
        return []
    import polars as pl

    _import()
    schema = rows.collect_schema()
    columns, moments = set(schema.names()), {c for c, kind in schema.items() if isinstance(kind, pl.Datetime)}
    conditions = " ".join(json.dumps(e["kwargs"].get("row_condition") or "", ensure_ascii=False) for _, e in selection.entries)
    named = {c for _, e in selection.entries for c in _columns(e["kwargs"])} | {c for c in columns if c in conditions}
    lazy = rows.select(sorted(named & columns) or sorted(columns)[:1]).with_columns(
        pl.col(pl.Datetime("us", "UTC")).dt.replace_time_zone(None)
    )
    visible = [c for c in schema.names() if not c.startswith("__")]

    with _quiet():
        from flows.quality.gx_polars import validate

        built = [_absent(e, columns) or _build(e["type"], e["kwargs"], suite.parameters, moments) for suite, e in selection.entries]
        usable = [b for b in built if not isinstance(b, str)]
        shape = {"result_format": "COMPLETE", "partial_unexpected_count": EXAMPLES, "return_unexpected_index_query": False}
        answers = iter(validate(lazy, usable, shape, columns=visible, memory=memory_mb * 1_000_000))
        return [
            _answer(b if isinstance(b, str) else next(answers), suite, expectation, show_values)
            for b, (suite, expectation) in zip(built, selection.entries, strict=True)
        ]


def _absent(expectation: dict[str, Any], columns: set[str]) -> str:
    """Great Expectations has a message of its own for each type of expectation, such as "list index out of range"."""
    lacking = [c for c in _columns(expectation["kwargs"]) if c not in columns]
    about_values = expectation["type"] != "expect_column_to_exist" and (
        "column" in expectation["kwargs"] or _looks_at_rows(expectation["type"])
    )
    return f"there is no column {', '.join(lacking)}" if lacking and about_values else ""


def _build(kind: str, arguments: dict[str, Any], parameters: dict[str, Any], moments: set[str]) -> Any:
    """The expectation, or why it cannot be made."""
    from great_expectations.core.suite_parameters import build_suite_parameters

    try:
        return _implementation(kind)(**_bounds(build_suite_parameters(arguments, parameters)[0], moments))
    except Exception as error:  # GX raises many kinds; whichever it is, the expectation was not met
        return _short(error)


def _bounds(arguments: dict[str, Any], moments: set[str]) -> dict[str, Any]:
    """A day as a bound of moments, which Great Expectations cannot compare with each other: the day belongs to what is inside, unless
    the bound is strict."""
    if arguments.get("column") not in moments:
        return arguments
    whole = dict(arguments)
    for name, at_the_end in (("min_value", bool(arguments.get("strict_min"))), ("max_value", not arguments.get("strict_max"))):
        if isinstance(value := arguments.get(name), str) and DAY.fullmatch(value):
            whole[name] = f"{value}T{'23:59:59.999999' if at_the_end else '00:00:00'}"
    return whole


def _answer(answer: Any, suite: Suite, entry: dict[str, Any], show_values: bool) -> Evaluated:
    """`answer`: Great Expectations' result, or why there is none."""
    kind, arguments = entry["type"], entry["kwargs"]
    looks_at_rows = _looks_at_rows(kind)
    fields: dict[str, Any] = {
        "suite": suite.name,
        "type": kind,
        "arguments": arguments,
        "severity": entry.get("severity", "critical"),
        "level": "row" if looks_at_rows else "table",
        "description": entry.get("description") or "",
    }
    if isinstance(answer, str):
        return Evaluated(CheckResult(**fields, success=False, error=answer), [] if looks_at_rows else None)
    found = answer.result or {}
    observed = found.get("observed_value")
    result = CheckResult(
        **fields,
        success=bool(answer.success),
        observed=observed if show_values or isinstance(observed, int | float) else None,
        checked_rows=found.get("element_count"),
        unexpected=found.get("unexpected_count"),
        examples=_examples(found.get("partial_unexpected_list", [])) if show_values else [],
        error=_exception(answer.exception_info),
    )
    return Evaluated(result, [int(i) for i in found.get("unexpected_index_list") or []] if looks_at_rows else None)


def _examples(values: list[Any]) -> list[str]:
    """Each once: the same value again is no other example."""
    return list(dict.fromkeys(_shown(v) for v in values if not _is_missing(v)))


def _is_missing(value: Any) -> bool:
    """Of a value that is not there, there is nothing to show."""
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _columns(arguments: dict[str, Any]) -> list[str]:
    single = [arguments[a] for a in ("column", "column_A", "column_B") if a in arguments]
    return single + list(arguments.get("column_list") or [])


def _implementation(kind: str) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    return get_expectation_impl(kind)


def _looks_at_rows(kind: str) -> bool:
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations import expectation as base

    _import()
    maps = (base.ColumnMapExpectation, base.ColumnPairMapExpectation, base.MulticolumnMapExpectation)
    try:
        return issubclass(_implementation(kind), maps)
    except ExpectationNotFoundError:  # evaluating it says so
        return False


def _exception(info: dict[str, Any] | None) -> str:
    """GX gives either one exception's fields or a mapping of metric -> those fields."""
    if not info:
        return ""
    entries = [info] if "raised_exception" in info else [v for v in info.values() if isinstance(v, dict)]
    return "; ".join(dict.fromkeys(_short(e["exception_message"]) for e in entries if e.get("raised_exception")))


def _short(error: object) -> str:
    return " ".join(str(error).split())[:300]


def _shown(value: Any) -> str:
    text = ("vrai" if value else "faux") if str(value) in ("True", "False") and not isinstance(value, str) else str(value)
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"


def _import() -> Any:
    from flows.quality.gx_import import import_great_expectations

    with _quiet():
        great_expectations = import_great_expectations()

        from flows.quality import french, table_schema

        french.register()
        table_schema.register()
    return great_expectations


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    import logging

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
