"""CSV and Parquet: what is read is what was written, whatever the dialect; what cannot be read is refused by name."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from flows.errors import SocleError, SourceRefused
from flows.formats import BadRow
from flows.project.formats import CsvFormat, ParquetFormat
from tests.conftest import REPOSITORY
from tests.formats.reading import read

CSV = CsvFormat(type="csv")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A path that every example writes anew."""
    return tmp_path_factory.mktemp("tables") / "source"


def table(path: Path, data: bytes | None, declared, batch_rows: int = 1000) -> list[dict]:
    """Every row, null and empty being the same."""
    if data is not None:
        path.write_bytes(data)
    frames = list(read(path, path.name, declared, batch_rows, 10))
    return [{k: v or None for k, v in row.items()} for frame in frames for row in frame.to_dicts()]


# ---- csv ----------------------------------------------------------------------------------------------------------


def test_values_stay_text(file):
    rows = table(file, b"code,nombre,vrai,date\n00123,1.50,TRUE,01/02/2024\n", CSV)
    assert rows == [{"code": "00123", "nombre": "1.50", "vrai": "TRUE", "date": "01/02/2024"}]


def test_an_empty_field_is_null_and_a_quoted_empty_field_is_empty(file):
    file.write_bytes(b'a,b\n,""\n')
    [frame] = read(file, "x", CSV, 10, 10)
    assert frame.row(0) == (None, "")


@pytest.mark.parametrize("word", ["NA", "null", "NaN", "N/A", "None", "-"])
def test_words_that_look_like_nothing_stay_what_they_are(file, word):
    assert table(file, f"a,b\n{word},x\n".encode(), CSV) == [{"a": word, "b": "x"}]


def test_a_byte_order_mark_is_no_part_of_the_first_name(file):
    assert table(file, "\ufeffid,b\n1,2\n".encode(), CSV) == [{"id": "1", "b": "2"}]
    assert table(file, '\ufeff"id",b\n1,2\n'.encode(), CSV) == [{"id": "1", "b": "2"}]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_declared_encodings(file, encoding):
    declared = CsvFormat(type="csv", encoding=encoding, delimiter=";")
    assert table(file, "préfet;ville\nÉlodie;Nîmes\n".encode(encoding), declared) == [{"préfet": "Élodie", "ville": "Nîmes"}]


def test_the_euro_sign_of_cp1252(file):
    declared = CsvFormat(type="csv", encoding="cp1252")
    assert table(file, "prix,mot\n12 €,cœur\n".encode("cp1252"), declared) == [{"prix": "12 €", "mot": "cœur"}]


def test_newlines_delimiters_and_quotes_inside_quotes(file):
    assert table(file, b'a,b\n"un\nsur, deux","il dit ""oui"""\nx,y\n', CSV) == [
        {"a": "un\nsur, deux", "b": 'il dit "oui"'},
        {"a": "x", "b": "y"},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(file, end):
    assert table(file, f"a,b{end}1,2{end}3,4".encode(), CSV) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_batches_hold_no_more_rows_than_asked_and_keep_their_order(file):
    file.write_text("n\n" + "".join(f"{i}\n" for i in range(250)))
    frames = list(read(file, "x", CSV, 100, 10))
    assert [f.height for f in frames] == [100, 100, 50]
    assert pl.concat(frames)["n"].to_list() == [str(i) for i in range(250)]


def test_a_file_over_several_blocks_is_whole(file, monkeypatch):
    from flows.formats.csv import pieces, text

    monkeypatch.setattr(text, "BLOCK", 100)
    monkeypatch.setattr(pieces, "BLOCK", 100)
    rows = table(file, ("a,b\n" + "".join(f'{i},"ligne\n{i}"\n' for i in range(200))).encode(), CSV)
    assert rows == [{"a": str(i), "b": f"ligne\n{i}"} for i in range(200)]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"a,b\n1\n2,3\n", "csv:fields:expected 2, found 1"),
        (b"a,b\n1,2,3\n2,3\n", "csv:fields:expected 2, found 3"),
        (b"a,b\n\xe9,2\n2,3\n", "csv:encoding:not utf-8"),
        (b"a,b\n1,\x00\n2,3\n", "csv:nul:a NUL byte"),
        (b'a,b\n1,"2\n2,3\n', "csv:quote:never closed"),
        (b'a,b\n"1"x,2\n2,3\n', "csv:quote:text after a closing quote"),
    ],
)
def test_a_record_that_is_no_row_is_refused_with_its_place_and_the_others_are_read(file, data, rule):
    file.write_bytes(data)
    declared = CsvFormat(type="csv", encoding="utf-8", delimiter=",", quote='"', header_rows=1)
    frame, refused = sorted(read(file, "x", declared), key=lambda piece: isinstance(piece, BadRow))
    assert frame.to_dicts() == [{"a": "2", "b": "3", "__row": 2}]
    assert (refused.rule, refused.row_number, refused.line, refused.offset) == (rule, 1, 2, 4)
    assert refused.raw == data.splitlines()[1].decode("utf-8", "backslashreplace")


