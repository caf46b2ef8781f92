"""Expectations about the version before: met, not met, not to be evaluated, and what they say."""

from __future__ import annotations

import polars as pl
import pytest

from flows.quality.expectations import select
from flows.quality.previous import DISTRIBUTION, NONE, NULL_SHARE, PREVIOUS, ROW_COUNT, evaluate_previous, on_previous, problems
from flows.quality.suites import Suite

ROWS = pl.DataFrame({"id": range(1000), "canal": ["courriel", "guichet"] * 500, "note": [None, *range(1, 10)] * 100, "liste": [[1]] * 1000})


def check(kind, now=ROWS, previous=ROWS, show=True, severity="critical", **arguments):
    entry = (Suite("s.json", [], ""), {"type": kind, "kwargs": arguments, "severity": severity, "description": "d"})
    [found] = evaluate_previous(now.lazy(), None if previous is None else previous.lazy(), [entry], show_values=show)
    assert found.unexpected_rows is None and found.result.level == "table" and found.result.unexpected is None
    assert (found.result.suite, found.result.severity, found.result.description) == ("s.json", severity, "d")
    return found.result


@pytest.mark.parametrize(
    ("rows", "arguments", "success", "change"),
    [
        (1000, {"max_drop": 0}, True, 0),
        (800, {"max_drop": 0.2}, True, -0.2),
        (799, {"max_drop": 0.2}, False, -0.201),
        (799, {"max_growth": 0.2}, True, -0.201),
        (1200, {"max_drop": 0, "max_growth": 0.2}, True, 0.2),
        (2000, {"max_growth": 0.5}, False, 1),
        (2000, {"max_drop": 0.1}, True, 1),
        (0, {"max_drop": 0.99}, False, -1),
        (0, {"max_drop": 1}, True, -1),
    ],
)
def test_rows(rows, arguments, success, change):
    now = pl.concat([ROWS, ROWS]).head(rows)
    found = check(ROW_COUNT, now, **arguments)
    assert (found.success, found.observed, found.error) == (success, change, "")
    assert bool(found.examples) != success


def test_what_is_said_of_rows():
    assert check(ROW_COUNT, ROWS.head(649), max_drop=0.1).examples == ["649 lignes au lieu de 1\u202f000 (−35 %)"]
    assert check(ROW_COUNT, pl.concat([ROWS, ROWS]), max_growth=0.1).examples == ["2\u202f000 lignes au lieu de 1\u202f000 (+100 %)"]


@pytest.mark.parametrize("kind", PREVIOUS)
@pytest.mark.parametrize("arguments", [{}, {"column": "note"}])
def test_without_a_version_before_it_is_met(kind, arguments):
    arguments = {"max_drop": 0.1} if kind == ROW_COUNT else arguments
    found = check(kind, previous=None, **arguments)
    assert found.success and found.observed == NONE
    assert check(kind, previous=ROWS.clear(), **arguments).success


def test_missing_values():
    emptied = ROWS.with_columns(note=pl.when(pl.col("id") < 300).then(None).otherwise("note"))
    found = check(NULL_SHARE, emptied, column="note", max_change=0.1)
    assert (found.success, found.observed, found.examples) == (False, 0.27, ["37 % de valeurs vides au lieu de 10 %"])
    assert check(NULL_SHARE, emptied, column="note", max_change=0.3).success
    assert not check(NULL_SHARE, ROWS, emptied, column="note", max_change=0.1).success, "fewer are a change as well"
    every = check(NULL_SHARE, emptied)
    assert (every.success, every.examples) == (False, ["« note » : 37 % de valeurs vides au lieu de 10 %"])
    assert check(NULL_SHARE, ROWS).success


def test_a_change_that_chance_explains_is_none():
    before, now = pl.DataFrame({"note": [1, None] * 10}), pl.DataFrame({"note": [1, 1, None] * 7})
    assert check(NULL_SHARE, now, before, column="note", max_change=0.01).success
    assert check(DISTRIBUTION, now, before, column="note", threshold=0.01).success
    assert not check(DISTRIBUTION, pl.concat([now] * 200), pl.concat([before] * 200), column="note", threshold=0.01).success


