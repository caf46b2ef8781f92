"""Workbooks that are made to take time or memory: what stops them, whatever kind they are of."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.errors import SourceRefused
from flows.formats import decide, read
from flows.formats.excel import BATCH_CHARS
from flows.settings import Settings
from tests.formats.workbooks import ods, ods_cell, raw_xlsx, rows, sheet_xml, xls, xlsb, xlsb_cell

LINES = 10_000


def _ods(path: Path) -> Path:
    """700 bytes that say 17 thousand million cells."""
    wide = ods_cell("x", attributes='table:number-columns-repeated="16384"')
    header = f"<table:table-row>{ods_cell('a')}</table:table-row>"
    return ods(path, f'{header}<table:table-row table:number-rows-repeated="1000000">{wide}</table:table-row>')


def _xlsx(path: Path) -> Path:
    row = "<row>" + '<c t="inlineStr"><is><t>x</t></is></c>' * 20 + "</row>"
    return raw_xlsx(path, sheet_xml(row * LINES))


def _xlsb(path: Path) -> Path:
    return xlsb(path, [[xlsb_cell(i, "x") for i in range(20)] for _ in range(LINES)], [])


def _xls(path: Path) -> Path:
    return xls(path, [["x"] * 20 for _ in range(LINES)])


@pytest.mark.parametrize("make", [_ods, _xlsx, _xlsb, _xls])
def test_a_workbook_that_takes_too_long_is_stopped(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "long")
    begin = time.monotonic()
    with pytest.raises(SourceRefused, match=r"takes longer than 0\.05 s to read") as refused:
        rows(path, workbook_timeout_s=0.05, unpack_max_ratio=1e6)
    assert time.monotonic() - begin < 5
    assert "SOCLE_WORKBOOK_TIMEOUT_S" in refused.value.hint and "CSV" in refused.value.french


def test_a_long_text_that_many_cells_refer_to_does_not_fill_the_memory(tmp_path: Path) -> None:
    """8 kB that say 25 GB: what a frame holds is bounded by its characters, not only by its cells."""
    cells = '<row><c t="s"><v>0</v></c></row>' * 5_000
    path = raw_xlsx(
        tmp_path / "a.xlsx",
        sheet_xml(f'<row><c t="inlineStr"><is><t>a</t></is></c></row>{cells}'),
        "<si><t>" + "a" * 5_000_000 + "</t></si>",
    )
    settings = Settings(root=tmp_path)
    frames = read(path, "a.xlsx", decide(path, "a.xlsx", None, settings).format, settings)
    assert all(next(frames).estimated_size() < 1.2 * BATCH_CHARS for _ in range(3))


def test_a_row_of_long_texts_is_refused(tmp_path: Path) -> None:
    header = "<row>" + '<c t="inlineStr"><is><t>a</t></is></c>' * 20 + "</row>"
    wide = "<row>" + '<c t="s"><v>0</v></c>' * 20 + "</row>"
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml(header + wide), "<si><t>" + "a" * 5_000_000 + "</t></si>")
    with pytest.raises(SourceRefused, match="row 2 of its sheet holds more than 64 million characters"):
        rows(path)


def test_merged_cells_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.formats.sheets.xlsx.MAX_MERGES", 1_000)
    merges = "<mergeCells>" + '<mergeCell ref="A1:B1"/>' * 5_000 + "</mergeCells>"
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml('<row><c t="inlineStr"><is><t>a</t></is></c></row>', merges))
    with pytest.raises(SourceRefused, match="groups of cells are merged"):
        rows(path)
