"""A challenger against the champion: what is right by hand, by statsmodels' formula of McNemar, and how often chance alone wins."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, bootstrap
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from flows.errors import Refused
from flows.training.evaluation import ordered, paired
from flows.training.evaluation.intervals import ratio
from flows.training.evaluation.paired import compare, compare_rows, compare_sums, mcnemar

LABELS = 3
triples = st.lists(st.tuples(*[st.integers(0, LABELS - 1)] * 3), min_size=1, max_size=60)


@settings(deadline=None)
@given(triples)
def test_values_are_those_of_scikit_learn(rows):
    truth, a, b = (np.array(side) for side in zip(*rows, strict=True))
    found = compare(truth, a, b, LABELS)
    expected = [f1_score(truth, side, average="macro") for side in (a, b)]
    assert [found.challenger, found.champion] == pytest.approx(expected)
    assert found.difference == pytest.approx(expected[0] - expected[1])
    assert found.low <= found.high and 0 < found.p_value <= 1 and found.rows == len(rows)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()


@settings(deadline=None)
@given(triples)
def test_the_other_way_round_is_the_opposite(rows):
    truth, a, b = (np.array(side) for side in zip(*rows, strict=True))
    one, other = compare(truth, a, b, LABELS, metric="accuracy"), compare(truth, b, a, LABELS, metric="accuracy")
    assert one.difference == pytest.approx(-other.difference) and one.p_value == other.p_value


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_the_binomial_test_of_the_rows_that_one_has_right(only_left, only_right):
    left = np.array([True] * only_left + [False] * only_right + [True] * 5)
    right = np.array([False] * only_left + [True] * only_right + [True] * 5)
    total, fewest = only_left + only_right, min(only_left, only_right)
    assert mcnemar(left, right) == pytest.approx(min(1.0, 2 * binom.cdf(fewest, total, 0.5)))


def test_the_interval_is_that_of_scipys_paired_bootstrap():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, LABELS, 300)
    a, b = (np.where(generator.random(300) < right, truth, (truth + 1) % LABELS) for right in (0.85, 0.8))
    found = compare(truth, a, b, LABELS)
    difference = lambda t, x, y: f1_score(t, x, average="macro") - f1_score(t, y, average="macro")  # noqa: E731
    expected = bootstrap((truth, a, b), difference, paired=True, vectorized=False, n_resamples=500, method="percentile", rng=generator)
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.012)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.012)


def test_pairing_sees_what_two_intervals_apart_would_not():
    """Both err on the same hard rows; the challenger has twelve more right."""
    truth = np.zeros(1000, int)
    champion = np.where(np.arange(1000) < 300, 1, 0)
    challenger = np.where(np.arange(1000) < 288, 1, 0)
    found = compare(truth, challenger, champion, 2, metric="accuracy")
    assert found.difference == pytest.approx(0.012) and found.low > 0 and found.p_value < 0.001 and found.test == "mcnemar"


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_chance_alone_is_found_significant_one_time_in_twenty(metric):
    generator, significant, outside = np.random.default_rng(3), 0, 0
    for _ in range(200):
        truth = generator.integers(0, 2, 300)
        a, b = (np.where(generator.random(300) < 0.75, truth, 1 - truth) for _ in range(2))
        found = compare(truth, a, b, 2, metric=metric)
        significant += found.p_value < 0.05
        outside += not found.low <= 0 <= found.high
    assert 1 <= significant <= 20 and 1 <= outside <= 20  # the exact test is a little shy


def test_the_same_answers_differ_in_nothing():
    found = compare([0, 1, 2], np.eye(3), np.array([0, 1, 2]), LABELS)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_scores_of_ordered_labels():
    truth, near, far = np.zeros(50, int), np.ones(50, int), np.full(50, 3)
    found = compare(truth, near, far, 4, metric="macro_mae", scores=ordered.scores)
    assert (found.challenger, found.champion, found.difference) == (1, 3, -2)
    undefined = compare(truth, truth, truth, 4, metric="quadratic_kappa", scores=ordered.scores)
    assert undefined.difference is None and undefined.p_value is None


def test_scores_of_rows():
    generator = np.random.default_rng(0)
    errors = generator.exponential(size=20_000)
    found = compare_rows(errors * 0.9, errors, "mae")
    assert found.difference == pytest.approx(-0.1 * errors.mean()) and found.high < 0 and found.p_value < 0.01
    half = 1.96 * 0.1 * errors.std() / 20_000**0.5
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_scores_of_sums_such_as_entities_of_documents():
    """Per document: found, true and predicted."""
    champion = np.array([[1, 2, 2]] * 30)
    challenger = np.array([[2, 2, 2]] * 20 + [[1, 2, 2]] * 10)
    f1 = lambda s: {"f1": ratio(2 * s[:, 0], s[:, 1] + s[:, 2])}  # noqa: E731
    found = compare_sums(challenger, champion, f1, "f1")
    assert found.challenger == pytest.approx(5 / 6) and found.champion == 0.5 and found.low > 0 and found.rows == 30


def test_other_rows_are_refused_without_their_keys():
    truth = np.array([0, 1, 2])
    keys = ["dossier-1", "dossier-2", "dossier-3"]
    compare(truth, truth, truth, LABELS, keys=(keys, list(keys)))
    with pytest.raises(Refused, match="same rows") as error:
        compare(truth, truth, truth, LABELS, keys=(keys, ["dossier-1", "dossier-9", "dossier-3"]))
    assert "row 1" in str(error.value) and "dossier" not in str(error.value)
    for call in (
        lambda: compare(truth, truth[:2], truth, LABELS),
        lambda: compare(truth, truth, truth, LABELS, keys=(keys, keys[:2])),
        lambda: compare_rows(np.ones(2), np.ones(3), "mae"),
    ):
        with pytest.raises(Refused, match="same rows"):
            call()


def test_values_that_are_not_numbers_and_no_rows_are_refused():
    with pytest.raises(Refused, match="the challenger's answers are not numbers"):
        compare([0, 1], np.array([[0.5, np.nan], [0, 1]]), np.eye(2), 2)
    with pytest.raises(Refused, match="no rows"):
        compare([], np.zeros((0, 2)), np.zeros((0, 2)), 2)


@pytest.mark.parametrize("metric, score", [("average_precision", average_precision_score), ("roc_auc", roc_auc_score)])
def test_rankings_are_compared_as_by_drawing_rows(metric, score):
    generator = np.random.default_rng(3)
    truth = (generator.random(400) < 0.2).astype(int)
    better, worse = (np.round(truth * gain + generator.normal(size=400), 2) for gain in (1.0, 0.3))
    found = paired.compare_rankings(truth, better, worse, metric)
    assert found.difference == pytest.approx(score(truth, better) - score(truth, worse))
    drawn = []
    for _ in range(1000):
        rows = generator.integers(0, 400, 400)
        drawn.append(score(truth[rows], better[rows]) - score(truth[rows], worse[rows]))
    np.testing.assert_allclose([found.low, found.high], np.percentile(drawn, [2.5, 97.5]), atol=0.02)
    same = paired.compare_rankings(truth, better, better * 7, metric)
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_many_rows_of_a_ranking_are_drawn_by_neighbouring_scores(monkeypatch):
    generator = np.random.default_rng(5)
    truth = (generator.random(3000) < 0.2).astype(int)
    left, right = (truth * gain + generator.normal(size=3000) for gain in (1.0, 0.8))
    exact = paired.compare_rankings(truth, left, right)
    monkeypatch.setattr(paired, "CELLS", 1000)
    found = paired.compare_rankings(truth, left, right)
    assert found.difference == exact.difference
    np.testing.assert_allclose([found.low, found.high], [exact.low, exact.high], atol=0.004)
