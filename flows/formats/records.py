"""What formats of records share."""

from __future__ import annotations

from typing import Any

from flows.errors import SourceRefused


def as_object(record: Any, name: str, place: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise SourceRefused(f"{name}, {place} is {type(record).__name__}, not an object", where="format.records")
    return record
