"""Whatever a CSV file holds, the short way either leaves it alone or gives exactly what the long way gives."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from flows.errors import SocleError
from tests.steps.loaders import Loads, declared

BOUNDED = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
KINDS = ("string", "integer", "number", "boolean", "date", "datetime")
SPACES = ["", " ", "\u00a0", "\u202f", "\t"]
ODD = [
    "",
    " ",
    "\x00",
    "\r",
    "\n",
    "\r\n",
    '"',
    '""',
    ",",
    ";",
    "a\nb",
    'a"b',
    '"a"',
    "a,b",
    "\ufeff",
    "NULL",
    "null",
    "é",
    "\u2028",
    "\x1a",
]
GOOD: dict[str, st.SearchStrategy[str]] = {
    "string": st.text(st.characters(codec="utf-8"), max_size=6),
    "integer": st.integers(-(2**66), 2**66).map(str)
    | st.integers(0, 99).map(str)
    | st.sampled_from(["007", "+5", "-0", "1e3", "1.0", "1_000", "0x1f", "٣"]),
    "number": st.floats().map(repr)
    | st.decimals(allow_nan=True, places=3).map(str)
    | st.sampled_from(
        ["1e400", "-1e400", ".5", "5.", "inf", "nan", "-Infinity", "1,5", "1.234,5", "1 000.5", "1d5", "+.5e-3", "1e", "0b1"]
    ),
    "boolean": st.sampled_from(["true", "false", "True", "FALSE", "1", "0", "oui", "non", "t", "yes", "vrai"]),
    "date": st.dates().map(str)
    | st.sampled_from(["2024-02-30", "2024-1-5", "20240105", "05/01/2024", "0000-00-00", "2024-01-05T00:00:00", "+12024-01-05"]),
    "datetime": st.datetimes().map(str)
    | st.datetimes().map(lambda d: d.isoformat() + "Z")
    | st.sampled_from(["2024-01-05", "2024-01-05T10:00:00+02:00", "2024-01-05 25:00", "2024-03-31T02:30:00", "2024-01-05T10:00:60"]),
}

CALM: dict[str, st.SearchStrategy[str]] = {
    "string": st.text(st.characters(codec="cp1252", exclude_characters="\x00"), min_size=1, max_size=6),
    "integer": st.integers(-(2**63), 2**63 - 1).map(str) | st.sampled_from(["0", "12", "007", "+5"]),
    "number": st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.sampled_from(["12", ".5", "5.", "1e3"]),
    "boolean": st.sampled_from(["true", "false"]),
    "date": st.dates().map(str),
    "datetime": st.datetimes().map(lambda d: d.isoformat()),
}
"""What is taken: it is read by two readers."""


@st.composite
def values(draw: Any, kind: str, calm: bool) -> str:
    """Mostly what the type takes."""
    if calm:
        return draw(CALM[kind])
    value = draw(st.one_of(GOOD[kind], GOOD[kind], st.sampled_from(ODD)))
    return draw(st.sampled_from(SPACES)) + value + draw(st.sampled_from(SPACES)) if draw(st.integers(0, 9)) == 0 else value


@st.composite
def files(draw: Any, calm: bool) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """(columns, format, bytes): a table in some dialect, and then perhaps spoilt."""
    kinds = draw(
        st.lists(st.sampled_from(KINDS), min_size=2, max_size=4) if calm else st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)
    )
    names = [f"c{i}" for i in range(len(kinds))]
    columns = {n: {"type": k, "required": draw(st.integers(0, 9)) == 9} for n, k in zip(names, kinds, strict=True)}
    rows = draw(st.lists(st.tuples(*(values(k, calm) for k in kinds)), min_size=1, max_size=6))
    delimiter, end = draw(st.sampled_from([",", ";", "\t", "|"])), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    header = calm or draw(st.integers(0, 9)) > 0
    end = "\n" if calm and end == "\r" else end
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([names, *rows] if header else rows)
    text = out.getvalue()
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16"]))
    data = text.encode(encoding, "replace")
    if not calm and draw(st.booleans()):
        data = draw(spoilt(data, delimiter.encode()))
    form: dict[str, Any] = {"type": "csv"}
    if calm or draw(st.booleans()):
        form |= {"encoding": encoding, "delimiter": delimiter, "quote": '"', "escape": "", "skip_rows": 0, "header_rows": int(header)}
        form |= {"footer_rows": 0, "empty_columns": 0, "skip_space": draw(st.integers(0, 9)) == 9}
        form |= {} if header else {"names": names}
    return columns, form, data


@st.composite
def spoilt(draw: Any, data: bytes, delimiter: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        piece = draw(
            st.sampled_from(
                [b"\x00", b"\r", b"\n", b"\n\n", b"\r\n\r\n", b'"', b'""', b" ", b"\xff", b"\xe2\x80", b"\xef\xbb\xbf", delimiter]
            )
        )
        data = draw(st.sampled_from([data[:at] + piece + data[at:], data[:at] + data[at + len(piece) :], data[:at]]))
    return data


@pytest.fixture
def loads(run: Any) -> Loads:
    return Loads(run)


def told(outcome: Any) -> Any:
    """All that somebody can see of it; floats as their text, so that none equals itself."""
    if isinstance(outcome, SocleError):
        return type(outcome), outcome.message
    rows = [{k: repr(v) for k, v in row.items()} for row in outcome.rows]
    return rows, outcome.schema, outcome.refused, outcome.read, outcome.reading


def assert_same(loads: Loads, columns: dict[str, Any], form: dict[str, Any], data: bytes, **more: Any) -> int:
    dataset = declared(columns, format=form, **more)
    short, long = (loads(dataset, {"table.csv": data}, short=way) for way in (True, False))
    assert told(short) == told(long)
    return 0 if isinstance(short, SocleError) else short.taken


@BOUNDED
@given(files(calm=True))
@example(({"a": "number", "b": "string"}, {"type": "csv"}, b"a,b\n1e400,x\nnan,y\n 1.5,z\n"))
@example(({"a": "boolean", "b": "string"}, {"type": "csv"}, b"a,b\ntrue,x\nTRUE,y\nFalse,z\n"))
@example(({"a": "string", "b": "string"}, {"type": "csv", "header_rows": 1, "skip_rows": 0}, b"a,b\n\rx,y\n"))
@example(({"a": "string", "b": "string"}, {"type": "csv", "header_rows": 1, "skip_rows": 2}, b"titre\r\na,b\nx,y\n"))
def test_of_good_files_both_ways_give_the_same(loads: Loads, case: tuple[dict[str, Any], dict[str, Any], bytes]) -> None:
    event("taken" if assert_same(loads, *case) else "declined")


@BOUNDED
@given(files(calm=False))
@example(({"a": "integer", "b": "string"}, {"type": "csv"}, b"a,b\n1,x\n\n2,y\n"))
@example(({"a": "integer", "b": "string"}, {"type": "csv"}, b"a,b\n1\n2,y\n"))
@example(({"a": "string", "b": "integer"}, {"type": "csv"}, b'a,b\nx,1\ny,"'))  # cut off there: Polars panics
def test_of_messy_files_both_ways_give_the_same(loads: Loads, case: tuple[dict[str, Any], dict[str, Any], bytes]) -> None:
    event("taken" if assert_same(loads, *case) else "declined")


REGULAR = {
    "plain": (b"a,b\n1,x\n2,y\n", {}),
    "quotes": (b'a,b\n"1","x,""y"""\n2,"y\nz"\n', {}),
    "crlf and a mark": (b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y\r\n", {}),
    "no end of line": (b"a,b\n1,x\n2,y", {}),
    "cp1252": ("a,b\n1,é€\n2,œuvre\n".encode("cp1252"), {"encoding": "cp1252"}),
    "latin-1": ("a,b\n1,é\n2,à\n".encode("latin-1"), {"encoding": "latin-1"}),
    "titles above": (b"titre\n\na,b\n1,x\n2,y\n", {"skip_rows": 2}),
    "no header": (b"1,x\n2,y\n", {"header_rows": 0, "names": ["a", "b"]}),
    "semicolons": (b"a;b\n1;x\n2;y,z\n", {}),
}


