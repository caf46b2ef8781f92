"""Workbooks that others wrote, with values looked up by hand, and cell by cell against another reader."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from flows.formats import BadRow
from flows.formats.sheets import open_workbook
from flows.settings import Settings
from tests.conftest import REPOSITORY
from tests.formats.workbooks import rows

REAL = REPOSITORY.parent / "shared" / "data" / "fichiers-difficiles"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not here")


EXPECTED = {
    "csv-detective/file.ods": (
        3,
        {"Année": "2012", "Edition": "DC1", "Date de la cérémonie": "29/05/2012", "Projet": "Citizens Up", "Résultat": "Lauréat"},
    ),
    "csv-detective/file.xls": (5, {"DATE DE RECONNAISSANCE D'UTILITE PUBLIQUE": "1906-05-16", "CP": "75005"}),  # an ods, in truth
    "csv-detective/file.xlsx": (5, {"dep": "01", "DEPDIR": "010", "DDC": "010001"}),
    "csv-detective/xlsx_file": (5, {"dep": "01", "DEPDIR": "010"}),
    "csvkit/test_skip_lines.xlsx": (
        4,
        {"text": "Chicago Reader", "date": "1971-01-01", "integer": "40", "boolean": "true", "datetime": "1971-01-01T04:14:00"},
    ),
    "csvkit/test_skip_lines.xls": (
        4,
        {"text": "Chicago Reader", "date": "1971-01-01", "integer": "40", "boolean": "true", "datetime": "1971-01-01T04:14:00"},
    ),
    "csvkit/realdata/ne_1033_data.xlsx": (1036, {"fips": "31001", "nsn": "1005-00-589-1271", "ship_date": "2008-07-11T00:00:00"}),
    "francais-reel/Dares_Suivi_Historique_convention_collective_Juin2026.xlsx": (
        1665,
        {"IDCC": "00001", "DateSignature": "1936-06-26", "NouvIDCC": "01415"},
    ),
    "frictionless/adjust-floating-point-error.xlsx": (5, {"peak PO4": "60.565", "actual PO4 (formula)": "242.26"}),
    "frictionless/cast-int-to-string-issue-1251.xls": (2, {"A": "001", "C": "1"}),
    "frictionless/multiline-headers.xlsx": (1, {"Region": "A", "Caloric contribution / (%)": "B"}),
    "frictionless/preserve-formatting.xlsx": (1, {"0.00": "1000.5577", "m/d/yy": "2040-05-20"}),
    "frictionless/preserve-formatting-percentage.xlsx": (3, {"col1": "123", "col2": "0.52"}),
    "frictionless/skip-rows.xlsx": (1, {"A": "8", "B": "9"}),
    "frictionless/table-with-ints-floats-dates.ods": (
        3,
        {"Int": "2013", "Float": "3.3", "Date": "2009-08-16", "Datetime": "2009-08-16T05:43:21"},
    ),
    "frictionless/table-with-ints-floats-dates.xls": (3, {"Int": "2013", "Float": "3.3", "Date": "2009-08-16"}),
    "frictionless/sheet2.xlsx": (2, {"id": "1", "name": "english"}),
}


@real
@pytest.mark.parametrize("name", EXPECTED)
def test_real_workbooks(name):
    count, first = EXPECTED[name]
    read = [r for r in rows(REAL / name) if not isinstance(r, BadRow)]
    assert len(read) == count
    assert {k: read[0][k] for k in first} == first


@real
def test_real_workbooks_hold_what_another_reader_sees():
    """Every cell of every sheet, against calamine; it knows neither errors nor number formats."""
    python_calamine = pytest.importorskip("python_calamine")
    compared = 0
    for path in sorted(REAL.rglob("*")):
        if path.suffix not in (".xls", ".xlsx", ".ods") or path.stat().st_size > 400_000 or path.name == "file.xls":
            continue
        book, other = open_workbook(path, path.name, Settings(root=REAL)), python_calamine.load_workbook(path)
        for sheet in book.sheets:
            seen = other.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
            for row in book.rows(sheet):
                for column, (cell, kind) in enumerate(zip(row.cells, row.kinds, strict=True)):
                    if cell is not None and kind != "e":
                        compared += same(seen[row.number][column], cell, f"{path.name} {sheet.name} {row.number} {column}")
    assert compared > 10_000


def same(seen: Any, cell: str, where: str) -> int:
    if isinstance(seen, bool):
        assert cell == str(seen).lower(), where
    elif isinstance(seen, float | int):
        assert float(cell) == pytest.approx(seen, rel=1e-14), where
    elif isinstance(seen, date):
        assert cell[:10] == seen.isoformat()[:10], where
    elif isinstance(seen, str):
        assert cell.split() == seen.split(), where
    return 1
