"""Scores with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95


def confusion(truth: Sequence[int], predicted: np.ndarray, labels: int) -> np.ndarray:
    """Counts, (labels, labels): rows are the truth."""
    table = np.zeros((labels, labels), dtype=np.int64)
    np.add.at(table, (np.asarray(truth), predicted), 1)
    return table


def scores(table: np.ndarray) -> dict[str, np.ndarray]:
    """accuracy and macro_f1 of one (n, n) or many (m, n, n) confusion tables.

    As in scikit-learn's f1_score(average="macro"), a label with neither true nor predicted rows does not count.
    """
    hits = np.diagonal(table, axis1=-2, axis2=-1).astype(float)
    total = table.sum(-1) + table.sum(-2)
    present = total > 0
    f1 = np.where(present, 2 * hits / np.maximum(total, 1), 0.0)
    accuracy = hits.sum(-1) / np.maximum(table.sum((-2, -1)), 1)
    return {"accuracy": accuracy, "macro_f1": f1.sum(-1) / np.maximum(present.sum(-1), 1)}


def evaluate(truth: Sequence[int], probabilities: np.ndarray, labels: list[str], seed: int = 13) -> dict[str, Any]:
    """Scores with percentile bootstrap intervals (Efron 1979), and scores per label.

    Rows are drawn with replacement. The scores only depend on the confusion table, and a bootstrap draw of rows is a
    multinomial draw of its cells, so 2000 draws cost milliseconds whatever the number of rows.
    """
    table = confusion(truth, probabilities.argmax(1), len(labels))
    rows = int(table.sum())
    draws = np.random.default_rng(seed).multinomial(rows, table.ravel() / rows, size=RESAMPLES).reshape(-1, *table.shape)
    point, resampled = scores(table), scores(draws)
    edges = [(1 - CONFIDENCE) / 2 * 100, (1 + CONFIDENCE) / 2 * 100]
    result: dict[str, Any] = {"rows": rows}
    for name, value in point.items():
        low, high = np.percentile(resampled[name], edges)
        result[name] = {"value": float(value), "low": float(low), "high": float(high)}
    result["per_label"] = [
        {
            "label": label,
            "rows": int(table[i].sum()),
            "precision": _ratio(table[i, i], table[:, i].sum()),
            "recall": _ratio(table[i, i], table[i].sum()),
        }
        for i, label in enumerate(labels)
    ]
    result["confusion"] = table.tolist()
    return result


def _ratio(part: np.integer[Any], whole: np.integer[Any]) -> float | None:
    return float(part / whole) if whole else None
