"""xlsx: a zip of XML, read as a stream. Memory holds the texts that cells share, and one row."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.formats.sheets.base import MAX_COLUMNS, MAX_MERGES, MAX_ROWS, Clock, Merge, Row, Sheet
from flows.formats.sheets.values import (
    BOOLEAN,
    BUILTIN,
    DATE,
    EMPTY,
    ERROR,
    FORMULA,
    NUMBER,
    TEXT,
    Converter,
    column_number,
    converter,
    number_text,
    unescaped,
)
from flows.formats.unpacking import Budget, ZipPart, damaged, open_zip
from flows.formats.xml_safely import done, iterate
from flows.settings import Settings

MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?\bref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')


OBJECT_BYTES = 60
"""That a text takes in memory beside its letters."""


class ZippedWorkbook:
    """What xlsx, xlsb and ods share: parts of a zip, each read within the limits."""

    def __init__(self, path: Path, name: str, settings: Settings) -> None:
        self.path, self.name, self.settings = path, name, settings
        self.clock = Clock(path, name, settings)
        self.zip = open_zip(path, name, Budget(path, name, settings))
        self.entries: dict[str, zipfile.ZipInfo] = {e.filename.replace("\\", "/").lstrip("/").lower(): e for e in self.zip.infolist()}

    def part(self, name: str) -> TimedPart | None:
        entry = self.entries.get(name.lower().lstrip("/"))
        budget = Budget(self.path, self.name, self.settings)
        return None if entry is None else TimedPart(ZipPart(self.zip, entry, self.path, self.name, budget), self.clock)

    def small_part(self, name: str, limit_mb: int = 64) -> bytes:
        """A whole part, for those that describe the others; nothing if there is none."""
        part, data = self.part(name), bytearray()
        while part and (piece := part.read()):
            data += piece
            if len(data) > limit_mb * 1e6:
                raise SourceRefused(f"{self.name}: its part {name} has more than {limit_mb} MB", where=str(self.path))
        return bytes(data)

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Id -> (type, part) of what a part refers to."""
        folder, file = posixpath.split(part)
        data = self.small_part(posixpath.join(folder, "_rels", f"{file}.rels"))
        found = {}
        for _, e in iterate(Bytes(data), self.path, self.name) if data else ():
            if e.get("Target") and e.get("TargetMode") != "External":
                target = e.get("Target")
                target = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
                found[e.get("Id")] = (e.get("Type", "").rsplit("/", 1)[-1], target)
        return found

    def workbook_part(self, fallback: str) -> str:
        return next((target for kind, target in self.relations("").values() if kind == "officeDocument"), fallback)

    def close(self) -> None:
        self.zip.close()


class TimedPart:
    def __init__(self, part: ZipPart, clock: Clock) -> None:
        self.part, self.clock = part, clock

    def read(self, size: int = -1) -> bytes:
        self.clock.check()
        return self.part.read(size)


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int = -1) -> bytes:
        given, self.data = self.data, b""
        return given


