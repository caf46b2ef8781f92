"""Scores of labels that have an order (A to E, low to high): an error of one step is less than one of four."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flows.training.evaluation import classification
from flows.training.evaluation.intervals import SEED, Array, intervals, ratio, resample


def evaluate(truth: Sequence[int] | Array, probabilities: Array, labels: list[str], seed: int = SEED) -> dict[str, Any]:
    """Everything that classification.evaluate() gives, and macro_mae, quadratic_kappa and within_one, with intervals.

    labels: in their order. probabilities: shape (n, labels); the likeliest label is the answer. Raises: Refused for no rows or NaN.
    """
    result = classification.evaluate(truth, probabilities, labels, seed)
    size = len(labels)
    table = classification.confusion(truth, classification.most_likely(np.asarray(probabilities)), size).ravel()
    cells = np.flatnonzero(table)

    def statistic(drawn: Array) -> dict[str, Array]:
        full = np.zeros((len(drawn), size * size))
        full[:, cells] = drawn
        return scores(full.reshape(-1, size, size))

    point = scores(table.reshape(size, size))
    return result | intervals(point, resample(table[cells], statistic, seed, wide=2 * size * size))


def scores(table: Array) -> dict[str, Array]:
    """Of one (n, n) or many (m, n, n) confusion tables of ordered labels, rows being the truth.

    macro_mae: mean steps of error of the rows of each label, averaged over the labels that have rows, so that a frequent label does not
    hide the others (Baccianella, Esuli and Sebastiani, "Evaluation Measures for Ordinal Regression", 2009). quadratic_kappa: Cohen's kappa
    with squared steps as weights (Cohen 1968); NaN where truth and answers are one and the same label. within_one: the share at most one
    step off.
    """
    size = table.shape[-1]
    steps = np.abs(np.arange(size)[:, None] - np.arange(size))
    rows, given, total = table.sum(-1), table.sum(-2), table.sum((-2, -1))
    of_label = ratio((table * steps).sum(-1), rows)
    observed = (table * steps**2).sum((-2, -1))
    by_chance = ratio(np.einsum("...i,ij,...j->...", rows.astype(float), steps**2, given.astype(float)), total)
    return {
        "macro_mae": ratio(np.nansum(of_label, -1), (rows > 0).sum(-1)),
        "quadratic_kappa": 1 - ratio(observed, by_chance),
        "within_one": ratio((table * (steps <= 1)).sum((-2, -1)), total),
    }
