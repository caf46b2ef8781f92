"""From which probability on an answer is given: the table that a team chooses from, on the validation side, and what it does on the test
side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import CONFIDENCE, SEED, Array, checked, intervals, portions, ratio, resample

THRESHOLDS = (*(i / 20 for i in range(20)), 0.98, 0.99)


def answers(truth: Array, probabilities: Array, thresholds: Sequence[float] = THRESHOLDS, seed: int = SEED) -> list[dict[str, Any]]:
    """For each threshold on the highest probability of a row: what happens if the others are left to people.

    truth: label numbers, shape (n,). probabilities: shape (n, labels). Each entry: threshold, rows (answered), share (answered of all),
    accuracy (right of those answered, which is the precision) and recall (rightly answered of all), with intervals. "Selective
    classification": Geifman and El-Yaniv 2017. Raises: Refused for no rows or NaN.
    """
    truth, probabilities = checked(truth, probabilities, "the model's probabilities")
    cuts = np.array(sorted(thresholds))

    def count(part: slice) -> tuple[Array, Array]:
        values = np.asarray(probabilities[part])
        return values.max(1), values.argmax(1) == truth[part]

    table = _table(count, len(truth), cuts)

    def statistic(above: Array, total: Array) -> Mapping[str, Array]:
        wrong, right = above[..., 0], above[..., 1]
        return {"share": ratio(wrong + right, total), "accuracy": ratio(right, wrong + right), "recall": ratio(right, total)}

    return _entries(table, cuts, statistic, seed)


def decisions(truth: Array, scores: Array, thresholds: Sequence[float] = THRESHOLDS, seed: int = SEED) -> list[dict[str, Any]]:
    """For each threshold on the probability of one label: what happens if it is given from there on.

    truth: 0 or 1, shape (n,). scores: shape (n,). Each entry: threshold, rows (with the label given), share, precision, recall and
    accuracy with intervals. Raises: Refused for no rows or NaN.
    """
    truth, scores = checked(truth, scores, "the model's probabilities")
    cuts = np.array(sorted(thresholds))
    table = _table(lambda part: (np.asarray(scores[part]), truth[part].astype(bool)), len(truth), cuts)

    def statistic(above: Array, total: Array, sides: Array) -> Mapping[str, Array]:
        negative, positive = above[..., 0], above[..., 1]
        return {
            "share": ratio(negative + positive, total),
            "precision": ratio(positive, negative + positive),
            "recall": ratio(positive, sides[..., 1]),
            "accuracy": ratio(positive + sides[..., 0] - negative, total),
        }

    return _entries(table, cuts, statistic, seed, sides=True)


def choose(table: Sequence[Mapping[str, Any]], at_least: float, *, cautious: bool = True) -> float | None:
    """The lowest threshold whose answers are right that often: the accuracy of answers(), the precision of decisions(). None if there is
    none.

    table: of the validation side. cautious: by the lower end of the exact binomial interval (Clopper and Pearson 1934), which stays honest
    where few rows are all right and a bootstrap sees no doubt; so that the promise holds on other rows, too.
    """
    from scipy.stats import binomtest

    for entry in sorted(table, key=lambda e: float(e["threshold"])):
        value, rows = entry["precision" if "precision" in entry else "accuracy"]["value"], entry["rows"]
        if value is None:
            continue
        if (binomtest(round(value * rows), rows).proportion_ci(CONFIDENCE).low if cautious else value) >= at_least:
            return float(entry["threshold"])
    return None


def promise(
    validation: tuple[Array, Array], test: tuple[Array, Array], at_least: float, *, cautious: bool = True, seed: int = SEED
) -> dict[str, Any]:
    """The threshold that validation promises an accuracy of `at_least` for, and what the test side says of it; with both tables.

    Each side is (truth, probabilities) as of answers(). `threshold`, `on_validation` and `on_test` are None where no threshold reaches it.
    """
    tables = [answers(*side, seed=seed) for side in (validation, test)]
    chosen = choose(tables[0], at_least, cautious=cautious)
    picked = [next((e for e in table if e["threshold"] == chosen), None) for table in tables]
    result = {"rows": len(test[0]), "at_least": at_least, "threshold": chosen, "on_validation": picked[0], "on_test": picked[1]}
    return result | {"validation": tables[0], "test": tables[1]}


def _table(count: Callable[[slice], tuple[Array, Array]], rows: int, cuts: Array) -> Array:
    """Counts, (len(cuts) + 1, 2): rows by how many thresholds they reach, and whether they are right (or positive)."""
    table = np.zeros((len(cuts) + 1) * 2, dtype=np.int64)
    for part in portions(rows):
        values, side = count(part)
        reached = np.searchsorted(cuts.astype(values.dtype), values, side="right")
        table += np.bincount(reached * 2 + side, minlength=len(table))
    return table.reshape(-1, 2)


def _entries(
    table: Array, cuts: Array, statistic: Callable[..., Mapping[str, Array]], seed: int, sides: bool = False
) -> list[dict[str, Any]]:
    shape, cells = table.shape, np.flatnonzero(table)

    def above(drawn: Array) -> Mapping[str, Array]:
        full = np.zeros((len(drawn), table.size))
        full[:, cells] = drawn
        full = full.reshape(-1, *shape)
        reached = full[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
        whole = full.sum(1, keepdims=True)
        return statistic(reached, whole.sum(-1), whole) if sides else statistic(reached, whole.sum(-1))

    counts = table.ravel()[cells]
    point = {name: value[0] for name, value in above(counts[None]).items()}
    found = intervals(point, resample(counts, above, seed, wide=3 * table.size))
    answered = table.sum(1)[::-1].cumsum()[::-1][1:]
    return [{"threshold": float(cut), "rows": int(answered[i])} | {name: found[name][i] for name in found} for i, cut in enumerate(cuts)]
