"""Scores of the other tasks, against scikit-learn and by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    cohen_kappa_score,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
    median_absolute_error,
    ndcg_score,
    r2_score,
    roc_auc_score,
)

from flows.errors import Refused
from flows.training.evaluation import intervals, multilabel, ordered, ranking, regression, retrieval
from flows.training.evaluation.score_table import ScoreTable, at_top

tables = st.lists(st.tuples(st.tuples(*[st.booleans()] * 3), st.tuples(*[st.integers(0, 4)] * 3)), min_size=1, max_size=40)


def is_json(found: dict) -> bool:
    return json.loads(json.dumps(found, allow_nan=False)) == found


# ---- several labels ----


@settings(deadline=None)
@given(tables)
def test_scores_of_several_labels_are_those_of_scikit_learn(rows):
    truth, probabilities = np.array([t for t, _ in rows]).astype(int), np.array([p for _, p in rows]) / 4
    found = multilabel.evaluate(truth, probabilities, ["a", "b", "c"])
    given_ = (probabilities >= 0.5).astype(int)
    assert found["subset_accuracy"]["value"] == pytest.approx(accuracy_score(truth, given_))
    each = f1_score(truth, given_, average=None, zero_division=np.nan)
    if (truth | given_).any():
        assert found["micro_f1"]["value"] == pytest.approx(f1_score(truth, given_, average="micro"))
        assert found["macro_f1"]["value"] == pytest.approx(np.nanmean(each))
    else:
        assert found["micro_f1"]["value"] is None and found["macro_f1"]["value"] is None
    for entry, value in zip(found["per_label"], each, strict=True):
        assert entry["f1"] is None if np.isnan(value) else entry["f1"] == pytest.approx(value)
    assert [e["rows"] for e in found["per_label"]] == truth.sum(0).tolist() and is_json(found)


def test_thresholds_give_the_best_f1_on_the_rows_they_are_chosen_on():
    generator = np.random.default_rng(0)
    truth = (generator.random((2000, 3)) < [0.5, 0.1, 0.02]).astype(int)
    probabilities = np.clip(generator.normal(0.2 + 0.25 * truth, 0.12), 0, 1)
    chosen = multilabel.choose_thresholds(truth, probabilities)
    for i in range(3):
        every = [f1_score(truth[:, i], probabilities[:, i] >= cut) for cut in np.linspace(0, 1, 201)]
        assert f1_score(truth[:, i], probabilities[:, i] >= chosen[i]) >= max(every) - 1e-9
    better, worse = (multilabel.evaluate(truth, probabilities, list("abc"), t)["macro_f1"]["value"] for t in (chosen, 0.5))
    assert better > worse + 0.1


def test_a_label_with_two_rows_keeps_its_threshold():
    truth, probabilities = np.zeros((100, 2), int), np.full((100, 2), 0.1)
    truth[:2, 0], truth[:50, 1], probabilities[:50, 1] = 1, 1, 0.3
    assert multilabel.choose_thresholds(truth, probabilities).tolist() == [0.5, pytest.approx(0.2)]


def test_rows_without_any_label_and_a_single_row():
    found = multilabel.evaluate(np.zeros((1, 2), int), np.full((1, 2), 0.1), ["a", "b"])
    assert found["subset_accuracy"]["value"] == 1.0 and found["micro_f1"]["value"] is None and is_json(found)


def test_several_labels_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="0 or 1"):
        multilabel.evaluate(np.full((2, 2), 2), np.zeros((2, 2)), ["a", "b"])
    with pytest.raises(ValueError, match="shape"):
        multilabel.evaluate(np.zeros((2, 3), int), np.zeros((2, 2)), ["a", "b"])
    with pytest.raises(Refused, match="not numbers"):
        multilabel.evaluate(np.zeros((2, 2), int), np.array([[0.1, np.nan], [0, 0]]), ["a", "b"])


# ---- ordered labels ----


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=50))
def test_scores_of_ordered_labels(rows):
    truth, predicted = (np.array(side) for side in zip(*rows, strict=True))
    found = ordered.evaluate(truth, np.eye(5)[predicted], list("ABCDE"))
    by_label = [np.abs(predicted - truth)[truth == label].mean() for label in np.unique(truth)]
    assert found["macro_mae"]["value"] == pytest.approx(np.mean(by_label))
    assert found["within_one"]["value"] == pytest.approx((np.abs(predicted - truth) <= 1).mean())
    if len({*truth, *predicted}) > 1:
        assert found["quadratic_kappa"]["value"] == pytest.approx(cohen_kappa_score(truth, predicted, labels=range(5), weights="quadratic"))
    else:
        assert found["quadratic_kappa"]["value"] is None
    assert {"accuracy", "macro_f1", "per_label"} < set(found) and is_json(found)


def test_an_error_of_a_rare_label_counts_as_much_as_of_a_frequent_one():
    """By hand: 98 rows of A all right; 2 rows of E given as A, 4 steps off: (0 + 4) / 2."""
    found = ordered.evaluate([0] * 98 + [4] * 2, np.eye(5)[[0] * 100], list("ABCDE"))
    assert found["macro_mae"]["value"] == 2.0 and found["accuracy"]["value"] == 0.98


# ---- numbers ----


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=50))
def test_scores_of_numbers_are_those_of_scikit_learn(rows):
    truth, predicted = (np.array(side) for side in zip(*rows, strict=True))
    found = regression.evaluate(truth, predicted)
    assert found["mae"]["value"] == pytest.approx(mean_absolute_error(truth, predicted))
    assert found["rmse"]["value"] == pytest.approx(mean_squared_error(truth, predicted) ** 0.5)
    assert found["median_error"]["value"] == pytest.approx(median_absolute_error(truth, predicted))
    assert found["bias"]["value"] == pytest.approx((predicted - truth).mean(), abs=1e-6)
    if truth.std() > 1e-3 * max(np.abs(truth).max(), np.abs(truth - predicted).max()):
        assert found["r2"]["value"] == pytest.approx(r2_score(truth, predicted), rel=1e-6, abs=1e-6)
    assert sum(b["rows"] for b in found["by_truth"]) == len(rows) and is_json(found)
    for name in ("mae", "rmse", "median_error"):
        assert found[name]["low"] <= found[name]["high"]


def test_the_r2_of_numbers_far_from_zero():
    """Sums of squares around 1e9 would lose what matters; they are taken around the mean."""
    generator = np.random.default_rng(0)
    truth = 1e9 + generator.normal(size=500)
    predicted = truth + generator.normal(0, 0.5, 500)
    assert regression.evaluate(truth, predicted)["r2"]["value"] == pytest.approx(r2_score(truth, predicted), abs=1e-6)


def test_the_interval_of_a_median_is_that_of_the_bootstrap():
    values = np.random.default_rng(4).exponential(size=301)
    found = regression.median_interval(values)
    expected = bootstrap((values,), np.median, n_resamples=9999, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert found["low"] == pytest.approx(expected.low, abs=0.03) and found["high"] == pytest.approx(expected.high, abs=0.03)


def test_coverage_of_prediction_intervals_and_bins_of_the_truth():
    truth = np.arange(100.0)
    found = regression.evaluate(truth, truth + 1, truth - 1, np.where(truth < 60, truth + 3, truth - 0.5))
    assert found["coverage"]["value"] == 0.6 and found["width"]["value"] == pytest.approx(0.6 * 4 + 0.4 * 0.5)
    assert [(b["from"], b["to"], b["rows"]) for b in found["by_truth"]] == [(20 * i, 20 * i + 19, 20) for i in range(5)]
    assert [b["coverage"]["value"] for b in found["by_truth"]] == [1, 1, 1, 0, 0]
    assert "coverage" not in regression.evaluate(truth, truth)


def test_numbers_that_do_not_vary_and_one_row():
    found = regression.evaluate([5.0] * 10, [6.0] * 10)
    assert found["r2"] == {"value": None, "low": None, "high": None} and found["mae"]["value"] == 1
    one = regression.evaluate([5.0], [7.0])
    assert one["mae"] == {"value": 2, "low": 2, "high": 2} == one["median_error"] and len(one["by_truth"]) == 1 and is_json(one)


def test_a_prediction_that_is_no_number_is_refused():
    with pytest.raises(Refused, match="not numbers"):
        regression.evaluate([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(ValueError, match="two ends"):
        regression.evaluate([1.0], [1.0], [0.0])


# ---- rankings ----


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=80))
def test_scores_of_a_ranking(rows):
    truth, scores = np.array([t for t, _ in rows]).astype(int), np.array([s for _, s in rows], dtype=float)
    found = ranking.evaluate(truth, scores, counts=[1, 500])
    assert found["base_rate"]["value"] == pytest.approx(truth.mean()) and is_json(found)
    assert "precision_at_500" not in found and found["looked_at"]["1"] == 1
    first = truth[scores == scores.max()].mean()  # of rows with the highest score, any may come first
    assert found["precision_at_1"]["value"] == pytest.approx(first)
    if 0 < truth.sum() < len(truth):
        assert found["roc_auc"]["value"] == pytest.approx(roc_auc_score(truth, scores))
        assert found["average_precision"]["value"] == pytest.approx(average_precision_score(truth, scores))
        assert found["lift_at_1"]["value"] == pytest.approx(first / truth.mean())
    elif not truth.any():
        assert found["recall_at_10pct"]["value"] is None and found["lift_at_10pct"]["value"] is None


def test_the_top_of_a_ranking_by_hand():
    """200 rows, 20 positive; 8 of the first 10 (5 %) are: precision 0.8, recall 0.4, lift 8."""
    truth = np.zeros(200, int)
    truth[[0, 1, 2, 3, 5, 6, 8, 9]], truth[100:112] = 1, 1
    found = ranking.evaluate(truth, -np.arange(200.0))
    assert (found["precision_at_5pct"]["value"], found["recall_at_5pct"]["value"], found["lift_at_5pct"]["value"]) == (0.8, 0.4, 8.0)
    assert found["looked_at"] == {"1pct": 2, "5pct": 10, "10pct": 20} and found["positives"] == 20
    first = lambda t, s: t[np.argsort(-s, kind="stable")][:10].mean()  # noqa: E731
    pair = (truth, -np.arange(200.0))
    expected = bootstrap(pair, first, paired=True, vectorized=False, n_resamples=2000, method="percentile", rng=np.random.default_rng(0))
    assert found["precision_at_5pct"]["low"] == pytest.approx(expected.confidence_interval.low, abs=0.05)
    assert found["precision_at_5pct"]["high"] == pytest.approx(expected.confidence_interval.high, abs=0.05)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any), min_size=1, max_size=12), st.data())
def test_the_top_is_the_mean_over_the_orders_of_equal_scores(counts, data):
    positives, negatives = np.array(counts).T
    k = data.draw(st.integers(1, int(positives.sum() + negatives.sum())))
    expected, left = 0.0, k
    for p, n in counts:
        taken = min(left, p + n)
        expected, left = expected + taken * p / (p + n), left - taken
    assert at_top(positives, negatives, [k])[0] == pytest.approx(expected)


def test_scores_taken_together_move_neither_the_score_nor_much_of_its_interval():
    generator = np.random.default_rng(0)
    truth = generator.random(4000) < 0.2
    scores = generator.normal(truth * 0.8)
    found = ranking.evaluate(truth, scores)
    assert found["roc_auc"]["value"] == pytest.approx(roc_auc_score(truth, scores))
    both = (truth, scores)
    expected = bootstrap(both, roc_auc_score, paired=True, vectorized=False, n_resamples=400, method="percentile", rng=generator)
    assert found["roc_auc"]["low"] == pytest.approx(expected.confidence_interval.low, abs=0.004)
    assert found["roc_auc"]["high"] == pytest.approx(expected.confidence_interval.high, abs=0.004)
    table = ScoreTable.of(truth, scores)
    small = table.binned(50)
    assert len(small.scores) <= 51 and small.rows == table.rows == 4000 and small.positives.sum() == truth.sum()


def test_a_ranking_is_of_zeros_and_ones():
    with pytest.raises(ValueError, match="0 or 1"):
        ranking.evaluate(np.array([0, 2]), np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="one a row"):
        ranking.evaluate(np.array([0, 1]), np.zeros((2, 2)))


# ---- retrieval ----


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 40))
def test_ranks_in_portions_are_those_of_sorting(seed, queries, answers):
    generator = np.random.default_rng(seed)
    q, a = generator.normal(size=(queries, 4)), generator.normal(size=(answers, 4)).astype(np.float32)
    right = [sorted(generator.choice(answers, generator.integers(1, min(3, answers) + 1), replace=False)) for _ in range(queries)]
    similar = q @ a.T
    expected = [[1 + int((similar[i] > similar[i, j]).sum()) for j in numbers] for i, numbers in enumerate(right)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "SIMILARITIES", 30)
        assert [r.tolist() for r in retrieval.ranks(q, a, right)] == expected
    assert [r.tolist() for r in retrieval.ranks(q, a, right)] == expected


def test_a_model_that_finds_all_alike_finds_nothing():
    found = retrieval.ranks(np.ones((2, 3)), np.ones((50, 3)), [[0], [49]])
    assert [r.tolist() for r in found] == [[50], [50]]


def test_scores_of_a_search_by_hand():
    found = retrieval.evaluate([np.array([1]), np.array([4]), np.array([2, 11])])
    assert found["mrr"]["value"] == pytest.approx((1 + 1 / 4 + 1 / 2) / 3)
    assert found["recall_at_1"]["value"] == pytest.approx(1 / 3)
    assert found["recall_at_5"]["value"] == pytest.approx((1 + 1 + 0.5) / 3) == found["recall_at_10"]["value"]
    assert found["rows"] == 3 and is_json(found)


@settings(deadline=None)
@given(st.lists(st.integers(0, 29), min_size=1, max_size=12, unique=True))
def test_the_gain_is_that_of_scikit_learn(right):
    relevant = np.zeros((1, 30))
    relevant[0, right] = 1
    expected = ndcg_score(relevant, -np.arange(30.0)[None], k=10)
    assert retrieval.evaluate([np.array(right) + 1])["ndcg_at_10"]["value"] == pytest.approx(expected)


def test_a_query_without_an_answer_is_said():
    with pytest.raises(ValueError, match="no right answer"):
        retrieval.evaluate([np.array([1]), np.array([], int)])
    with pytest.raises(Refused, match="no queries"):
        retrieval.evaluate([])
    with pytest.raises(Refused, match="not numbers"):
        retrieval.ranks(np.array([[np.nan]]), np.ones((2, 1)), [[0]])


def test_portions_of_rows_give_the_same_scores(monkeypatch):
    generator = np.random.default_rng(0)
    truth, scores = generator.normal(size=999), generator.normal(size=999)
    whole = regression.evaluate(truth, scores)
    monkeypatch.setattr(intervals, "PORTION", 100)
    portions = regression.evaluate(truth, scores)
    for name in ("mae", "rmse", "r2"):
        assert portions[name] == pytest.approx(whole[name])
