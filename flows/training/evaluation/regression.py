"""Scores of predicted numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import CONFIDENCE, SEED, Array, Interval, Sums, checked, portions, ratio

BINS = 5
COLUMNS = ("rows", "error", "absolute", "squared", "truth", "truth squared", "covered", "width")


def evaluate(
    truth: Array, predicted: Array, low: Array | None = None, high: Array | None = None, *, bins: int = BINS, seed: int = SEED
) -> dict[str, Any]:
    """mae, rmse, r2, bias (mean of predicted - truth) and median_error (of absolute errors) with intervals, in the unit of the truth.

    low, high: a prediction interval of each row; its coverage (share of rows inside) and mean width are then scored, too.
    by_truth: the same for rows of low, middle and high truth, in `bins` parts of about as many rows. r2 is None where the truth does not
    vary. Raises: Refused for no rows or NaN.
    """
    truth, predicted = checked(np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float), "the model's predictions")
    bounds = [checked(truth, np.asarray(b, dtype=float), "the model's prediction intervals")[1] for b in (low, high) if b is not None]
    if len(bounds) == 1:
        raise ValueError("a prediction interval has two ends")
    result = _scores(truth, predicted, bounds, seed)
    edges = np.unique(np.quantile(truth, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, truth, side="right")
    result["by_truth"] = []
    for number in np.unique(place):
        kept = place == number
        found = _scores(truth[kept], predicted[kept], [b[kept] for b in bounds], seed)
        del found["r2"]  # of a narrow range it says nothing
        result["by_truth"].append({"from": float(truth[kept].min()), "to": float(truth[kept].max())} | found)
    return result


def statistic(added: Array) -> Mapping[str, Array]:
    """Scores of sums over rows, shape (draws, COLUMNS)."""
    rows, error, absolute, squared, total, total_squared, covered, width = added.T
    around_mean = total_squared - total**2 / np.maximum(rows, 1)
    # A truth that varies a million times less than the errors is all one value: its r2 would be rounding.
    varies = around_mean > 1e-12 * np.maximum(total_squared, squared)
    return {
        "mae": ratio(absolute, rows),
        "rmse": np.sqrt(ratio(squared, rows)),
        "r2": 1 - ratio(squared, np.where(varies, around_mean, 0)),
        "bias": ratio(error, rows),
        "coverage": ratio(covered, rows),
        "width": ratio(width, rows),
    }


def median_interval(values: Array) -> Interval:
    """The median with its distribution-free interval, from order statistics: how many of n rows lie under it is binomial.

    It is what the bootstrap of a median tends to (Efron 1979), without a draw.
    """
    from scipy.stats import binom

    count, tail = len(values), (1 - CONFIDENCE) / 2
    places = [int(np.clip(binom.ppf(q, count, 0.5), 0, count - 1)) for q in (tail, 1 - tail)]
    parted = np.partition(values, places)
    return {"value": float(np.median(values)), "low": float(parted[places[0]]), "high": float(parted[places[1]])}


def sums(truth: Array, predicted: Array, low: Array | None = None, high: Array | None = None, *, center: float | None = None) -> Array:
    """What each row contributes to COLUMNS, shape (rows, COLUMNS). `center`: what truths are counted from, their mean by default."""
    error, around = predicted - truth, truth - (truth.mean() if center is None else center)
    inside = width = np.zeros(len(error))
    if low is not None and high is not None:
        inside, width = ((low <= truth) & (truth <= high)).astype(float), high - low
    return np.column_stack([np.ones(len(error)), error, np.abs(error), error**2, around, around**2, inside, width])


def _scores(truth: Array, predicted: Array, bounds: list[Array], seed: int) -> dict[str, Any]:
    added, center = Sums(len(truth), len(COLUMNS), seed), float(truth.mean())
    for part in portions(len(truth)):
        added.add(sums(truth[part], predicted[part], *(b[part] for b in bounds), center=center))
    found = added.intervals(statistic, seed)
    if not bounds:
        del found["coverage"], found["width"]
    return {"rows": len(truth)} | found | {"median_error": median_interval(np.abs(predicted - truth))}
