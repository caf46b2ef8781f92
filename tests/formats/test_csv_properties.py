"""Any table that Python's csv writes comes back equal; any bytes at all are rows, refused rows or a clear error, and none is lost."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from flows import formats
from flows.errors import SocleError
from flows.formats import BadRow
from flows.formats.csv import pieces, text
from flows.formats.places import locate
from flows.project.columns import is_pattern
from flows.project.formats import CsvFormat
from flows.settings import Settings

ENCODINGS = ["utf-8", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "mac-roman", "cp850", "shift_jis", "gb18030"]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("csv") / "table.csv"


def limits(path: Path, **given_ones) -> Settings:
    return Settings(root=path.parent, **{"batch_rows": 5, **given_ones})


def pull(path: Path, how: CsvFormat, given_settings: Settings) -> tuple[list[tuple[int, tuple]], list[BadRow]]:
    """(numbered rows, refused ones)"""
    rows, bad, seen = [], [], 0
    for piece in formats.read(path, path.name, how, given_settings):
        if isinstance(piece, BadRow):
            bad.append(piece)
            seen += 1
            continue
        assert piece.height <= given_settings.batch_rows
        columns = piece.to_dict(as_series=False)
        numbers = columns.pop("__row", None) or list(range(seen + 1, seen + 1 + piece.height))
        rows += zip(numbers, zip(*columns.values(), strict=True), strict=True)
        seen += piece.height
    return sorted(rows), bad


@st.composite
def written(draw):
    """(how it was written, header, rows, bytes)"""
    encoding = draw(st.sampled_from(ENCODINGS))
    odd = [] if encoding in ("shift_jis", "cp850", "mac-roman", "latin-1", "cp1252") else ["→"]
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", ":", " ", "^", "~", "x", *odd]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE]))
    escape = "\\" if quoting == csv.QUOTE_NONE else draw(st.sampled_from([None, "\\"]))
    doubled = escape is None or draw(st.booleans())
    quote = draw(st.sampled_from(['"', "'"]))
    special = {delimiter, quote, "\n", "\r", "\\", " "}
    letters = st.one_of(st.characters(codec=encoding, exclude_characters="\x00\ufdd0\ufeff¥‾"), st.sampled_from(sorted(special)))
    # Python leaves a lone carriage return, and a bare escape, as they are where they would be read as something else.
    bare = (quoting == csv.QUOTE_NONE and {"\n", "\r"}) or set()
    values = st.text(letters, max_size=12).map(lambda v: "".join(c for c in v if c not in bare))
    names = values.filter(lambda n: n.strip())
    header = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    rows = draw(st.lists(st.tuples(*[values] * len(header)), max_size=8))
    assume(len(header) > 1 or quoting != csv.QUOTE_NONE)  # an empty field alone cannot be written
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    if quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC) and ends == "\n":
        quoting = csv.QUOTE_ALL if any("\r" in v for row in (header, *rows) for v in row) else quoting
    out = io.StringIO(newline="")
    writer = csv.writer(
        out, delimiter=delimiter, quotechar=quote, quoting=quoting, escapechar=escape, doublequote=doubled, lineterminator=ends
    )
    try:
        writer.writerows([header, *rows])
        data = out.getvalue().encode(encoding)
    except (csv.Error, UnicodeEncodeError):
        assume(False)
    declared = CsvFormat(
        type="csv",
        encoding=encoding,
        delimiter=delimiter,
        quote="" if quoting == csv.QUOTE_NONE else quote,
        escape=escape or "",
        skip_rows=0,
        header_rows=1,
        footer_rows=0,
        empty_columns=0,
        skip_space=False,
    )
    return declared, header, rows, data


def as_written(how: CsvFormat, rows: list[tuple[str, ...]]) -> list[tuple[int, tuple]]:
    """What an unquoted empty field is, an empty one cannot be told from where nothing is quoted."""
    return [(i, tuple(v or None for v in row)) for i, row in enumerate(rows, 1)]


def nothing_is_none(rows: list[tuple[int, tuple]]) -> list[tuple[int, tuple]]:
    return [(i, tuple(v or None for v in row)) for i, row in rows]


COMMA = {"type": "csv", "encoding": "utf-8", "delimiter": ",", "quote": '"', "escape": "", "skip_rows": 0, "header_rows": 1}
COMMA |= {"footer_rows": 0, "empty_columns": 0, "skip_space": False}


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None, max_examples=150)
@example((CsvFormat(**COMMA), ["*", "b", "^x$"], [("1", "2", "3")], b"*,b,^x$\n1,2,3\n"), False)
@given(written(), st.booleans())
def test_what_pythons_csv_writes_comes_back_equal_when_it_is_declared(file, case, small):
    declared, header, rows, data = case
    file.write_bytes(data)
    found = formats.decide(file, file.name, declared, limits(file))
    assert found.format == declared
    with windows(small):
        read, bad = pull(file, declared, limits(file))
    assert not bad
    assert nothing_is_none(read) == as_written(declared, rows)
    if rows:
        [frame, *_] = formats.read(file, file.name, declared, limits(file))
        wanted = [f"colonne_{i}" if is_pattern(name) else name for i, name in enumerate(header, 1)]  # Polars would take `*` for all
        assert [c for c in frame.columns if c != "__row"] == wanted


class windows:
    """Blocks of a few bytes, so that records are cut everywhere."""

    def __init__(self, small: bool) -> None:
        self.small = small

    def __enter__(self) -> None:
        self.before = (text.BLOCK, text.STEP, pieces.BLOCK, pieces.SMALL)
        if self.small:
            text.BLOCK, text.STEP, pieces.BLOCK, pieces.SMALL = 13, 3, 13, 5

    def __exit__(self, *_: object) -> None:
        text.BLOCK, text.STEP, pieces.BLOCK, pieces.SMALL = self.before


WORDS = ["Nîmes", "Lyon, 3e", "d'Albi", "l’Isle; sud", "Paris", 'dit "l\'Ancien"', "rue A | B", "Brest\nmétropole", "Saint-Malo", "Metz"]


@st.composite
def tables(draw):
    """A table as people have them: enough rows, columns of one kind."""
    count = draw(st.integers(5, 30))
    columns = draw(st.lists(st.sampled_from(["word", "number", "decimal", "date", "code"]), min_size=2, max_size=6))
    made = {
        "word": st.sampled_from(WORDS),
        "number": st.integers(0, 10**6).map(str),
        "decimal": st.integers(0, 10**5).map(lambda n: f"{n // 100},{n % 100:02}"),
        "date": st.integers(1, 28).map(lambda d: f"{d:02}/03/2024"),
        "code": st.integers(0, 95999).map(lambda n: f"{n:05}"),
    }
    header = [f"{kind}_{i}" for i, kind in enumerate(columns)]
    rows = draw(st.lists(st.tuples(*(made[c] for c in columns)), min_size=count, max_size=count))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "mac-roman", "utf-16", "utf-16-le"]))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    ends = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting = csv.QUOTE_ALL if ends == "\r" else draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))  # Python leaves \n bare there
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=ends).writerows([header, *rows])
    return header, rows, delimiter, out.getvalue().encode(encoding)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(tables())
def test_a_table_as_people_have_them_is_found_or_said_to_be_ambiguous(file, case):
    _, rows, _, data = case
    file.write_bytes(data)
    found = formats.decide(file, file.name, None, limits(file))
    read, bad = pull(file, found.format, limits(file))
    right = not bad and nothing_is_none(read) == as_written(found.format, rows)
    assert right or any(f.kind == "ambiguous" for f in found.findings), (found, read[:3], bad[:2])
    assert formats.incompatible(file, file.name, found.format, limits(file)) is None


BITS = [
    b",",
    b"\n",
    b"\r",
    b'"',
    b'""',
    b";",
    b"\x00",
    b"\xef\xbb\xbf",
    b"a",
    b"1",
    b"\xe9",
    b"\\",
    b" ",
    b"\r\n",
    b"'",
    b"\xc3\xa9",
    b',"',
    b'",',
]
LINES = [b"1,2,3\n", b'"x","y",""\n', b"1,2\n", b'1,"2\n', b'4,"5\n6",7\n', b"\n", b"\xe9,2,3\n", b'a,b"c,d\n', b"\xff\xfe", b"1,2,3,,\n"]
hostile = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(BITS), max_size=80).map(b"".join),
    st.lists(st.sampled_from(LINES), max_size=25).map(b"".join),
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "encoding": st.sampled_from([*ENCODINGS, "utf-7", "iso2022_jp"]),
        "delimiter": st.sampled_from([",", ";", "é", "\t"]),
        "quote": st.sampled_from(['"', "'", ""]),
        "escape": st.sampled_from(["", "\\"]),
        "skip_rows": st.integers(0, 2),
        "header_rows": st.integers(0, 2),
        "footer_rows": st.integers(0, 2),
        "skip_space": st.booleans(),
    },
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=250)
@given(hostile, choices)
@example(b"a,b\r\r\n1,2\n", {})
@example(b"a,b\n \n1,2\n", {"skip_space": True})
@example(b"\xff\xfe", {})
@example(b"a,b\n1,\xef\xbb\xbf", {})
def test_any_bytes_are_rows_refused_rows_or_a_clear_error(file, data, declared):
    file.write_bytes(data)
    tight = limits(file, csv_max_record_mb=0.0001)
    try:
        how = formats.decide(file, file.name, CsvFormat(type="csv", **declared), tight).format
        rows, bad = pull(file, how, tight)
    except SocleError as error:
        assert file.name in str(error)
        return
    numbers = sorted([n for n, _ in rows] + [b.row_number for b in bad])
    assert numbers == list(range(1, len(numbers) + 1))  # each record once
    with windows(True):
        assert pull(file, how, tight) == (rows, bad)  # wherever the blocks end
    places = locate(file, how, numbers, 100)
    assert sorted(places) == numbers
    for refused in bad:
        place = places[refused.row_number]
        assert (place.line, place.offset, place.raw) == (refused.line, refused.offset, refused.raw)
        if refused.offset is not None and how.encoding in ("utf-8", "cp1252", "latin-1"):
            assert data[refused.offset :].decode(how.encoding, "backslashreplace").startswith(refused.raw)
