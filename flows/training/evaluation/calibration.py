"""Whether a probability of 0.8 is right in 80 cases of 100, and one number that makes it so.

Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017: dividing the logits by a temperature fitted on the
validation side. It changes no answer (of one label a row), only how sure the model says it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import CONFIDENCE, RESAMPLES, SEED, Array, Interval, Sums, checked, intervals, portions, ratio

BINS = 15
TEMPERATURES = (0.05, 20.0)
FITTED_ROWS = 100_000  # of the validation side, at most: one number needs no more
EDGES_FROM = 1_000_000  # probabilities that the bins are made from
TINY = 1e-7  # what a probability of 0 counts as


def report(validation: tuple[Array, Array], test: tuple[Array, Array], seed: int = SEED) -> dict[str, Any]:
    """The temperature fitted on `validation`, and what it does on `test`: ece and nll before and after, with intervals, and the curves.

    Each side is (truth, probabilities): label numbers (n,) and probabilities (n, labels); or, for several labels a row, 0 or 1 (n, labels)
    and probabilities of the same shape. Raises: Refused for no rows or NaN.
    """
    temperature = fit_temperature(*validation, seed=seed)
    result: dict[str, Any] = {"rows": len(test[0]), "temperature": temperature, "fitted_rows": min(len(validation[0]), FITTED_ROWS)}
    for name, degree in (("before", 1.0), ("after", temperature)):
        found = measure(*test, temperature=degree, seed=seed)
        result |= {
            f"ece_{name}": found["ece"],
            f"by_chance_{name}": found["by_chance"],
            f"nll_{name}": found["nll"],
            f"curve_{name}": found["curve"],
        }
    return result


def fit_temperature(truth: Array, probabilities: Array, *, seed: int = SEED) -> float:
    """The temperature with the least negative log-likelihood; over 1: the model was too sure. One for all labels."""
    from scipy.optimize import minimize_scalar

    truth, probabilities = checked(truth, probabilities, "the model's probabilities")
    if len(truth) > FITTED_ROWS:
        some = np.random.default_rng(seed).choice(len(truth), FITTED_ROWS, replace=False)
        truth, probabilities = truth[some], probabilities[some]
    bounds = np.log(TEMPERATURES)
    found = minimize_scalar(lambda t: float(_losses(truth, scaled(probabilities, np.exp(t), truth.ndim == 2)).mean()), bounds=bounds)
    return float(np.exp(found.x))


def scaled(probabilities: Array, temperature: float, several: bool = False) -> Array:
    """Probabilities at a temperature, the same shape. several: labels do not exclude each other, each has a probability of its own."""
    clipped = np.clip(np.asarray(probabilities, dtype=float), TINY, 1 - TINY if several else 1)
    if several:
        logits = np.log(clipped) - np.log1p(-clipped)
        return np.asarray(1 / (1 + np.exp(-logits / temperature)))
    logs = np.log(clipped) / temperature
    powers = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def measure(truth: Array, probabilities: Array, *, temperature: float = 1.0, bins: int = BINS, seed: int = SEED) -> dict[str, Any]:
    """ece, nll with intervals, and the reliability curve: in bins of about as many rows each, mean confidence and accuracy.

    ece: the expected calibration error, the mean distance of both over the bins. Noise alone makes it larger than 0, and drawing rows adds
    the same noise again; its interval is therefore the basic one, which takes that away (Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, 5.2), and begins at 0 up to `by_chance`: what a model whose confidences are exactly right would stay under in 97.5
    of 100 draws of its answers (Bröcker and Smith, "Increasing the Reliability of Reliability Diagrams", 2007). One label a row: the
    confidence of the answer, and whether it is right. Several labels: each probability, and whether the label is true.
    """
    truth, probabilities = checked(truth, probabilities, "the model's probabilities")
    several = truth.ndim == 2
    each = truth.shape[1] if several else 1
    step = -(-probabilities.size // EDGES_FROM)
    sure = _confidence(scaled(probabilities[::step], temperature, several), several)
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, bins + 1)[1:-1]))
    size = len(edges) + 1
    sums = Sums(len(truth), 3 * size + 2, seed)  # several labels of one row go together into the draws
    for part in portions(len(truth)):
        values = scaled(probabilities[part], temperature, several)
        hits = truth[part].astype(bool).ravel() if several else values.argmax(1) == truth[part]
        sums.add(_contributions(_confidence(values, several), hits, edges, each, _losses(truth[part], values)))

    def statistic(summed: Array) -> Mapping[str, Array]:
        rows, sure, true = (summed[:, i * size : (i + 1) * size] for i in range(3))
        return {
            "ece": ratio(np.abs(sure - true).sum(1), rows.sum(1)),
            "nll": ratio(summed[:, -2], summed[:, -1]),
            "accuracy": ratio(true, rows),
        }

    point, draws = sums.point(statistic), sums.draws(statistic, seed)
    found = intervals(point, draws)
    rows, sure, _ = (sums.blocks.sum(0)[i * size : (i + 1) * size] for i in range(3))
    curve = [
        {"rows": round(rows[i]), "confidence": float(sure[i] / rows[i]), "accuracy": found["accuracy"][i]} for i in range(size) if rows[i]
    ]
    chance = _by_chance(rows[rows > 0], sure[rows > 0], seed)
    ece = _basic(found["ece"]) | ({"low": 0.0} if point["ece"] <= chance else {})
    return {"rows": len(truth), "ece": ece, "by_chance": chance, "nll": found["nll"], "curve": curve}


def _contributions(confidence: Array, hits: Array, edges: Array, each: int, loss: Array) -> Array:
    """Per row and bin: how many, their confidence, how many are right; then the loss and 1."""
    size, rows = len(edges) + 1, len(loss)
    place = np.repeat(np.arange(rows), each) * size + np.searchsorted(edges, confidence, side="right")
    columns = [np.bincount(place, weights=w, minlength=rows * size).reshape(rows, size) for w in (None, confidence, hits)]
    return np.column_stack([*columns, loss, np.ones(rows)]).astype(float)


def _confidence(values: Array, several: bool) -> Array:
    return values.ravel() if several else np.asarray(values.max(1))


def _by_chance(rows: Array, sure: Array, seed: int) -> float:
    """rows, sure: of each bin, how many and the sum of their confidences."""
    right = np.random.default_rng(seed).binomial(np.rint(rows).astype(np.int64), np.clip(sure / rows, 0, 1), (RESAMPLES, len(rows)))
    return float(np.percentile(np.abs(right - sure).sum(1) / rows.sum(), 50 + CONFIDENCE * 50))


def _basic(percentile: Interval) -> Interval:
    """The basic interval from the percentile interval of a score that is never negative."""
    value, low, high = percentile["value"], percentile["low"], percentile["high"]
    if value is None or low is None or high is None:
        return percentile
    return {"value": value, "low": max(0.0, 2 * value - high), "high": max(0.0, 2 * value - low)}


def _losses(truth: Array, probabilities: Array) -> Array:
    """Negative log-likelihood of each row in nats, shape (n,); of several labels their mean."""
    if truth.ndim == 2:
        true = np.where(truth.astype(bool), probabilities, 1 - probabilities)
        return np.asarray(-np.log(np.maximum(true, TINY)).mean(1))
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth.astype(np.int64)], TINY)))
