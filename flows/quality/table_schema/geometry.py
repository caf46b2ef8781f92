"""Whether JSON is GeoJSON (RFC 7946) or TopoJSON, and text is well-known text, by their structure."""

from __future__ import annotations

import re
from typing import Any

DEPTH = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""Lists around a position."""
SHORTEST = {"LineString": 2, "MultiLineString": 2, "Polygon": 4, "MultiPolygon": 4}
"""Positions of a line or a ring."""
WKT = re.compile(
    r"(?:SRID=\d+;\s*)?(?P<kind>POINT|LINESTRING|POLYGON|MULTIPOINT|MULTILINESTRING|MULTIPOLYGON|GEOMETRYCOLLECTION|CIRCULARSTRING"
    r"|COMPOUNDCURVE|CURVEPOLYGON|MULTICURVE|MULTISURFACE|POLYHEDRALSURFACE|TIN|TRIANGLE)\s*(?:ZM|Z|M)?\s*(?P<rest>EMPTY|\(.*\))",
    re.IGNORECASE | re.DOTALL,
)
POSITION = re.compile(r"\s*[+-]?[\d.]+(?:e[+-]?\d+)?(?:\s+[+-]?[\d.]+(?:e[+-]?\d+)?){1,3}\s*", re.IGNORECASE)


def is_geojson(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "Feature":
        properties = isinstance(value.get("properties", 0), dict | None)
        return properties and "geometry" in value and (value["geometry"] is None or _is_geometry(value["geometry"]))
    if kind == "FeatureCollection":
        features = value.get("features")
        return isinstance(features, list) and all(isinstance(f, dict) and f.get("type") == "Feature" and is_geojson(f) for f in features)
    return _is_geometry(value)


def _is_geometry(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "GeometryCollection":
        return isinstance(value.get("geometries"), list) and all(map(_is_geometry, value["geometries"]))
    return kind in DEPTH and _is_nested(value.get("coordinates"), DEPTH[kind], SHORTEST.get(kind, 0))


def _is_nested(value: Any, depth: int, shortest: int) -> bool:
    if not isinstance(value, list):
        return False
    if depth == 0:
        return len(value) >= 2 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    return (depth > 1 or len(value) >= shortest) and all(_is_nested(v, depth - 1, shortest) for v in value)


def is_topojson(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    objects, arcs = value.get("objects"), value.get("arcs")
    return (
        value.get("type") == "Topology" and isinstance(objects, dict) and isinstance(arcs, list) and all(isinstance(a, list) for a in arcs)
    )


def is_wkt(text: str) -> bool:
    found = WKT.fullmatch(text.strip())
    if not found:
        return False
    rest = found["rest"].strip()
    if rest.upper() == "EMPTY":
        return True
    if found["kind"].upper() == "GEOMETRYCOLLECTION":
        return all(is_wkt(part) for part in _parts(rest[1:-1]))
    return _is_group(rest)


def _is_group(text: str) -> bool:
    """Positions in parentheses, or such groups in parentheses."""
    text = text.strip()
    if text.upper() == "EMPTY":
        return True
    if not (text.startswith("(") and text.endswith(")")):
        return WKT.fullmatch(text) is not None and is_wkt(text)  # a curve of lines and arcs names them
    parts = _parts(text[1:-1])
    return bool(parts) and all(POSITION.fullmatch(p) is not None or _is_group(p) for p in parts)


def _parts(text: str) -> list[str]:
    """What commas outside of parentheses separate; nothing if parentheses do not match."""
    parts, depth, start = list[str](), 0, 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return []
        if character == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [] if depth else [*parts, text[start:]]
