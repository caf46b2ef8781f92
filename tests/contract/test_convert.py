"""French conventions: what fits becomes the value that it is, what does not is null, and the quick way gives what the patient one gives."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows import contract
from tests.contract.support import column, convert

COMMA = {"decimal": ","}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("454 000,00", 454000.0),
        ("1\u00a0234,5", 1234.5),
        ("1\u202f234\u202f567,5", 1234567.5),
        ("1\u2009234", 1234.0),
        ("1'234,5", 1234.5),
        ("1’234", 1234.0),
        ("1234,5", 1234.5),
        ("0,5", 0.5),
        (",5", 0.5),
        ("5,", 5.0),
        ("-12,5", -12.5),
        ("\u221212,5", -12.5),
        ("- 1 234,00", -1234.0),
        ("+3", 3.0),
        ("  7,25 ", 7.25),
        ("1,5e3", 1500.0),
        ("9007199254740992", 2.0**53),
    ],
)
def test_french_numbers(text, value):
    assert convert([text], column("number"), **COMMA) == [value]
    assert convert([text], column("number", decimal=",")) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "12 34",
        "1234 567",
        "01 234",
        "1,2,3",
        "12 €",
        "12 %",
        "1.234,5",
        "1e400",
        "inf",
        "nan",
        "9007199254740993",
        "--1",
        "1 ,5",
        "€",
        "(12)",
    ],
)
def test_what_is_no_french_number(text):
    assert convert([text], column("number"), **COMMA) == [None]


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ({"decimal": ",", "thousands": "."}, "1.234.567,8", 1234567.8),
        ({"decimal": ",", "thousands": "."}, "1.234", 1234.0),
        ({"decimal": ",", "thousands": "."}, "12.34", None),
        ({"decimal": ",", "thousands": "."}, "0.123", None),
        ({"decimal": ".", "thousands": ","}, "1,234.5", 1234.5),
        ({"decimal": ".", "thousands": ","}, "1,5", None),
        ({"decimal": ",", "unit": "€"}, "1 234,50 €", 1234.5),
        ({"decimal": ",", "unit": "€"}, "12€", 12.0),
        ({"decimal": ",", "unit": "€"}, "12 $", None),
        ({"decimal": ",", "unit": "%"}, "12,5\u00a0%", 12.5),
    ],
)
def test_declared_marks_and_units(declared, text, value):
    assert convert([text], column("number", **declared)) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 234", 1234),
        ("\u22125", -5),
        ("12.0", 12),
        ("12.00", 12),
        ("1.000", None),
        ("12.5", None),
        ("1e3", None),
        ("9223372036854775808", None),
        ("007", 7),
    ],
)
def test_integers(text, value):
    assert convert([text], column("integer")) == [value]


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        ("%d/%m/%Y", "13/04/2024", date(2024, 4, 13)),
        ("%d/%m/%Y", "3/4/2024", date(2024, 4, 3)),
        ("%d/%m/%Y", "31/02/2024", None),
        ("%d/%m/%Y", "13/04/24", None),
        ("%d/%m/%Y", "013/04/2024", None),
        ("%d/%m/%Y", "13/04/2024 00:00:00", date(2024, 4, 13)),
        ("%d/%m/%Y", "13/04/2024 10:00", None),
        ("%d/%m/%y", "13/04/24", date(2024, 4, 13)),
        ("%d/%m/%y", "13/04/99", date(1999, 4, 13)),
        ("%d.%m.%Y", "13.04.2024", date(2024, 4, 13)),
        ("%d %B %Y", "1er mars 2024", date(2024, 3, 1)),
        ("%d %b %Y", "15 déc. 2023", date(2023, 12, 15)),
        ("%d-%b-%y", "03-AOÛT-24", date(2024, 8, 3)),
        (["%d/%m/%Y", "%Y-%m-%d"], "2024-04-13", date(2024, 4, 13)),
        ("%d/%m/%Y", "2024-04-13", None),
    ],
)
def test_dates(form, text, value):
    assert convert([text], column("date", format=form)) == [value]


def test_a_found_format_has_iso_beside_it():
    assert convert(["13/04/2024", "2024-04-14"], column("date"), format="%d/%m/%Y") == [date(2024, 4, 13), date(2024, 4, 14)]


@pytest.mark.parametrize("first", ["2024-04-13", "13/04/2024", "3/4/2024", "1", ""])
@pytest.mark.parametrize(
    "text", ["24-02-29", "+12024-1-1", "-0001-1-1", " 24-02-29 ", "024-02-029", "29/02/ 024", "2024-02-29x", "29/02/12024"]
)
def test_polars_leniency_does_not_come_through(first, text):
    """Whatever the first value is like, from which the quick way takes its form."""
    assert convert([first, text], column("date"), format="%d/%m/%Y")[1] is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2017-03-01T01:00:00+01:00", datetime(2017, 3, 1, tzinfo=UTC)),
        ("2017-03-01T01:00:00+0100", datetime(2017, 3, 1, tzinfo=UTC)),
        ("2017-03-01 01:00:00 +01", datetime(2017, 3, 1, tzinfo=UTC)),
        ("2017-03-01T01:00Z", datetime(2017, 3, 1, 1, tzinfo=UTC)),
        ("2017-03-01 01:02:03.5", datetime(2017, 3, 1, 1, 2, 3, 500000, tzinfo=UTC)),
        ("2017-03-01T01:02:03.123456000", datetime(2017, 3, 1, 1, 2, 3, 123456, tzinfo=UTC)),
        ("2017-03-01T01:02:03.1234567", None),
        ("2017-03-01", datetime(2017, 3, 1, tzinfo=UTC)),
        ("2017-03-01T23:59:60", None),
        ("2017-03-01T24:00:00", None),
        ("17-03-01T10:00:00", None),
        ("13/04/2024 14:30", None),
    ],
)
def test_moments(text, value):
    assert convert([text], column("datetime")) == [value]
    assert convert(["2024-01-01T00:00:00+01:00", text], column("datetime"))[1] == value
    assert convert(["2024-01-01 00:00:00", text], column("datetime"))[1] == value


def test_french_moments():
    forms = ["%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %Hh%M"]
    made = convert(["13/04/2024 14:30", "13/04/2024 14:30:05", "13/04/2024 9h05", "13/04/2024"], column("datetime", format=forms))
    hours = [(14, 30), (14, 30, 5), (9, 5)]
    assert made == [*(datetime(2024, 4, 13, *h, tzinfo=UTC) for h in hours), None]


def test_yes_and_no():
    words = ["oui", "NON", "Vrai", "faux", "O", "n", "1", "0", " oui ", "x", "peut-être", "", None]
    assert convert(words, column("boolean")) == [True, False, True, False, True, False, True, False, True, None, None, None, None]
    assert convert(["x", "X", "o"], column("boolean"), true=["x"]) == [True, True, True]
    ticks = column("boolean", true=["x"], false=[""])
    assert convert(["x", "", None, " ", "oui"], ticks) == [True, False, False, False, None]


def test_what_stands_for_no_value():
    assert convert(["NA", " - ", "-5", "5"], column("integer", missing=["NA", "-"])) == [None, None, -5, 5]
    assert convert(["NA", "Namibie"], column("string", missing=["NA"])) == [None, "Namibie"]
    assert convert(["0", "1"], column("integer", missing=["0"])) == [None, 1]


# ---- any text -----------------------------------------------------------------------------------------------------

DIGITS = st.text(st.sampled_from("0123456789 .,-+eE'\u00a0\u2212"), max_size=12)


@settings(deadline=None)
@given(DIGITS, st.sampled_from([",", "."]))
@example("1 234,5", ",")
def test_a_number_is_what_its_digits_say(text, decimal):
    """Against another reading of the same text, written in plain Python."""
    [made] = convert([text], column("number", decimal=decimal))
    if made is not None:
        plain = re.sub(r"[\s']", "", text.replace("\u2212", "-")).replace(decimal, ".")
        assert made == float(plain)
        assert made != int(made) or "e" in plain.lower() or Decimal(plain) == Decimal(made)


@settings(deadline=None)
@given(st.text(st.sampled_from("0123456789/-. :T+Z"), max_size=20), st.sampled_from(["%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d", "%d-%m-%y"]))
@example("13/04/2024", "%d/%m/%Y")
def test_a_date_is_what_python_reads(text, form):
    [made] = convert([text], column("date", format=form))
    if made is not None:
        day = re.sub(r"[T ]00:00(:00(\.0+)?)?$", "", text.strip())
        assert made == datetime.strptime(day, form).replace(tzinfo=UTC).date()


TEXTS = st.lists(
    st.one_of(
        DIGITS,
        st.integers().map(str),
        st.floats().map(repr),
        st.dates().map(str),
        st.dates().map(lambda d: f"{d:%d/%m/%Y}"),
        st.datetimes(timezones=st.sampled_from([None, UTC])).map(str),
        st.sampled_from(
            ["", " ", "true", "False", "oui", "NON", "NA", "nan", "inf", "1e400", "1,5", "1.5", "31/02/2024", " 12", "12 ", "x"]
        ),
    ),
    min_size=1,
    max_size=6,
)
COLUMNS = st.sampled_from(
    [
        (column("integer"), {}),
        (column("number"), {}),
        (column("number"), COMMA),
        (column("number", decimal=","), {"thousands": "."}),
        (column("number", unit="%"), {}),
        (column("integer"), {"missing": ["NA"]}),
        (column("date"), {}),
        (column("date"), {"format": "%d/%m/%Y"}),
        (column("datetime"), {}),
        (column("boolean"), {}),
        (column("boolean"), {"true": ["x"]}),
        (column("boolean", true=["x"], false=[""]), {}),
        (column("string"), {}),
        (column("string", missing=["NA"]), {}),
    ]
)


@settings(deadline=None, max_examples=300)
@given(TEXTS, COLUMNS)
@example(["1e400"], (column("number"), {}))
@example(["9007199254740993"], (column("number"), {}))
@example(["2024-01-05", "2024- 1- 5", "+2024-1-05", " 2024-1-05"], (column("date"), {}))
def test_strict_gives_what_convert_gives_or_raises(texts, declared):
    """As a reader of CSV uses it: Polars parses with the type that strict gives, then its expression is applied."""
    own, convention = declared
    kind, then = contract.strict(own, convention)
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("v", "w"), *((t, "w") for t in texts)])
    types: dict[str, Any] = {"v": kind or pl.String, "w": pl.String}
    try:
        query = pl.scan_csv(out.getvalue().encode(), schema=types)
        query = query if then is None else query.with_columns(then(pl.col("v")))
        quick = query.collect(engine="streaming")["v"].to_list()
    except pl.exceptions.PolarsError:
        return
    read = pl.read_csv(out.getvalue().encode(), schema={"v": pl.String, "w": pl.String})["v"].to_list()
    assert quick == convert(read, own, **convention)
    absent = {None, "", *own.missing} if own.missing else {None, ""}
    for text, value in zip(read, quick, strict=True):
        assert value is not None or (text or "").strip() in absent | set(convention.get("missing", []))


@pytest.mark.parametrize(
    ("declared", "texts"),
    [
        (column("integer"), ["1", "-2", ""]),
        (column("number"), ["1.5", "2", "1e3"]),
        (column("number", decimal=","), ["1,5", "1 234,5", ""]),
        (column("date", format="%d/%m/%Y"), ["13/04/2024", ""]),
        (column("datetime"), ["2024-01-01T00:00:00+01:00"]),
        (column("boolean"), ["true", "false"]),
    ],
)
def test_strict_takes_what_is_well_formed(declared, texts):
    kind, then = contract.strict(declared, {})
    frame = pl.read_csv("\n".join(["v,w", *(f'"{t}",w' for t in texts)]).encode(), schema={"v": kind or pl.String, "w": pl.String})
    made = frame.select(then(pl.col("v")) if then else pl.col("v")).to_series().to_list()
    assert made == convert(texts, declared)


@pytest.mark.parametrize("text", ["2024- 1- 5", "+2024-1-05", "2024-\t1-05", " 2024-1-05"])
def test_blanks_and_signs_are_no_digits_of_a_date(text):
    assert convert(pl.Series(["2024-01-05", text]), column("date")) == convert(pl.Series([text, "2024-01-05"]), column("date"))[::-1]
