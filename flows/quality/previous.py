"""Expectations about what changed since the version before: rows, missing values, distributions.

They stand in ordinary suites, and are no classes of Great Expectations: it knows one table at a time. "The version before" is the
one that is served until the load is committed; it is compared with the whole table as it would be afterwards. Where there is none,
they are met.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.quality.results import CheckResult
from flows.quality.suites import Suite

if TYPE_CHECKING:
    import polars as pl

    from flows.quality.expectations import Evaluated

ROW_COUNT = "expect_row_count_to_stay_close_to_previous"
DISTRIBUTION = "expect_column_distribution_to_stay_close_to_previous"
NULL_SHARE = "expect_column_null_share_to_stay_close_to_previous"

PREVIOUS: dict[str, tuple[str, ...]] = {
    ROW_COUNT: ("max_drop", "max_growth"),
    DISTRIBUTION: ("column", "threshold"),
    NULL_SHARE: ("column", "max_change"),
}
"""Expectation -> the arguments that it may have. `problems` says which are needed and what they may be."""

THRESHOLD = 0.2
"""Of a Jensen-Shannon distance, unless said otherwise. For small differences it is the square root of (population stability index
/ 8 ln 2): the index's usual limits 0.1 (to be watched) and 0.25 (shifted; N. Siddiqi, Credit Risk Scorecards, 2006) are 0.13 and 0.21."""
MAX_CHANGE = 0.05
NORMAL_999 = 3.0902
TOLD = 3  # bins or columns that are named
NONE = "pas de version précédente"

Entry = tuple[Suite, dict[str, Any]]


def on_previous(suites: Iterable[Suite]) -> list[Entry]:
    """The expectations of some suites that are evaluated here."""
    return [(suite, e) for suite in suites for e in suite.expectations if e["type"] in PREVIOUS]


