"""xls, the binary format of Excel 2 to 2003, through xlrd: the one reader that tells errors, number formats and hidden rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, SourceRefused
from flows.formats.sheets.base import Clock, Merge, Row, Sheet
from flows.formats.sheets.values import BOOLEAN, EMPTY, ERROR, ERRORS, TEXT, converter
from flows.formats.unpacking import damaged, encrypted
from flows.settings import Settings


class Xls:
    kind = "xls"

    def __init__(self, path: Path, name: str, settings: Settings) -> None:
        import xlrd

        self.path, self.name, self.clock = path, name, Clock(path, name, settings)
        size_mb = path.stat().st_size / 1e6
        if size_mb > settings.max_record_mb:
            raise ConfigurationError(
                f"{name} is an xls file of {size_mb:.0f} MB, which has to be read as a whole",
                where=str(path),
                hint=f"save it as xlsx or CSV, or raise SOCLE_MAX_RECORD_MB ({settings.max_record_mb})",
            )
        try:
            self.book = xlrd.open_workbook(str(path), on_demand=True, formatting_info=True, ragged_rows=True, logfile=io.StringIO())
            self.sheets = [Sheet(n, self.book._sheet_visibility[i] != 0, i) for i, n in enumerate(self.book.sheet_names())]
            self._timed(self.book)
        except SourceRefused:
            raise
        except Exception as error:  # xlrd asserts, unpacks and indexes whatever damaged bytes say
            if "encrypted" in str(error).lower():
                raise encrypted(path, name) from None
            raise damaged(path, name, error) from None

    def _timed(self, book: Any) -> None:
        """xlrd reads a sheet as a whole, record by record: it is stopped between two of them."""
        record = book.get_record_parts

        def checked() -> Any:
            self.clock.check()
            return record()

        book.get_record_parts = checked
        self.clock.check()

    def _sheet(self, sheet: Sheet) -> Any:
        try:
            return self.book.sheet_by_index(sheet.part)
        except SourceRefused:
            raise
        except Exception as error:
            raise damaged(self.path, self.name, error) from None

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        found = self._sheet(sheet)
        for number in range(found.nrows):
            try:
                row = self._row(found, number)
            except Exception as error:
                raise damaged(self.path, self.name, error) from None
            if row.filled:
                self.clock.check()
                yield row

    def _row(self, found: Any, number: int) -> Row:
        cells, kinds = list[str | None](), list[str]()
        types, values = found.row_types(number), found.row_values(number)
        for column, (kind, value) in enumerate(zip(types, values, strict=True)):
            text, what = self._cell(found, number, column, kind, value)
            cells.append(text)
            kinds.append(what if text is not None else EMPTY)
        info = found.rowinfo_map.get(number)
        return Row(number, cells, kinds, bool(info and info.hidden))

    def _cell(self, found: Any, number: int, column: int, kind: int, value: Any) -> tuple[str | None, str]:
        if kind in (2, 3):  # a number, or one that xlrd takes for a date
            return converter(self._format(found.cell_xf_index(number, column)), self.book.datemode == 1)(float(value))
        if kind == 4:
            return "true" if value else "false", BOOLEAN
        if kind == 5:
            return ERRORS.get(value, f"#ERR{value}"), ERROR
        return (value or None, TEXT) if kind == 1 else (None, EMPTY)

    def _format(self, xf: int) -> str:
        from flows.formats.sheets.xlsx import builtin

        key = self.book.xf_list[xf].format_key if xf < len(self.book.xf_list) else 0
        known = builtin(str(key))
        found = self.book.format_map.get(key)
        return known or (found.format_str if found else "")

    def merges(self, sheet: Sheet) -> list[Merge]:
        return [(top, left, bottom - 1, right - 1) for top, bottom, left, right in self._sheet(sheet).merged_cells]

    def close(self) -> None:
        self.book.release_resources()
