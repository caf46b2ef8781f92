"""Texts on several sides of a split."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError
from flows.quality.french.leakage import is_not_leaked
from tests.quality.french.test_near_duplicates import CLOSE, FIRST, OTHER

ALONE = "Les dispositions du présent chapitre ne sont pas applicables aux établissements publics de l'État."


def leaked(rows: list[tuple[str | None, str | None]], **arguments: float) -> list[bool]:
    frame = pl.DataFrame(rows, schema={"texte": pl.String, "cote": pl.String}, orient="row")
    met = frame.select(is_not_leaked({"texte": pl.col("texte"), "cote": pl.col("cote")}, **arguments).alias("met"))["met"]
    return [not ok for ok in met]


def test_rows_of_the_smaller_side_are_unexpected() -> None:
    rows = [(FIRST, "test"), (FIRST.upper(), "train"), (OTHER, "train"), (ALONE, "train"), (ALONE[:-3], "test")]
    assert leaked(rows) == [True, False, False, False, True]


def test_nearly_the_same_text_counts_unless_the_threshold_is_one() -> None:
    rows = [(FIRST, "train"), (OTHER, "train"), (CLOSE, "test")]
    assert leaked(rows) == [False, False, True]
    assert leaked(rows, threshold=1) == [False, False, False]


def test_a_text_twice_on_one_side_is_not_leaked() -> None:
    assert leaked([(FIRST, "train"), (FIRST, "train"), (OTHER, "test"), (OTHER, "test")]) == [False] * 4


def test_three_sides() -> None:
    """Each is compared with those that are larger."""
    rows = [
        (ALONE, "train"),
        (FIRST, "train"),
        ("Premier texte sans rien", "train"),
        (OTHER, "validation"),
        (FIRST, "validation"),
        (OTHER, "test"),
    ]
    assert leaked(rows) == [False, False, False, False, True, True]


def test_of_sides_of_one_size_the_one_that_begins_counts_as_larger() -> None:
    assert leaked([(FIRST, "b"), (FIRST, "a"), (OTHER, "b"), (OTHER, "a")]) == [False, True, False, True]


def test_rows_without_text_or_side_are_left_alone() -> None:
    assert leaked([(None, "train"), (None, "test"), ("", "train"), ("?", "test"), (FIRST, None), (FIRST, "test")]) == [False] * 6


def test_several_columns_of_text() -> None:
    frame = pl.DataFrame({"titre": ["Congés", "Paie", "CONGÉS"], "texte": [FIRST, FIRST, FIRST], "cote": ["train", "train", "test"]})
    columns = {c: pl.col(c) for c in frame.columns}
    assert frame.select(is_not_leaked(columns, threshold=1).alias("met"))["met"].to_list() == [True, True, False]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([FIRST, OTHER, ALONE, "Un", "Deux"]), st.sampled_from(["train", "test"])), min_size=1, max_size=30)
)
def test_what_is_left_has_no_text_on_both_sides(rows: list[tuple[str, str]]) -> None:
    kept = [row for row, gone in zip(rows, leaked(rows), strict=True) if not gone]
    sides = [{text for text, side in kept if side == name} for name in ("train", "test")]
    assert not sides[0] & sides[1]
    gone = {side for (_, side), out in zip(rows, leaked(rows), strict=True) if out}
    assert len(gone) <= 1


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="threshold is 2"):
        is_not_leaked({"texte": pl.col("texte"), "cote": pl.col("cote")}, threshold=2)
    with pytest.raises(ConfigurationError, match="there is one column"):
        is_not_leaked({"cote": pl.col("cote")})
