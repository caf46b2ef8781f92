"""How scores order rows of which some are positive: areas under curves and the top of the list, exactly, from counts by distinct score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import SEED, Array, intervals, ratio, resample

BINS = 1_000
"""Neighbouring scores that draws take together. A draw's score is moved by what taking them together moves the score itself."""


@dataclass(frozen=True)
class ScoreTable:
    """Rows by distinct score, the highest first. All arrays of shape (scores,)."""

    scores: Array
    positives: Array
    negatives: Array

    @classmethod
    def of(cls, truth: Array, scores: Array) -> ScoreTable:
        """truth: bool, shape (n,); scores: shape (n,), the higher the likelier to be positive."""
        sides = [np.unique(scores[truth == side], return_counts=True) for side in (True, False)]
        distinct = np.unique(np.concatenate([values for values, _ in sides]))[::-1]
        counts = []
        for values, found in sides:
            column = np.zeros(len(distinct), dtype=np.int64)
            column[len(distinct) - 1 - np.searchsorted(distinct[::-1], values)] = found
            counts.append(column)
        return cls(distinct, *counts)

    @property
    def rows(self) -> int:
        return int(self.positives.sum() + self.negatives.sum())

    def binned(self, bins: int = BINS) -> ScoreTable:
        """Neighbours taken together until there are at most `bins` scores of about as many rows each."""
        if len(self.scores) <= bins:
            return self
        before = np.cumsum(self.positives + self.negatives) - 1
        place = np.unique(before * bins // self.rows, return_index=True)[1]
        return ScoreTable(self.scores[place], np.add.reduceat(self.positives, place), np.add.reduceat(self.negatives, place))

    def measure(self, statistic: Callable[[Array, Array], Mapping[str, Array]], seed: int = SEED) -> dict[str, Any]:
        """Scores with intervals. statistic: of positives and negatives by score, each (..., scores), the highest first."""
        table = self.binned()
        size = len(table.scores)
        point, rough = statistic(self.positives, self.negatives), statistic(table.positives, table.negatives)
        counts = np.concatenate([table.positives, table.negatives])
        kept = np.flatnonzero(counts)

        def drawn(some: Array) -> Mapping[str, Array]:
            full = np.zeros((len(some), 2 * size))
            full[:, kept] = some
            return statistic(full[:, :size], full[:, size:])

        draws = resample(counts[kept], drawn, seed, wide=4 * size)
        return intervals(point, {name: values + (point[name] - rough[name]) for name, values in draws.items()})

    def intervals(self, seed: int = SEED) -> dict[str, Any]:
        """roc_auc and average_precision; None with only positive or only negative rows."""
        return self.measure(areas, seed)

    def precision_recall(self) -> tuple[Array, Array]:
        """(precision, recall) at each distinct score, the highest first."""
        found = np.cumsum(self.positives)
        return ratio(found, np.cumsum(self.positives + self.negatives)), ratio(found, self.positives.sum(keepdims=True))


def areas(positives: Array, negatives: Array) -> dict[str, Array]:
    """roc_auc: the share of pairs in the right order, ties counting half. average_precision: as scikit-learn's, without interpolation."""
    hits, rows = np.cumsum(positives, -1, dtype=float), np.cumsum(positives + negatives, -1, dtype=float)
    found, wrong = hits[..., -1], negatives.sum(-1, dtype=float)
    ordered = (negatives * (hits - positives / 2)).sum(-1)
    precise = np.where(positives > 0, hits / np.maximum(rows, 1), 0.0)
    both = np.where(wrong > 0, found, 0)
    return {
        "roc_auc": ratio(ordered, found * wrong),
        "average_precision": np.where(both > 0, ratio((positives * precise).sum(-1), found), np.nan),
    }


def at_top(positives: Array, negatives: Array, counts: Sequence[int]) -> Array:
    """Positive rows among the first k, shape (..., len(counts)); of rows with one score, the share that chance would take."""
    each = positives + negatives
    before = np.cumsum(each, -1) - each
    taken = [(positives * np.clip(ratio(k - before, each), 0, 1)) for k in counts]
    return np.stack([np.nansum(part, -1) for part in taken], -1)
