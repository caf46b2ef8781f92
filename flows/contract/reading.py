"""How the text of one column is read: what is declared, else what was found, else the usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.project import Column

Convention = Mapping[str, Any]
"""What was found of a column, under the names that `Column` has for what is declared. It is JSON: the commit keeps it."""

CONVENTIONS = ("decimal", "thousands", "format", "true", "false", "missing")
"""Fields of Column that may be found."""
TRUE = ("true", "vrai", "oui", "o", "yes", "y", "1")
FALSE = ("false", "faux", "non", "n", "no", "0")
"""Words for yes and no that need no declaration, in whatever case."""


@dataclass(frozen=True)
class Reading:
    kind: str
    decimal: str | None = None
    """None: not known yet; a point is the only mark that is read then."""
    thousands: str | None = None
    """Spaces and apostrophes between groups of three digits need no declaration."""
    unit: str = ""
    formats: tuple[str, ...] = ()
    """Of dates and times, in the order in which they are tried; none: ISO 8601."""
    iso: bool = True
    """ISO 8601 is read beside `formats`: it can be read in one way only."""
    true: tuple[str, ...] = TRUE
    false: tuple[str, ...] = FALSE
    missing: tuple[str, ...] = ()


def settled(column: Column, convention: Convention | None = None) -> Reading:
    found = convention or {}
    formats = column.format if column.format is not None else found.get("format") or []
    return Reading(
        kind=column.type,
        decimal=column.decimal or found.get("decimal"),
        thousands=column.thousands or found.get("thousands"),
        unit=column.unit or "",
        formats=(formats,) if isinstance(formats, str) else tuple(formats),
        iso=column.format is None,
        true=_words(column.true, column.false, found.get("true", []), TRUE),
        false=_words(column.false, column.true, found.get("false", []), FALSE),
        missing=tuple(column.missing) if column.missing is not None else tuple(found.get("missing", [])),
    )


def _words(declared: list[str] | None, opposite: list[str] | None, found: list[str], usual: tuple[str, ...]) -> tuple[str, ...]:
    """In small letters. What is declared stands alone; what is found comes beside the usual."""
    if declared is not None:
        return tuple(w.strip().lower() for w in declared)
    against = {w.strip().lower() for w in opposite or []}
    return tuple(w for w in dict.fromkeys([*usual, *(w.strip().lower() for w in found)]) if w not in against)
