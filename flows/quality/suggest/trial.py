"""Every proposal is tried, as a check would: on this version and on the earlier ones. What does not hold on each is not proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.quality.previous import PREVIOUS, evaluate_previous
from flows.quality.suggest.entries import columns_of, subject
from flows.quality.suites import Suite

if TYPE_CHECKING:
    import polars as pl

    from flows.quality.results import CheckResult


@dataclass(frozen=True)
class Dropped:
    type: str
    columns: str
    why: str


def held(proposed: list[dict[str, Any]], versions: Sequence[pl.LazyFrame], memory_mb: int) -> tuple[list[dict[str, Any]], list[Dropped]]:
    """(those that hold on all versions, those that do not). `versions`: the oldest first, this one last. `memory_mb`: as of a check."""
    dropped = list[Dropped]()
    for number in range(len(versions), 0, -1):
        before = versions[number - 2] if number > 1 else None
        results = _results(proposed, versions[number - 1], before, memory_mb, this=number == len(versions))
        kept = []
        for expectation, result in zip(proposed, results, strict=True):
            if result.success:
                kept.append(expectation)
            else:
                dropped.append(Dropped(*subject(expectation), _why(result, len(versions) - number)))
        proposed = kept
    return proposed, dropped


def _why(result: CheckResult, back: int) -> str:
    where = "on this version" if not back else f"{back} version(s) before this one"
    if result.type in PREVIOUS:
        where = f"{where}, beside the one before it"
    return f"it could not be evaluated {where}: {result.error}" if result.error else f"it did not hold {where}"


def _results(
    proposed: list[dict[str, Any]], rows: pl.LazyFrame, before: pl.LazyFrame | None, memory_mb: int, *, this: bool
) -> list[CheckResult]:
    """In the order of `proposed`. A column that an earlier version had not is nothing against an expectation."""
    from flows.quality.expectations import Selection, evaluate

    suite, there = Suite("", [], ""), set(rows.collect_schema().names())
    found = dict[int, Any]()
    plain, previous = list[int](), list[int]()
    for place, expectation in enumerate(proposed):
        if not this and not set(columns_of(expectation)) <= there:
            continue
        (previous if expectation["type"] in PREVIOUS else plain).append(place)
    selection = Selection([(suite, proposed[p]) for p in plain])
    found |= dict(zip(plain, evaluate(rows, selection, show_values=False, memory_mb=memory_mb), strict=True))
    entries = [(suite, proposed[p]) for p in previous]
    found |= dict(zip(previous, evaluate_previous(rows, before, entries, show_values=False), strict=True))
    return [found[p].result if p in found else _met(expectation) for p, expectation in enumerate(proposed)]


def _met(expectation: dict[str, Any]) -> CheckResult:
    from flows.quality.results import CheckResult

    return CheckResult("", expectation["type"], expectation["kwargs"], "info", "table", True)
