"""ods: OpenDocument spreadsheets, read as a stream. Repeated rows and cells are unfolded, those without anything are not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.formats.sheets.base import MAX_COLUMNS, MAX_ROWS, Merge, Row, Sheet
from flows.formats.sheets.values import BOOLEAN, DATE, EMPTY, ERROR, NUMBER, TEXT, iso_duration_text, number_text
from flows.formats.sheets.xlsx import ZippedWorkbook
from flows.formats.unpacking import damaged, encrypted
from flows.formats.xml_safely import done, iterate
from flows.settings import Settings

ERROR_TEXT = re.compile(r"#(N/A|DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!)|Err:\d{3}")
SPACES = {"s", "tab", "line-break"}


class Ods(ZippedWorkbook):
    kind = "ods"

    def __init__(self, path: Path, name: str, settings: Settings) -> None:
        super().__init__(path, name, settings)
        if b"encryption-data" in self.small_part("META-INF/manifest.xml"):
            raise encrypted(path, name)
        if self.part("content.xml") is None:
            raise damaged(path, name, ValueError("it has no content.xml"))
        self._merges: dict[int, list[Merge]] = {}
        self.sheets = list(self._list_sheets())

    def _list_sheets(self) -> Iterator[Sheet]:
        hidden, number = set[str](), 0
        for tag, e in iterate(self.part("content.xml"), self.path, self.name, "style", "table", "table-row", starts=True):
            if tag == "style" and any(_local(p, "display") == "false" for p in e):
                hidden.add(_local(e, "name") or "")
            elif tag == "+table" and not _is_inner(e):
                yield Sheet(_local(e, "name") or f"{number + 1}", (_local(e, "style-name") or "") in hidden, number)
                number += 1
            elif tag == "table-row":
                done(e)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        merges = self._merges[int(str(sheet.part))] = []
        number, table = 0, -1
        for tag, e in iterate(self.part("content.xml"), self.path, self.name, "table", "table-row", starts=True):
            if tag == "+table" and not _is_inner(e):
                table += 1
            elif tag == "table" and table == sheet.part and not _is_inner(e):
                return
            elif tag == "table-row" and not _is_inner(e):
                if table == sheet.part:
                    repeated = _count(e, "number-rows-repeated")
                    cells, kinds = self._cells(e, number, merges)
                    row = Row(number, cells, kinds, (_local(e, "visibility") or "visible") != "visible")
                    if row.filled:
                        if number + repeated > MAX_ROWS:
                            raise damaged(self.path, self.name, ValueError(f"the sheet {sheet.name!r} has more than {MAX_ROWS} rows"))
                        for i in range(repeated):
                            self.clock.check()
                            yield row._replace(number=number + i)
                    number += repeated
                done(e)

    def _cells(self, row: Any, number: int, merges: list[Merge]) -> tuple[list[str | None], list[str]]:
        cells, kinds = list[str | None](), list[str]()
        column = 0
        for c in row:
            tag = _name(c)
            if tag not in ("table-cell", "covered-table-cell"):
                continue
            repeated = _count(c, "number-columns-repeated")
            text, kind = _value(c) if tag == "table-cell" else (None, EMPTY)
            wide, high = _count(c, "number-columns-spanned"), _count(c, "number-rows-spanned")
            if (wide > 1 or high > 1) and len(merges) < 100_000:
                merges.append((number, column, number + high - 1, column + wide - 1))
            if text is not None:
                if column + repeated > MAX_COLUMNS:
                    raise damaged(self.path, self.name, ValueError(f"row {number + 1} has more than {MAX_COLUMNS} cells"))
                cells += [None] * (column - len(cells)) + [text] * repeated
                kinds += [EMPTY] * (column - len(kinds)) + [kind] * repeated
            column += repeated
        return cells, kinds

    def merges(self, sheet: Sheet) -> list[Merge]:
        number = int(str(sheet.part))
        if number not in self._merges:
            for _ in self.rows(sheet):
                pass
        return self._merges[number]


def _value(c: Any) -> tuple[str | None, str]:
    kind, text = _local(c, "value-type"), _text(c)
    given = _local(c, "value")
    if any(k.endswith("calcext:1.0}value-type") and v == "error" for k, v in c.attrib.items()) or (
        ERROR_TEXT.fullmatch(text) and _local(c, "formula")
    ):
        return text or "#N/A", ERROR
    if kind in ("float", "percentage", "currency") and given is not None:
        try:
            value = float(given)
        except ValueError:
            return text or given, TEXT
        if re.fullmatch(r"0\d+", text) and value.is_integer() and int(text) == value:
            return text, TEXT  # shown with leading zeros, which are part of it
        return number_text(value), NUMBER
    if kind == "date" and (day := _local(c, "date-value")):
        return re.sub(r"T00:00:00(\.0+)?$", "", day) if not re.search(r"\d:\d", text) else re.sub(r"\.0+$", "", day), DATE
    if kind == "time" and (time := _local(c, "time-value")):
        return iso_duration_text(time), DATE
    if kind == "boolean":
        return _local(c, "boolean-value") or text or None, BOOLEAN
    return (_local(c, "string-value") if kind == "string" and not text else text) or None, TEXT if kind or text else EMPTY


def _text(c: Any) -> str:
    return "\n".join(_paragraph(p) for p in c if _name(p) == "p")


def _paragraph(p: Any) -> str:
    parts = [p.text or ""]
    for e in p:
        tag = _name(e)
        if tag == "s":
            parts.append(" " * min(_count(e, "c"), 10_000))
        elif tag in SPACES:
            parts.append("\t" if tag == "tab" else "\n")
        elif tag not in ("annotation", ""):
            parts.append(_paragraph(e))
        parts.append(e.tail or "")
    return "".join(parts)


def _name(e: Any) -> str:
    return e.tag.rpartition("}")[2] if isinstance(e.tag, str) else ""


def _local(e: Any, name: str) -> str | None:
    """An attribute of the document's own namespaces (LibreOffice says some things twice, in one of its own)."""
    ending = f"}}{name}"
    return next((v for k, v in e.attrib.items() if k.endswith(ending) and "calcext" not in k), None)


def _count(e: Any, name: str) -> int:
    text = _local(e, name) or "1"
    return max(1, min(int(text), MAX_ROWS)) if text.isdigit() else 1


def _is_inner(e: Any) -> bool:
    """A table inside a cell or a drawing is no sheet."""
    return any(_name(a) in ("table-cell", "frame", "shapes") for a in e.iterancestors())
