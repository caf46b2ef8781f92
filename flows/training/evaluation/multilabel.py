"""Scores of rows that may have several labels, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import SEED, Array, Sums, checked, portions, ratio

THRESHOLD = 0.5
FEWEST = 10
"""Positive rows on the validation side below which a label keeps THRESHOLD: one chosen from fewer is chance."""


def evaluate(
    truth: Array, probabilities: Array, labels: list[str], thresholds: Array | float = THRESHOLD, seed: int = SEED
) -> dict[str, Any]:
    """micro_f1, macro_f1 and subset_accuracy (the set of labels is exactly right) with intervals, and per label.

    truth: 0 or 1, shape (n, labels). probabilities: the same shape. thresholds: a label is given from there on; of choose_thresholds().
    Labels with neither true nor given rows do not count for macro_f1. Raises: Refused for no rows or NaN.
    """
    truth, probabilities = _checked(truth, probabilities, len(labels))
    cuts, size = np.broadcast_to(np.asarray(thresholds, dtype=float), (len(labels),)), len(labels)
    summed = Sums(len(truth), 3 * size + 2, seed)
    for part in portions(len(truth)):
        summed.add(sums(truth[part], probabilities[part] >= cuts))
    found = summed.intervals(scores, seed)
    counts = summed.blocks.sum(0)[size : 2 * size]
    result = {"rows": len(truth)} | {name: found[name] for name in ("micro_f1", "macro_f1", "subset_accuracy")}
    result["per_label"] = [
        {
            "label": label,
            "rows": round(counts[i]),
            "threshold": float(cuts[i]),
            **{name: found[name][i]["value"] for name in ("precision", "recall", "f1")},
            "intervals": {name: found[name][i] for name in ("recall", "f1")},
        }
        for i, label in enumerate(labels)
    ]
    return result


def sums(truth: Array, given: Array) -> Array:
    """What each row contributes to scores(): per label hits, true and given; whether the set is exactly right, and 1."""
    true, given = np.asarray(truth).astype(bool), np.asarray(given).astype(bool)
    return np.column_stack([true & given, true, given, (true == given).all(1), np.ones(len(true))]).astype(float)


def scores(summed: Array) -> Mapping[str, Array]:
    """Of sums over rows, shape (m, 3 * labels + 2)."""
    size = (summed.shape[1] - 2) // 3
    hits, true, given = (summed[:, i * size : (i + 1) * size] for i in range(3))
    f1 = ratio(2 * hits, true + given)
    return {
        "micro_f1": ratio(2 * hits.sum(1), (true + given).sum(1)),
        "macro_f1": ratio(np.nansum(f1, 1), (~np.isnan(f1)).sum(1)),
        "subset_accuracy": ratio(summed[:, -2], summed[:, -1]),
        "precision": ratio(hits, given),
        "recall": ratio(hits, true),
        "f1": f1,
    }


def choose_thresholds(truth: Array, probabilities: Array) -> Array:
    """The threshold of each label with the best F1, shape (labels,). Give it the validation side, never the test side.

    It lies halfway between the last probability that is let through and the next, so that it does not hang on one row.
    """
    truth, probabilities = _checked(truth, probabilities, np.shape(probabilities)[1])
    return np.array([_best(truth[:, i].astype(bool), probabilities[:, i]) for i in range(probabilities.shape[1])])


def _best(truth: Array, probabilities: Array) -> float:
    from sklearn.metrics import precision_recall_curve

    if truth.sum() < FEWEST:
        return THRESHOLD
    precision, recall, cuts = precision_recall_curve(truth, probabilities)
    f1 = ratio(2 * precision * recall, precision + recall)[:-1]
    best = int(np.nanargmax(f1))
    return float((cuts[best] + cuts[best - 1]) / 2 if best else cuts[0])


def _checked(truth: Array, probabilities: Array, labels: int) -> tuple[Array, Array]:
    truth, probabilities = checked(truth, probabilities, "the model's probabilities")
    if truth.shape != probabilities.shape or probabilities.ndim != 2 or probabilities.shape[1] != labels:
        raise ValueError(f"truth of shape {truth.shape} and probabilities of shape {probabilities.shape} for {labels} labels")
    if not np.isin(np.unique(truth), (0, 1)).all():
        raise ValueError("the truth of rows with several labels is 0 or 1 for each label")
    return truth, probabilities