def test_a_header_that_is_not_in_the_declared_encoding_is_refused(file):
    with pytest.raises(SourceRefused, match="source: the header is not text in utf-8"):
        table(file, b"\xe9,b\n1,2\n", CsvFormat(type="csv", encoding="utf-8"))


@pytest.mark.parametrize("data", [b"\na,b\n1,2\n", b"\r\n\r\na,b\n1,2\n"])
def test_rows_below_an_empty_first_line_are_never_lost_in_silence(file, data):
    try:
        rows = table(file, data, CSV)
    except SourceRefused:
        return
    assert len(rows) == 1 and "1" in rows[0].values()


@pytest.mark.parametrize("data", [b"", b"a,b\n"])
def test_nothing_to_read(file, data):
    assert table(file, data, CSV) == []


def lawful(path: Path, data: bytes, declared) -> None:
    path.write_bytes(data)
    try:
        for frame in read(path, path.name, declared, 7, 10):
            assert isinstance(frame, pl.DataFrame | BadRow)
    except SocleError as error:
        assert path.name in str(error)


@pytest.mark.parametrize("delimiter", ["→", "é", "\n", '"', "\x00"])
def test_a_delimiter_that_cannot_be_one_is_a_clear_error(file, delimiter):
    try:
        declared = CsvFormat(type="csv", delimiter=delimiter)
    except ValueError:
        return  # refused when the project is read: better still
    lawful(file, b"a,b\n1,2\n", declared)


# ---- parquet ------------------------------------------------------------------------------------------------------

PARQUET = ParquetFormat(type="parquet")


def parquet_bytes(data: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(data, sink, row_group_size=4)
    return sink.getvalue()


WHOLE = parquet_bytes(pa.table({"n": list(range(10)), "t": [f"texte {i}" for i in range(10)]}))


def test_parquet_keeps_types_and_order_in_batches(file):
    file.write_bytes(WHOLE)
    frames = list(read(file, "x", PARQUET, 3, 10))
    assert max(f.height for f in frames) <= 3
    whole = pl.concat(frames)
    assert whole.schema == {"n": pl.Int64(), "t": pl.String()}
    assert whole["n"].to_list() == list(range(10))


@pytest.mark.parametrize("length", [0, 1, 4, 20, len(WHOLE) // 2, len(WHOLE) - 8, len(WHOLE) - 1])
def test_a_truncated_parquet_file_is_refused(file, length):
    file.write_bytes(WHOLE[:length])
    with pytest.raises(SourceRefused, match="source"):
        list(read(file, file.name, PARQUET, 100, 10))


@settings(deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_damaged_byte_gives_rows_or_a_clear_error(file, place, difference):
    data = bytearray(WHOLE)
    data[place] ^= difference
    lawful(file, bytes(data), PARQUET)


@pytest.mark.parametrize(("place", "difference"), [(649, 1), (650, 16), (656, 4), (658, 1)])
def test_statistics_that_contradict_a_type_do_not_end_the_process(tmp_path, place, difference):
    """Arrow 26 calls std::terminate for them; in a process of its own, so that it is this test that fails and not the whole run."""
    data = bytearray(WHOLE)
    data[place] ^= difference
    (tmp_path / "x").write_bytes(data)
    code = (
        "import sys\nfrom pathlib import Path\nfrom flows.errors import SourceRefused\n"
        "from flows.project.formats import ParquetFormat\nfrom tests.formats.reading import read\n"
        "try:\n    list(read(Path(sys.argv[1]), 'x', ParquetFormat(type='parquet'), 7, 10))\n"
        "except SourceRefused:\n    print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], check=False, capture_output=True, text=True, cwd=REPOSITORY, timeout=120
    )
    assert (done.returncode, done.stdout.strip()) == (0, "refused"), done.stderr


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2], None]),
        pa.array([{"a": 1}, None]),
        pa.array([b"\xff", None]),
        pa.array([1, None], pa.duration("s")),
        pa.array(["a", None]).dictionary_encode(),
        pa.array([None, None]),
        pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        pa.array([1, None], pa.decimal256(50, 2)),
    ],
    ids=lambda c: str(c.type)[:20],
)
def test_every_type_of_parquet_gives_frames_or_a_clear_error(file, column):
    lawful(file, parquet_bytes(pa.table({"c": column})), PARQUET)
