"""Scores of a list ordered by risk: who is looked at first, when not everybody can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import SEED, Array, checked, ratio
from flows.training.evaluation.score_table import ScoreTable, areas, at_top

SHARES = (0.01, 0.05, 0.1)


def evaluate(
    truth: Array, scores: Array, *, shares: Sequence[float] = SHARES, counts: Sequence[int] = (), seed: int = SEED
) -> dict[str, Any]:
    """roc_auc and average_precision; and precision, recall and lift of the rows with the highest scores, with intervals.

    truth: 0 or 1, shape (n,). scores: shape (n,), the higher the riskier. Names: `precision_at_5pct` for shares, `precision_at_100` for
    counts (not more than there are rows). lift: the precision divided by base_rate, the share of positive rows: 3 is three times better
    than by chance. Where scores are equal at the cut, the mean over the orders they could have. None where a score needs rows that are not
    there. Raises: Refused for no rows or NaN.
    """
    truth, scores = checked(truth, scores, "the model's scores")
    if scores.ndim != 1:
        raise ValueError(f"scores of shape {scores.shape}: one a row is needed")
    if not np.isin(np.unique(truth), (0, 1)).all():
        raise ValueError("the truth of a ranking is 0 or 1")
    rows = len(truth)
    cuts = {f"{100 * share:g}pct": max(1, round(share * rows)) for share in shares} | {str(k): k for k in counts if k <= rows}

    def statistic(positives: Array, negatives: Array) -> Mapping[str, Array]:
        hits, every = at_top(positives, negatives, list(cuts.values())), positives.sum(-1)
        found = areas(positives, negatives) | {"base_rate": every / rows}
        for i, (name, k) in enumerate(cuts.items()):
            found[f"precision_at_{name}"] = hits[..., i] / k
            found[f"recall_at_{name}"] = ratio(hits[..., i], every)
            found[f"lift_at_{name}"] = ratio(hits[..., i] / k, every / rows)
        return found

    found = ScoreTable.of(truth.astype(bool), scores).measure(statistic, seed)
    return {"rows": rows, "positives": int(truth.sum()), "looked_at": cuts} | found
