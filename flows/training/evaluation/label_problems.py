"""Rows whose label looks wrong: the model, which did not learn from them, is surer of another label than it usually is of that one.

Confident learning: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021. A row is never
changed or left out for it: a person reads it and decides.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flows.errors import Refused
from flows.training.evaluation.intervals import SEED, Array, checked, number, portions

MOST = 200  # rows that are listed
PAIRS = 50  # of labels


def find(truth: Sequence[int] | Array, probabilities: Array, labels: Sequence[str], most: int = MOST) -> dict[str, Any]:
    """Suspect rows, the surest first, and how often each pair of labels (given, suggested) occurs among them.

    probabilities: shape (n, labels), out of sample: of the validation or test side, or of cross_validated(). A row is suspect where the
    probability of another label is higher than that of the given one and reaches the other's threshold: its mean probability over the rows
    that carry it, so that labels of which the model is never sure are not passed over. margin: its probability less that of the given
    label. `row` is the row's number in `truth`. Raises: Refused for no rows or NaN.
    """
    truth, probabilities = checked(truth, probabilities, "the model's probabilities")
    truth = truth.astype(np.int64)
    rows = np.bincount(truth, minlength=len(labels))
    sums = np.zeros(len(labels))
    for part in portions(len(truth)):
        given = probabilities[part][np.arange(part.stop - part.start), truth[part]]
        sums += np.bincount(truth[part], weights=given, minlength=len(labels))
    thresholds = np.divide(sums, rows, out=np.full(len(labels), np.inf), where=rows > 0)
    found: list[tuple[float, int, int]] = []
    pairs: Counter[tuple[int, int]] = Counter()
    for part in portions(len(truth)):
        margins, suggested = _suspects(np.asarray(probabilities[part], dtype=float), truth[part], thresholds)
        suspect = np.flatnonzero(suggested != truth[part])
        pairs.update(zip(truth[part][suspect].tolist(), suggested[suspect].tolist(), strict=True))
        found += [(-float(margins[i]), part.start + int(i), int(suggested[i])) for i in suspect]
        found = sorted(found)[:most]
    return {
        "rows": len(truth),
        "suspects": sum(pairs.values()),
        "pairs": [{"given": labels[g], "suggested": labels[s], "rows": n} for (g, s), n in pairs.most_common(PAIRS)],
        "thresholds": {label: number(t) if np.isfinite(t) else None for label, t in zip(labels, thresholds, strict=True)},
        "listed": [
            {"row": row, "given": labels[truth[row]], "suggested": labels[s], "margin": round(-margin, 4)} for margin, row, s in found
        ],
    }


def cross_validated(
    truth: Sequence[int] | Array, labels: int, fit_predict: Callable[[Array, Array], Array], folds: int = 5, seed: int = SEED
) -> Array:
    """Out-of-sample probabilities of every row, shape (n, labels), from `folds` trainings: for a cheap candidate, when a person asks for
    it.

    fit_predict: (row numbers to train on, row numbers to predict) -> probabilities, shape (rows to predict, labels). Rows of each label
    are spread over the folds; a label with a single row is never learned from where it is predicted. Raises: Refused for fewer than two
    rows.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    truth = np.asarray(truth)
    if len(truth) < 2:
        raise Refused("cross-validation needs two rows or more", where=f"{len(truth)} rows")
    found = np.zeros((len(truth), labels), dtype=np.float32)
    enough = np.bincount(truth).max() >= folds
    kind = StratifiedKFold if enough else KFold
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        for train, out in kind(min(folds, len(truth)), shuffle=True, random_state=seed).split(truth, truth):
            found[out] = fit_predict(train, out)
    return found


def _suspects(probabilities: Array, truth: Array, thresholds: Array) -> tuple[Array, Array]:
    """(margin, suggested label or the given one) of each row."""
    places = np.arange(len(truth))
    given = probabilities[places, truth]
    sure = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = sure.argmax(1)
    above = sure[places, best] > given
    return probabilities[places, best] - given, np.where(above, best, truth)
