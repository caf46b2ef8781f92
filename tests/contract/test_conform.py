"""Declared columns and types: what fits is converted without being changed, what does not is refused with its original values."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import contract
from flows.contract import FILE, ROW
from flows.errors import SourceRefused
from flows.project import Column, Dataset

KINDS = ("string", "integer", "number", "boolean", "date", "datetime")


def dataset(columns, **more):
    source, form = {"type": "file", "path": "x"}, {"type": "csv"}
    return Dataset.model_validate({"title": "t", "source": source, "format": form, "columns": columns, **more})


def batch(columns):
    frame = pl.DataFrame(columns, strict=False)
    return frame.with_columns(pl.lit("f").alias(FILE), pl.int_range(1, frame.height + 1).alias(ROW))


def convert(values, kind, dtype=None):
    """Values of one column after conversion; None where it is refused or empty."""
    frame = pl.DataFrame({"v": pl.Series(values, dtype=dtype)})
    return frame.select(contract.convert(pl.col("v"), frame.schema["v"], Column(type=kind))).to_series().to_list()


# ---- text -> types ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " 007 ", " 007 "),
        ("integer", "7", 7),
        ("integer", " -12 ", -12),
        ("integer", "9223372036854775807", 2**63 - 1),
        ("number", "1.5", 1.5),
        ("number", "1e-3", 0.001),
        ("boolean", "True", True),
        ("boolean", "0", False),
        ("boolean", "oui", True),
        ("boolean", " NON ", False),
        ("boolean", "Faux", False),
        ("boolean", "O", True),
        ("date", "2024-02-29", date(2024, 2, 29)),
        ("datetime", "2024-01-31T10:20:30", datetime(2024, 1, 31, 10, 20, 30, tzinfo=UTC)),
        ("datetime", "2024-01-31 10:20:30", datetime(2024, 1, 31, 10, 20, 30, tzinfo=UTC)),
        ("datetime", "2024-01-31T10:20:30Z", datetime(2024, 1, 31, 10, 20, 30, tzinfo=UTC)),
        ("datetime", "2024-01-31T10:20:30+02:00", datetime(2024, 1, 31, 8, 20, 30, tzinfo=UTC)),
        ("datetime", "2024-01-31T10:20:30.123456+00:00", datetime(2024, 1, 31, 10, 20, 30, 123456, tzinfo=UTC)),
    ],
)
def test_text_that_fits(kind, text, value):
    assert convert([text, None], kind) == [value, None]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "1,000"),
        ("integer", "9223372036854775808"),
        ("integer", "douze"),
        ("number", "1,5"),
        ("number", "1.2.3"),
        ("boolean", "peut-être"),
        ("boolean", "2"),
        ("date", "31/01/2024"),
        ("date", "2024-02-30"),
        ("date", "2024-01-31T10:00:00"),
        ("datetime", "hier"),
        ("datetime", "2024-01-31T25:00:00"),
    ],
)
def test_text_that_does_not_fit_is_null_and_never_another_value(kind, text):
    assert convert([text], kind) == [None]


@pytest.mark.parametrize("text", ["1e400", "-1e999"])
def test_a_number_too_large_does_not_become_infinite(text):
    assert convert([text], "number") == [None]


# ---- typed values (Parquet) -> types ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "values", "kind", "expected"),
    [
        (pl.Float64, [2.0, 2.5, math.inf, math.nan, 1e30], "integer", [2, None, None, None, None]),
        (pl.UInt64, [7, 2**63], "integer", [7, None]),
        (pl.Int32, [5], "number", [5.0]),
        (pl.Int64, [5], "string", ["5"]),
        (pl.Boolean, [True], "string", ["true"]),
        (pl.Date, [date(2024, 1, 31)], "string", ["2024-01-31"]),
        (pl.Date, [date(2024, 1, 31)], "datetime", [datetime(2024, 1, 31, tzinfo=UTC)]),
        (pl.Datetime("ms"), [datetime(2024, 1, 31, 10)], "datetime", [datetime(2024, 1, 31, 10, tzinfo=UTC)]),
        (pl.Categorical, ["a"], "string", ["a"]),
        (pl.Null, [None], "integer", [None]),
        (pl.Int64, [1, 0, None, 2, -1], "boolean", [True, False, None, None, None]),
    ],
)
def test_typed_values(dtype, values, kind, expected):
    assert convert(values, kind, dtype) == expected


@pytest.mark.parametrize(
    ("dtype", "values", "kind"),
    [
        (pl.Int64, [5], "boolean"),
        (pl.Float64, [0.5], "boolean"),
        (pl.Int64, [20240131], "date"),
        (pl.Int64, [20240131], "datetime"),
        (pl.Datetime("us"), [datetime(2024, 1, 31, 23, 59)], "date"),
        (pl.Date, [date(2024, 1, 31)], "integer"),
        (pl.Date, [date(2024, 1, 31)], "number"),
        (pl.Int64, [2**53 + 1], "number"),
        (pl.Datetime("ns"), [1], "datetime"),
    ],
)
def test_a_typed_value_of_another_kind_is_refused_not_changed(dtype, values, kind):
    assert convert(values, kind, dtype) == [None]


def test_times_of_another_zone_are_the_same_moment():
    moment = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    series = pl.Series([moment]).dt.convert_time_zone("Europe/Paris")
    frame = pl.DataFrame({"v": series})
    assert frame.select(contract.convert(pl.col("v"), frame.schema["v"], Column(type="datetime"))).item() == moment


@pytest.mark.parametrize(
    "series",
    [
        pl.Series([[1, 2], None]),
        pl.Series([{"a": 1}, None]),
        pl.Series([b"\xff", None]),
        pl.Series([timedelta(1), None]),
        pl.Series([datetime(2024, 1, 1).time(), None]),
        pl.Series(["a", None], dtype=pl.Categorical),
        pl.Series([None, None]),
        pl.Series([1, None], dtype=pl.Decimal(20, 2)),
        pl.Series([True, None]),
    ],
    ids=lambda s: str(s.dtype),
)
def test_no_type_of_a_file_makes_the_contract_fail(series):
    """A value fits or its row is refused; the load does not end with an exception of a library."""
    for kind in KINDS:
        kept, refused = contract.conform(batch({"v": series}), dataset({"v": kind}), [])
        assert kept.height + refused.height == 2
        assert kept["v"].dtype == contract.polars_type(kind)
        for row in refused["row"]:
            json.loads(row)


# ---- round trips --------------------------------------------------------------------------------------------------

VALUES = {
    "string": st.text(st.characters(codec="utf-8")),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=st.just(UTC)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_as_text_writes_convert_reads_back(kind):
    @given(st.lists(VALUES[kind], min_size=1, max_size=20))
    def round_trip(values):
        assert convert([contract.as_text(v) for v in values], kind) == values

    round_trip()


def test_structures_become_json_text():
    frame = contract.frame_of_records([{"a": [1, {"é": None}], "b": True}, {"c": 2.5}])
    assert frame.to_dicts() == [{"a": '[1, {"é": null}]', "b": "true", "c": None}, {"a": None, "b": None, "c": "2.5"}]


def test_no_records_make_an_empty_frame():
    assert contract.frame_of_records([]).height == 0


# ---- rows kept and refused ----------------------------------------------------------------------------------------


def test_every_rule_that_a_row_breaks_is_named_and_its_values_are_kept():
    declared = dataset({"id": "string", "n": "integer", "d": {"type": "date", "required": True}}, key=["id"])
    data = batch({"id": ["a", "", None, "d"], "n": ["1", "un", "3", ""], "d": ["2024-01-01", "demain", None, "2024-01-02"]})
    kept, refused = contract.conform(data, declared, [])
    assert kept.to_dicts() == [
        {FILE: "f", ROW: 1, "id": "a", "n": 1, "d": date(2024, 1, 1)},
        {FILE: "f", ROW: 4, "id": "d", "n": None, "d": date(2024, 1, 2)},
    ]
    assert [set(r) for r in refused["rules"]] == [{"type:n:integer", "type:d:date", "required:id"}, {"required:id", "required:d"}]
    assert refused["row_number"].to_list() == [2, 3]
    assert json.loads(refused["row"][0]) == {"id": "", "n": "un", "d": "demain"}


def test_an_empty_field_is_no_value_for_other_types_and_is_kept_as_text():
    kept, refused = contract.conform(batch({"n": [" "], "t": [""]}), dataset({"n": "integer", "t": "string"}), [])
    assert kept.select("n", "t").to_dicts() == [{"n": None, "t": ""}] and refused.is_empty()


def test_missing_and_new_columns():
    declared = dataset({"id": "string", "n": "integer"})
    kept, _ = contract.conform(batch({"id": ["a"], "x": ["1"]}), declared, ["x"])
    assert kept.select("id", "n", "x").to_dicts() == [{"id": "a", "n": None, "x": "1"}]
    kept, _ = contract.conform(batch({"id": ["a"], "x": ["1"]}), declared, [])
    assert kept.columns == [FILE, ROW, "id", "n"]


def test_a_required_column_that_is_missing_refuses_every_row():
    kept, refused = contract.conform(batch({"x": ["a", "b"]}), dataset({"id": "string", "x": "string"}, key=["id"]), [])
    assert kept.is_empty() and refused["rules"].to_list() == [["required:id"]] * 2


@given(st.lists(st.tuples(st.text(max_size=5), st.one_of(st.none(), st.text(max_size=5))), max_size=10))
def test_no_row_is_lost(rows):
    declared = dataset({"a": "integer", "b": {"type": "boolean", "required": True}})
    data = batch({"a": pl.Series([a for a, _ in rows], dtype=pl.String), "b": pl.Series([b for _, b in rows], dtype=pl.String)})
    kept, refused = contract.conform(data, declared, [])
    assert sorted([*kept[ROW], *refused["row_number"]]) == list(range(1, len(rows) + 1))
    assert all(len(r) for r in refused["rules"])


# ---- drift --------------------------------------------------------------------------------------------------------


def test_drift_names_missing_new_and_renamed_columns():
    declared = dataset({"id": "string", "theme": "string", "texte": "string"})
    found = contract.drift(declared, {"id", "themes", "lieu", "__file", "texte"})
    assert (found.missing, found.new) == (["theme"], ["lieu", "themes"])
    assert "'theme' is missing (renamed to 'themes'? the names are alike)" in str(found)
    assert not contract.drift(declared, {"id", "theme", "texte"})


def test_the_arrow_schema_is_what_conform_gives():
    declared = dataset({k: k for k in KINDS})
    kept, _ = contract.conform(batch({k: pl.Series([None], dtype=pl.String) for k in KINDS}), declared, ["extra"])
    assert contract.arrow_schema(declared, {"extra": "string"}) == kept.drop(FILE, ROW).to_arrow().schema


# ---- nothing is lost where a type is no text ----------------------------------------------------------------------


def test_lists_and_objects_are_text_as_those_of_json_records():
    made = batch({"l": [[1, 2], None], "s": [{"a": "é"}, {"a": None}], "b": [b"texte", None]})
    kept, refused = contract.conform(made, dataset({"l": "string"}), ["s", "b"])
    assert refused.is_empty()
    assert kept.select("l", "s", "b").rows() == [("[1, 2]", '{"a": "é"}', "texte"), (None, '{"a": null}', None)]


def test_a_value_of_a_new_column_that_no_text_can_be_made_of_refuses_its_row():
    made = batch({"v": ["x", "y"], "neuf": [b"\xff", b"ok"]})
    kept, refused = contract.conform(made, dataset({"v": "string"}), ["neuf"])
    assert kept["neuf"].to_list() == ["ok"] and refused["rules"].to_list() == [["type:neuf:string"]]


def test_what_is_nested_too_deep_is_refused_and_no_bug():
    deep = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(SourceRefused, match="nested too deep"):
        contract.frame_of_records([{"a": deep}])
