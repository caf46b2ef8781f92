"""What is a value of each type, text by text, and what meets each constraint."""

from __future__ import annotations

import json
import string
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ConfigurationError
from flows.quality.table_schema.constraints import bound, meets
from flows.quality.table_schema.descriptor import Field, field_of
from flows.quality.table_schema.reading import read

POINT = '{"type":"Point","coordinates":[1,2]}'
RING = "POLYGON((0 0,1 1,2 2,0 0))"
POLYGON = '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}'
FEATURE = '{"type":"Feature","geometry":null,"properties":{}}'
UUID = "ae6d05c1-586d-4557-bc82-09fe43000000"

TABLE = [
    ({"type": "integer"}, ["1", "+5", "-3", "0012", " 4 ", "9" * 45], ["1_0", "1.0", "1e3", "", "x", "٣", "-", "1 000"]),
    ({"type": "integer", "bareNumber": False}, ["5€", "€5", "-5 %"], ["5x5", "€"]),
    ({"type": "integer", "groupChar": " "}, ["1 000", "1\u202f000", "1\u00a0000"], ["1,000"]),
    ({"type": "number"}, ["1", "1.5", "-3e4", "+.5", "5.", "NaN", "INF", "-INF", " 2 "], ["inf", "nan", "1,5", "0x1F", "1e", "--1", ""]),
    ({"type": "number", "decimalChar": ","}, ["1,5", "1", "-0,5"], ["1.5", "1,5,5"]),
    ({"type": "number", "decimalChar": ",", "groupChar": " ", "bareNumber": False}, ["1 234,5 €", "12 %"], ["1.234,5"]),
    ({"type": "boolean"}, ["true", "True", "TRUE", "1", "0", "false"], ["oui", "yes", "tRue", ""]),
    ({"type": "boolean", "trueValues": ["oui"], "falseValues": ["non"]}, ["oui", "non"], ["true", "Oui", "0"]),
    ({"type": "date"}, ["2020-01-31"], ["2020-1-3", "2020-02-30", "31/01/2020", "2020-01-31T00:00:00", "20200131", "0000-01-01"]),
    ({"type": "date", "format": "%d/%m/%Y"}, ["31/01/2020", "1/2/2020"], ["2020-01-31", "31/13/2020"]),
    ({"type": "date", "format": "any"}, ["31/01/2020", "2020-01-31T10:00"], ["mai", "bonjour"]),
    ({"type": "datetime"}, ["2020-01-31T10:00:00Z", "2020-01-31 10:00:00"], ["2020-01-31", "2020-01-31T10:00"]),
    ({"type": "datetime"}, ["2020-01-31T10:00:00.123+02:00"], ["2020-01-31T25:00:00Z"]),
    ({"type": "datetime", "format": "%d/%m/%Y %H:%M"}, ["31/01/2020 10:00"], ["31/01/2020", "2020-01-31T10:00:00Z"]),
    ({"type": "time"}, ["10:00:00", "10:00:00.5", "10:00:00Z"], ["10:00", "25:00:00", "1:00:00"]),
    ({"type": "time", "format": "%Hh%M"}, ["10h30"], ["10:30"]),
    ({"type": "year"}, ["2020", "0000"], ["20", "02020", "-200", "20a0"]),
    ({"type": "yearmonth"}, ["2020-01"], ["2020-13", "2020-1", "202001", "2020-01-01"]),
    ({"type": "duration"}, ["P1Y", "PT1H30M", "P1W", "-P1D", "P1.5D", "P1Y2M3DT4H5M6S"], ["P", "PT", "P1DT", "P1D1Y", "1D", "PT1D"]),
    ({"type": "geopoint"}, ["2.3, 48", "2.3,48"], ["2.3", "200,1", "1,91", "a,b", "1,2,3", "1_0,2"]),
    ({"type": "geopoint", "format": "array"}, ["[2.3, 48]", '["2.3","48"]'], ["[1]", "[true,1]", "{}", "2.3,48"]),
    ({"type": "geopoint", "format": "object"}, ['{"lon":1,"lat":2}'], ['{"lon":1}', '{"lon":1,"lat":2,"x":1}', "[1,2]"]),
    ({"type": "geojson"}, [POINT, POLYGON, FEATURE], ['{"type":"Point"}', "{}", "[]", "x", POINT.replace("1", '"1"')]),
    ({"type": "geojson", "format": "topojson"}, ['{"type":"Topology","objects":{},"arcs":[]}'], ['{"type":"Topology"}', POLYGON]),
    ({"type": "array"}, ["[]", '[1,"a"]'], ["{}", "a", '["a"']),
    ({"type": "array", "arrayItem": {"type": "integer"}}, ["[1]", '["1"]', "[1.0]"], ['["a"]', "[1.5]", "[null]", "[true]"]),
    ({"type": "array", "arrayItem": {"type": "string", "constraints": {"enum": ["a"]}}}, ['["a"]', "[]"], ['["b"]', "[1]"]),
    ({"type": "list", "itemType": "integer", "delimiter": ";"}, ["1;2"], ["a", "1;"]),
    ({"type": "object"}, ["{}", '{"a":1}'], ["[]", "a"]),
    ({"type": "any"}, ["x", ""], []),
    ({"type": "string"}, ["x", ""], []),
    ({"type": "string", "format": "email"}, ["a@b.fr", "é@b.fr", "a.b+c@d-e.co.uk"], ["a@b", "a b@c.fr", "a@b.fr.", "@b.fr", "a@@b.fr"]),
    ({"type": "string", "format": "email"}, ["a.b.c@b.fr"], [".a@b.fr", "a..b@c.fr", "a.@b.fr"]),
    ({"type": "string", "format": "uri"}, ["http://x.fr/é", "mailto:a@b.fr"], ["www.x.fr", "http://x.fr/a b", "/a/b", "://x"]),
    ({"type": "string", "format": "uuid"}, [UUID, UUID.upper()], [UUID.replace("-", ""), "x"]),
    ({"type": "string", "format": "binary"}, ["YQ==", ""], ["YQ", "Y", "é"]),
    ({"type": "string", "format": "wkt"}, ["POINT (1 2)", "point z (1 2 3)", "POINT EMPTY", RING], ["POINT(1)", "LINESTRING (1 2", "x"]),
    (
        {"type": "string", "format": "wkt"},
        ["MULTIPOINT(1 2, 3 4)", "MULTIPOLYGON (((0 0,1 1,2 2,0 0)))", "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING(1 2,3 4))"],
        ["MULTIPOINT(1 2, )", "GEOMETRYCOLLECTION (1 2)", "POINT (1 2))"],
    ),
]  # fmt: skip