def test_nan_is_missing():
    now = ROWS.with_columns(pl.col("note").cast(pl.Float64).fill_null(float("nan")))
    assert check(NULL_SHARE, now, column="note", max_change=0).success


def test_a_distribution_that_moved_and_what_is_said():
    now = ROWS.with_columns(canal=pl.when(pl.col("id") < 700).then(pl.lit("guichet")).otherwise(pl.lit("téléphone")))
    found = check(DISTRIBUTION, now, column="canal")
    assert not found.success and 0.5 < found.observed < 1
    assert found.examples == [
        "« courriel » : 0 % au lieu de 50 %",
        "« téléphone » : 30 % au lieu de 0 %",
        "« guichet » : 70 % au lieu de 50 %",
    ]
    assert check(DISTRIBUTION, now, column="canal", show=False).examples == [], "values of persons are not told"
    assert check(DISTRIBUTION, now, column="canal", threshold=1).success
    assert check(DISTRIBUTION, now, column="canal", threshold=None).arguments == {"column": "canal", "threshold": None}
    every = check(DISTRIBUTION, now.drop("liste"), ROWS.drop("liste"))
    assert not every.success and every.examples == [f"« canal » (écart {found.observed:.2f})".replace(".", ",")]


def test_dates_move_on_and_that_is_no_shift_unless_it_is_asked_for():
    before = pl.DataFrame({"jour": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 12, 31), eager=True)})
    now = before.with_columns(pl.col("jour").dt.offset_by("1y"))
    assert check(DISTRIBUTION, now, before).success
    assert not check(DISTRIBUTION, now, before, column="jour").success


def test_an_emptied_table_is_as_far_as_can_be():
    assert check(DISTRIBUTION, ROWS.clear(), column="canal").observed == 1
    assert not check(DISTRIBUTION, ROWS.clear(), column="canal").success
    assert check(DISTRIBUTION, ROWS.clear(), ROWS.clear(), column="canal").success


def test_columns_that_come_and_go():
    assert check(DISTRIBUTION, ROWS.with_columns(neuf=1), column="neuf").observed == "colonne absente de la version précédente"
    for kind in (DISTRIBUTION, NULL_SHARE):
        gone = check(kind, ROWS, column="parti")
        assert not gone.success and "parti" in gone.error
    assert "List" in check(DISTRIBUTION, column="liste").error
    assert check(NULL_SHARE, column="liste").success


@pytest.mark.parametrize(
    ("kind", "arguments", "named"),
    [
        (ROW_COUNT, {}, "max_drop or max_growth"),
        (ROW_COUNT, {"max_drop": 20}, "max_drop"),
        (ROW_COUNT, {"max_drop": -0.1}, "max_drop"),
        (ROW_COUNT, {"max_drop": "0.1"}, "max_drop"),
        (ROW_COUNT, {"max_drop": True}, "max_drop"),
        (ROW_COUNT, {"max_drop": 0.1, "column": "id"}, "'column'"),
        (DISTRIBUTION, {"column": "id", "threshold": 1.5}, "threshold"),
        (DISTRIBUTION, {"column": ["id"]}, "column"),
        (NULL_SHARE, {"column": "id", "mostly": 0.9}, "'mostly'"),
    ],
)
def test_arguments_that_are_wrong_are_said(kind, arguments, named):
    assert any(named in p for p in problems(kind, arguments))
    found = check(kind, **arguments)
    assert not found.success and named in found.error


def test_right_arguments_have_no_problems():
    assert (
        problems(ROW_COUNT, {"max_growth": 4})
        == problems(DISTRIBUTION, {})
        == problems(NULL_SHARE, {"column": "x", "max_change": 0.1})
        == []
    )


def test_they_are_chosen_here_and_nowhere_else():
    entries = [{"type": kind, "kwargs": {}} for kind in PREVIOUS]
    suite = Suite("s.json", [*entries, {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}}], "")
    assert [e["type"] for _, e in on_previous([suite])] == list(PREVIOUS)
    on_batch, on_table = select([suite])
    assert len(on_batch.entries) == 1 and not on_table
