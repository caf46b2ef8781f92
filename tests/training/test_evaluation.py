"""Scores against scikit-learn's, and intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from flows.training.evaluation import confusion, evaluate, scores

LABELS = ["a", "b", "c", "d"]
pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def certain(predicted) -> np.ndarray:
    return np.eye(len(LABELS), dtype=np.float32)[np.asarray(predicted)]


@given(pairs)
def test_scores_are_those_of_scikit_learn(rows):
    truth, predicted = zip(*rows, strict=True)
    found = evaluate(truth, certain(predicted), LABELS)
    assert found["rows"] == len(rows)
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(truth, predicted))
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert found["confusion"] == confusion_matrix(truth, predicted, labels=range(4)).tolist()


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
