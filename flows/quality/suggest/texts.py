"""What is proposed of a column of texts: its format, its values, its shape, its lengths, its accents. One of the first three, not all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flows.contract.identifiers import words_of
from flows.quality.suggest.entries import MIN_ROWS, About, entry
from flows.quality.suggest.figures import about as roughly
from flows.quality.suggest.figures import above, below, number, percent, share_below
from flows.quality.suggest.formats import format_of
from flows.quality.suggest.profile import Column
from flows.quality.suggest.shapes import shape_of

if TYPE_CHECKING:
    import polars as pl

MOST_VALUES = 50  # a longer list is not read by anybody
MANY = 200  # texts without which there are no categories
OFTEN, OFTEN_PERSONAL = 10, 50  # times that a value has to be seen
NOVEL = 0.01  # share of a block of rows whose values are in no other block: more of them, and the list is not complete
LONG_VALUE = 80  # characters of a category
ACCENTS = 0.02  # share of values with letters beyond ASCII from which an error of encoding would be seen


def texts(column: Column, about: About) -> Iterator[dict[str, Any]]:
    """Nothing for a column with few values."""
    values = column.values.drop_nulls()
    if len(values) < MIN_ROWS:
        return
    found = format_of(column)
    listed = None if found else categories(column, about)
    coded = None if found or listed else shape_of(values)
    if found:
        seen = percent(found.share)
        words = f"Les valeurs de « {column.name} » sont {found.plural} : au moins {percent(found.mostly)} ({seen} constatés)."
        yield entry(found.type, words, {"column": column.name, **found.arguments, "mostly": found.mostly})
    elif listed:
        yield _in_set(column, *listed)
    elif coded and (mostly := column.mostly(column.values.str.contains(coded.regex))):
        words = f"Un code de « {column.name} » a la forme : {coded.words} (au moins {percent(mostly)} des valeurs)."
        yield entry("expect_column_values_to_match_regex", words, {"column": column.name, "regex": coded.regex, "mostly": mostly})
    else:
        yield from _lengths(column)
    if not found and not listed:  # an accent that is spoilt makes another value
        yield from _accents(column, values)


# ---- categories ----------------------------------------------------------------------------------------------------


def categories(column: Column, about: About) -> tuple[list[str], float | None, int] | None:
    """(values, mostly or None if none is an exception, times that the rarest of them was seen); None if the column is no list of values.

    A list is complete if each value is seen often, and if a part of the rows shows none that the other parts have not.
    """
    import polars as pl

    values = column.values.drop_nulls()
    if len(values) < MANY or column.name in about.hidden:
        return None
    counted = values.alias("v").value_counts(sort=True)
    often = counted.filter(pl.col("count") >= (OFTEN_PERSONAL if about.personal else OFTEN))
    if not 2 <= often.height <= MOST_VALUES or often["v"].str.len_chars().max() > LONG_VALUE:  # type: ignore[operator]
        return None
    listed = often["v"].sort().to_list()
    share = column.share(column.values.is_in(listed))
    if share < 1 - NOVEL or _novel(column, values) > NOVEL:
        return None
    rarest = int(often["count"].min())  # type: ignore[arg-type]
    mostly = None if often.height == counted.height and rarest >= 3 * OFTEN else share_below(share, len(values))
    return listed, mostly, rarest


def _novel(column: Column, values: pl.Series) -> float:
    """Largest share of a block whose values are in no other block."""
    import polars as pl

    parts = column.blocks(values)
    if len(parts) < 2:
        return 1.0
    seen = [set(p.unique()) for p in parts]
    others = [set[str]().union(*(s for n, s in enumerate(seen) if n != place)) for place in range(len(parts))]
    shares = [
        int((~part.is_in(pl.Series(sorted(o), dtype=pl.String).implode())).sum()) / len(part) for part, o in zip(parts, others, strict=True)
    ]
    return max(shares)


def _in_set(column: Column, listed: list[str], mostly: float | None, rarest: int) -> dict[str, Any]:
    exact = {"mostly": mostly} if mostly else {}
    part = f"Au moins {percent(mostly)} des valeurs" if mostly else "Les valeurs"
    words = f"{part} de « {column.name} » sont parmi {len(listed)} possibles, dont la plus rare a été vue {roughly(rarest)} fois."
    return entry("expect_column_values_to_be_in_set", words, {"column": column.name, "value_set": listed, **exact})


# ---- free texts ----------------------------------------------------------------------------------------------------


def _lengths(column: Column) -> Iterator[dict[str, Any]]:
    """Three times what is long, a quarter of what is short: far from the sample, near enough to see another column or a cut file."""
    lengths = column.lengths
    if lengths is None:
        return
    low, high = lengths.quantile(0.01, "nearest"), lengths.quantile(0.99, "nearest")
    if not high:
        return
    least, most = max(1, int(below((low or 1) / 4))), int(above(high * 3))
    mostly = column.mostly(lengths.is_between(least, most))
    if mostly is None:
        return
    words = (
        f"Presque tous les textes de « {column.name} » ont entre {number(least)} et {number(most)} caractères ({percent(mostly)} au moins)."
    )
    arguments = {"column": column.name, "min_value": least, "max_value": most, "mostly": mostly}
    yield entry("expect_column_value_lengths_to_be_between", words, arguments)


def _accents(column: Column, values: pl.Series) -> Iterator[dict[str, Any]]:
    """Only where there are accents to be spoilt, and none is spoilt yet."""
    import polars as pl

    from flows.quality.french.texts import is_free_of_mojibake

    if values.str.contains(r"[À-ÿŒœ]").mean() < ACCENTS:  # type: ignore[operator]
        return
    mostly = column.mostly(column.values.alias("v").to_frame().select(is_free_of_mojibake(pl.col("v"))).to_series())
    if mostly is None or mostly < 0.95:
        return
    words = f"Les accents de « {column.name} » sont lisibles : presque aucun texte ne porte la trace d'une erreur d'encodage."
    yield entry("expect_column_values_to_be_free_of_mojibake", words, {"column": column.name, "mostly": mostly})


def is_identifier(column: Column) -> bool:
    """Its texts have the shape of a code, or its name says that it is one."""
    from flows.contract.identifiers import WORDS

    return bool(WORDS & set(words_of(column.name))) or shape_of(column.values.drop_nulls()) is not None
