"""JSON Lines: a record a line. A line that is none is a record that is no row; a file of which most lines are none is another file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.formats.base import BadRow, Decision
from flows.formats.doubled_keys import in_lines
from flows.formats.json import refuse_other_text
from flows.formats.recognise import other_than
from flows.formats.records import MOST_RAW
from flows.project.formats import JsonLinesFormat
from flows.settings import Settings

BOM = b"\xef\xbb\xbf"
JUDGED = 100  # lines after which it is asked whether most are bad


def decide(path: Path, name: str, declared: JsonLinesFormat | None, settings: Settings) -> Decision:
    reasons = {} if declared else {"type": "each line is a JSON object"}
    return Decision(declared or JsonLinesFormat(type="jsonl"), reasons, in_lines(path))


def incompatible(path: Path, name: str, kept: JsonLinesFormat, settings: Settings) -> str | None:
    return other_than(path, name, "jsonl")


def read(path: Path, name: str, how: JsonLinesFormat, settings: Settings) -> Iterator[dict[str, Any] | BadRow]:
    refuse_other_text(path, name)
    limit = settings.max_record_mb * 1_000_000
    count = bad = offset = 0
    last = None
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(limit + 1), b""), 1):
            if len(line) > limit:
                raise SourceRefused(
                    f"{name}, line {number} is longer than {settings.max_record_mb} MB",
                    where=f"{path}, byte {offset}",
                    hint="is it JSON Lines, with a record a line? If so, raise SOCLE_MAX_RECORD_MB",
                )
            start, offset = offset, offset + len(line)
            text = line.removeprefix(BOM) if number == 1 else line
            if not text.strip(b" \t\r\n\x1e"):
                continue
            count += 1
            record = _record(text)
            if isinstance(record, str):
                bad += 1
                last = BadRow(f"jsonl:{record}", count, _shown(text), number, start)
                if count >= JUDGED:
                    _refuse_most(path, name, bad, count, last)
                yield last
            else:
                yield record
    if last is not None:
        _refuse_most(path, name, bad, count, last)


def _record(line: bytes) -> dict[str, Any] | str:
    """The object, or why there is none."""
    try:
        record = json.loads(line.lstrip(b"\x1e"))  # the mark of GeoJSON text sequences
    except RecursionError:
        return "json:nested too deep"
    except ValueError as error:  # not JSON, not UTF-8, or a number of thousands of digits
        return f"json:{str(error).split(':')[0][:80]}"
    if not isinstance(record, dict):
        return f"record:{type(record).__name__}, not an object"
    if b"\\ud" in line.lower() and not _is_text(record):
        return "text:half a character (a lone surrogate)"
    return record


def _is_text(record: dict[str, Any]) -> bool:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").rstrip("\r\n")[:MOST_RAW]


def _refuse_most(path: Path, name: str, bad: int, count: int, last: BadRow) -> None:
    if bad * 2 > count:
        raise SourceRefused(
            f"{name} is not JSON Lines: {bad} of its first {count} lines are not JSON objects, such as line {last.line} ({last.rule})",
            where=str(path),
            hint="is it one JSON document (format.type: json)?",
            french=f"Le fichier {name} n'est pas du JSON Lines : la plupart de ses lignes ne sont pas des objets JSON.",
        )