class Xlsx(ZippedWorkbook):
    kind = "xlsx"

    def __init__(self, path: Path, name: str, settings: Settings) -> None:
        super().__init__(path, name, settings)
        self.main = self.workbook_part("xl/workbook.xml")
        self.related = self.relations(self.main)
        self.since_1904, self.sheets = False, list[Sheet]()
        self._shared: list[str] | None = None
        self._converters: list[Converter] | None = None
        for tag, e in self._elements(self.small_part(self.main)):
            if tag == "workbookPr" and e.get("date1904") is not None:  # an extension has an element of the same name
                self.since_1904 = e.get("date1904") in ("1", "true", "on")
            if tag == "sheet":
                relation = next((v for k, v in e.attrib.items() if k.endswith("}id")), "")
                kind, part = self.related.get(relation, ("", ""))
                if kind == "worksheet":
                    self.sheets.append(Sheet(e.get("name", ""), e.get("state") in ("hidden", "veryHidden"), part))
        if not self.sheets:
            raise damaged(path, name, ValueError("it is a workbook without any sheet"))

    def _elements(self, source: Any, *tags: str) -> Iterator[tuple[str, Any]]:
        if source:
            yield from iterate(Bytes(source) if isinstance(source, bytes) else source, self.path, self.name, *tags)

    def _shared_part(self, kind: str) -> str:
        return next((part for k, part in self.related.values() if k == kind), "")

    def shared(self) -> list[str]:
        """The texts that cells refer to by number."""
        if self._shared is None:
            self._shared, size, limit = [], 0, self.settings.max_record_mb * 1e6
            for _, e in self._elements(self.part(self._shared_part("sharedStrings")), "si"):
                self._shared.append(rich_text(e))
                size += len(self._shared[-1]) + OBJECT_BYTES
                if size > limit:
                    raise too_many_texts(self)
                done(e)
        return self._shared

    def converters(self) -> list[Converter]:
        """How numbers are written, for each style of a cell."""
        if self._converters is None:
            codes, self._converters = dict[str, str](), []
            for tag, e in self._elements(self.small_part(self._shared_part("styles"))):
                if tag == "numFmt":
                    codes[e.get("numFmtId", "")] = e.get("formatCode", "")
                if tag == "cellXfs":
                    ids = [x.get("numFmtId", "0") for x in e]
                    self._converters = [converter(codes.get(i) or builtin(i), self.since_1904) for i in ids]
        return self._converters

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        source = self.part(str(sheet.part))
        if source is None:
            raise damaged(self.path, self.name, ValueError(f"the sheet {sheet.name!r} is not in it"))
        read, number, tags = self._cell_reader(), -1, ("", "", "")
        for _, element in self._elements(source, "row"):
            if not tags[0]:
                space = element.tag[: -len("row")]
                tags = (f"{space}v", f"{space}is", f"{space}f")
            number = place(element.get("r"), number + 1, MAX_ROWS, self.path, self.name)
            row = self._row(element, number, read, tags)
            done(element)
            if row.filled:
                self.clock.check()
                yield row

    def _row(self, element: Any, number: int, read: Callable[..., tuple[str | None, str]], tags: tuple[str, str, str]) -> Row:
        cells, kinds = list[str | None](), list[str]()
        for c in element:
            reference = c.get("r")
            column = column_number(reference.rstrip("0123456789")) if reference else len(cells)
            if not len(cells) <= column < MAX_COLUMNS:
                if 0 <= column < len(cells) and cells[column] is None:
                    cells[column], kinds[column] = read(c, *tags)
                    continue
                raise damaged(self.path, self.name, ValueError(f"row {number + 1} has a cell at {reference!r}"))
            while len(cells) < column:
                cells.append(None)
                kinds.append(EMPTY)
            text, kind = read(c, *tags)
            cells.append(text)
            kinds.append(kind)
        return Row(number, cells, kinds, element.get("hidden") in ("1", "true"))

    def _cell_reader(self) -> Callable[..., tuple[str | None, str]]:
        shared, converters = self.shared(), self.converters()
        plain: Converter = lambda value: (number_text(value), NUMBER)  # noqa: E731
        numbers = {str(i): c for i, c in enumerate(converters)}

        def read(c: Any, v_tag: str, is_tag: str, f_tag: str) -> tuple[str | None, str]:
            value, formula, kind = None, None, c.get("t", "n")
            for e in c:
                if e.tag == v_tag:
                    value = e.text
                elif e.tag == is_tag:
                    value = rich_text(e)
                elif e.tag == f_tag:
                    formula = e.text or ""
            if not value:
                return (f"={formula}", FORMULA) if formula is not None and kind != "str" else (None, EMPTY)
            try:
                if kind == "n":
                    return numbers.get(c.get("s", "0"), plain)(float(value))
                if kind == "s":
                    return shared[int(value)] or None, TEXT
            except (ValueError, IndexError, OverflowError):
                raise damaged(self.path, self.name, ValueError(f"the cell {c.get('r')} holds {value[:50]!r}")) from None
            if kind == "b":
                return "true" if value.strip() in ("1", "true") else "false", BOOLEAN
            if kind == "e":
                return value, ERROR
            return (value.removesuffix("T00:00:00"), DATE) if kind == "d" else (unescaped(value), TEXT)

        return read

    def merges(self, sheet: Sheet) -> list[Merge]:
        """They stand after the rows: looked for in the bytes, which is ten times as fast as parsing them."""
        source, found, rest = self.part(str(sheet.part)), list[Merge](), b""
        while source and (piece := source.read()):
            piece = rest + piece
            found += [
                (int(m[2]) - 1, column_number(m[1].decode()), int(m[4]) - 1, column_number(m[3].decode())) for m in MERGE.finditer(piece)
            ]
            if len(found) > MAX_MERGES:
                raise damaged(self.path, self.name, ValueError(f"more than {MAX_MERGES} groups of cells are merged"))
            rest = piece[piece.rfind(b"<") :][-500:] if b"<" in piece else b""
        return found


def too_many_texts(book: ZippedWorkbook) -> SourceRefused:
    return SourceRefused(
        f"{book.name} holds more than {book.settings.max_record_mb} MB of texts",
        where=str(book.path),
        hint="save it as CSV, or raise SOCLE_MAX_RECORD_MB",
    )


def builtin(number: str) -> str:
    return BUILTIN.get(int(number), "") if number.isdigit() else ""


def place(given: str | None, following: int, limit: int, path: Path, name: str) -> int:
    """The number of a row, from 0: what it says, or the one after the last."""
    number = following if given is None else int(given) - 1 if given.isdigit() else -1
    if not following <= number < limit:
        raise damaged(path, name, ValueError(f"a row says that it has the number {given!r}"))
    return number


def rich_text(element: Any) -> str:
    """Of a text with runs in several fonts; without the readings above Asian characters."""
    parts = []
    for e in element:
        tag = e.tag.rpartition("}")[2] if isinstance(e.tag, str) else ""
        if tag == "t":
            parts.append(e.text or "")
        elif tag == "r":
            parts += [t.text or "" for t in e if isinstance(t.tag, str) and t.tag.endswith("}t")]
    return unescaped("".join(parts))
