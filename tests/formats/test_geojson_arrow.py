"""GeoJSON features as rows; Arrow files and streams."""

from __future__ import annotations

import io
import json

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyarrow import ipc

from flows.errors import SocleError, SourceRefused
from flows.formats import BadRow, decide, incompatible
from flows.project.formats import ArrowFormat, GeoJsonFormat, ParquetFormat
from flows.settings import Settings
from tests.formats.reading import read

GEO, ARROW = GeoJsonFormat(type="geojson"), ArrowFormat(type="arrow")
POINT = {"type": "Point", "coordinates": [2.35, 48.85]}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("geo") / "source"


def rows(file, data, declared=None):
    file.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return list(read(file, file.name, declared, 1000, 10))


def collection(*features, **more):
    return {"type": "FeatureCollection", **more, "features": list(features)}


def feature(properties, geometry=POINT, **more):
    return {"type": "Feature", "properties": properties, "geometry": geometry, **more}


def test_properties_are_columns_and_the_geometry_is_text(file):
    [row] = rows(file, collection(feature({"nom": "Île", "n": 3, "liste": [1]}, id="c1")))
    assert json.loads(row.pop("geometry")) == POINT
    assert row == {"nom": "Île", "n": 3, "liste": [1], "id": "c1"}


def test_names_that_collide(file):
    [row] = rows(file, collection(feature({"id": 7, "geometry": "plate"}, id="c1")))
    assert (row["id"], row["feature_id"], row["property_geometry"]) == (7, "c1", "plate")


def test_features_without_properties_or_geometry(file):
    assert rows(file, collection(feature(None, None), feature({}, None))) == [{"geometry": None}, {"geometry": None}]


def test_the_type_may_stand_last_and_a_feature_may_stand_alone(file):
    late = {"name": "x", "features": [feature({"a": 1})], "type": "FeatureCollection"}
    assert rows(file, late)[0]["a"] == 1
    assert rows(file, feature({"a": 1}))[0]["a"] == 1
    assert rows(file, collection(), GEO) == []


def test_other_projections_are_reported(file):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}
    file.write_bytes(json.dumps(collection(feature({"a": 1}), crs=crs)).encode())
    [finding] = decide(file, "x.geojson", None, Settings(root=file.parent)).findings
    assert "2154" in finding.text and "degrés" in finding.french
    crs["properties"]["name"] = "urn:ogc:def:crs:OGC:1.3:CRS84"
    file.write_bytes(json.dumps(collection(feature({"a": 1}), crs=crs)).encode())
    assert not decide(file, "x.geojson", None, Settings(root=file.parent)).findings


def test_a_feature_that_is_none_is_no_row(file):
    first, bad, worse = rows(file, collection(feature({"a": 1}), 3, feature([1])))
    assert first["a"] == 1 and isinstance(bad, BadRow) and isinstance(worse, BadRow)
    assert bad.rule == "geojson:record:int, not an object" and worse.rule.startswith("geojson:properties:") and worse.row_number == 3


@pytest.mark.parametrize(
    "data", [b'{"a": 1}', b'{"type": "FeatureCollection"}', b"[1]", b'{"type": "FeatureCollection", "features": [{"type"']
)
def test_what_is_no_geojson_is_refused(file, data):
    with pytest.raises(SourceRefused):
        rows(file, data, GEO)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[]", "it is a list, not an object"),
        (b'"x"', "it is a string, not an object"),
        (b'{"donnees": [{"a": 1}]}', "it has no list of features"),
        (b'{"features": {"a": 1}}', "its `features` are no list"),
        (b'{"type": "Topology", "objects": {}' + b" " * (2 << 20) + b"}", "it is a Topology"),
        (b'{"type": "Point", "coordinates": [1, 2]}', "it is a Point, without a feature around it"),
    ],
)
def test_json_that_is_no_geojson_is_said_to_be_none_before_it_is_read(file, data, why):
    file.write_bytes(data)
    with pytest.raises(SourceRefused, match="is not GeoJSON") as refused:
        decide(file, "x.geojson", GEO, Settings(root=file.parent))
    assert why in refused.value.message and "json" in refused.value.hint and "n'est pas du GeoJSON" in refused.value.french


def test_nothing_of_a_feature_is_lost_without_a_word(file):
    [bad] = rows(file, collection({"nom": "Île"}))
    assert isinstance(bad, BadRow) and bad.rule.startswith("geojson:properties:") and "Île" in bad.raw
    rows(file, collection(feature({"a": 1}, nom="x", bbox=[0, 0, 1, 1])))
    [finding] = decide(file, "x.geojson", GEO, Settings(root=file.parent)).findings
    assert "(nom)" in finding.text and "ne sont pas lus" in finding.french


def test_a_feature_that_stands_alone_is_read_again(file):
    file.write_bytes(json.dumps(feature({"a": 1})).encode())
    assert incompatible(file, "x.geojson", GEO, Settings(root=file.parent)) is None


def test_a_later_file_that_is_no_collection(file):
    file.write_bytes(b'{"donnees": []}')
    why = incompatible(file, "x.geojson", GEO, Settings(root=file.parent))
    assert why and "features" in why
    file.write_bytes(json.dumps(collection()).encode())
    assert incompatible(file, "x.geojson", GEO, Settings(root=file.parent)) is None


# ---- arrow --------------------------------------------------------------------------------------------------------


def arrow_bytes(table: pa.Table, stream: bool, compression: str | None = None, rows: int = 4) -> bytes:
    sink = io.BytesIO()
    options = ipc.IpcWriteOptions(compression=compression)
    with (ipc.new_stream if stream else ipc.new_file)(sink, table.schema, options=options) as writer:
        writer.write_table(table, rows)
    return sink.getvalue()


TABLE = pa.table(
    {"n": list(range(10)), "t": [f"texte {i}" for i in range(10)], "d": pa.array([f"c{i % 2}" for i in range(10)]).dictionary_encode()}
)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_arrow_keeps_types_and_order_in_batches(file, stream, compression):
    file.write_bytes(arrow_bytes(TABLE, stream, compression))
    frames = list(read(file, "x.arrow", None, 3, 10))
    assert max(f.height for f in frames) <= 3
    whole = pl.concat(frames)
    assert (
        whole["n"].dtype == pl.Int64
        and whole["n"].to_list() == list(range(10))
        and whole["d"].cast(pl.String).to_list()[:2] == ["c0", "c1"]
    )


@pytest.mark.parametrize("stream", [True, False])
def test_a_cut_arrow_file_is_refused(file, stream):
    whole = arrow_bytes(TABLE, stream)
    for length in (0, 8, 20, len(whole) // 2, len(whole) - 30):
        with pytest.raises(SourceRefused, match="source"):
            rows(file, whole[:length], ARROW)


WHOLE = [arrow_bytes(TABLE, s, c) for s in (True, False) for c in (None, "zstd")]


@hypothesis_settings(deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 3000), st.integers(1, 255))
def test_a_damaged_byte_gives_rows_or_a_clear_error(file, whole, place, difference):
    data = bytearray(whole)
    data[place % len(data)] ^= difference
    try:
        for frame in rows(file, bytes(data), ARROW):
            assert isinstance(frame, pl.DataFrame)
    except SocleError as error:
        assert file.name in str(error)


def test_another_type_cannot_be_read_as_before(file):
    file.write_bytes(WHOLE[0])
    why = incompatible(file, "x", ParquetFormat(type="parquet"), Settings(root=file.parent))
    assert why == "x is arrow, not parquet"
    assert incompatible(file, "x", ARROW, Settings(root=file.parent)) is None
