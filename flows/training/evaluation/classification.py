"""Scores of one label a row, from the confusion table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import SEED, Array, checked, intervals, portions, ratio, resample
from flows.training.evaluation.score_table import ScoreTable

LARGEST = 100  # labels whose whole confusion table is reported
PAIRS = 20  # of labels taken for each other that are reported


def confusion(truth: Sequence[int] | Array, predicted: Array, labels: int) -> Array:
    """Counts, (labels, labels): rows are the truth. Raises: ValueError for a number that is no label."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    table = np.zeros(labels * labels, dtype=np.int64)
    for part in portions(len(truth)):
        left, right = truth[part].astype(np.int64), predicted[part].astype(np.int64)
        if min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= labels:
            raise ValueError(f"a label number is outside 0 to {labels - 1}")
        table += np.bincount(left * labels + right, minlength=labels * labels)
    return table.reshape(labels, labels)


def scores(table: Array) -> dict[str, Array]:
    """accuracy and macro_f1 of one (n, n) or many (m, n, n) confusion tables.

    As in scikit-learn's f1_score(average="macro"), a label with neither true nor predicted rows does not count.
    """
    found = _of_counts(np.diagonal(table, axis1=-2, axis2=-1), table.sum(-1), table.sum(-2))
    return {name: found[name] for name in ("accuracy", "macro_f1")}


def evaluate(
    truth: Sequence[int] | Array, probabilities: Array, labels: list[str], seed: int = SEED, *, positive: str | None = None
) -> dict[str, Any]:
    """accuracy and macro_f1 with intervals, per label, and the confusion table; for two labels roc_auc and average_precision, too.

    truth: label numbers, shape (n,). probabilities: shape (n, labels), read in portions, so that it may be a numpy.memmap.
    positive: for two labels, the one that average_precision is about; the last by default.
    per_label: precision, recall and f1 as numbers or None, and `intervals` of recall and f1. Raises: Refused for no rows or NaN.
    """
    truth, probabilities = checked(truth, probabilities, "the model's probabilities")
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        raise ValueError(f"probabilities of shape {probabilities.shape} for {len(labels)} labels")
    table = confusion(truth, most_likely(probabilities), len(labels))
    result: dict[str, Any] = {"rows": int(table.sum())}
    found = _intervals(table, seed)
    result |= {name: found[name] for name in ("accuracy", "macro_f1")}
    if len(labels) == 2:
        column = labels.index(positive) if positive is not None else 1
        result |= ScoreTable.of(truth == column, probabilities[:, column]).intervals(seed) | {"positive": labels[column]}
    result["per_label"] = _per_label(table, labels, found)
    result["confused"] = confused(table, labels)
    if len(labels) <= LARGEST:
        result["confusion"] = table.tolist()
    return result


def most_likely(probabilities: Array) -> Array:
    """The label number with the highest probability, shape (n,)."""
    best = np.empty(len(probabilities), dtype=np.int32)
    for part in portions(len(probabilities)):
        best[part] = np.asarray(probabilities[part]).argmax(1)
    return best


def confused(table: Array, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Pairs of labels that are taken for each other most often."""
    errors = table - np.diag(np.diagonal(table))
    most = np.argsort(-errors, axis=None, kind="stable")[:PAIRS]
    pairs = zip(*np.unravel_index(most, table.shape), strict=True)
    return [{"truth": labels[t], "predicted": labels[p], "rows": int(errors[t, p])} for t, p in pairs if errors[t, p]]


def _of_counts(hits: Array, true: Array, predicted: Array) -> dict[str, Array]:
    """Scores from what is right, true and predicted of each label, each of shape (..., labels)."""
    f1 = ratio(2 * hits, true + predicted)
    present = ~np.isnan(f1)
    return {
        "accuracy": ratio(hits.sum(-1), true.sum(-1)),
        "macro_f1": ratio(np.where(present, f1, 0.0).sum(-1), present.sum(-1)),
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, true),
        "f1": f1,
    }


def _intervals(table: Array, seed: int) -> dict[str, Any]:
    """A draw of the cells that are not empty is added up by label at once: for 700 labels a whole table a draw would be too large."""
    from scipy.sparse import csr_matrix

    labels, cells = len(table), np.flatnonzero(table)
    true, predicted = np.unravel_index(cells, table.shape)
    places = [np.where(true == predicted, true, -1), labels + true, 2 * labels + predicted]
    rows, columns = np.tile(np.arange(len(cells)), 3), np.concatenate(places)
    kept = columns >= 0
    sums = csr_matrix((np.ones(kept.sum()), (rows[kept], columns[kept])), shape=(len(cells), 3 * labels))

    def statistic(drawn: Array) -> Mapping[str, Array]:
        counts = (sums.T @ drawn.T).T.reshape(len(drawn), 3, labels)
        return _of_counts(counts[:, 0], counts[:, 1], counts[:, 2])

    point = _of_counts(np.diagonal(table), table.sum(1), table.sum(0))
    return intervals(point, resample(table.ravel()[cells], statistic, seed, wide=3 * labels))


def _per_label(table: Array, labels: list[str], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "rows": int(table[i].sum()),
            **{name: found[name][i]["value"] for name in ("precision", "recall", "f1")},
            "intervals": {name: found[name][i] for name in ("recall", "f1")},
        }
        for i, label in enumerate(labels)
    ]
