"""Many little files of one shape: what tells at a glance that a file is read as another one was."""

from __future__ import annotations

from pathlib import Path

from flows.formats.csv.cells import kind
from flows.formats.csv.facts import regular
from flows.formats.csv.grammar import Grammar
from flows.project.formats import CsvFormat
from flows.settings import Settings

LITTLE = 1 << 20  # bytes: looking for the dialect of a larger file is little beside reading it

Mark = tuple[bytes, tuple[str, ...], bool]


def mark(path: Path, how: CsvFormat, settings: Settings) -> Mark | None:
    """The bytes up to the first record, what its fields look like, and whether something is quoted.

    Two files with one mark are compatible with the same reading: each is well formed throughout in `how`, with the same header.
    None where that cannot be said.
    """
    if path.stat().st_size > LITTLE or how.footer_rows or how.escape or how.names or not how.header_rows:
        return None
    facts = regular(path, how, settings)
    if facts is None or facts.columns < 2 or not facts.records:
        return None
    data = path.read_bytes()
    body = data[facts.start : facts.end].lstrip(b"\r\n")
    grammar = Grammar.of(how, "utf-8")
    if (how.quote != '"' and b'"' in body) or _other_quotes(data, grammar.delimiter):
        return None
    fields, _ = grammar.record(body, 0, True)
    return data[: facts.start], tuple(kind((f or b"").decode()) for f in fields), facts.quotes


def _other_quotes(data: bytes, delimiter: bytes) -> bool:
    """Whether a field may begin or end with another kind of quote."""
    ends = ((delimiter, b""), (b"\n", b""), (b"", delimiter), (b"", b"\n"), (b"", b"\r"))
    return any(before + quote + after in data for quote in (b"'", b"`") for before, after in ends)
