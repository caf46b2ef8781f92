"""JSON and JSON Lines, streamed record by record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, SourceRefused
from flows.project import JsonFormat, JsonLinesFormat


def read_json(path: Path, name: str, declared: JsonFormat, *, max_record_mb: int, **_: Any) -> Iterator[dict[str, Any]]:
    """The objects at the `records` path (ijson's syntax). Without a path: the items of a list at the top, or the whole
    document as one record if it is an object, when it is not over `max_record_mb`."""
    import ijson

    where = declared.records or _top(path, name, max_record_mb)
    count = 0
    try:
        with path.open("rb") as file:
            for count, record in enumerate(ijson.items(file, where, use_float=True), 1):
                yield _object(record, name, f"record {count}")
    except (ijson.JSONError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceRefused(
            f"{name} is not whole, valid JSON: {reason}", where=f"{path} after record {count}", hint="fetch it again, or ask its producer"
        ) from None
    if declared.records and not count:
        raise ConfigurationError(
            f"{name} has no record at {declared.records!r}", where="format.records", hint="`item` stands for the elements of a list"
        )


def _top(path: Path, name: str, max_record_mb: int) -> str:
    with path.open("rb") as file:
        first = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        return "item"
    size_mb = path.stat().st_size / 1e6
    if size_mb > max_record_mb:
        raise ConfigurationError(
            f"{name} is one JSON document of {size_mb:.0f} MB",
            where="format.records",
            hint=f"give the path to the records, or raise SOCLE_MAX_RECORD_MB ({max_record_mb})",
        )
    return ""


def read_json_lines(path: Path, name: str, declared: JsonLinesFormat, **_: Any) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                raise SourceRefused(f"{name}, line {number} is not JSON: {error}", where=str(path)) from None
            yield _object(record, name, f"line {number}")


def _object(record: Any, name: str, place: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise SourceRefused(f"{name}, {place} is {type(record).__name__}, not an object", where="format.records")
    return record
