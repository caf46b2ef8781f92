"""Workbooks: what a person sees is what is read, whatever the format; where the table is, is found and said."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ConfigurationError, Refused
from flows.formats import BadRow, incompatible
from flows.formats import read as read_format
from flows.formats.sheets.values import converter, date_text, number_text
from flows.project.formats import ExcelFormat
from flows.settings import Settings
from tests.formats.workbooks import how, raw_xlsx, rows, sheet_xml, wide, xls, xlsb, xlsb_cell, xlsx

# ---- cells --------------------------------------------------------------------------------------------------------

SEEN = [
    (5, "General", "5"),
    (5.0, "0.00", "5"),
    (0.52, "0%", "0.52"),
    (1234.5, "#,##0.00", "1234.5"),
    (1e-7, "General", "0.0000001"),
    (12345678901234, "0", "12345678901234"),
    (1000, "00000", "01000"),
    (75001, "00000", "75001"),
    (612345678, '0#" "##" "##" "##" "##', "0612345678"),
    (date(2024, 3, 1), "dd/mm/yyyy", "2024-03-01"),
    (datetime(2024, 3, 1, 12, 30), "dd/mm/yyyy hh:mm", "2024-03-01T12:30:00"),
    (datetime(2024, 3, 1), "dd/mm/yyyy hh:mm", "2024-03-01T00:00:00"),
    (date(1900, 1, 1), "dd/mm/yyyy", "1900-01-01"),
    (date(1900, 3, 1), "dd/mm/yyyy", "1900-03-01"),
    (time(8, 5), "hh:mm", "08:05:00"),
    (timedelta(hours=36, minutes=15), "[h]:mm:ss", "36:15:00"),
    (45000, "General", "45000"),
    (45000, '"d"0', "45000"),
    (45000, "[Red]0.0", "45000"),
    (True, "General", "true"),
    ("00123", "@", "00123"),
    (" x ", "General", " x "),
    ("été\nici", "General", "été\nici"),
]


def test_cells_of_xlsx_are_as_a_person_sees_them(tmp_path):
    def change(_, sheet):
        for row, (_value, code, _) in enumerate(SEEN, 2):
            sheet.cell(row, 2).number_format = code

    path = xlsx(tmp_path / "a.xlsx", [["n", "v"], *[[i, v] for i, (v, _, _) in enumerate(SEEN)]], change)
    assert [r["v"] for r in rows(path, ExcelFormat(type="excel", header_rows=1))] == [text for _, _, text in SEEN]


def test_cells_of_xls_are_as_a_person_sees_them(tmp_path):
    import xlwt

    def change(_, sheet):
        for row, (value, code, _) in enumerate(SEEN, 1):
            value = value.total_seconds() / 86400 if isinstance(value, timedelta) else value
            sheet.write(row, 1, value, xlwt.easyxf(num_format_str=code))

    path = xls(tmp_path / "a.xls", [["n", "v"], *[[i] for i in range(len(SEEN))]], change)
    read = [r["v"] for r in rows(path, ExcelFormat(type="excel", header_rows=1))]
    assert read == [text for _, _, text in SEEN]


def test_cells_of_xlsb(tmp_path):
    shared = ["code", "00123"]
    made = [
        [xlsb_cell(0, "code", shared=shared), xlsb_cell(1, "v")],
        [xlsb_cell(0, "00123", shared=shared), xlsb_cell(1, -7)],
        [xlsb_cell(0, "en ligne"), xlsb_cell(1, 45352.0, style=1)],
        None or [],
        [xlsb_cell(0, True), xlsb_cell(1, 1000, style=2)],
        [xlsb_cell(0, b"\x2a", kind=3), xlsb_cell(1, 2.5)],
        [xlsb_cell(0, wide("formule") + b"\0\0", kind=8), xlsb_cell(1, b"\x07", kind=11)],
        [xlsb_cell(0, b"\x01\0\0", kind=10), xlsb_cell(1, (12345 << 2 | 3).to_bytes(4, "little"), kind=2)],
    ]
    path = xlsb(tmp_path / "a.xlsb", made, shared, [(164, "dd/mm/yyyy"), (165, "00000")])
    decision = how(path)
    assert [tuple(r.values()) for r in rows(path)] == [
        ("00123", "-7"), ("en ligne", "2024-03-01"), ("true", "01000"), ("#N/A", "2.5"), ("formule", "#DIV/0!"), ("true", "123.45"),
    ]  # fmt: skip
    assert any("#N/A (1)" in f.text for f in decision.findings)
    python_calamine = pytest.importorskip("python_calamine")
    seen = python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()
    assert seen[1] == ["00123", -7] and seen[2] == ["en ligne", date(2024, 3, 1)], "another reader sees the same"


def test_days_since_1904(tmp_path):
    shared = ["a", "b"]
    path = xlsb(
        tmp_path / "a.xlsb",
        [[xlsb_cell(0, "a"), xlsb_cell(1, "b")], [xlsb_cell(0, "x"), xlsb_cell(1, 10.0, style=1)]],
        shared,
        [(164, "yyyy-mm-dd")],
        since_1904=True,
    )
    assert rows(path) == [{"a": "x", "b": "1904-01-11"}]

    def change(book, sheet):
        from openpyxl.utils.datetime import CALENDAR_MAC_1904

        book.epoch = CALENDAR_MAC_1904
        sheet["B2"] = date(2024, 3, 1)

    assert rows(xlsx(tmp_path / "b.xlsx", [["a", "b"], ["x", None]], change)) == [{"a": "x", "b": "2024-03-01"}]


def test_errors_are_kept_as_they_are_shown_and_reported(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["a", "b"], ["x", "#N/A"], ["y", 2]])
    assert rows(path) == [{"a": "x", "b": "#N/A"}, {"a": "y", "b": "2"}]
    [finding] = how(path).findings
    assert "#N/A (1)" in finding.text and "erreurs" in finding.french


def test_a_formula_gives_its_value_and_one_never_computed_is_reported(tmp_path):
    made = '<row r="1"><c t="inlineStr"><is><t>a</t></is></c><c t="inlineStr"><is><t>b</t></is></c></row>'
    made += '<row r="2"><c><f>1+1</f><v>2</v></c><c t="str"><f>"x"</f><v>x</v></c></row><row r="3"><c><f>1+2</f></c><c><v>5</v></c></row>'
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml(made))
    assert rows(path) == [{"a": "2", "b": "x"}, {"a": "=1+2", "b": "5"}]
    assert any("formulas" in f.text for f in how(path).findings)


def test_texts_in_several_fonts_escapes_and_places_without_reference(tmp_path):
    shared = "<si><t>nom</t></si><si><r><t>Île</t></r><r><rPr/><t>-de-France</t></r><rPh><t>non</t></rPh></si>"
    shared += "<si><t>a_x000A_b_x005F_x0041_</t></si>"
    made = '<row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>x</t></is></c></row><row><c t="s"><v>1</v></c></row>'
    made += '<row><c t="s"><v>2</v></c><c t="d"><v>2024-03-01T00:00:00</v></c></row>'
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml(made), shared)
    assert rows(path) == [{"nom": "Île-de-France", "x": None}, {"nom": "a\nb_x0041_", "x": "2024-03-01"}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (274.65999999999997, "274.66"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333333333333333"),
        (1e21, "1e+21"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.5e-5, "0.000015"),
    ],
)
def test_numbers_have_no_noise_and_lose_nothing(value, text):
    assert number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back_but_for_noise(value):
    assert float(number_text(value)) == pytest.approx(value, rel=2e-15, abs=0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, None), (1, "1900-01-01"), (59, "1900-02-28"), (60, None), (61, "1900-03-01"), (-1, None), (3e6, None), (2958465, "9999-12-31")],
)
def test_the_day_that_never_was(value, text):
    assert date_text(float(value), True, False, False) == text


@pytest.mark.parametrize(
    "code",
    ["General", "0.00E+00", "# ?/?", "@", "Standard", "0", "#,##0", "_-* #,##0.00\\ [$€-40C]_-", '0" jours"', "0\\d", "[>=100]0;[Red]0"],
)
def test_formats_that_are_no_dates(code):
    assert converter(code, False)(45000.0) == ("45000", "n")


@pytest.mark.parametrize("code", ["m/d/yy", "dd-mmm-yy", "[$-40C]d mmmm yyyy;@", "yyyy\\-mm\\-dd", "mmm-yy", "d/m"])
def test_formats_that_are_dates(code):
    assert converter(code, False)(45352.0) == ("2024-03-01", "d")


# ---- where the table is --------------------------------------------------------------------------------------------

TABLE = [["code", "ville", "habitants"], ["01004", "Ambérieu", 14000], ["01005", "Ambérieux", 1700], ["01006", "Ambléon", 110]]


def test_titles_blank_rows_and_notes_around_the_table(tmp_path):
    path = xlsx(
        tmp_path / "a.xlsx",
        [["Population des communes"], [None], ["Unité : habitants"], [None], *TABLE, [None], ["Source : Insee"], ["Champ : France"]],
    )
    decision = how(path)
    found = decision.format
    assert (found.sheet, found.skip_rows, found.header_rows, found.footer_rows) == ("Feuille1", 4, 1, 3)
    assert rows(path) == [dict(zip(TABLE[0], map(str, r), strict=True)) for r in TABLE[1:]]
    assert "row 5" in decision.reasons["skip_rows"]


def test_a_title_merged_over_the_table(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["Tableau 1"], *TABLE], lambda _, sheet: sheet.merge_cells("A1:C1"))
    assert how(path).format.skip_rows == 1 and len(rows(path)) == 3


def test_several_header_rows_with_merged_cells(tmp_path):
    def change(_, sheet):
        for area in ("A1:A2", "B1:C1", "D1:E1"):
            sheet.merge_cells(area)

    made = [["Commune", "Hommes", None, "Femmes", None], [None, 2019, 2020, 2019, 2020], ["A", 1, 2, 3, 4], ["B", 5, 6, 7, 8]]
    path = xlsx(tmp_path / "a.xlsx", made, change)
    assert how(path).format.header_rows == 2
    assert rows(path)[0] == {"Commune": "A", "Hommes / 2019": "1", "Hommes / 2020": "2", "Femmes / 2019": "3", "Femmes / 2020": "4"}


def test_merged_cells_among_records_are_not_filled_but_reported(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["a", "b"], ["x", 1], [None, 2]], lambda _, sheet: sheet.merge_cells("A2:A3"))
    assert rows(path) == [{"a": "x", "b": "1"}, {"a": None, "b": "2"}]
    assert [f.kind for f in how(path).findings] == ["ambiguous"]


def test_a_table_without_header(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [[1, "x", 2.5], [2, "y", 3.5], [3, "z", 1.5]])
    assert how(path).format.header_rows == 0
    assert rows(path)[0] == {"colonne_1": "1", "colonne_2": "x", "colonne_3": "2.5"}


def test_years_are_names_of_columns(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["région", 2019, 2020], ["A", 10.5, 20.5], ["B", 30.5, 40.5]])
    assert rows(path)[0] == {"région": "A", "2019": "10.5", "2020": "20.5"}


def test_a_total_is_no_record_and_is_reported(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [*TABLE, ["Total", None, 15810]])
    decision = how(path)
    assert decision.format.footer_rows == 1 and len(rows(path)) == 3
    assert [f.kind for f in decision.findings] == ["ambiguous"] and "Total" in decision.findings[0].french
    assert len(rows(path, ExcelFormat(type="excel", footer_rows=0))) == 4, "what is declared counts"


def test_a_second_table_below_the_first_is_reported(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [*TABLE, [None], ["région", "nom", "préfecture"], ["84", "ARA", "Lyon"]])
    [finding] = how(path).findings
    assert finding.kind == "ambiguous" and "row 6" in finding.text and "ligne 6" in finding.french
    assert len(rows(path)) == 5, "nothing is left out"


def test_one_column_below_a_title(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["Liste"], [None], ["ville"], ["Paris"], ["Lyon"]])
    assert rows(path) == [{"ville": "Paris"}, {"ville": "Lyon"}]


def test_sparse_records_at_the_end_stay(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [*TABLE, ["01007", None, None]])
    assert len(rows(path)) == 4


def test_doubled_and_missing_names_of_columns(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["a", "nom", None, "nom"], [1, "x", "y", "z"], [2, "x", "y", "z"]])
    decision = how(path)
    assert rows(path)[0] == {"a": "1", "nom": "x", "colonne_3": "y", "nom_2": "z"}
    assert len(decision.findings) == 2 and all(f.kind == "note" for f in decision.findings)


def test_names_that_are_declared(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", TABLE)
    assert rows(path, ExcelFormat(type="excel", names=["x", "y", "z"]))[0] == {"x": "01004", "y": "Ambérieu", "z": "14000"}


def test_a_value_where_there_is_no_column_makes_no_row_and_is_kept(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [*TABLE, ["01007", "Ambronay", 2900, "à vérifier"]])
    [bad] = [r for r in rows(path) if isinstance(r, BadRow)]
    assert len(rows(path)) == 4 and "column D" in bad.rule and "à vérifier" in bad.raw and (bad.row_number, bad.line) == (4, 5)


def test_the_largest_sheet_is_read_and_others_like_it_are_reported(tmp_path):
    def change(book, sheet):
        for title, count in (("Lisez-moi", 1), ("2023", 5), ("2024", 6)):
            other = book.create_sheet(title)
            for i in range(count):
                other.append([f"c{i}", f"v{i}", i])

    path = xlsx(tmp_path / "a.xlsx", [["rien"]], change)
    decision = how(path)
    assert decision.format.sheet == "2024" and "Lisez-moi" in decision.reasons["sheet"]
    [finding] = [f for f in decision.findings if f.kind == "ambiguous"]
    assert "'2023'" in finding.text
    assert all(f.kind == "note" for f in how(path, ExcelFormat(type="excel", sheet="2023")).findings)


def test_hidden_sheets_are_left_and_hidden_rows_are_read_and_both_are_said(tmp_path):
    def change(book, sheet):
        other = book.create_sheet("cachée")
        for i in range(100):
            other.append([i, i])
        other.sheet_state = "veryHidden"
        sheet.row_dimensions[3].hidden = True

    path = xlsx(tmp_path / "a.xlsx", TABLE, change)
    decision = how(path)
    assert decision.format.sheet == "Feuille1" and len(rows(path)) == 3
    assert "hidden sheets" in decision.findings[0].text and "1 rows are hidden" in decision.findings[1].text


def test_a_sheet_that_is_not_there_is_said_with_those_that_are(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", TABLE)
    with pytest.raises(ConfigurationError, match="no sheet 'B'") as caught:
        how(path, ExcelFormat(type="excel", sheet="B"))
    assert "Feuille1" in caught.value.hint


def test_an_empty_workbook_is_refused(tmp_path):
    with pytest.raises(Refused, match="nothing"):
        how(xlsx(tmp_path / "a.xlsx", []))


@pytest.mark.parametrize(("made", "why"), [([["a"]], "no sheet"), (None, "not excel"), ([*TABLE, *TABLE[1:]], "look like records")])
def test_why_a_later_file_cannot_be_read_as_earlier_ones(tmp_path, made, why):
    kept = ExcelFormat(type="excel", sheet="Feuille1" if made != [["a"]] else "Budget", skip_rows=0, header_rows=1, footer_rows=2)
    path = tmp_path / "a.xlsx"
    if made is None:
        path.write_bytes(b"PAR1")
    else:
        xlsx(path, made)
    found = incompatible(path, "a.xlsx", kept, Settings(root=tmp_path))
    assert found and why in found


def test_a_later_file_like_earlier_ones(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [*TABLE, [None], ["Source : Insee"]])
    assert incompatible(path, "a.xlsx", how(path).format, Settings(root=tmp_path)) is None


def test_batches_are_limited_and_rows_numbered(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["n", "t"], *[[i, "x"] for i in range(25)], [None], ["Source : x"]])
    made = Settings(root=tmp_path, batch_rows=10)
    frames = list(read_format(path, "a.xlsx", how(path).format, made))
    assert [f.height for f in frames] == [10, 10, 5]
    whole = pl.concat(frames)
    assert whole["__row"].to_list() == list(range(1, 26)) and whole["n"].to_list() == [str(i) for i in range(25)]


def test_a_workbook_is_read_in_time(tmp_path):
    """What takes much longer than that is ended by pytest-timeout."""
    made = "".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c><c r="B{i}"><v>0.5</v></c></row>' for i in range(2, 50_000))
    assert (
        len(rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml('<row r="1"><c t="str"><v>a</v></c><c t="str"><v>b</v></c></row>' + made))))
        == 49_998
    )
