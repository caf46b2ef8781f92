"""Coordinates in France, and swapped ones."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from flows.errors import ConfigurationError
from flows.quality.french.places import ZONES, is_in_france, is_lambert93, is_not_swapped, is_point_in_france
from tests.conftest import REPOSITORY
from tests.quality.french.meets import meets, met

DATA = REPOSITORY.parent / "shared" / "data"
TOWNS = {  # longitude, latitude
    "Brest": (-4.486, 48.390), "Dunkerque": (2.377, 51.035), "Strasbourg": (7.752, 48.573), "Menton": (7.497, 43.775),
    "Perpignan": (2.896, 42.699), "Hendaye": (-1.775, 43.359), "La Rochelle": (-1.151, 46.160), "Paris": (2.352, 48.857),
}  # fmt: skip
CORSICA = {"Bastia": (9.450, 42.697), "Ajaccio": (8.738, 41.919), "Bonifacio": (9.159, 41.387)}
OVERSEAS = {
    "guadeloupe": (-61.728, 15.996), "martinique": (-61.067, 14.604), "guyane": (-52.326, 4.938), "reunion": (55.448, -20.879),
    "mayotte": (45.228, -12.780),    "saint-pierre-et-miquelon": (-56.177, 46.778), "saint-barthelemy": (-62.850, 17.896),
    "saint-martin": (-63.083, 18.068),    "wallis-et-futuna": (-176.175, -13.282),
    "polynesie-francaise": (-149.566, -17.537), "nouvelle-caledonie": (166.457, -22.275),
    "terres-australes": (70.219, -49.351),
}  # fmt: skip
ISLANDS = {
    "Ouessant": (-5.096, 48.457),
    "Sein": (-4.850, 48.037),
    "Yeu": (-2.347, 46.728),
    "Hœdic": (-2.873, 47.340),
    "Levant": (6.480, 43.025),
}
ABROAD = {
    "Bruxelles": (4.352, 50.847), "Luxembourg": (6.130, 49.611), "Torino": (7.686, 45.070), "Donostia": (-1.978, 43.318),
    "Girona": (2.824, 41.979), "Dover": (1.313, 51.128), "St. Helier": (-2.104, 49.187), "Genova": (8.934, 44.405),
    "Frankfurt": (8.682, 50.111), "Sassari": (8.560, 40.727),
}  # fmt: skip
ELSEWHERE = {
    "London": (-0.128, 51.507),
    "Madrid": (-3.704, 40.417),
    "Roma": (12.496, 41.903),
    "Null Island": (0.0, 0.0),
    "Kinshasa": (15.307, -4.322),
}
TO_LAMBERT93 = Transformer.from_crs(4326, 2154, always_xy=True)
mainland = st.lists(st.floats(0.01, 1), min_size=len(TOWNS), max_size=len(TOWNS)).map(
    lambda weights: tuple(sum(w * town[axis] for w, town in zip(weights, TOWNS.values(), strict=True)) / sum(weights) for axis in (0, 1))
)
"""Points among the towns."""


def pairs(condition: object, points: object, **arguments: object) -> list[bool]:
    frame = pl.DataFrame(list(points), schema=["a", "b"], orient="row")
    return frame.select(condition(pl.col("a"), pl.col("b"), **arguments).alias("met"))["met"].to_list()


def test_towns_are_in_their_zones() -> None:
    assert all(pairs(is_in_france, [*TOWNS.values(), *CORSICA.values(), *ISLANDS.values()], zones=["metropole"]))
    assert {zone for zone, point in OVERSEAS.items() if pairs(is_in_france, [point], zones=[zone]) != [True]} == set()
    assert set(OVERSEAS) | {"metropole"} == set(ZONES)


def test_by_default_all_inhabited_zones_count() -> None:
    assert pairs(is_in_france, OVERSEAS.values()) == [zone != "terres-australes" for zone in OVERSEAS]
    assert not any(pairs(is_in_france, OVERSEAS.values(), zones=["metropole"]))


def test_elsewhere() -> None:
    assert not any(pairs(is_in_france, [*ELSEWHERE.values(), *ABROAD.values()]))
    assert not any(pairs(is_in_france, [(2.35, None), (None, 48.85), (float("nan"), 48.85), (float("inf"), 48.85)]))


@settings(deadline=None)
@given(mainland)
def test_lambert93_and_wgs84_agree_on_real_points(point: tuple[float, float]) -> None:
    x, y = TO_LAMBERT93.transform(*point)
    assert pairs(is_in_france, [point], zones=["metropole"]) == [True]
    assert pairs(is_lambert93, [(x, y)]) == [True]
    assert pairs(is_lambert93, [point, (y, x), (x / 1000, y / 1000)]) == [False] * 3


def test_lambert93_of_islands_and_of_towns_abroad() -> None:
    assert all(pairs(is_lambert93, [TO_LAMBERT93.transform(*point) for point in [*CORSICA.values(), *ISLANDS.values()]]))
    assert not any(pairs(is_lambert93, [TO_LAMBERT93.transform(*point) for point in ABROAD.values()]))


@settings(deadline=None)
@given(st.floats(-6, 11), st.floats(41, 52))
def test_both_outlines_are_the_same(longitude: float, latitude: float) -> None:
    """But within 2 km of them, where a line that is straight in metres is not so in degrees."""
    around = [(longitude + dx, latitude + dy) for dx in (-0.03, 0, 0.03) for dy in (-0.02, 0, 0.02)]
    degrees = pairs(is_in_france, around, zones=["metropole"])
    metres = pairs(is_lambert93, [TO_LAMBERT93.transform(*point) for point in around])
    assert len(set(degrees)) == 2 or degrees[4] == metres[4]


@settings(deadline=None)
@given(mainland)
def test_swapped_points_are_named(point: tuple[float, float]) -> None:
    swapped = point[::-1]
    assert pairs(is_not_swapped, [point, swapped]) == [True, False]
    assert pairs(is_in_france, [swapped]) == [False]
    x, y = TO_LAMBERT93.transform(*point)
    assert pairs(is_not_swapped, [(x, y), (y, x)], system="lambert93") == [True, False]


def test_what_is_in_france_in_neither_order_is_not_swapped() -> None:
    assert all(pairs(is_not_swapped, ELSEWHERE.values()))


def test_numbers_as_texts() -> None:
    assert pairs(is_in_france, [("2.352", "48.857"), ("2,352", "48,857"), ("est", "nord")]) == [True, False, False]


def test_points_as_texts() -> None:
    good = ["48.857, 2.352", "48.857,2.352", "[48.857, 2.352]", "48.857 2.352", " (-12.79; 45.19) "]
    assert meets(is_point_in_france, *good) == [True] * len(good)
    assert meets(is_point_in_france, *["2.352, 48.857", "48.857", "Paris", "", None, "0.0, -1.488", "48.857, 2.352, 30"]) == [False] * 7
    assert met(is_point_in_france, "2.352, 48.857", order="lon,lat") is True
    assert met(is_point_in_france, "-12.79, 45.19", zones=["metropole"]) is False


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(ConfigurationError, match="bretagne"):
        is_in_france(pl.col("a"), pl.col("b"), zones=["bretagne"])
    with pytest.raises(ConfigurationError, match="utm"):
        is_not_swapped(pl.col("a"), pl.col("b"), system="utm")
    with pytest.raises(ConfigurationError, match="lon lat"):
        is_point_in_france(pl.col("a"), order="lon lat")


@pytest.mark.skipif(not DATA.exists(), reason="needs shared/data")
def test_places_of_inspections_in_2017() -> None:
    """Three of 18,233 places are not in France: in the Congo, and off Ghana."""
    file = DATA / "controles-alimentaires" / "instantane_2017-08-22.csv"
    points = pl.read_csv(file, columns=["geores"], infer_schema=False).drop_nulls()
    wrong = points.filter(~is_point_in_france(pl.col("geores")))["geores"].to_list()
    assert sorted(wrong) == ["0.0, -1.48874388471", "23.0519595024, -3.09732308431", "23.0519595024, -3.09732308431"]
