"""xlsb: a zip of binary records ([MS-XLSB]), read as a stream."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from flows.formats.sheets.base import MAX_COLUMNS, MAX_MERGES, MAX_ROWS, Merge, Row, Sheet
from flows.formats.sheets.values import (
    BOOLEAN,
    BUILTIN,
    EMPTY,
    ERROR,
    ERRORS,
    NUMBER,
    TEXT,
    Converter,
    converter,
    number_text,
)
from flows.formats.sheets.xlsx import OBJECT_BYTES, TimedPart, ZippedWorkbook, too_many_texts
from flows.formats.unpacking import damaged
from flows.settings import Settings

ROW, BLANK, RK, CELL_ERROR, BOOL, REAL, INLINE, SHARED, F_TEXT, F_NUMBER, F_BOOL, F_ERROR, RICH = *range(12), 62
SHARED_ITEM, FORMAT, STYLE, PROPERTIES, BUNDLE, MERGE = 19, 44, 47, 153, 156, 176
BEGIN_STYLES, END_STYLES = 617, 618
LARGEST = 64 << 20  # bytes of one record


class Xlsb(ZippedWorkbook):
    kind = "xlsb"

    def __init__(self, path: Path, name: str, settings: Settings) -> None:
        super().__init__(path, name, settings)
        self.main = self.workbook_part("xl/workbook.bin")
        self.related = self.relations(self.main)
        self.since_1904, self.sheets = False, list[Sheet]()
        self._shared: list[str] | None = None
        self._converters: list[Converter] | None = None
        for kind, data in self._records(self.main):
            if kind == PROPERTIES and data:
                self.since_1904 = bool(data[0] & 1)
            if kind == BUNDLE:
                relation, at = self._text(data, 8)
                what, part = self.related.get(relation, ("", ""))
                if what == "worksheet":
                    self.sheets.append(Sheet(self._text(data, at)[0], data[0] != 0, part))
        if not self.sheets:
            raise damaged(path, name, ValueError("it is a workbook without any sheet"))

    def _records(self, part: str) -> Iterator[tuple[int, bytes]]:
        """(type, content) of every record of a part."""
        source = self.part(part)
        if source is None:
            return
        data, at = b"", 0
        while True:
            if len(data) - at < 6:
                data, at = _more(source, data[at:], 6), 0
                if not data:
                    return
            kind, size, start = _head(data, at)
            if start < 0 or size > LARGEST:
                raise damaged(self.path, self.name, ValueError(f"a record of {part} cannot be"))
            if len(data) - start < size:
                data, start = _more(source, data[start:], size), 0
                if len(data) < size:
                    raise damaged(self.path, self.name, ValueError(f"{part} ends within a record"))
            yield kind, data[start : start + size]
            at = start + size

    def _text(self, data: bytes, at: int) -> tuple[str, int]:
        """(a text with its length before it, where it ends)"""
        if len(data) < at + 4:
            raise damaged(self.path, self.name, ValueError("a text of it is cut off"))
        size = int.from_bytes(data[at : at + 4], "little")
        if size == 0xFFFFFFFF:
            return "", at + 4
        end = at + 4 + 2 * size
        if end > len(data):
            raise damaged(self.path, self.name, ValueError("a text of it is cut off"))
        return data[at + 4 : end].decode("utf-16-le", "replace"), end

    def _part_of(self, kind: str) -> str:
        return next((part for k, part in self.related.values() if k == kind), "")

    def shared(self) -> list[str]:
        if self._shared is None:
            self._shared, size, limit = [], 0, self.settings.max_record_mb * 1e6
            for kind, data in self._records(self._part_of("sharedStrings")):
                if kind == SHARED_ITEM:
                    self._shared.append(self._text(data, 1)[0])
                    size += len(self._shared[-1]) + OBJECT_BYTES
                    if size > limit:
                        raise too_many_texts(self)
        return self._shared

    def converters(self) -> list[Converter]:
        if self._converters is None:
            codes, ids, inside = dict[int, str](), list[int](), False
            for kind, data in self._records(self._part_of("styles")):
                if kind == FORMAT:
                    codes[int.from_bytes(data[:2], "little")] = self._text(data, 2)[0]
                elif kind in (BEGIN_STYLES, END_STYLES):
                    inside = kind == BEGIN_STYLES
                elif kind == STYLE and inside:
                    ids.append(int.from_bytes(data[2:4], "little"))
            self._converters = [converter(codes.get(i) or BUILTIN.get(i, ""), self.since_1904) for i in ids]
        return self._converters

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        if self.part(str(sheet.part)) is None:
            raise damaged(self.path, self.name, ValueError(f"the sheet {sheet.name!r} is not in it"))
        number, hidden, cells, kinds = -1, False, list[str | None](), list[str]()
        for record, data in self._records(str(sheet.part)):
            if record == ROW:
                self.clock.check()
                if any(c is not None for c in cells):
                    yield Row(number, cells, kinds, hidden)
                following, cells, kinds = int.from_bytes(data[:4], "little"), [], []
                if not number < following < MAX_ROWS:
                    raise damaged(self.path, self.name, ValueError(f"a row says that it has the number {following + 1}"))
                number, hidden = following, len(data) > 11 and bool(data[11] & 0x10)
            elif RK <= record <= F_ERROR or record == RICH:
                try:
                    column = int.from_bytes(data[:4], "little")
                    if not len(cells) <= column < MAX_COLUMNS or number < 0:
                        raise ValueError(f"row {number + 1} has a cell in column {column + 1}")
                    cells += [None] * (column - len(cells))
                    kinds += [EMPTY] * (column - len(kinds))
                    text, kind = self._cell(record, data)
                except (ValueError, IndexError, OverflowError, struct.error) as error:
                    raise damaged(self.path, self.name, error) from None
                cells.append(text)
                kinds.append(kind)
        if any(c is not None for c in cells):
            yield Row(number, cells, kinds, hidden)

    def _cell(self, record: int, data: bytes) -> tuple[str | None, str]:
        if record in (RK, REAL, F_NUMBER):
            value = _rk(data[8:12]) if record == RK else struct.unpack_from("<d", data, 8)[0]
            style, converters = int.from_bytes(data[4:7], "little"), self.converters()
            return converters[style](value) if style < len(converters) else (number_text(value), NUMBER)
        if record == SHARED:
            return self.shared()[int.from_bytes(data[8:12], "little")] or None, TEXT
        if record in (CELL_ERROR, F_ERROR):
            return ERRORS.get(data[8], f"#ERR{data[8]}"), ERROR
        if record in (BOOL, F_BOOL):
            return "true" if data[8] else "false", BOOLEAN
        return self._text(data, 9 if record == RICH else 8)[0] or None, TEXT

    def merges(self, sheet: Sheet) -> list[Merge]:
        found = list[Merge]()
        for record, data in self._records(str(sheet.part)):
            if record == MERGE and len(data) >= 16:
                top, bottom, left, right = struct.unpack_from("<4I", data)
                found.append((top, left, bottom, right))
                if len(found) > MAX_MERGES:
                    raise damaged(self.path, self.name, ValueError(f"more than {MAX_MERGES} groups of cells are merged"))
        return found


def _more(source: TimedPart, data: bytes, size: int) -> bytes:
    parts, length = [data], len(data)
    while length < size and (piece := source.read()):
        parts.append(piece)
        length += len(piece)
    return b"".join(parts)


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """(type, size, where the content starts: -1 if there is no end to its head)"""
    try:
        kind = data[at]
        at += 1
        if kind & 0x80:
            kind = (kind & 0x7F) | (data[at] & 0x7F) << 7
            at += 1
        size = 0
        for shift in (0, 7, 14, 21):
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return kind, size, at
    except IndexError:
        pass
    return 0, 0, -1


def _rk(data: bytes) -> float:
    """A number in 30 bits: an integer or the upper half of a float, perhaps in hundredths."""
    raw = int.from_bytes(data, "little")
    if raw & 2:
        value = float((raw >> 2) - (1 << 30 if raw & 0x80000000 else 0))
    else:
        value = struct.unpack("<d", b"\0\0\0\0" + (raw & 0xFFFFFFFC).to_bytes(4, "little"))[0]
    return value / 100 if raw & 1 else value
