"""What formats of records share."""

from __future__ import annotations

import json
from typing import Any

from flows.errors import SourceRefused
from flows.formats.base import BadRow

MOST_RAW = 10_000
"""Characters kept of a record that is none."""


def as_object(record: Any, name: str, place: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise SourceRefused(
            f"{name}, {place} is {type(record).__name__}, not an object",
            where="format.records",
            hint="records are objects: {…}",
            french=f"Dans {name}, un enregistrement n'est pas un objet JSON ({place}).",
        )
    return record


def object_or_bad(record: Any, name: str, number: int, kind: str) -> dict[str, Any] | BadRow:
    """The first record has to be an object; what is none after it is a record that is no row.

    Raises: SourceRefused if the first one is none.
    """
    if isinstance(record, dict):
        return record
    if number == 1:
        as_object(record, name, "record 1")
    return BadRow(f"{kind}:record:{type(record).__name__}, not an object", number, as_json(record)[:MOST_RAW])


def as_json(value: Any) -> str:
    """Raises: SourceRefused for what is nested deeper than can be written."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except RecursionError:
        raise SourceRefused("a record is nested too deep to be read") from None
