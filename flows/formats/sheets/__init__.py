"""Workbooks (xlsx, xlsb, xls, ods) as sheets of text, row by row. Where the table is in a sheet: tables.py."""

from __future__ import annotations

from pathlib import Path

from flows.formats.recognise import workbook_kind
from flows.formats.sheets.base import Workbook
from flows.settings import Settings


def open_workbook(path: Path, name: str, settings: Settings) -> Workbook:
    """Raises: SourceRefused if it is none, is damaged, encrypted or made to harm."""
    from flows.formats.sheets.ods import Ods
    from flows.formats.sheets.xls import Xls
    from flows.formats.sheets.xlsb import Xlsb
    from flows.formats.sheets.xlsx import Xlsx

    kinds: dict[str, type[Workbook]] = {"xlsx": Xlsx, "xlsb": Xlsb, "xls": Xls, "ods": Ods}
    return kinds[workbook_kind(path, name)](path, name, settings)  # type: ignore[call-arg]
