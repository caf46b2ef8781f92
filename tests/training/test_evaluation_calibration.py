"""Calibration on probabilities whose truth was drawn from known ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit, softmax
from sklearn.metrics import log_loss

from flows.errors import Refused
from flows.training.evaluation import calibration, intervals


def side(rows: int, temperature: float, seed: int, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """(truth, probabilities of a model that is too sure by this temperature)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.5, (rows, labels))
    honest = softmax(logits, 1)
    truth = (honest.cumsum(1) < generator.random(rows)[:, None]).sum(1)
    return np.minimum(truth, labels - 1), softmax(logits * temperature, 1).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    assert calibration.fit_temperature(*side(20_000, temperature, 0)) == pytest.approx(temperature, rel=0.05)


def test_a_model_that_is_too_sure_is_made_honest_on_other_rows() -> None:
    found = calibration.report(side(3000, 3.0, 1), side(3000, 3.0, 2))
    assert found["ece_before"]["low"] > 0.1 and found["ece_after"]["value"] < 0.04 and found["ece_after"]["low"] == 0
    assert found["nll_after"]["value"] < found["nll_before"]["value"] - 0.2
    truth, probabilities = side(3000, 3.0, 2)
    probabilities = probabilities.astype(float) / probabilities.astype(float).sum(1, keepdims=True)
    assert found["nll_before"]["value"] == pytest.approx(log_loss(truth, probabilities, labels=range(4)), rel=1e-3)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_curve_has_bins_of_about_as_many_rows() -> None:
    curve = calibration.measure(*side(1500, 1.0, 3))["curve"]
    assert [c["rows"] for c in curve] == [100] * 15
    confidences = [c["confidence"] for c in curve]
    assert confidences == sorted(confidences)
    assert sum(c["accuracy"]["low"] <= c["confidence"] <= c["accuracy"]["high"] for c in curve) >= 12


def test_the_error_by_hand() -> None:
    """Ten rows at 0.9, of which seven are right; ten at 0.6, of which five are: 0.5 * 0.2 + 0.5 * 0.1."""
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    truth = np.array([0] * 7 + [1] * 3 + [0] * 5 + [1] * 5)
    found = calibration.measure(truth, probabilities, bins=2)
    assert found["ece"]["value"] == pytest.approx(0.15) and len(found["curve"]) == 2


@pytest.mark.parametrize(("temperature", "true_error"), [(1.0, 0.0), (2.0, None)])
def test_the_interval_of_the_error_holds_the_true_one(temperature: float, true_error: float | None) -> None:
    """Of a well-calibrated model it is 0, though that of a few hundred rows never is."""
    if true_error is None:
        true_error = calibration.measure(*side(200_000, temperature, 99))["ece"]["value"]
    found = [calibration.measure(*side(600, temperature, seed))["ece"] for seed in range(40)]
    assert sum(f["low"] <= true_error <= f["high"] for f in found) >= 36
    if true_error == 0:
        assert min(f["value"] for f in found) > 0.01
    else:
        assert all(f["low"] > 0 for f in found)


@settings(deadline=None)
@given(st.integers(0, 100), st.floats(0.1, 10))
def test_scaling_is_dividing_logits(seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 2, (5, 3))
    assert calibration.scaled(softmax(logits, 1), temperature) == pytest.approx(softmax(logits / temperature, 1), abs=1e-6)
    several = calibration.scaled(expit(logits), temperature, several=True)
    assert several == pytest.approx(expit(logits / temperature), abs=1e-6)
    assert (calibration.scaled(softmax(logits, 1), temperature).argmax(1) == logits.argmax(1)).all()


def test_several_labels_share_one_temperature() -> None:
    generator = np.random.default_rng(0)
    honest = expit(generator.normal(-1, 1.5, (6000, 3)))
    truth = (generator.random((6000, 3)) < honest).astype(int)
    sure = expit(2 * logit(honest))
    assert calibration.fit_temperature(truth, sure) == pytest.approx(2.0, rel=0.06)
    found = calibration.report((truth[:3000], sure[:3000]), (truth[3000:], sure[3000:]))
    assert found["rows"] == 3000 and found["ece_after"]["value"] < found["ece_before"]["value"] / 2
    assert sum(c["rows"] for c in found["curve_after"]) == 9000


def test_a_model_that_has_everything_right_and_one_row() -> None:
    truth, sure = np.array([0, 1]), np.array([[0.9, 0.1], [0.1, 0.9]])
    assert calibration.fit_temperature(truth, sure) < 0.1  # as sure as it may become
    one = calibration.measure(truth[:1], sure[:1])
    assert one["ece"]["value"] == pytest.approx(0.1) and len(one["curve"]) == 1


def test_certainty_that_is_wrong_costs_much_and_not_everything() -> None:
    found = calibration.measure(np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32))
    assert 5 < found["nll"]["value"] < 20 and len(found["curve"]) == 1


def test_values_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(Refused, match="not numbers"):
        calibration.fit_temperature(np.array([0]), np.array([[np.nan, 1]]))


def test_portions_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = side(1000, 2.0, 5)
    whole = calibration.measure(*rows)
    monkeypatch.setattr(intervals, "PORTION", 130)
    assert calibration.measure(*rows)["ece"]["value"] == pytest.approx(whole["ece"]["value"])
