"""Where records are in a CSV file: line, byte offset and text of a few, by their numbers, in one pass over the bytes.

Rows that types or rules refuse are known by number only; this is how a person finds them in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.formats.csv.bits import Marks
from flows.formats.csv.pieces import Block, pieces
from flows.formats.csv.reading import SHOWN, open_records
from flows.formats.csv.text import Lines, Text
from flows.project.formats import CsvFormat

if TYPE_CHECKING:
    from flows.formats.csv.grammar import Grammar

LONGEST = 64_000_000  # bytes of a record: the default of csv_max_record_mb


@dataclass(frozen=True)
class Place:
    line: int | None
    """Its first line in the file, from 1; None, like the offset, in encodings where that cannot be told."""
    offset: int | None
    raw: str


def locate(path: Path, how: CsvFormat, row_numbers: Iterable[int], max_record_bytes: int = LONGEST) -> dict[int, Place]:
    """Row number -> place, numbered as `read` numbers them; a number that the file has not is left out.

    `max_record_bytes`: the same limit as when it was read, or numbers after an unclosed quote may differ.
    """
    wanted = sorted(set(row_numbers))
    text, layout, grammar = open_records(path, how)
    with text:
        if not wanted or not layout.names:
            return {}
        lines, row, found = Lines(path, text.declared), 0, dict[int, Place]()
        for piece in pieces(text, grammar, len(layout.names), max_record_bytes):
            if isinstance(piece, Block):
                row = _in_block(piece, row, wanted, text, grammar, lines, found)
            else:
                row += 1
                if wanted and wanted[0] == row:
                    wanted.pop(0)
                    found[row] = _place(piece.raw, piece.offset, text, lines)
            if not wanted:
                break
        return found


def _in_block(block: Block, row: int, wanted: list[int], text: Text, grammar: Grammar, lines: Lines, found: dict[int, Place]) -> int:
    """The number of its last record."""
    count = _count(block.data) if block.marks is None else None
    if count is not None and wanted[0] > row + count:
        return row + count
    marks = block.marks or Marks(block.data, grammar.delimiter, b"", b"", True)
    starts, ends, _ = marks.records(len(block.data))
    while wanted and wanted[0] <= row + len(starts):
        number = wanted.pop(0)
        if number <= row:
            continue
        start, end = int(starts[number - row - 1]), int(ends[number - row - 1])
        width = text.width(block.data[:start])
        offset = None if block.offset is None or width is None else block.offset + width
        found[number] = _place(block.data[start:end], offset, text, lines)
    return row + len(starts)


def _count(data: bytes) -> int | None:
    """How many records there are, where counting line ends tells: no blank lines, no lone carriage returns."""
    ends = data.count(b"\n")
    if b"\n\n" in data or b"\n\r" in data or data[:1] in (b"\n", b"\r"):
        return None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    return ends if data.endswith(b"\n") else ends + 1


def _place(raw: bytes, offset: int | None, text: Text, lines: Lines) -> Place:
    shown = text.show(raw[:SHOWN])
    if len(raw) > SHOWN:
        shown += f" … ({len(raw)} bytes)"
    return Place(None if offset is None else lines.of(offset), offset, shown)
