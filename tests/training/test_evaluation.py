"""Scores against scikit-learn's, and intervals that hold what they promise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from flows.errors import Refused
from flows.training.evaluation import confusion, evaluate, scores

LABELS = ["a", "b", "c", "d"]
pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def certain(predicted) -> np.ndarray:
    return np.eye(len(LABELS), dtype=np.float32)[np.asarray(predicted)]


@settings(deadline=None)
@given(pairs)
def test_scores_are_those_of_scikit_learn(rows):
    truth, predicted = zip(*rows, strict=True)
    found = evaluate(truth, certain(predicted), LABELS)
    assert found["rows"] == len(rows)
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(truth, predicted))
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert found["confusion"] == confusion_matrix(truth, predicted, labels=range(4)).tolist()


@settings(deadline=None)
@given(pairs)
def test_scores_of_each_label_are_those_of_scikit_learn(rows):
    truth, predicted = zip(*rows, strict=True)
    found = evaluate(truth, certain(predicted), LABELS)["per_label"]
    precision = precision_score(truth, predicted, average=None, labels=range(4), zero_division=np.nan)
    recall = recall_score(truth, predicted, average=None, labels=range(4), zero_division=np.nan)
    for i, label in enumerate(LABELS):
        assert found[i]["label"] == label and found[i]["rows"] == truth.count(i)
        for name, value in (("precision", precision[i]), ("recall", recall[i])):
            assert found[i][name] is None if np.isnan(value) else found[i][name] == pytest.approx(value)


@settings(deadline=None)
@given(pairs)
def test_an_interval_is_in_order_and_within_bounds(rows):
    truth, predicted = zip(*rows, strict=True)
    found = evaluate(truth, certain(predicted), LABELS)
    for name in ("accuracy", "macro_f1"):
        assert 0 <= found[name]["low"] <= found[name]["high"] <= 1


def test_the_interval_of_accuracy_covers_the_true_value_as_often_as_it_says():
    """300 draws of 400 rows from a model that is right 80 times in 100: about 95 % of the intervals hold 0.8."""
    generator, held = np.random.default_rng(7), 0
    for _ in range(300):
        truth = generator.integers(0, 4, 400)
        predicted = np.where(generator.random(400) < 0.8, truth, (truth + 1) % 4)
        found = evaluate(truth, certain(predicted), LABELS)["accuracy"]
        held += found["low"] <= 0.8 <= found["high"]
    assert 0.90 <= held / 300 <= 0.99


def test_the_interval_is_that_of_the_binomial():
    truth, predicted = [0] * 1000, [0] * 800 + [1] * 200
    found = evaluate(truth, certain(predicted), LABELS)["accuracy"]
    half = 1.96 * (0.8 * 0.2 / 1000) ** 0.5
    assert found["low"] == pytest.approx(0.8 - half, abs=0.005)
    assert found["high"] == pytest.approx(0.8 + half, abs=0.005)


def test_more_rows_make_a_narrower_interval():
    widths = []
    for count in (50, 5000):
        truth = np.arange(count) % 4
        predicted = np.where(np.arange(count) % 5 == 0, (truth + 1) % 4, truth)
        found = evaluate(truth, certain(predicted), LABELS)["macro_f1"]
        widths.append(found["high"] - found["low"])
    assert widths[1] < widths[0] / 5


def test_the_same_rows_give_the_same_numbers():
    truth, predicted = [0, 1, 2, 3] * 10, [0, 1, 2, 2] * 10
    assert evaluate(truth, certain(predicted), LABELS) == evaluate(truth, certain(predicted), LABELS)


def test_many_tables_at_once_are_each_table_alone():
    tables = np.random.default_rng(3).integers(0, 9, (5, 4, 4))
    together = scores(tables)
    for i, table in enumerate(tables):
        for name, value in scores(table).items():
            assert together[name][i] == pytest.approx(float(value))


def test_rows_of_the_confusion_are_the_truth():
    assert confusion([0, 0], np.array([1, 1]), 2).tolist() == [[0, 2], [0, 0]]


@settings(deadline=None)
@given(pairs)
def test_f1_of_each_label_is_that_of_scikit_learn_and_within_its_interval(rows):
    truth, predicted = zip(*rows, strict=True)
    found = evaluate(truth, certain(predicted), LABELS)["per_label"]
    expected = f1_score(truth, predicted, average=None, labels=range(4), zero_division=np.nan)
    for entry, value in zip(found, expected, strict=True):
        interval = entry["intervals"]["f1"]
        assert entry["f1"] == interval["value"]
        if np.isnan(value):
            assert interval == {"value": None, "low": None, "high": None}
        else:
            assert entry["f1"] == pytest.approx(value) and 0 <= interval["low"] <= interval["high"] <= 1


def test_the_interval_of_a_recall_is_wider_for_a_rare_label():
    truth = np.array([0] * 2000 + [1] * 40)
    predicted = np.where(np.arange(2040) % 5 == 0, 1 - truth, truth)
    common, rare = evaluate(truth, np.eye(2)[predicted], ["a", "b"])["per_label"]
    assert rare["recall"] == common["recall"] == pytest.approx(0.8)
    half = 1.96 * (0.8 * 0.2 / 40) ** 0.5
    assert rare["intervals"]["recall"]["low"] == pytest.approx(0.8 - half, abs=0.03)
    assert common["intervals"]["recall"]["low"] > 0.78


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=60))
def test_areas_of_two_labels_are_those_of_scikit_learn(rows):
    truth, scores_ = np.array([t for t, _ in rows]).astype(int), np.array([s / 8 for _, s in rows])
    found = evaluate(truth, np.column_stack([1 - scores_, scores_]), ["no", "yes"])
    if truth.min() == truth.max():
        assert found["roc_auc"]["value"] is None and found["average_precision"]["value"] is None
    else:
        assert found["roc_auc"]["value"] == pytest.approx(roc_auc_score(truth, scores_))
        assert found["average_precision"]["value"] == pytest.approx(average_precision_score(truth, scores_))


def test_average_precision_is_about_the_label_that_is_asked_for():
    truth, yes = np.array([0, 0, 0, 1]), np.array([0.1, 0.2, 0.9, 0.4])
    both = np.column_stack([1 - yes, yes])
    found = [evaluate(truth, both, ["no", "yes"], positive=p) for p in ("no", "yes", None)]
    assert [f["positive"] for f in found] == ["no", "yes", "yes"]
    expected = [average_precision_score(truth == 0, 1 - yes), average_precision_score(truth == 1, yes)]
    assert [f["average_precision"]["value"] for f in found[:2]] == pytest.approx(expected)
    assert found[0]["roc_auc"]["value"] == pytest.approx(found[1]["roc_auc"]["value"])


def test_labels_taken_for_each_other_come_with_the_most_frequent_first():
    found = evaluate([0, 0, 0, 1, 2], certain([1, 1, 2, 1, 0])[:, :3], LABELS[:3])["confused"]
    assert found[0] == {"truth": "a", "predicted": "b", "rows": 2}
    assert {(c["truth"], c["predicted"]) for c in found[1:]} == {("a", "c"), ("c", "a")} and len(found) == 3


def test_a_single_row():
    for predicted, value in ((0, 1.0), (1, 0.0)):
        found = evaluate([0], certain([predicted]), LABELS)
        assert found["accuracy"] == {"value": value, "low": value, "high": value} and found["rows"] == 1
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_probabilities_that_are_not_numbers_are_refused():
    broken = certain([0, 1]).copy()
    broken[1, 2] = np.nan
    with pytest.raises(Refused, match="not numbers"):
        evaluate([0, 1], broken, LABELS)


@pytest.mark.parametrize(
    ("truth", "shape", "why"), [([0, 4], (2, 4), "outside"), ([-1, 0], (2, 4), "outside"), ([0, 1], (2, 3), "for 4 labels")]
)
def test_numbers_that_are_no_labels_are_said(truth, shape, why):
    with pytest.raises(ValueError, match=why):
        evaluate(truth, np.full(shape, 0.25), LABELS)


def test_of_many_labels_the_table_is_left_out_and_the_scores_stay():
    labels = [f"l{i}" for i in range(300)]
    truth = np.arange(3000) % 300
    predicted = np.where(np.arange(3000) // 300 == 0, (truth + 1) % 300, truth)  # one row in ten of each label
    found = evaluate(truth, np.eye(300, dtype=np.float32)[predicted], labels)
    assert "confusion" not in found and len(found["confused"]) == 20 and len(found["per_label"]) == 300
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert found["macro_f1"]["low"] < 0.9 < found["macro_f1"]["high"]


def test_probabilities_may_be_a_file(tmp_path):
    """A side that does not fit in memory is written by the trainer and read here in portions."""
    truth = np.arange(50) % 4
    file = np.memmap(tmp_path / "p", dtype=np.float32, mode="w+", shape=(50, 4))
    file[:] = certain((truth + (truth == 3)) % 4)
    assert evaluate(truth, file, LABELS) == evaluate(truth, np.array(file), LABELS)
