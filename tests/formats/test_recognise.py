"""Which format a file is of: what it holds counts, its name where that does not tell; what is no data is refused by name."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from flows.errors import SocleError, SourceRefused
from flows.formats import FORMATS, decide
from flows.formats.recognise import recognise, refuse_other, workbook_kind
from flows.project.formats import CsvFormat, ExcelFormat, JsonFormat, ParquetFormat, XmlFormat
from flows.settings import Settings
from tests.conftest import REPOSITORY
from tests.formats.workbooks import ods, ods_cell, xls, xlsb, xlsb_cell, xlsx

REAL = REPOSITORY.parent / "shared" / "data" / "fichiers-difficiles"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("recognised") / "source"


def kind(file, data: bytes, name: str) -> str:
    file.write_bytes(data)
    return recognise(file, name)


def arrow_bytes(stream: bool) -> bytes:
    table, sink = pa.table({"a": [1, 2]}), io.BytesIO()
    with (ipc.new_stream if stream else ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_bytes() -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"a": [1]}), sink)
    return sink.getvalue()


COLLECTION = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"a": 1}, "geometry": None}]}
LATE = {"features": COLLECTION["features"], "type": "FeatureCollection"}


@pytest.mark.parametrize("name", ["x", "x.bin", "x.csv", "x.xlsx", "x.json"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (parquet_bytes(), "parquet"),
        (arrow_bytes(False), "arrow"),
        (arrow_bytes(True), "arrow"),
        (b'[{"a": 1}]', "json"),
        (b'\xef\xbb\xbf  [\n{"a": 1}\n]', "json"),
        (b'{"results": [{"a": 1}]}', "json"),
        (b'{\n  "a": 1\n}\n', "json"),
        (b'{"a": 1}\n{"a": 2}\n', "jsonl"),
        (b'{"a": 1}\n\nnot json\n{"a": 2}\n', "jsonl"),
        (json.dumps(COLLECTION).encode(), "geojson"),
        (json.dumps(COLLECTION, indent=2).encode(), "geojson"),
        (json.dumps(LATE).encode(), "geojson"),
        (b'<?xml version="1.0"?>\n<r><l a="1"/></r>', "xml"),
        ('{"ville": "Nîmes"}'.encode("utf-16"), "json"),
    ],
)
def test_what_a_file_holds_counts_whatever_its_name(file, data, expected, name):
    assert kind(file, data, name) == expected


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"a;b\n1;2\n", "x", "csv"),
        (b"a;b\n1;2\n", "x.json", "csv"),
        (b"a,b\n1,2\n", "x.xlsx", "csv"),
        ("été;b\n1;2\n".encode("latin-1"), "x.parquet", "csv"),
        ("été;b\n1;2\n".encode("utf-16"), "x.txt", "csv"),
        (b"a\x00b,c\n1,2\n", "x.csv", "csv"),
        (bytes(range(256)) * 4, "x.csv", "csv"),
        (b"un texte\n", "x.txt", "csv"),
        (b'{"a": 1}\n', "x.jsonl", "jsonl"),
        (b'{"a": 1}\n', "x.json", "json"),
        (b"{bad\n{worse\n", "x.ndjson", "jsonl"),
        (b"[1, 2]\n[3, 4]\n", "x.jsonl", "jsonl"),
        (b'{"a": ', "x.json", "json"),
        (b"[{'a': 1}]", "x.json", "json"),
        (b"[id];[nom]\n1;2\n", "x.csv", "csv"),
        (b"{id};{nom}\n1;2\n", "x.csv", "csv"),
        (b"<root><a/></root>", "x.xml", "xml"),
        (b"<5 ans;>5 ans\n1;2\n", "x", "csv"),
        (b"", "x.csv", "csv"),
        (b"", "x.json", "json"),
    ],
)
def test_names_help_where_the_content_does_not_tell(file, data, name, expected):
    assert kind(file, data, name) == expected


def test_workbooks_are_told_apart_from_each_other_and_from_zips(tmp_path):
    made = {
        "xlsx": xlsx(tmp_path / "a.zip", [["a"], [1]]),
        "xls": xls(tmp_path / "b.xlsx", [["a"], [1]]),
        "xlsb": xlsb(tmp_path / "c", [[xlsb_cell(0, "a")]], ["x"]),
        "ods": ods(tmp_path / "d.csv", f"<table:table-row>{ods_cell('a')}</table:table-row>"),
    }
    for expected, path in made.items():
        assert recognise(path, path.name) == "excel" and workbook_kind(path, path.name) == expected
        assert decide(path, path.name, None, Settings(root=tmp_path)).format.type == "excel"


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html>\n<html><head><title>Connexion</title></head></html>",
        b"\n  <html lang='fr'><head><title>\n Connexion </title>",
        b"<!-- x --><!doctype HTML PUBLIC '-//W3C'><title>Connexion</title>",
        b"<?xml version='1.0'?><!DOCTYPE html><html><title>Connexion</title></html>",
    ],
)
@pytest.mark.parametrize(
    "declared", [None, JsonFormat(type="json"), XmlFormat(type="xml"), ExcelFormat(type="excel"), CsvFormat(type="csv")]
)
def test_a_web_page_in_place_of_data_is_refused_by_its_name(file, page, declared):
    file.write_bytes(page)
    with pytest.raises(SourceRefused, match=r"x\.csv is a web page, titled 'Connexion', not data") as caught:
        decide(file, "x.csv", declared, Settings(root=file.parent))
    assert "page web" in caught.value.french


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"Rar!\x1a\x07", "RAR"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"PARE" + b"x" * 50, "encrypted"),
        (b"\x01\x02\x03\x04" * 100, "cannot be told"),
        (b"", "empty"),
    ],
)
def test_what_is_no_data_is_refused(file, data, said):
    with pytest.raises(SourceRefused, match=said) as caught:
        kind(file, data, "x.bin")
    assert caught.value.french


def test_a_document_that_is_no_workbook_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w/>")
    with pytest.raises(SourceRefused, match="no workbook"):
        recognise(tmp_path / "a.docx", "a.docx")


@pytest.mark.parametrize("name", ["x.json", "x.xml", "x.xlsx", "x.parquet"])
def test_a_message_in_place_of_data_is_refused(file, name):
    with pytest.raises(SourceRefused, match="plain text"):
        kind(file, b"Service indisponible, merci de recommencer.\n", name)


def test_an_archive_that_was_not_opened_is_refused(file):
    with pytest.raises(SourceRefused, match="archive"):
        kind(file, gzip.compress(b"a,b\n1,2\n"), "x.csv")


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (parquet_bytes(), CsvFormat(type="csv")),
        (b"a,b\n1,2\n", ParquetFormat(type="parquet")),
        (b"a,b\n1,2\n", ExcelFormat(type="excel")),
        (gzip.compress(b"x"), JsonFormat(type="json")),
    ],
)
def test_a_declared_format_that_the_bytes_surely_are_not(file, data, declared):
    file.write_bytes(data)
    with pytest.raises(SourceRefused, match=f"not {declared.type}"):
        decide(file, "x", declared, Settings(root=file.parent))


def test_a_declared_format_is_believed_where_the_bytes_do_not_tell(file):
    file.write_bytes(b'{"a": 1}\n{"a": 2}\n')
    refuse_other(file, "x", "csv")
    refuse_other(file, "x", "json")


pieces = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"', b"<", b"<?xml", b"<html", b"PK\x03\x04", b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff", b"\x1f\x8b"]
    )
    | st.binary(max_size=5)
    | st.sampled_from(
        [
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"\0",
            b"\n",
            b";",
            b"a",
            b"1",
            b":",
            b"BZh",
            b"\x09\x08\x10\0\0\x06",
        ]
    )
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(st.one_of(st.binary(max_size=300), pieces.map(b"".join)), st.sampled_from(["x", "x.csv", "x.json", "x.xlsx", "x.xml", "x.parquet"]))
@example(b"\xff\xff\xff\xff\x10\0\0\0", "x")
@example(b"<a" * 5000, "x.xml")
def test_any_bytes_are_recognised_and_read_or_refused_by_name(file, data, name):
    from flows import formats

    file.write_bytes(data)
    try:
        assert recognise(file, name) in FORMATS
        if recognise(file, name) == "csv":
            return  # its reader has tests of its own
        made = Settings(root=file.parent, max_record_mb=1)
        for _ in formats.read(file, name, formats.decide(file, name, None, made).format, made):
            pass
    except SocleError as error:
        assert name in str(error)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not here")
def test_real_files():
    expected = {
        "csv-detective/xlsx_file": "excel",
        "csv-detective/csv_file": "csv",
        "csv-detective/file.xls": "excel",
        "csv-detective/file.parquet": "parquet",
        "frictionless/table.jsonl": "jsonl",
        "frictionless/table.ndjson": "jsonl",
        "frictionless/table.json": "json",
        "frictionless/table.tsv": "csv",
        "csvkit/realdata/census_2000/VROUTFSJ.TXt": "csv",
    }
    assert {n: recognise(REAL / n, n) for n in expected} == expected
    refused = []
    for path in sorted(p for p in REAL.rglob("*") if p.suffix in (".csv", ".json", ".tsv", ".txt")):
        try:
            found = recognise(path, path.name)
        except SourceRefused as error:
            refused.append((path.name, str(error)))
            continue
        wanted = {".json": ("json", "geojson", "jsonl")}.get(path.suffix, ("csv",))
        assert found in wanted or path.stat().st_size == 0, path
    assert not refused
