"""Exact facts of a file's bytes, at the speed of memory: what makes it safe to leave the parsing to a reader that forgives.

Polars' scan_csv fills short rows with nulls and says nothing. But if it read R rows of K columns and refused none for being too long,
and the records hold (K - 1) x R delimiters, then no row was short.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.formats.csv.reading import open_records
from flows.formats.csv.text import normal
from flows.project.formats import CsvFormat
from flows.settings import Settings

PART = 1 << 19  # bytes looked at together: their bits stay in a core's cache


@dataclass(frozen=True)
class Facts:
    records: int
    columns: int
    start: int
    """Where the first record begins, in bytes; the end is that of the file, or of what comes before the footer."""
    end: int
    quotes: bool
    """Whether the quote character occurs in the records."""


def regular(path: Path, how: CsvFormat, settings: Settings, *, none_is_wider: bool = False) -> Facts | None:
    """What there is if every record is well formed UTF-8 text with one field a column, and any reader of CSV reads the same;
    None if that is not so, or cannot be proved here. Lines without anything are no records.

    `none_is_wider`: somebody else refuses records with more fields than there are columns, as Polars does. Then it is enough to count
    the delimiters: if there are as many as there should be, no record has fewer either.
    """
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
    records, delimiters, quotes, rest, size, left = 0, 0, False, b"", PART, text.end - start
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
            if len(data) - cut > limit or data.find(b"\0", 0, cut) >= 0 or not is_utf8(data, cut):
                return None
            if cut:
                between, returns = marks.counts(cut)
                bare += returns - (ends_in_cr and data.startswith(b"\n"))
                ends_in_cr = data.endswith(b"\r", 0, cut)
                delimiters += between
                if cut > limit or not none_is_wider:
                    starts, ends, found = marks.records(cut)
                    if (found != width - 1).any() or (ends - starts > limit).any():
                        return None
                records += marks.filled(cut)
            quotes = quotes or (bool(grammar.quote) and grammar.quote in data)
            rest = data[cut:]
            size = max(PART, len(rest))  # of one record that is long, twice as much is looked at each time
    if bare or (width < 2 and none_is_wider) or delimiters != (width - 1) * records:
        return None
    return Facts(records, width, start, text.end, quotes)


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


def columns(path: Path, how: CsvFormat, name: str = "") -> list[str]:
    """Names of the columns, all different, as `read` gives them; none if there is no record at all."""
    text, found, _ = open_records(path, how, name)
    with text:
        return found.names