def accepted(field: Field, texts: list[str]) -> list[bool]:
    return read(pl.Series(texts, dtype=pl.String), field).is_not_null().to_list()


@pytest.mark.parametrize(("descriptor", "valid", "invalid"), TABLE, ids=lambda v: json.dumps(v)[:60] if isinstance(v, dict) else "")
def test_texts_of_each_type(descriptor, valid, invalid):
    field = field_of({"name": "a", **descriptor})
    wanted = dict.fromkeys(valid, True) | dict.fromkeys(invalid, False)
    assert dict(zip(wanted, accepted(field, list(wanted)), strict=True)) == wanted


@pytest.mark.parametrize("descriptor", [d for d, _, _ in TABLE], ids=json.dumps)
def test_nulls_stay_nulls_and_an_empty_column_is_read(descriptor):
    field = field_of({"name": "a", **descriptor})
    assert accepted(field, []) == []
    assert read(pl.Series([None, None], dtype=pl.String), field).null_count() == 2
    assert read(pl.Series([None], dtype=pl.Null), field).null_count() == 1


@pytest.mark.parametrize(
    ("descriptor", "values", "wanted"),
    [
        ({"type": "integer"}, pl.Series([1, None]), [True, None]),
        ({"type": "integer"}, pl.Series([1.0, 1.5, float("nan")]), [True, False, False]),
        ({"type": "integer"}, pl.Series([Decimal("2.00"), Decimal("2.50")]), [True, False]),
        ({"type": "integer"}, pl.Series([True]), [False]),
        ({"type": "number", "decimalChar": ","}, pl.Series([1.5]), [True]),
        ({"type": "boolean", "trueValues": ["oui"]}, pl.Series([True, False]), [True, True]),
        ({"type": "date", "format": "%d/%m/%Y"}, pl.Series([date(2020, 1, 31)]), [True]),
        ({"type": "date"}, pl.Series([datetime(2020, 1, 31), datetime(2020, 1, 31, 1)]), [True, False]),
        ({"type": "datetime"}, pl.Series([datetime(2020, 1, 31)]), [True]),
        ({"type": "datetime"}, pl.Series([date(2020, 1, 31)]), [False]),
        ({"type": "time"}, pl.Series([time(10)]), [True]),
        ({"type": "array", "arrayItem": {"type": "integer"}}, pl.Series([[1, 2], []]), [True, True]),
        ({"type": "object"}, pl.Series([{"a": 1}]), [True]),
        ({"type": "string"}, pl.Series([1, 2]), [True, True]),
        ({"type": "geojson"}, pl.Series([{"type": "Point", "coordinates": [1.0, 2.0]}]), [True]),
        ({"type": "year"}, pl.Series([2020]), [True]),
        ({"type": "any"}, pl.Series([2020]), [True]),
    ],
)
def test_columns_that_are_typed_already(descriptor, values, wanted):
    made = read(values, field_of({"name": "a", **descriptor}))
    assert [None if v is None else m is not None for v, m in zip(values, made.to_list(), strict=True)] == wanted


# ---- any value that is written, is read ---------------------------------------------------------------------------------


