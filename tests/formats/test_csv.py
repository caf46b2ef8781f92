"""How CSV files are read is found, said, kept; hostile ones are read right, and what is no row is refused with its place."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from flows import formats
from flows.errors import ConfigurationError
from flows.formats import BadRow
from flows.formats import csv as reader
from flows.formats.places import locate
from flows.project.formats import CsvFormat
from flows.settings import Settings
from tests.conftest import REPOSITORY
from tests.formats.csv_files import Case, cases

SHARED = REPOSITORY.parent / "shared" / "data"


def limits(folder: Path, **given) -> Settings:
    return Settings(root=folder, **given)


def put(folder: Path, content: str | bytes) -> Path:
    path = folder / "recu.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pull(path: Path, how: CsvFormat, **given) -> tuple[list[str], list[tuple], list[BadRow]]:
    """(names, rows, refused)"""
    names, rows, bad = list[str](), list[tuple](), list[BadRow]()
    for piece in formats.read(path, path.name, how, limits(path.parent, **given)):
        if isinstance(piece, BadRow):
            bad.append(piece)
        else:
            names = [c for c in piece.columns if c != "__row"]
            rows += piece.select(names).rows()
    return names, rows, bad


@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_hostile_files_are_read_right_with_nothing_declared(tmp_path, case: Case):
    path = put(tmp_path, case.data)
    found = formats.decide(path, path.name, CsvFormat(type="csv"), limits(tmp_path))
    names, rows, bad = pull(path, found.format)
    assert rows == [tuple(f or None for f in row) for row in case.rows], found
    assert len(bad) == case.bad
    assert not rows or names == (case.header or [f"colonne_{i}" for i in range(1, len(names) + 1)])
    assert found.format.encoding in {case.encoding, *case.same}
    assert not [f for f in type(found.format).model_fields if f not in ("member", "names") and getattr(found.format, f) is None]
    assert formats.incompatible(path, path.name, found.format, limits(tmp_path)) is None
    again = formats.decide(path, path.name, found.format, limits(tmp_path))
    assert again.format == found.format


def test_what_is_declared_is_never_found_anew(tmp_path):
    path = put(tmp_path, "a;b\n1;2\n3;4\n")
    declared = CsvFormat(type="csv", delimiter=",", quote="'", header_rows=0, encoding="latin-1")
    found = formats.decide(path, path.name, declared, limits(tmp_path)).format
    assert (found.delimiter, found.quote, found.header_rows, found.encoding) == (",", "'", 0, "latin-1")
    assert pull(path, found)[1] == [("a;b",), ("1;2",), ("3;4",)]


def test_a_file_that_can_be_read_in_two_ways_says_so_in_both_languages(tmp_path):
    path = put(tmp_path, "a;b|c\n" + "".join(f"x{i};y|z{i}\n" for i in range(9)))
    [said] = [f for f in formats.decide(path, path.name, CsvFormat(type="csv"), limits(tmp_path)).findings if f.kind == "ambiguous"]
    assert "vertical bar" in said.text and "semicolon" in said.text
    assert "barre verticale" in said.french and "point-virgule" in said.french


KEPT = CsvFormat(
    type="csv", encoding="utf-8", delimiter=";", quote='"', escape="",
    skip_rows=0, header_rows=1, footer_rows=0, empty_columns=0, skip_space=False,
)  # fmt: skip
TABLE = "code;ville;nombre\n" + "".join(f"{i:03};Nîmes {i};{i},5\n" for i in range(20))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TABLE, None),
        (TABLE.replace("î", "i"), None),
        (re.sub(r"(Nîmes \d+)", r'"\1"', TABLE), None),
        (TABLE.replace("\n", "\r\n"), None),
        ("code;ville;nombre\n", None),
        ("", None),
        (TABLE.replace(",", ".").replace(";", ","), "delimited by comma, not by semicolon"),
        (TABLE.encode("cp1252"), "cp1252, not in utf-8"),
        ("Villes de France\n\n" + TABLE, "2 lines before its header, not 0"),
        (TABLE.split("\n", 1)[1], "0 header lines, not 1"),
    ],
)
def test_a_file_that_would_be_read_differently_is_told_from_one_that_would_not(tmp_path, content, said):
    path = put(tmp_path, content)
    found = formats.incompatible(path, path.name, KEPT, limits(tmp_path))
    assert (found is None) if said is None else said in found


def test_records_are_never_taken_for_the_footer_that_an_earlier_file_had(tmp_path):
    path = put(tmp_path, TABLE)
    assert "records would be lost" in formats.incompatible(path, path.name, KEPT.model_copy(update={"footer_rows": 1}), limits(tmp_path))


def test_an_unclosed_quote_refuses_its_line_only_however_long_the_file_is(tmp_path):
    lines = [f"{i};ville {i};{i}" for i in range(50_000)]
    lines[100] = '100;"ville;100'
    path = put(tmp_path, "code;ville;nombre\n" + "\n".join(lines) + "\n")
    _, rows, bad = pull(path, KEPT)
    assert [(b.row_number, b.line, b.raw, b.rule) for b in bad] == [(101, 102, '100;"ville;100', "csv:quote:never closed")]
    assert len(rows) == len(lines) - 1


def test_a_field_of_megabytes_is_read_and_one_over_the_limit_is_refused(tmp_path):
    big = "x" * 3_000_000
    path = put(tmp_path, f'a;b\n1;2\n"{big}";3\n4;5\n')
    assert pull(path, KEPT)[1] == [("1", "2"), (big, "3"), ("4", "5")]
    _, rows, [refused] = pull(path, KEPT, csv_max_record_mb=1)
    assert rows == [("1", "2"), ("4", "5")]
    assert (refused.rule, refused.row_number, refused.line) == ("csv:size:a record of more than 1 MB", 2, 3)
    assert len(refused.raw) < 100_000


def test_rows_are_found_by_their_numbers(tmp_path):
    path = put(tmp_path, 'a;b\n1;"x\ny"\n\n2;é\n3\n4;z\n')
    places = locate(path, KEPT, [1, 2, 3, 4, 9])
    assert {n: (p.line, p.offset, p.raw) for n, p in places.items()} == {
        1: (2, 4, '1;"x\ny"'),
        2: (5, 13, "2;é"),
        3: (6, 18, "3"),
        4: (7, 20, "4;z"),
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a;b\n1;2\n3;4\n", (2, 2, False)),
        ('a;b\r\n"1;0";2\r\n3;4', (2, 2, True)),
        ("a;b\n1;2\n3\n", None),
        ("a;b\n1;2\n3", None),
        ('a;b\r\n1;"2\r\n3"\r\n\r\n4;5\r\n', (2, 2, True)),
        ("a;b\n1;2;3\n4\n", None),
        ("a;b\n1;2\r3;4\n", None),
        ("a;b\n1;2\n3;4\r", None),
        ("a;b\n1;2;3\n", None),
        ('a;b\n1;"2\n', None),
        ("a;b\n1;\0\n", None),
        (b"a;b\n1;\xe9\n", None),
    ],
)
@pytest.mark.parametrize("part", [5, 64, 1 << 20])
def test_a_file_is_proved_regular_or_not_at_all(tmp_path, monkeypatch, part, content, expected):
    monkeypatch.setattr("flows.formats.csv.facts.PART", part)
    path = put(tmp_path, content)
    facts = reader.regular(path, KEPT, limits(tmp_path))
    assert (facts and (facts.records, facts.columns, facts.quotes)) == expected


@pytest.mark.parametrize("part", [5, 1 << 20])
@pytest.mark.parametrize(
    ("content", "records"),
    [
        ("a;b\n1;2\n\n\n3;4\n\n", 2),
        ("a;b\r\n1;2\r\n\r\n3;4", 2),
        ("a;b\n1;2;3\n4\n", 2),  # the wider one is somebody else's business
        ("a;b\n1\n2;3\n", None),
        ("a;b\n1;2\r3;4\n", None),
        ("a;b\n1;2\n3;4\r", None),
        ('a;b\n"1;\n";2\n3;";"\n', 2),
    ],
)
def test_counting_is_enough_where_no_record_is_too_wide(tmp_path, monkeypatch, part, content, records):
    monkeypatch.setattr("flows.formats.csv.facts.PART", part)
    facts = reader.regular(put(tmp_path, content), KEPT, limits(tmp_path), none_is_wider=True)
    assert (facts and facts.records) == records


@pytest.mark.parametrize(
    "declared", [{"encoding": "klingon"}, {"encoding": "base64"}, {"delimiter": '"', "quote": '"'}, {"delimiter": "\n"}]
)
def test_what_cannot_be_declared_is_a_clear_error(tmp_path, declared):
    path = put(tmp_path, "a,b\n1,2\n")
    with pytest.raises(ConfigurationError, match=r"recu\.csv"):
        formats.decide(path, path.name, CsvFormat(type="csv", **declared), limits(tmp_path))


REAL = {
    "fichiers-difficiles/francais-reel/VilleMTP_MTP_BudgetPri_2015.csv": ("cp1252", ";", 0, 1, 7, 1329),
    "fichiers-difficiles/francais-reel/naf_libelles_ape_entete_multiligne.csv": ("utf-8", ";", 0, 1, 5, 2109),
    "fichiers-difficiles/csvkit/realdata/Datagov_FY10_EDU_recp_by_State.csv": ("utf-8", ",", 2, 1, 9, 55),
    "fichiers-difficiles/csv-detective/a_test_file.csv": ("utf-8", ";", 2, 1, 11, 404),
    "decisions-cedh/FR-manual-train.tsv": ("utf-8", " ", 0, 0, 2, 38383),
    "egapro/index-egalite-fh.csv": ("utf-8", ";", 0, 1, 9, 12339),
    "controles-alimentaires/instantane_2017-08-22.csv": ("utf-8", ",", 0, 1, 14, 19053),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real files are not part of the project")
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_right(name):
    path = SHARED / name
    encoding, delimiter, skipped, headers, columns, count = REAL[name]
    how = formats.decide(path, path.name, CsvFormat(type="csv"), limits(path.parent)).format
    names, rows, bad = pull(path, how)
    assert (how.encoding, how.delimiter, how.skip_rows, how.header_rows) == (encoding, delimiter, skipped, headers)
    assert (len(names), len(rows), bad) == (columns, count, [])


@pytest.mark.parametrize("name", ["*", "^a$"])
def test_a_name_that_polars_takes_for_others_is_none(tmp_path, name):
    names, rows, _ = pull(put(tmp_path, f"a,{name}\n1,2\n"), formats.decide(tmp_path / "recu.csv", "x", None, limits(tmp_path)).format)
    assert (names, rows) == (["a", "colonne_2"], [("1", "2")])


# ---- two encodings in one file, a total among the records ----------------------------------------------------------


def findings_of(path: Path) -> tuple[CsvFormat, list[str]]:
    found = formats.decide(path, path.name, CsvFormat(type="csv"), limits(path.parent))
    return found.format, [f.text for f in found.findings if f.kind == "ambiguous"]


@pytest.mark.parametrize(("utf8", "other", "chosen"), [(8, 2, "utf-8"), (2, 8, "cp1252")])
def test_two_encodings_in_one_file_are_reported(tmp_path, utf8, other, chosen):
    lines = ["1;été\n".encode()] * utf8 + ["2;été\n".encode("cp1252")] * other
    how, said = findings_of(put(tmp_path, b"a;b\n" + b"".join(lines)))
    assert how.encoding == chosen and [s for s in said if "two encodings seem to be mixed" in s]
    _, rows, bad = pull(tmp_path / "recu.csv", how)
    assert (len(rows), len(bad)) == ((8, 2) if chosen == "utf-8" else (10, 0))


def test_capitals_and_hard_spaces_of_cp1252_are_no_mixture(tmp_path):
    text = "libellé;note\nQUALITÉ»;à\u00a0voir\nLIBERTÉ°;été\nÉtat :;Ça\u00a0va\n"
    how, said = findings_of(put(tmp_path, text.encode("cp1252")))
    assert how.encoding == "cp1252" and said == []


def test_a_total_that_is_read_as_a_record_is_reported(tmp_path):
    rows = "".join(f"{i};x\n" for i in range(5))
    assert any("'Total' near the end is read as a record" in s for s in findings_of(put(tmp_path, f"a;b\n{rows}Total;5\nautre;x;y\n"))[1])
    how, said = findings_of(put(tmp_path, f"a;b\n{rows}\nTotal;5\n(*) provisoire\n"))
    assert how.footer_rows == 3 and not said
    assert not findings_of(put(tmp_path, "a;b\n" + "Total;5\nx;1\n" * 4))[1]


def test_a_line_of_a_million_fields_is_not_looked_at_for_ever(tmp_path):
    path = put(tmp_path, "a,b\n" + "x,y," * 200_000)
    begin = time.monotonic()
    how = formats.decide(path, path.name, CsvFormat(type="csv"), limits(tmp_path)).format
    names = reader.columns(path, how)
    assert len(set(names)) == len(names) >= 400_000
    assert time.monotonic() - begin < 30
