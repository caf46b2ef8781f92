"""Coordinates in France: Lambert-93 (EPSG:2154, metres) and longitude and latitude (WGS 84, degrees)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from flows.errors import ConfigurationError
from flows.quality.french.outlines import CORSICA, CORSICA_LAMBERT93, MAINLAND, MAINLAND_LAMBERT93, Outline


class Box(NamedTuple):
    west: float
    south: float
    east: float
    north: float


Shape = Box | Outline
ZONES: dict[str, tuple[Shape, ...]] = {
    "metropole": (MAINLAND, CORSICA),
    "guadeloupe": (Box(-61.85, 15.80, -60.97, 16.55),),
    "martinique": (Box(-61.26, 14.36, -60.78, 14.91),),
    "guyane": (Box(-54.65, 2.08, -51.58, 5.80),),
    "reunion": (Box(55.18, -21.42, 55.87, -20.84),),
    "mayotte": (Box(44.98, -13.04, 45.33, -12.60),),
    "saint-pierre-et-miquelon": (Box(-56.45, 46.72, -56.08, 47.17),),
    "saint-barthelemy": (Box(-62.98, 17.84, -62.76, 18.00),),
    "saint-martin": (Box(-63.18, 18.03, -62.95, 18.15),),
    "wallis-et-futuna": (Box(-178.23, -14.41, -177.97, -14.20), Box(-176.31, -13.41, -176.08, -13.13)),
    "polynesie-francaise": (Box(-154.80, -27.95, -134.40, -7.80),),
    "nouvelle-caledonie": (Box(163.50, -22.80, 168.20, -19.50),),
    "terres-australes": (Box(68.30, -50.10, 70.75, -48.40), Box(50.10, -46.60, 52.45, -45.85), Box(77.40, -38.85, 77.70, -37.70)),
}
"""Overseas: boxes around the land and its coast, about 3 km."""
INHABITED = tuple(zone for zone in ZONES if zone != "terres-australes")
LAMBERT93 = (MAINLAND_LAMBERT93, CORSICA_LAMBERT93)
NUMBER = r"[+-]?\d{1,3}(?:\.\d+)?"


def is_lambert93(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    """x (easting) and y (northing) in metres lie in metropolitan France. Numbers, or texts that are numbers."""
    return _inside(_number(x) / 1000, _number(y) / 1000, LAMBERT93)


def is_in_france(longitude: pl.Expr, latitude: pl.Expr, *, zones: Sequence[str] | None = None) -> pl.Expr:
    """WGS 84 longitude and latitude in degrees lie in one of `zones` (default: all that are inhabited).

    Raises: ConfigurationError for a zone that does not exist.
    """
    return _inside(_number(longitude), _number(latitude), _shapes(zones))


def is_point_in_france(points: pl.Expr, *, zones: Sequence[str] | None = None, order: Literal["lat,lon", "lon,lat"] = "lat,lon") -> pl.Expr:
    """The same for texts with both, such as "48.8566, 2.3522", as the open data portals write them; brackets around are allowed.

    Raises: ConfigurationError for a zone or an order that does not exist.
    """
    if order not in ("lat,lon", "lon,lat"):
        raise ConfigurationError(f"order is {order!r}", where="order of a point in France", hint='"lat,lon" or "lon,lat"')
    parts = points.cast(pl.String).str.extract_groups(rf"^\s*[\[(]?\s*({NUMBER})\s*[,; ]\s*({NUMBER})\s*[\])]?\s*$").struct
    first, second = _number(parts.field("1")), _number(parts.field("2"))
    return _inside(second, first, _shapes(zones)) if order == "lat,lon" else _inside(first, second, _shapes(zones))


def is_not_swapped(
    a: pl.Expr, b: pl.Expr, *, system: Literal["wgs84", "lambert93"] = "wgs84", zones: Sequence[str] | None = None
) -> pl.Expr:
    """False where the pair lies in France only when its two values change places: (48.85, 2.35) given as longitude and latitude.

    What lies in France in neither order meets it: what is wrong there is something else.
    Raises: ConfigurationError for a zone or a system that does not exist.
    """
    if system not in ("wgs84", "lambert93"):
        raise ConfigurationError(f"system is {system!r}", where="system of coordinates", hint='"wgs84" or "lambert93"')
    if system == "lambert93":
        return is_lambert93(a, b) | ~is_lambert93(b, a)
    return is_in_france(a, b, zones=zones) | ~is_in_france(b, a, zones=zones)


def _inside(x: pl.Expr, y: pl.Expr, shapes: Sequence[Shape]) -> pl.Expr:
    return pl.any_horizontal(_in_box(x, y, s) if isinstance(s, Box) else _in_outline(x, y, s) for s in shapes).fill_null(False)


def _in_box(x: pl.Expr, y: pl.Expr, box: Box) -> pl.Expr:
    return x.is_between(box.west, box.east) & y.is_between(box.south, box.north)


def _in_outline(x: pl.Expr, y: pl.Expr, outline: Outline) -> pl.Expr:
    """A line from the point to the east crosses the outline an odd number of times."""
    crossed = []
    for (x1, y1), (x2, y2) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if y1 != y2:
            beside = y.is_between(min(y1, y2), max(y1, y2), closed="left")
            crossed.append(beside & (x < x1 + (y - y1) * ((x2 - x1) / (y2 - y1))))
    return pl.sum_horizontal(crossed) % 2 == 1


def _number(values: pl.Expr) -> pl.Expr:
    return values.cast(pl.Float64, strict=False)


def _shapes(zones: Sequence[str] | None) -> list[Shape]:
    chosen = INHABITED if zones is None else zones
    if unknown := [zone for zone in chosen if zone not in ZONES]:
        raise ConfigurationError(f"no such zone: {', '.join(unknown)}", where="zones of coordinates in France", hint=", ".join(ZONES))
    return [shape for zone in chosen for shape in ZONES[zone]]
