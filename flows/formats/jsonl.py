"""JSON Lines: a record a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.formats.base import Decision
from flows.formats.records import as_object
from flows.project.formats import JsonLinesFormat
from flows.settings import Settings

BOM = b"\xef\xbb\xbf"


def decide(path: Path, name: str, declared: JsonLinesFormat | None, settings: Settings) -> Decision:
    return Decision(declared or JsonLinesFormat(type="jsonl"))


def incompatible(path: Path, name: str, kept: JsonLinesFormat, settings: Settings) -> str | None:
    return None


def read(path: Path, name: str, how: JsonLinesFormat, settings: Settings) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line.removeprefix(BOM) if number == 1 else line)
            except (ValueError, RecursionError) as error:  # ValueError: not JSON, not UTF-8, or a number of thousands of digits
                raise SourceRefused(f"{name}, line {number} is not JSON: {error}", where=str(path)) from None
            yield as_object(record, name, f"line {number}")
