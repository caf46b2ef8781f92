"""Whether expectations can be evaluated on columns of the declared types at all, found out by doing so on a table of three rows.

Only errors count, never results: three invented rows say nothing about data. An error that other types do not have is about the type; one
that all types have is about the invented values, unless no engine knows the expectation.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from flows.quality.previous import PREVIOUS
from flows.quality.suites import Suite

DAYS = [datetime.date(2024, 1, day) for day in (1, 2, 3)]
VALUES: dict[str, list[Any]] = {
    "string": ["a", "b", "c"],
    "integer": [1, 2, 4],
    "number": [1.5, 2.5, 4.5],
    "boolean": [True, False, True],
    "date": DAYS,
    "datetime": [datetime.datetime.combine(day, datetime.time(), datetime.UTC) for day in DAYS],
}
UNKNOWN = "No provider found"
Entry = tuple[str, dict[str, Any]]


def type_errors(entries: list[Entry], types: Mapping[str, str]) -> list[str]:
    """For each (type of expectation, arguments): why it cannot be evaluated on columns of these types, or nothing.

    `types`: column -> type, as declared. What is about columns that are not there is left out, and row conditions are.
    """
    plain = [(kind, {k: v for k, v in a.items() if k not in ("row_condition", "condition_parser")}) for kind, a in entries]
    asked = [
        n
        for n, (kind, arguments) in enumerate(plain)
        if kind not in PREVIOUS and all(types.get(c) in VALUES for c in columns_of(arguments))
    ]
    found = [""] * len(entries)
    for n, error in zip(asked, _errors([plain[n] for n in asked], types), strict=True):
        if error:
            found[n] = _meaning(plain[n], error, types)
    return found


def columns_of(arguments: dict[str, Any]) -> list[str]:
    """That are named, one by one or in a list."""
    single = [arguments[a] for a in ("column", "column_A", "column_B") if isinstance(arguments.get(a), str)]
    listed = arguments.get("column_list")
    return single + [c for c in (listed if isinstance(listed, list) else []) if isinstance(c, str)]


def _meaning(entry: Entry, error: str, types: Mapping[str, str]) -> str:
    arguments = entry[1]
    if UNKNOWN in error:
        return "it is known to Great Expectations for databases only, and cannot be evaluated here"
    named = columns_of(arguments)
    others = [{**types, **dict.fromkeys(named, other)} for other in VALUES]
    if not named or all(_errors([entry], one)[0] for one in others):
        return ""
    described = ", ".join(f"{c!r} is {types[c]}" for c in dict.fromkeys(named))
    return f"it cannot be evaluated, since {described}: {error}"


def _errors(entries: list[Entry], types: Mapping[str, str]) -> list[str]:
    import polars as pl

    from flows.quality.expectations import Selection, evaluate

    suite = Suite("", [], "")
    rows = pl.DataFrame({name: VALUES[kind] for name, kind in types.items() if kind in VALUES} or {"-": [1, 2, 3]})
    selection = Selection([(suite, {"type": kind, "kwargs": arguments}) for kind, arguments in entries])
    try:
        return [each.result.error for each in evaluate(rows.lazy(), selection, show_values=False)]
    except Exception:  # whatever it is, it is about invented rows, and a run will say it of real ones
        return [""] * len(entries)
