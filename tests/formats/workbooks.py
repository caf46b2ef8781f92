"""Workbooks that tests write, and read as a load does: with the libraries of each format, and xlsb, which none writes, record by record."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.formats import BadRow, decide
from flows.formats import read as read_format
from flows.formats.base import Decision
from flows.project.formats import ExcelFormat
from flows.settings import Settings

SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def xlsx(path: Path, rows: list[list[Any]], change: Callable[[Any, Any], None] | None = None, title: str = "Feuille1") -> Path:
    """`change(workbook, sheet)`: formats, merged cells, further sheets."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if change:
        change(book, sheet)
    book.save(path)
    return path


def root(part: str) -> str:
    return f'<Relationships xmlns="{RELATIONS}"><Relationship Id="1" Type="{OFFICE}/officeDocument" Target="{part}"/></Relationships>'


def raw_xlsx(
    path: Path, sheet_xml: str | bytes, shared: str = "", styles: str = "", workbook: str = "", method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """One sheet, written as it is given: what no library writes."""
    data = sheet_xml.encode() if isinstance(sheet_xml, str) else sheet_xml
    kinds = {"worksheet": "worksheets/sheet1.xml", "sharedStrings": "sharedStrings.xml", "styles": "styles.xml"}
    relations = "".join(f'<Relationship Id="{k}" Type="{OFFICE}/{k}" Target="{t}"/>' for k, t in kinds.items())
    sheets = '<sheets><sheet name="F" sheetId="1" r:id="worksheet"/></sheets>'
    book = f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{OFFICE}">{workbook}{sheets}</workbook>'
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", root("xl/workbook.xml"))
        archive.writestr("xl/workbook.xml", book)
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{RELATIONS}">{relations}</Relationships>')
        archive.writestr("xl/worksheets/sheet1.xml", data)
        if shared:
            archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{SPREADSHEET}">{shared}</sst>')
        if styles:
            archive.writestr("xl/styles.xml", f'<styleSheet xmlns="{SPREADSHEET}">{styles}</styleSheet>')
    return path


def sheet_xml(rows: str, rest: str = "") -> str:
    return f'<worksheet xmlns="{SPREADSHEET}"><sheetData>{rows}</sheetData>{rest}</worksheet>'


def xls(path: Path, rows: list[list[Any]], change: Callable[[Any, Any], None] | None = None) -> Path:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Feuille1")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if value is not None:
                sheet.write(number, column, value)
    if change:
        change(book, sheet)
    book.save(str(path))
    return path


def ods(path: Path, rows_xml: str, styles: str = "", more: str = "", manifest: str = "", table: str = "") -> Path:
    """A content.xml around rows that are given as they are."""
    spaces = "".join(
        f' xmlns:{k}="urn:oasis:names:tc:opendocument:xmlns:{v}:1.0"'
        for k, v in {"office": "office", "table": "table", "text": "text", "style": "style"}.items()
    )
    content = (
        f'<office:document-content{spaces} xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>"
        f'<table:table table:name="F1"{table}>{rows_xml}</table:table>{more}</office:spreadsheet></office:body></office:document-content>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", f"<manifest>{manifest}</manifest>")
    return path


def ods_cell(text: str, kind: str = "string", attributes: str = "") -> str:
    return f'<table:table-cell office:value-type="{kind}" {attributes}><text:p>{text}</text:p></table:table-cell>'


def how(path: Path, declared: ExcelFormat | None = None, **limits: Any) -> Decision:
    return decide(path, path.name, declared or ExcelFormat(type="excel"), Settings(root=path.parent, **limits))


def rows(path: Path, declared: ExcelFormat | None = None, **limits: Any) -> list[dict[str, Any] | BadRow]:
    made = Settings(root=path.parent, **limits)
    found = list[dict[str, Any] | BadRow]()
    for piece in read_format(path, path.name, how(path, declared, **limits).format, made):
        found += [piece] if isinstance(piece, BadRow) else piece.drop("__row").to_dicts()
    return found


# ---- xlsb ---------------------------------------------------------------------------------------------------------


def record(kind: int, content: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([(kind & 0x7F) | 0x80, kind >> 7])
    size, number = b"", len(content)
    while True:
        size += bytes([(number & 0x7F) | (0x80 if number > 0x7F else 0)])
        number >>= 7
        if not number:
            return head + size + content


def wide(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<I", len(data) // 2) + data


def xlsb_cell(column: int, value: Any, style: int = 0, shared: list[str] | None = None, kind: int | None = None) -> bytes:
    head = struct.pack("<II", column, style)
    if kind is not None:
        return record(kind, head + value)
    if isinstance(value, bool):
        return record(4, head + bytes([value]))
    if isinstance(value, float):
        return record(5, head + struct.pack("<d", value))
    if isinstance(value, int):
        return record(2, head + struct.pack("<I", ((value << 2) & 0xFFFFFFFF) | 2))
    if shared is not None and value in shared:
        return record(7, head + struct.pack("<I", shared.index(value)))
    return record(6, head + wide(value))


def xlsb(
    path: Path,
    rows: list[list[bytes | None]],
    shared: list[str],
    formats: list[tuple[int, str]] = (),
    merges: list[tuple[int, int, int, int]] = (),
    since_1904: bool = False,
) -> Path:  # type: ignore[assignment]
    """`rows`: cells made by `xlsb_cell`. `formats`: (number, code), styles 1, 2 ... of cells; style 0 is the general one."""
    sheet = io.BytesIO()
    sheet.write(record(129) + record(148, struct.pack("<4I", 0, max(0, len(rows) - 1), 0, 20)) + record(145))
    for number, row in enumerate(rows):
        if any(row):
            sheet.write(record(0, struct.pack("<IIHBBBI", number, 0, 300, 0, 0, 0, 0)))
            sheet.write(b"".join(c for c in row if c))
    sheet.write(record(146))
    for top, left, bottom, right in merges:
        sheet.write(record(176, struct.pack("<4I", top, bottom, left, right)))
    sheet.write(record(130))
    styles = record(278) + record(615, struct.pack("<I", len(formats)))
    styles += b"".join(record(44, struct.pack("<H", n) + wide(code)) for n, code in formats) + record(616)
    styles += record(626, struct.pack("<I", 1)) + record(47, struct.pack("<HH", 0xFFFF, 14) + b"\0" * 12) + record(627)
    styles += (
        record(617, struct.pack("<I", len(formats) + 1))
        + b"".join(record(47, struct.pack("<HH", 0, n) + b"\0" * 12) for n in [0, *(n for n, _ in formats)])
        + record(618)
        + record(279)
    )
    book = record(131) + record(153, struct.pack("<II", int(since_1904), 0) + wide("")) + record(143)
    book += record(156, struct.pack("<II", 0, 1) + wide("sheet") + wide("Feuille1")) + record(144) + record(132)
    strings = (
        record(159, struct.pack("<II", len(shared), len(shared))) + b"".join(record(19, b"\0" + wide(t)) for t in shared) + record(160)
    )
    kinds = {
        "sheet": ("worksheet", "worksheets/sheet1.bin"),
        "strings": ("sharedStrings", "sharedStrings.bin"),
        "styles": ("styles", "styles.bin"),
    }
    relations = "".join(f'<Relationship Id="{i}" Type="{OFFICE}/{k}" Target="{t}"/>' for i, (k, t) in kinds.items())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", root("xl/workbook.bin"))
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/_rels/workbook.bin.rels", f'<Relationships xmlns="{RELATIONS}">{relations}</Relationships>')
        archive.writestr("xl/worksheets/sheet1.bin", sheet.getvalue())
        archive.writestr("xl/sharedStrings.bin", strings)
        archive.writestr("xl/styles.bin", styles)
    return path