@given(st.lists(st.integers(-(10**30), 10**30), min_size=1))
def test_integers_are_themselves(numbers):
    assert read(pl.Series([str(n) for n in numbers]), Field("a", "integer")).to_list() == numbers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.sampled_from([",", "."]))
def test_numbers_are_themselves_with_any_decimal_mark(numbers, mark):
    field = Field("a", "number", options={"decimalChar": mark})
    assert read(pl.Series([repr(n).replace(".", mark) for n in numbers]), field).to_list() == numbers


@given(st.lists(st.dates(date(1, 1, 1)), min_size=1), st.sampled_from(["default", "%d/%m/%Y", "%Y%m%d", "%d %B %Y"]))
def test_days_are_themselves_in_any_format(days, form):
    texts = [d.isoformat() if form == "default" else d.strftime(form.replace("%Y", f"{d.year:04}")) for d in days]
    assert read(pl.Series(texts), Field("a", "date", form)).to_list() == days


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone(timedelta(hours=2)))), min_size=1))
def test_moments_are_compared_in_utc(moments):
    made = read(pl.Series([m.isoformat() for m in moments]), Field("a", "datetime")).to_list()
    assert made == [m.astimezone(UTC) for m in moments]


@given(st.sampled_from(TABLE), st.text(alphabet=string.printable + "é\u202f€", max_size=12))
def test_any_text_is_a_value_or_none_and_nothing_is_raised(case, text):
    assert accepted(field_of({"name": "a", **case[0]}), [text]) in ([True], [False])


# ---- constraints ------------------------------------------------------------------------------------------------------

MET = [
    ({"type": "string"}, "pattern", "a|b", ["a", "b"], ["ax", "xb", "ab"]),
    ({"type": "integer"}, "pattern", r"\d{5}", ["12345"], ["123456", "x"]),
    ({"type": "integer"}, "minimum", 1, ["1", "2", "x"], ["0", "-1"]),
    ({"type": "integer"}, "maximum", "10", ["10"], ["11", "9" * 45]),
    ({"type": "number"}, "minimum", 0, ["0", "INF"], ["-0.1", "NaN"]),
    ({"type": "number"}, "exclusiveMaximum", 1, ["0.99"], ["1"]),
    ({"type": "integer"}, "exclusiveMinimum", 0.5, ["1"], ["0"]),
    ({"type": "number"}, "enum", [1, "2.5"], ["1", "1.0", "2.50"], ["3"]),
    ({"type": "integer"}, "enum", ["1", "2"], ["1", "01"], ["3"]),
    ({"type": "boolean"}, "enum", [True], ["true", "1"], ["false"]),
    ({"type": "date"}, "minimum", "2020-01-01", ["2020-01-01"], ["2019-12-31"]),
    ({"type": "date", "format": "%d/%m/%Y"}, "maximum", "31/12/2020", ["31/12/2020"], ["01/01/2021"]),
    ({"type": "date", "format": "%d/%m/%Y"}, "maximum", "2020-12-31", ["31/12/2020"], ["01/01/2021"]),
    ({"type": "datetime"}, "minimum", "2020-01-01T00:00:00Z", ["2020-01-01T01:00:00+01:00"], ["2020-01-01T00:00:00+01:00"]),
    ({"type": "time"}, "minimum", "08:00:00", ["08:00:00"], ["07:59:59"]),
    ({"type": "year"}, "minimum", 2000, ["2000"], ["1999"]),
    ({"type": "yearmonth"}, "minimum", "2020-06", ["2020-06"], ["2020-05"]),
    ({"type": "array"}, "minLength", 1, ["[1]"], ["[]"]),
    ({"type": "object"}, "maxLength", 1, ['{"a":1}'], ['{"a":1,"b":2}']),
    ({"type": "array"}, "enum", [[1, 2]], ["[1,2]", "[1, 2]"], ["[2,1]"]),
    ({"type": "any"}, "minimum", 2, ["2"], ["1"]),
]  # fmt: skip


@pytest.mark.parametrize(("descriptor", "constraint", "limit", "met", "unmet"), MET)
def test_constraints(descriptor, constraint, limit, met, unmet):
    wanted = dict.fromkeys(met, True) | dict.fromkeys(unmet, False)
    made = meets(pl.Series([*wanted, None]), field_of({"name": "a", **descriptor}), constraint, limit)
    assert dict(zip([*wanted, None], made.to_list(), strict=True)) == wanted | {None: None}


def test_what_is_not_of_the_type_meets_its_constraints_for_the_type_says_so_already():
    assert meets(pl.Series(["x"]), Field("a", "integer"), "minimum", 5).to_list() == [True]


@pytest.mark.parametrize(("kind", "limit"), [("integer", "x"), ("date", 2020), ("boolean", "peut-être"), ("number", True)])
def test_a_limit_that_is_no_value_of_the_type(kind, limit):
    with pytest.raises(ConfigurationError, match=f"not of type {kind}"):
        bound(Field("a", kind), limit)
