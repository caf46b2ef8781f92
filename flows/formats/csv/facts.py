"""Exact facts of a file's bytes, at the speed of memory: what makes it safe to leave the parsing to a reader that forgives.

Polars' scan_csv fills short rows with nulls and says nothing. But if it read R rows of K columns and refused none for being too long,
and the records hold (K - 1) x R delimiters, then no row was short. These facts are of UTF-8 and of encodings of one byte a character.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.formats.csv.grammar import Grammar
from flows.formats.csv.pieces import Block, pieces
from flows.formats.csv.reading import open_records
from flows.formats.csv.text import normal
from flows.project.formats import CsvFormat
from flows.settings import Settings

PART = 1 << 20
EVERYTHING = bytes(range(256))


@dataclass(frozen=True)
class Facts:
    records: int
    columns: int
    start: int
    """Where the first record begins, in bytes; the end is that of the file, or of what comes before the footer."""
    end: int
    quotes: bool
    """Whether the quote character occurs in the records."""


def delimiters(path: Path, how: CsvFormat) -> int:
    """How many bytes of the records are the delimiter, within quotes or not; header, titles and footer are not counted."""
    import numpy as np

    assert how.delimiter is not None
    _, blocks = _records(path, how)
    byte = ord(how.delimiter)
    return sum(int(np.count_nonzero(np.frombuffer(block, np.uint8) == byte)) for block in blocks)


def has_quotes(path: Path, how: CsvFormat) -> bool:
    """Whether the quote character occurs in the records."""
    quote = (how.quote or "").encode()
    return bool(quote) and any(quote in block for block in _records(path, how)[1])


def regular(path: Path, how: CsvFormat, settings: Settings) -> Facts | None:
    """What there is if every record is well formed UTF-8 text with one field a column, and any reader of CSV reads the same;
    None if that is not so, or cannot be proved here. Lines without anything are no records."""
    assert how.encoding is not None
    if normal(how.encoding) not in ("utf-8", "ascii") or how.skip_space:
        return None
    text, layout, grammar = open_records(path, how)
    with text:
        if not layout.names or not grammar.fast or text.offset is None:
            return None
        start, records, quotes = text.offset, 0, False
        for piece in pieces(text, grammar, len(layout.names), int(settings.csv_max_record_mb * 1e6)):
            if not isinstance(piece, Block):
                return None
            found = _whole(piece, grammar, len(layout.names))
            if found is None:
                return None
            records += found
            quotes = quotes or piece.marks is not None
        return Facts(records, len(layout.names), start, text.end, quotes)


def _whole(piece: Block, grammar: Grammar, width: int) -> int | None:
    """How many records; None if one is not as it should be."""
    from flows.formats.csv.bits import Marks

    try:
        piece.data.decode()
    except UnicodeDecodeError:
        return None
    if b"\0" in piece.data:
        return None
    if piece.marks is None:
        lines = piece.data.count(b"\n")
        events = piece.data.translate(None, EVERYTHING.translate(None, grammar.delimiter + b"\n"))
        even = events == (grammar.delimiter * (width - 1) + b"\n") * lines
        if even and width > 1 and piece.data.count(b"\r") == piece.data.count(b"\r\n"):
            return lines
    marks = piece.marks or Marks(piece.data, grammar.delimiter, b"", b"", True)
    starts, _, found = marks.records(len(piece.data))
    return len(starts) if (found == width - 1).all() else None


def _records(path: Path, how: CsvFormat) -> tuple[int, Iterator[bytes]]:
    text, _, _ = open_records(path, how)
    with text:
        start = text.offset or 0

    def blocks() -> Iterator[bytes]:
        left = text.end - start
        with path.open("rb") as file:
            file.seek(start)
            while left > 0 and (block := file.read(min(PART, left))):
                left -= len(block)
                yield block

    return start, blocks()


def columns(path: Path, how: CsvFormat, name: str = "") -> list[str]:
    """Names of the columns, all different, as `read` gives them; none if there is no record at all."""
    text, found, _ = open_records(path, how, name)
    with text:
        return found.names
