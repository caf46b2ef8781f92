"""What is proposed of numbers and dates: natural ranges where there is evidence of one, else an order of magnitude."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from flows.contract.identifiers import words_of
from flows.quality.suggest.entries import MIN_ROWS, entry
from flows.quality.suggest.figures import above, number, percent
from flows.quality.suggest.profile import Column

if TYPE_CHECKING:
    import polars as pl

YEAR = {"annee", "an", "year", "millesime", "exercice"}
SHARE = re.compile(r"pourcent|percent|\bpct\b|\btaux\b|\bpart\b|\bratio\b|proportion|%")
AT_THE_END = 0.001  # share of the values that stand on the end of a range which ends there by nature
LATITUDE, LONGITUDE = (-90, 90, "c'est une latitude, en degrés"), (-180, 180, "c'est une longitude, en degrés")
NATURAL = {"latitude": LATITUDE, "lat": LATITUDE, "longitude": LONGITUDE, "lon": LONGITUDE, "lng": LONGITUDE}
TIMES = 10  # the order of magnitude: so many times what is large in the sample
MARGIN_YEARS = 10
Range = tuple[float | None, float | None, str]
"""From, to, and why, in French."""


def numbers(column: Column) -> Iterator[dict[str, Any]]:
    """One range at most; nothing for a column with few values."""
    import polars as pl

    values = column.values.cast(pl.Float64)
    finite = values.filter(values.is_finite().fill_null(False))
    if len(finite) < MIN_ROWS:
        return
    low, high, why = _natural(column, finite) or _open(column, finite)
    if low is None and high is None:
        return
    mostly = column.mostly(values.is_between(-math.inf if low is None else low, math.inf if high is None else high))
    if mostly is None:
        return
    bounds = {k: v for k, v in (("min_value", low), ("max_value", high)) if v is not None}
    words = f"« {column.name} » est {_between(low, high)} : {why} (au moins {percent(mostly)} des valeurs)."
    yield entry("expect_column_values_to_be_between", words, {"column": column.name, **bounds, "mostly": mostly})


def _between(low: float | None, high: float | None) -> str:
    shown = str if high == 2100 else number  # years are written without a space
    if low is None:
        return f"d'au plus {shown(high or 0)}"
    return f"d'au moins {shown(low)}" if high is None else f"entre {shown(low)} et {shown(high)}"


def _natural(column: Column, finite: pl.Series) -> Range | None:
    """A range that ends where it does by nature: years, degrees, percentages, shares."""
    named, low, high = words_of(column.name), _least(column, finite), _most(column, finite)
    whole = column.kind.is_integer()
    if whole and YEAR & set(named) and low >= 1000 and high <= 2100:
        return 1900 if low >= 1900 else 1000, 2100, "c'est une année"
    for word in named:
        if word in NATURAL and NATURAL[word][0] <= low and high <= NATURAL[word][1]:
            return NATURAL[word]
    said = bool(SHARE.search(" ".join(named)))
    if low >= 0 and high <= 1 and not whole and (said or _ends(high, finite, 1)):
        return 0, 1, "c'est une part"
    if low >= 0 and 1 < high <= 100 and (said or _ends(high, finite, 100)):
        return 0, 100, "c'est une note ou un pourcentage, qui va jusqu'à 100 et pas au-delà"
    return None


def _ends(high: float, finite: pl.Series, end: float) -> bool:
    """Many values stand right on it, none beyond."""
    on_it = int((finite == end).sum())
    return high == end and on_it >= 5 and on_it >= AT_THE_END * len(finite)


def _open(column: Column, finite: pl.Series) -> Range:
    """Not under 0 (or 1) if nothing is, and an order of magnitude above: a unit that changes, or another column, is beyond."""
    large, low = float(finite.abs().quantile(0.99, "nearest") or 0), _least(column, finite)
    if not large:
        return (0, None, "aucune valeur négative n'a été vue") if low >= 0 else (None, None, "")
    most = above(TIMES * large)
    if low < 0:
        return -most, most, "c'est un ordre de grandeur, dix fois ce qui est courant"
    ones = int((finite == 1).sum())
    least = 1 if column.kind.is_integer() and low >= 1 and ones >= 5 and ones >= AT_THE_END * len(finite) else 0
    return least, most, "rien en dessous, et au-dessus un ordre de grandeur, dix fois ce qui est courant"


def _least(column: Column, finite: pl.Series) -> float:
    """Of all rows; of the sample if infinity is among them."""
    return float(column.low) if math.isfinite(column.low) else float(finite.min())  # type: ignore[arg-type]


def _most(column: Column, finite: pl.Series) -> float:
    return float(column.high) if math.isfinite(column.high) else float(finite.max())  # type: ignore[arg-type]


def moments(column: Column) -> Iterator[dict[str, Any]]:
    """From the beginning of a decade well before the first to one well after the last: wrong centuries and placeholders are outside."""
    import polars as pl

    if column.seen < MIN_ROWS:
        return
    days = column.values.cast(pl.Date) if column.kind == pl.Date else column.values.dt.date()
    first, last = days.drop_nulls().sort().gather([int(0.002 * (column.seen - 1)), int(0.998 * (column.seen - 1))])
    low, high = date(max(1, (first.year - MARGIN_YEARS) // 10 * 10), 1, 1), date(min(9990, (last.year + 2 * MARGIN_YEARS) // 10 * 10), 1, 1)
    mostly = column.mostly(days.is_between(low, high))
    if mostly is None:
        return
    arguments = {"column": column.name, "min_value": f"{low}", "max_value": f"{high}", "mostly": mostly}
    words = f"« {column.name} » est entre {low.year} et {high.year} (au moins {percent(mostly)} des valeurs) : au-delà, la date est fausse."
    yield entry("expect_column_values_to_be_between", words, arguments)


def orders(columns: list[Column]) -> Iterator[dict[str, Any]]:
    """Dates of which one is never before the other, in rows that have both; `columns` of one and the same type."""
    for place, left in enumerate(columns):
        for right in columns[place + 1 :]:
            for later, earlier in ((left, right), (right, left)):
                yield from _order(later, earlier)


def _order(later: Column, earlier: Column) -> Iterator[dict[str, Any]]:
    both = later.values.is_not_null() & earlier.values.is_not_null()
    count = int(both.sum())
    after, same = int((later.values > earlier.values).sum()), int((later.values == earlier.values).sum())
    if count < 5 * MIN_ROWS or after + same < count or after < MIN_ROWS:
        return
    yield entry(
        "expect_column_pair_values_a_to_be_greater_than_b",
        f"« {later.name} » n'est jamais avant « {earlier.name} ».",
        {"column_A": later.name, "column_B": earlier.name, "or_equal": True, "ignore_row_if": "either_value_is_missing", "mostly": 0.99},
    )


def places(columns: list[Column]) -> Iterator[dict[str, Any]]:
    """Longitude and latitude that lie in France, where they nearly all do: swapped ones do not."""
    import polars as pl

    from flows.quality.french.places import is_in_france

    numeric = [c for c in columns if c.kind.is_float() and c.seen >= MIN_ROWS]
    latitudes, longitudes = ([c for c in numeric if _degrees(c) is kind] for kind in (LATITUDE, LONGITUDE))
    if len(latitudes) != 1 or len(longitudes) != 1:
        return
    latitude, longitude = latitudes[0], longitudes[0]
    both = pl.DataFrame({"x": longitude.values, "y": latitude.values})
    inside = both.select(is_in_france(pl.col("x"), pl.col("y"))).to_series()
    mostly = longitude.mostly(inside)
    if mostly is None or mostly < 0.95:
        return
    words = f"« {longitude.name} » et « {latitude.name} » sont en France, outre-mer compris, dans au moins {percent(mostly)} des lignes."
    arguments = {"column_A": longitude.name, "column_B": latitude.name, "mostly": mostly}
    yield entry("expect_column_pair_values_to_be_in_france", words, arguments)


def _degrees(column: Column) -> Range | None:
    return next((NATURAL[word] for word in words_of(column.name) if word in NATURAL), None)
