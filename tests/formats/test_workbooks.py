"""OpenDocument spreadsheets; workbooks that are damaged, encrypted or made to harm."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.errors import SocleError, SourceRefused
from flows.formats import BadRow, xml_safely
from flows.project.formats import ExcelFormat
from tests.formats.workbooks import how, ods, ods_cell, raw_xlsx, rows, sheet_xml, xls, xlsb, xlsb_cell, xlsx

# ---- ods ------------------------------------------------------------------------------------------------------------


def test_cells_of_ods(tmp_path):
    header = f"<table:table-row>{ods_cell('a')}{ods_cell('b')}</table:table-row>"
    cells = [
        (ods_cell("1 234,50 €", "currency", 'office:value="1234.5"'), "1234.5"),
        (ods_cell("52 %", "percentage", 'office:value="0.52"'), "0.52"),
        (ods_cell("01000", "float", 'office:value="1000"'), "01000"),
        (ods_cell("01/03/24", "date", 'office:date-value="2024-03-01"'), "2024-03-01"),
        (ods_cell("01/03/24 12:30", "date", 'office:date-value="2024-03-01T12:30:00"'), "2024-03-01T12:30:00"),
        (ods_cell("08:05", "time", 'office:time-value="PT08H05M00S"'), "08:05:00"),
        (ods_cell("VRAI", "boolean", 'office:boolean-value="true"'), "true"),
        (ods_cell("#N/D", "string", 'calcext:value-type="error"'), "#N/D"),
        (ods_cell("a<text:s text:c=\"2\"/>b<text:line-break/>c <text:span>d</text:span>"), "a  b\nc d"),
        (ods_cell("un</text:p><text:p>deux"), "un\ndeux"),
        ("<table:table-cell><office:annotation><text:p>remarque</text:p></office:annotation></table:table-cell>", None),
    ]  # fmt: skip
    body = "".join(f"<table:table-row>{ods_cell(f'r{i}')}{c}</table:table-row>" for i, (c, _) in enumerate(cells))
    empty = '<table:table-row table:number-rows-repeated="1048000">'
    empty += '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    path = ods(tmp_path / "a.ods", header + body + empty)
    assert [r["b"] for r in rows(path)] == [text for _, text in cells]
    assert any("#N/D (1)" in f.text for f in how(path).findings)


def test_repeated_rows_and_cells_and_a_hidden_sheet_of_ods(tmp_path):
    twice, one = ods_cell("x", attributes='table:number-columns-repeated="2"'), ods_cell("1", "float", 'office:value="1"')
    styles = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    made = f"<table:table-row>{ods_cell('a')}{ods_cell('b')}{ods_cell('c')}</table:table-row>"
    made += f'<table:table-row table:number-rows-repeated="3">{twice}{one}</table:table-row>'
    other = f'<table:table-row table:number-rows-repeated="900">{ods_cell("z")}{ods_cell("z")}</table:table-row>'
    more = f'<table:table table:name="F2" table:style-name="ta2">{other}</table:table>'
    path = ods(tmp_path / "a.ods", made, styles, more)
    assert how(path).format.sheet == "F1"
    assert rows(path) == [{"a": "x", "b": "x", "c": "1"}] * 3


def test_an_ods_that_repeats_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("flows.formats.sheets.ods.MAX_ROWS", 20_000)
    path = ods(
        tmp_path / "a.ods",
        "".join(f'<table:table-row table:number-rows-repeated="9000">{ods_cell("x")}</table:table-row>' for _ in range(3)),
    )
    with pytest.raises(SourceRefused, match="more than"):
        rows(path)


def test_odfpy_writes_what_is_read(tmp_path):
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    book = OpenDocumentSpreadsheet()
    table = Table(name="Données")
    for values in (["nom", "n"], ["été", 1.5], ["hiver", 3]):
        row = TableRow()
        for value in values:
            cell = TableCell(valuetype="float", value=value) if isinstance(value, float | int) else TableCell(valuetype="string")
            cell.addElement(P(text=str(value)))
            row.addElement(cell)
        table.addElement(row)
    book.spreadsheet.addElement(table)
    book.save(str(tmp_path / "a.ods"))
    assert rows(tmp_path / "a.ods") == [{"nom": "été", "n": "1.5"}, {"nom": "hiver", "n": "3"}]


# ---- what is refused ------------------------------------------------------------------------------------------------


def test_encrypted_workbooks_are_refused_by_a_clear_sentence(tmp_path):
    ole = bytearray(3072)
    ole[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    for at, word in ((1024, "EncryptedPackage"), (1152, "EncryptionInfo")):
        name = word.encode("utf-16-le")
        ole[at : at + len(name)] = name
        ole[at + 64] = len(name) + 2
        ole[at + 66] = 2
    (tmp_path / "a.xlsx").write_bytes(ole)
    ods(tmp_path / "b.ods", "", manifest="<encryption-data/>")
    for name in ("a.xlsx", "b.ods"):
        with pytest.raises(SourceRefused, match="is encrypted") as caught:
            how(tmp_path / name)
        assert "mot de passe" in caught.value.french


@pytest.mark.parametrize("name", ["bomb.xlsx", "bomb.ods"])
def test_a_bomb_inside_a_workbook_is_refused_early(tmp_path, name):
    path = tmp_path / name
    filler = "<c/>" * 12_000_000
    if name.endswith("xlsx"):
        raw_xlsx(path, sheet_xml(f"<row>{filler}</row>"))
    else:
        ods(path, "<table:table-row>" + "<table:table-cell/>" * 4_000_000 + "</table:table-row>")
    with pytest.raises(SourceRefused, match="SOCLE_UNPACK_MAX_RATIO"):
        rows(path, unpack_max_ratio=100.0)


def test_one_row_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_safely, "MOST_BYTES", 2 << 20)
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml("<row>" + "<c><v>1</v></c>" * 400_000 + "</row>"), method=zipfile.ZIP_STORED)
    with pytest.raises(SourceRefused, match="more than"):
        rows(path)


@pytest.mark.parametrize(
    "made",
    [
        '<row r="2"/><row r="1"><c><v>1</v></c></row>',
        '<row r="9999999"><c><v>1</v></c></row>',
        '<row r="1"><c r="ZZZZ1"><v>1</v></c></row>',
        '<row r="1"><c r="B1"><v>1</v></c><c r="B1"><v>1</v></c></row>',
        '<row r="x"><c><v>1</v></c></row>',
        '<row r="1"><c t="s"><v>7</v></c></row>',
        '<row r="1"><c><v>abc</v></c></row>',
        '<row r="1"><c><v>1</v></c>',
    ],
)
def test_sheets_that_cannot_be_are_refused(tmp_path, made):
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml(made))
    with pytest.raises(SourceRefused, match=r"a\.xlsx"):
        rows(path)


def test_two_cells_that_are_far_apart_take_no_memory(tmp_path):
    path = raw_xlsx(
        tmp_path / "a.xlsx", sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    )
    assert len(rows(path)) <= 2


def test_entities_in_a_workbook_are_refused(tmp_path):
    evil = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + sheet_xml('<row><c t="inlineStr"><is><t>&a;</t></is></c></row>')
    with pytest.raises(SourceRefused, match="entities"):
        rows(raw_xlsx(tmp_path / "a.xlsx", evil))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(a path that every example writes anew, a good file of each kind)"""
    folder = tmp_path_factory.mktemp("damaged")
    goods = [
        xlsx(folder / "a.xlsx", [["titre"], ["code", "ville"], ["01004", "Ambérieu"]]),
        xls(folder / "a.xls", [["code", "ville"], ["01004", "Ambérieu"]]),
        xlsb(folder / "a.xlsb", [[xlsb_cell(0, "a"), xlsb_cell(1, "b")], [xlsb_cell(0, 1), xlsb_cell(1, 2.5)]], ["x"]),
        ods(
            folder / "a.ods",
            f"<table:table-row>{ods_cell('a')}{ods_cell('b')}</table:table-row><table:table-row>{ods_cell('x')}</table:table-row>",
        ),
    ]
    return folder / "damaged.xlsx", [p.read_bytes() for p in goods]


def lawful(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        for piece in rows(path, ExcelFormat(type="excel"), max_record_mb=1):
            assert isinstance(piece, dict | BadRow)
    except SocleError as error:
        assert path.name in str(error)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.integers(0, 3), st.data())
def test_damaged_workbooks_give_rows_or_a_clear_error(made, which, data):
    path, goods = made
    good = bytearray(goods[which])
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    lawful(path, bytes(good[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else good))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(["xl/worksheets/sheet1.bin", "xl/workbook.bin", "xl/styles.bin", "xl/sharedStrings.bin"]))
def test_any_bytes_in_the_parts_of_an_xlsb(tmp_path_factory, noise, part):
    folder = tmp_path_factory.getbasetemp()
    good = xlsb(folder / "good.xlsb", [[xlsb_cell(0, "a"), xlsb_cell(1, "b")], [xlsb_cell(0, "x", shared=["x"]), xlsb_cell(1, 2.5)]], ["x"])
    bad = folder / "bad.xlsb"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            target.writestr(name, noise if name == part else source.read(name))
    lawful(bad, bad.read_bytes())