def problems(kind: str, arguments: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of one of PREVIOUS; columns that do not exist are not looked for."""
    found = [f"{kind} has no argument {name!r} (it has {', '.join(PREVIOUS[kind])})" for name in arguments if name not in PREVIOUS[kind]]
    if kind == ROW_COUNT and arguments.get("max_drop") is None and arguments.get("max_growth") is None:
        found.append("max_drop or max_growth is needed")
    for name, most in (("max_drop", 1.0), ("max_growth", math.inf), ("threshold", 1.0), ("max_change", 1.0)):
        value = arguments.get(name)
        if name in PREVIOUS[kind] and value is not None and not _is_share(value, most):
            limit = f"from 0 to {most:g}" if most < math.inf else "of 0 or more"
            found.append(f"{name} is a share {limit} (0.1 is 10 %), not {value!r}")
    if "column" in arguments and not isinstance(arguments["column"], str):
        found.append("column is the name of one column; left out: every column")
    return found


def _is_share(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def evaluate_previous(rows: pl.LazyFrame, previous: pl.LazyFrame | None, entries: list[Entry], *, show_values: bool) -> list[Evaluated]:
    """Evaluate `entries` (of PREVIOUS) on the whole table as it would be, beside the version before; None if there is none.

    Observed: the change of the number of rows or of the share of missing values (-0.35: 35 % fewer), or a Jensen-Shannon distance (0 to 1).
    The examples say what changed, in French. One that cannot be evaluated is a failed result with its `error`.
    """
    from flows.quality.expectations import Evaluated

    if not entries:
        return []
    both = _Versions(rows, previous) if previous is not None else None
    distances = both.distances([e for _, e in entries if e["type"] == DISTRIBUTION]) if both else {}
    return [Evaluated(_result(suite, entry, both, distances, show_values), None) for suite, entry in entries]


@dataclass(frozen=True)
class _Found:
    success: bool
    observed: Any
    examples: list[str]
    error: str = ""


def _result(suite: Suite, entry: dict[str, Any], both: _Versions | None, distances: dict[str, Any], show_values: bool) -> CheckResult:
    kind, arguments = entry["type"], entry["kwargs"]
    if wrong := problems(kind, arguments):
        found = _Found(False, None, [], "; ".join(wrong))
    elif both is None:
        found = _Found(True, NONE, [])
    elif kind == ROW_COUNT:
        found = _row_count(both, arguments)
    elif unknown := both.unknown(arguments.get("column"), kind):
        found = unknown
    elif kind == NULL_SHARE:
        found = _null_share(both, arguments)
    else:
        found = _distribution(both, arguments, distances, show_values)
    return CheckResult(
        suite=suite.name,
        type=kind,
        arguments=arguments,
        severity=entry.get("severity", "critical"),
        level="table",
        success=found.success,
        description=entry.get("description") or "",
        observed=found.observed,
        checked_rows=both.now if both else None,
        examples=found.examples,
        error=found.error,
    )


class _Versions:
    """The table as it would be and the version before, with their numbers of rows and of missing values."""

    def __init__(self, rows: pl.LazyFrame, previous: pl.LazyFrame) -> None:
        self.rows, self.previous = rows, previous
        self.schema, self.old_schema = _visible(rows), _visible(previous)
        self.now, self.nulls = _counts(rows, self.schema)
        self.before, self.old_nulls = _counts(previous, self.old_schema)

    def unknown(self, column: str | None, kind: str) -> _Found | None:
        """Why nothing can be said of this column."""
        from flows.quality.distributions import comparable

        if column is None:
            return None
        if column not in self.schema:
            return _Found(False, None, [], f"il n'y a pas de colonne « {column} »")
        if column not in self.old_schema:
            return _Found(True, "colonne absente de la version précédente", [])
        if kind == DISTRIBUTION and not (comparable(self.schema[column]) and comparable(self.old_schema[column])):
            return _Found(False, None, [], f"« {column} » est de type {self.schema[column]} : de tels contenus n'ont pas de répartition")
        return None

    def shared(self, column: str | None) -> list[str]:
        return [column] if column is not None else [c for c in self.schema if c in self.old_schema]

    def distances(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        """column -> Comparison, for all that these expectations name, read together."""
        import polars as pl

        from flows.quality.distributions import comparable, compare

        wanted = set[str]()
        for entry in entries:
            column = entry["kwargs"].get("column")
            if column is None:  # days pass: that dates move on is no shift, unless somebody asks
                wanted |= {c for c in self.shared(None) if self.schema[c] not in (pl.Date, pl.Datetime)}
            elif isinstance(column, str):
                wanted.add(column)
        usable = [
            c for c in self.schema if c in wanted and c in self.old_schema and comparable(self.schema[c]) and comparable(self.old_schema[c])
        ]
        return compare(self.previous, self.rows, usable) if usable else {}


def _visible(frame: pl.LazyFrame) -> dict[str, pl.DataType]:
    """Columns that begin with two underscores are Socle's own."""
    return {c: kind for c, kind in frame.collect_schema().items() if not c.startswith("__")}


def _counts(frame: pl.LazyFrame, schema: dict[str, pl.DataType]) -> tuple[int, dict[str, int]]:
    """Rows; missing values of each column (null, NaN)."""
    import polars as pl

    missing = [
        (pl.col(c).is_nan() | pl.col(c).is_null() if k.is_float() else pl.col(c).is_null()).sum().alias(c) for c, k in schema.items()
    ]
    row = frame.select(pl.len().alias("__rows"), *missing).collect(engine="streaming").row(0, named=True)
    return int(row.pop("__rows")), {c: int(n) for c, n in row.items()}


def _row_count(both: _Versions, arguments: dict[str, Any]) -> _Found:
    if not both.before:
        return _Found(True, "la version précédente est vide", [])
    change = both.now / both.before - 1
    drop, growth = arguments.get("max_drop"), arguments.get("max_growth")
    success = (drop is None or both.now >= both.before * (1 - drop)) and (growth is None or both.now <= both.before * (1 + growth))
    return _Found(
        success,
        round(change, 4),
        [] if success else [f"{_whole(both.now)} lignes au lieu de {_whole(both.before)} ({_percent(change, sign=True)})"],
    )


def _null_share(both: _Versions, arguments: dict[str, Any]) -> _Found:
    """A change that chance explains 999 times in 1000 (normal approximation) is none."""
    most = arguments.get("max_change")
    most, moved = MAX_CHANGE if most is None else most, []
    for column in both.shared(arguments.get("column")):
        was, is_now = _share(both.old_nulls[column], both.before), _share(both.nulls[column], both.now)
        pooled = _share(both.old_nulls[column] + both.nulls[column], both.before + both.now)
        noise = NORMAL_999 * math.sqrt(pooled * (1 - pooled) * (1 / max(both.before, 1) + 1 / max(both.now, 1)))
        change = is_now - was if both.before and both.now else 0.0
        moved.append((abs(change) > max(most, noise) + 1e-12, abs(change), change, column, was, is_now))
    moved.sort(key=lambda m: (not m[0], -m[1]))
    told = [f"{_of(c, arguments)}{_percent(n)} de valeurs vides au lieu de {_percent(w)}" for out, _, _, c, w, n in moved[:TOLD] if out]
    return _Found(not told, round(moved[0][2], 4) if moved else 0.0, told)


def _distribution(both: _Versions, arguments: dict[str, Any], distances: dict[str, Any], show_values: bool) -> _Found:
    """A distance that chance explains 999 times in 1000 is not held against a table with few rows."""
    threshold = arguments.get("threshold")
    threshold = THRESHOLD if threshold is None else threshold
    if not both.before:
        return _Found(True, "la version précédente est vide", [])
    named = [arguments["column"]] if arguments.get("column") is not None else [c for c in both.shared(None) if c in distances]
    found = []
    for column in named:
        one = distances[column]
        chance = one.chance if both.now else 0.0
        found.append((one.distance > max(threshold, chance) + 1e-12, one.distance, column, one))
    found.sort(key=lambda f: (not f[0], -f[1]))
    told = []
    for out, distance, column, one in found[:TOLD]:
        if out and arguments.get("column") is None:
            told.append(f"« {column} » (écart {distance:.2f})".replace(".", ","))
        elif out and show_values:
            told += [f"{what} : {_percent(now)} au lieu de {_percent(was)}" for what, was, now in one.shares[:TOLD]]
    return _Found(not (found and found[0][0]), round(found[0][1], 4) if found else 0.0, told)


def _of(column: str, arguments: dict[str, Any]) -> str:
    return "" if arguments.get("column") is not None else f"« {column} » : "


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _whole(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def _percent(share: float, *, sign: bool = False) -> str:
    digits = 0 if abs(share) >= 0.1 or not share else 1
    text = f"{100 * share:{'+' if sign else ''}.{digits}f}".replace(".", ",").replace("-", "−")
    return f"{text} %"
