"""Errors for people to read: the surest ones and some by chance, cut, personal data masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flows.privacy import mask, mask_value
from flows.privacy.entities import Model
from flows.privacy.masks import IN_TEXT
from flows.training.evaluation.classification import most_likely
from flows.training.evaluation.intervals import SEED, Array, checked, portions

SUREST, BY_CHANCE = 20, 20  # errors
LENGTH = 300  # characters of a text that are shown
READ = 4_000  # characters that personal data is looked for in
EDGE = 100  # characters before the end of what was read: something cut in two is not found, and is not shown
NAMES = ("name", "address")
KEPT = set(IN_TEXT.values())
SPLIT = re.compile("(" + "|".join(map(re.escape, IN_TEXT.values())) + r"|\s+)")  # words, and what is masked already


def sample(
    truth: Sequence[int] | Array,
    probabilities: Array,
    labels: Sequence[str],
    text: Callable[[int], str],
    *,
    personal_data: str = "personal",
    kinds: Sequence[str] = (),
    surest: int = SUREST,
    by_chance: int = BY_CHANCE,
    model: Model | None = None,
    seed: int = SEED,
) -> dict[str, Any]:
    """The `surest` errors with the highest probability, and `by_chance` of the others; each: row, truth, predicted, probability, text.

    text: of a row number; called for rows that are shown only. personal_data and kinds: what the dataset is declared to hold, and the
    kinds that were found in the columns of the text (flows.privacy). See shown(). Raises: Refused for no rows or NaN.
    """
    truth, probabilities = checked(truth, probabilities, "the model's probabilities")
    predicted = most_likely(probabilities)
    wrong = np.flatnonzero(predicted != truth)
    sure = np.empty(len(wrong), dtype=float)
    for part in portions(len(wrong)):
        sure[part] = probabilities[wrong[part], predicted[wrong[part]]]
    order = np.argsort(-sure, kind="stable")
    first, rest = wrong[order[:surest]], wrong[order[surest:]]
    chosen = np.sort(np.random.default_rng(seed).choice(rest, min(by_chance, len(rest)), replace=False))

    def entry(row: int) -> dict[str, Any]:
        return {
            "row": row,
            "truth": labels[truth[row]],
            "predicted": labels[predicted[row]],
            "probability": round(float(probabilities[row, predicted[row]]), 4),
            "text": shown(text(row), personal_data, kinds, model),
        }

    return {
        "rows": len(truth),
        "errors": len(wrong),
        "surest": [entry(int(row)) for row in first],
        "by_chance": [entry(int(row)) for row in chosen],
    }


def shown(text: str, personal_data: str = "personal", kinds: Sequence[str] = (), model: Model | None = None) -> str | None:
    """What a report may show of a text. None where the dataset is declared sensitive: nothing of it is shown.

    What is recognised is replaced by its kind: « [nom] ». Where the dataset is declared to hold personal data, no rule can be trusted to
    find every name: what is left is reduced to first letters (mask_value). Looked for in the first READ characters, of which LENGTH are
    shown.
    """
    if personal_data == "sensitive":
        return None
    masked = mask(text[:READ], model=model)
    if len(text) > READ:
        masked = masked[:-EDGE]
    cut = masked if len(masked) <= LENGTH else masked[: LENGTH - 1] + "…"
    if personal_data == "none" and not set(kinds) & set(NAMES):
        return cut
    return "".join(piece if piece in KEPT else mask_value(piece, ["name"]) for piece in SPLIT.split(cut))
