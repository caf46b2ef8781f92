"""Intervals against scipy's bootstrap of rows, and in portions against all at once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import bootstrap

from flows.errors import Refused
from flows.training.evaluation import intervals
from flows.training.evaluation.intervals import RESAMPLES, Sums, checked, draw, interval, ratio, resample


def means(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"mean": ratio(sums[:, 0], sums[:, 1])}


def summed(values: np.ndarray, seed: int = 1) -> Sums:
    sums = Sums(len(values), 2, seed)
    for start in range(0, len(values), 700):
        part = values[start : start + 700]
        sums.add(np.column_stack([part, np.ones(len(part))]))
    return sums


def test_of_few_rows_the_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).exponential(size=400)
    found = summed(values).intervals(means)["mean"]
    expected = bootstrap((values,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert found["value"] == pytest.approx(values.mean())
    assert found["low"] == pytest.approx(expected.low, abs=0.01)
    assert found["high"] == pytest.approx(expected.high, abs=0.01)


def test_blocks_of_many_ordered_rows_have_the_width_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that come in order of their value would make blocks of every hundredth row all alike, and the interval nil."""
    monkeypatch.setattr(intervals, "BLOCKS", 1000)
    values = np.sort(np.random.default_rng(0).exponential(size=50_000))
    found = summed(values).intervals(means)["mean"]
    assert found["value"] == pytest.approx(values.mean())
    half = 1.96 * values.std() / 50_000**0.5
    assert (found["high"] - found["low"]) / 2 == pytest.approx(half, rel=0.12)


@pytest.mark.parametrize("counts", [[3, 1, 0, 2], [500, 300, 200, 1], [1] * 50])
def test_a_draw_has_as_many_rows_and_the_spread_of_the_multinomial(counts: list[int]) -> None:
    """Of few rows a cell and of many, which are drawn in two ways."""
    drawn = np.concatenate(list(draw(np.array(counts))))
    total = sum(counts)
    assert drawn.shape == (RESAMPLES, len(counts)) and (drawn.sum(1) == total).all()
    shares = np.array(counts) / total
    assert drawn.mean(0) == pytest.approx(total * shares, abs=0.1 + 0.01 * total**0.5)
    assert drawn.var(0) == pytest.approx(total * shares * (1 - shares), rel=0.15, abs=0.02)


def test_portions_of_draws_are_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "NUMBERS", 1000)
    drawn = list(draw(np.array([40, 60])))
    assert len(drawn) == 4 and sum(len(d) for d in drawn) == RESAMPLES
    assert [len(d) for d in draw(np.array([40, 60]), wide=500)] == [2] * 1000


def test_draws_without_a_score_do_not_count() -> None:
    found = interval(0.5, np.array([np.nan, 0.2, 0.4, np.nan, 0.6]))
    assert found == {"value": 0.5, "low": pytest.approx(0.21), "high": pytest.approx(0.59)}
    assert interval(0.5, np.array([np.nan])) == {"value": 0.5, "low": None, "high": None}
    assert interval(np.nan, np.array([0.1])) == {"value": None, "low": None, "high": None}


def test_the_same_seed_gives_the_same_draws_and_another_gives_others() -> None:
    first, again, other = (resample(np.array([7, 8]), lambda d: {"n": d[:, 0]}, seed)["n"] for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_a_ratio_of_nothing_is_no_number() -> None:
    assert ratio(np.array([1, 0]), np.array([2, 0])).tolist() == [0.5, pytest.approx(np.nan, nan_ok=True)]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_are_refused_with_their_row(wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "PORTION", 2)
    values = np.full((5, 3), 0.3, dtype=np.float32)
    values[3, 1] = wrong
    with pytest.raises(Refused, match="the probabilities are not numbers") as error:
        checked([0] * 5, values, "the probabilities")
    assert "row 3 of 5" in str(error.value)


def test_no_rows_and_rows_that_do_not_fit() -> None:
    with pytest.raises(Refused, match="no rows"):
        checked([], np.zeros((0, 2)), "the probabilities")
    with pytest.raises(ValueError, match="2 rows of truth and 3"):
        checked([1, 0], np.zeros((3, 2)), "the probabilities")


def test_intervals_are_json() -> None:
    found = intervals.intervals({"a": np.float64(0.5), "b": np.array([0.1, np.nan])}, {"a": np.ones(3), "b": np.ones((3, 2))})
    assert json.loads(json.dumps(found, allow_nan=False))["b"][1] == {"value": None, "low": None, "high": None}
