"""Exact facts of a file's bytes, at the speed of memory: what makes it safe to leave the parsing to a reader that forgives.

Polars' scan_csv fills short rows with nulls and says nothing. But if it read R rows of K columns and refused none for being too long,
and the records hold (K - 1) x R delimiters, then no row was short. These facts are of UTF-8 and of encodings of one byte a character.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.formats.csv.reading import open_records
from flows.formats.csv.text import normal
from flows.project.formats import CsvFormat
from flows.settings import Settings

if TYPE_CHECKING:
    from flows.formats.csv.bits import Marks

PART = 1 << 20  # bytes looked at together: their bits stay in a core's cache


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
    from flows.formats.csv.bits import Marks

    assert how.encoding is not None
    if normal(how.encoding) not in ("utf-8", "ascii") or how.skip_space:
        return None
    text, layout, grammar = open_records(path, how)
    with text:
        start = text.offset
    if not layout.names or not grammar.fast or start is None:
        return None
    width, limit = len(layout.names), int(settings.csv_max_record_mb * 1e6)
    records, quotes, rest, size, left = 0, False, b"", PART, text.end - start
    bare, ends_in_cr = 0, False  # carriage returns that no line feed follows: ends of lines to some readers only
    with path.open("rb") as file:
        file.seek(start)
        while left > 0:
            piece = file.read(min(size, left))
            if not piece:  # the file became shorter
                return None
            left -= len(piece)
            data = rest + piece
            marks = Marks(data, grammar.delimiter, grammar.quote, grammar.escape, not left)
            if marks.first_violation < len(data):
                return None
            cut = marks.whole() if left else len(data)
            found = _records_of(data, marks, cut, width, limit) if cut else 0
            if found is None or len(data) - cut > limit:
                return None
            bare += data.count(b"\r", 0, cut) - data.count(b"\r\n", 0, cut) - (ends_in_cr and data.startswith(b"\n"))
            ends_in_cr = data.endswith(b"\r", 0, cut) if cut else ends_in_cr
            records += found
            quotes = quotes or (bool(grammar.quote) and grammar.quote in data)
            rest = data[cut:]
            size = max(PART, len(rest))  # of one record that is long, twice as much is looked at each time
    return None if bare else Facts(records, width, start, text.end, quotes)


def _records_of(data: bytes, marks: Marks, cut: int, width: int, limit: int) -> int | None:
    """How many records there are in the first `cut` bytes; None if one is not as it should be."""
    if data.find(b"\0", 0, cut) >= 0 or not is_utf8(data, cut):
        return None
    if cut <= limit and (found := marks.even(width, cut)) is not None:
        return found
    starts, ends, delimiters = marks.records(cut)
    good = (delimiters == width - 1).all() and (ends - starts <= limit).all()
    return len(starts) if good else None


def is_utf8(data: bytes, size: int) -> bool:
    """Of the first bytes, without making text of them."""
    import numpy as np
    import pyarrow as pa

    offsets = pa.py_buffer(np.array([0, size], np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


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
