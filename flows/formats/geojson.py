"""GeoJSON: the properties of each feature, its geometry as GeoJSON text in `geometry`, its identifier in `id`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.findings import Finding
from flows.formats.base import BadRow, Decision
from flows.formats.json import events, has_path, items
from flows.formats.recognise import other_than
from flows.formats.records import MOST_RAW, as_json, object_or_bad
from flows.project.formats import GeoJsonFormat
from flows.settings import Settings

LOOKED_AT = 1 << 20  # bytes
NO_FEATURES = "it has no list of features"
GEOMETRIES = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
MEMBERS = {"type", "id", "bbox", "properties", "geometry"}
"""Of a feature: https://www.rfc-editor.org/rfc/rfc7946#section-3.2; `bbox` follows from the geometry."""
DEGREES = ("CRS84", "EPSG::4326", "EPSG:4326")


def decide(path: Path, name: str, declared: GeoJsonFormat | None, settings: Settings) -> Decision:
    if declared and (why := _why_not(path, name)):
        raise _no_geojson(path, name, why)
    reasons = {} if declared else {"type": "it is an object of type FeatureCollection, with features"}
    return Decision(declared or GeoJsonFormat(type="geojson"), reasons, _projection(path, name) + _members(path, name))


def incompatible(path: Path, name: str, kept: GeoJsonFormat, settings: Settings) -> str | None:
    if sentence := other_than(path, name, "geojson"):
        return sentence
    why = _why_not(path, name)
    return f"{name} is not GeoJSON: {why}" if why else None


def read(path: Path, name: str, how: GeoJsonFormat, settings: Settings) -> Iterator[dict[str, Any] | BadRow]:
    count = 0
    for count, feature in enumerate(items(path, name, "features.item"), 1):
        found = object_or_bad(feature, name, count, "geojson")
        yield found if isinstance(found, BadRow) else _row(found, count)
    if count or _is_collection(path, name):
        return
    kind = next((v for p, e, v in events(path, name) if p == "type" and e == "string"), None)
    if kind != "Feature":
        raise _no_geojson(path, name, NO_FEATURES)
    if path.stat().st_size > settings.max_record_mb * 1e6:
        raise SourceRefused(f"{name} is one feature of more than {settings.max_record_mb} MB", where=str(path))
    yield from (_row(feature, 1) for feature in items(path, name, ""))


def _why_not(path: Path, name: str) -> str | None:
    """Why a JSON file is surely no GeoJSON, by its beginning; None if it may be. A large file may have its features later."""
    first = ""
    for prefix, event, value in events(path, name, LOOKED_AT):
        first = first or event
        if first != "start_map":
            return "it is a list, not an object" if first == "start_array" else f"it is a {first}, not an object"
        if prefix == "type" and (value == "Topology" or value in GEOMETRIES):
            return f"it is a {value}" + (", without a feature around it" if value in GEOMETRIES else "")
        if (prefix, value) == ("type", "Feature") or (prefix, event) == ("features", "start_array"):
            return None
        if prefix == "features":
            return "its `features` are no list"
    return NO_FEATURES if path.stat().st_size < LOOKED_AT else None


def _no_geojson(path: Path, name: str, why: str) -> SourceRefused:
    return SourceRefused(
        f"{name} is not GeoJSON: {why}",
        where=str(path),
        hint="declare format: {type: json}",
        french=f"Le fichier {name} n'est pas du GeoJSON : il n'a pas de liste « features » d'objets géographiques.",
    )


def _row(feature: dict[str, Any], number: int) -> dict[str, Any] | BadRow:
    if "properties" not in feature and "geometry" not in feature:
        return BadRow("geojson:properties:neither properties nor a geometry", number, as_json(feature)[:MOST_RAW])
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        return BadRow(f"geojson:properties:{type(properties).__name__}, not an object", number, as_json(feature)[:MOST_RAW])
    row = {("property_geometry" if k == "geometry" else k): v for k, v in properties.items()}
    if (identifier := feature.get("id")) is not None and row.setdefault("id", identifier) != identifier:
        row["feature_id"] = identifier
    geometry = feature.get("geometry")
    row["geometry"] = None if geometry is None else as_json(geometry)
    return row


def _is_collection(path: Path, name: str) -> bool:
    return has_path(path, name, "features.item")


def _projection(path: Path, name: str) -> list[Finding]:
    """Coordinates that are no degrees: the standard allows no others, and French files often have Lambert 93."""
    try:
        system = next((v for p, e, v in events(path, name, LOOKED_AT) if p == "crs.properties.name" and e == "string"), "")
    except SourceRefused:
        return []
    if not system or any(system.endswith(d) for d in DEGREES):
        return []
    return [
        Finding(
            "note",
            f"coordinates are in {system}, not in degrees of longitude and latitude; they are kept as they are",
            f"Les coordonnées sont en {system}, pas en degrés ; elles sont gardées telles quelles",
        )
    ]


def _members(path: Path, name: str) -> list[Finding]:
    """What features have beside their properties, which is not read."""
    try:
        keys = [v for p, e, v in events(path, name, LOOKED_AT) if p == "features.item" and e == "map_key" and v not in MEMBERS]
    except SourceRefused:
        return []
    if not keys:
        return []
    shown = ", ".join(list(dict.fromkeys(keys))[:5])
    return [
        Finding(
            "note",
            f"features have members beside their properties ({shown}): they are not read (format: json reads them)",
            f"Des objets géographiques ont des champs hors de leurs propriétés ({shown}) : ils ne sont pas lus",
        )
    ]
