"""Splits by entity and by time: what is known of an entity never helps to be tested on it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.errors import ConfigurationError
from flows.project import Split
from flows.training.split import sides

ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.one_of(st.none(), st.integers(2017, 2021))), min_size=1, max_size=60)


def frame(rows):
    return pl.DataFrame(
        {"id": range(len(rows)), "siren": [r[0] for r in rows], "annee": [r[1] for r in rows]},
        schema={"id": pl.Int64, "siren": pl.String, "annee": pl.Int64},
    )


def sides_of_entities(table, side, why):
    found = defaultdict(set)
    for entity, on, left_out in zip(table["siren"], side, why, strict=True):
        if left_out is None:
            found[entity].add(on)
    return found


@given(ROWS)
def test_an_entity_is_on_one_side(rows):
    table = frame(rows)
    for split in (
        Split(by="group", group="siren"),
        Split(by="time", column="annee", group="siren", test_from=2020),
        Split(by="time", column="annee", group="siren", validation_from=2019, test_from=2020),
    ):
        side, why = sides(table, ["id"], split)
        assert all(len(on) == 1 for on in sides_of_entities(table, side, why).values())


@given(ROWS)
def test_by_time_the_test_side_is_what_comes_later(rows):
    table = frame(rows)
    side, why = sides(table, ["id"], Split(by="time", column="annee", validation_from=2019, test_from=2020))
    for year, on, left_out in zip(table["annee"], side, why, strict=True):
        assert left_out == ("without_time" if year is None else None)
        if year is not None:
            assert on == ("test" if year >= 2020 else "validation" if year == 2019 else "train")


def test_without_a_bound_validation_is_a_share_of_the_earlier_rows():
    table = frame([(str(i), 2018 + i % 2) for i in range(4000)])
    side, _ = sides(table, ["id"], Split(by="time", column="annee", test_from=2019, validation=0.2))
    shares = table.with_columns(side=side).group_by("annee", "side").len().sort("annee", "side").rows()
    assert [(y, s) for y, s, _ in shares] == [(2018, "train"), (2018, "validation"), (2019, "test")]
    assert shares[1][2] / 2000 == pytest.approx(0.2, abs=0.03)


def test_an_entity_seen_later_leaves_its_earlier_rows_out():
    table = frame([("a", 2018), ("a", 2020), ("b", 2018), ("a", 2020)])
    side, why = sides(table, ["id"], Split(by="time", column="annee", group="siren", test_from=2020, validation=0.01))
    assert why.to_list() == ["earlier_row_of_entity", None, None, None] and side.to_list()[1::2] == ["test", "test"]


def test_a_bound_of_another_type_is_said():
    with pytest.raises(ConfigurationError, match="annee"):
        sides(frame([("a", 2018)]), ["id"], Split(by="time", column="annee", test_from=date(2020, 1, 1)))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"by": "group"}, "group"),
        ({"by": "time", "column": "annee"}, "test_from"),
        ({"by": "key", "group": "siren"}, "group"),
        ({"test_from": 2020}, "by: time"),
        ({"by": "time", "column": "annee", "test_from": 2020, "validation_from": 2020}, "before"),
        ({"by": "time", "column": "annee", "test_from": 2020, "validation_from": date(2019, 1, 1)}, "two kinds"),
    ],
)
def test_what_a_split_needs(keys, said):
    with pytest.raises(ValidationError, match=said):
        Split(**keys)