@pytest.mark.parametrize("name", REGULAR)
def test_regular_files_do_go_the_short_way(loads: Loads, name: str) -> None:
    """Guards the test above: a short way that declines everything would pass it."""
    data, form = REGULAR[name]
    assert assert_same(loads, {"a": "integer", "b": "string"}, {"type": "csv"} | form, data) == 1


@pytest.mark.parametrize("wide", ["1,2,3,4", "1,2,3,", '1,2,3,""', '"1","2","3","4"', '1,2,"3",', "1,2,3,,", '1,2,"3\n",4', "1,,,"])
@pytest.mark.parametrize("kind", ["string", "integer"])
def test_a_row_that_is_too_wide_does_not_hide_one_that_is_too_short(loads: Loads, wide: str, kind: str) -> None:
    """There are as many delimiters as there should be: it is Polars that has to refuse the wide one."""
    for lines in (("1,2", wide), (wide, "1,2"), ("1", "1,2,3", wide, wide)):
        text = "\n".join(["a,b,c", *["1,2,3"] * 50, *lines, *["4,5,6"] * 50, ""])
        assert assert_same(loads, dict.fromkeys("abc", kind), {"type": "csv"}, text.encode()) == 0


def test_row_numbers_go_on_from_one_file_of_the_table_to_the_next(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that becomes several parts, between two that go the long way."""
    monkeypatch.setattr("flows.steps.fast.FILE_BYTES", 1 << 10)
    dataset = declared({"a": "integer", "b": "string"}, format={"type": "csv"})
    lines = b"".join(b"%d,%d\n" % (i, i * i) for i in range(200_000))
    files = {"1.csv": b"a,b\n1,x\nfaux,y\n2,z\n", "2.csv": b"a,b\n" + lines, "3.csv": b"a,b\n7,x\n\n8\n9,z\n"}
    short, long = (loads(dataset, files, short=way) for way in (True, False))
    assert not isinstance(short, SocleError)
    assert short.taken == 1
    assert told(short) == told(long)
    assert [(r["__file"], r["__row"]) for r in short.rows if r["__file"] == "2.csv"] == [("2.csv", i + 1) for i in range(200_000)]
