"""Scores of entities found in texts: spans with labels, whole documents being drawn for the intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from flows.errors import Refused
from flows.training.evaluation.intervals import SEED, Array, Sums, ratio

Span = tuple[int, int, str]
"""(start, end, label): a piece of a text, end not included, in characters or tokens."""
FIELDS = 4  # counts of each label: true, predicted, found exactly, found in part
PART = 1_000  # documents


def evaluate(
    truth: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]], labels: Sequence[str] | None = None, seed: int = SEED
) -> dict[str, Any]:
    """precision, recall and f1 over all entities (micro), macro_f1 over labels, and the same as partial_*, with intervals; and per label.

    truth, predicted: spans of each document. Strict: the same start, end and label, as seqeval's strict mode does it (Nakayama 2018).
    Partial: the same label and at least one character in common, each entity counting for one other at most. `rows` are documents;
    `entities`, true ones. Entities of one document are alike, so documents are drawn with replacement, not entities. macro_f1: over the
    labels that are true or predicted somewhere. Raises: Refused for no documents; ValueError for spans that are empty or have a label not
    among `labels`.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} documents of truth and {len(predicted)} of predictions")
    if not len(truth):
        raise Refused("there are no documents to evaluate", where="entities", hint="look at the sizes of the sides of the split")
    names = sorted(labels if labels is not None else {label for spans in (*truth, *predicted) for *_, label in spans})
    sums = Sums(len(truth), max(1, FIELDS * len(names)), seed)
    for start in range(0, len(truth), PART):
        part = slice(start, start + PART)
        sums.add(np.stack([counts(t, p, names) for t, p in zip(truth[part], predicted[part], strict=True)]))
    found = sums.intervals(lambda summed: scores(summed, len(names)), seed)
    totals = sums.blocks.sum(0)
    result = {"rows": len(truth), "entities": round(totals[: FIELDS * len(names) : FIELDS].sum())}
    result |= {name: value for name, value in found.items() if not name.startswith("label_")}
    result["per_label"] = [
        {
            "label": label,
            "rows": round(totals[FIELDS * i]),
            **{name: found[f"label_{name}"][i]["value"] for name in ("precision", "recall", "f1", "partial_f1")},
            "intervals": {name: found[f"label_{name}"][i] for name in ("recall", "f1")},
        }
        for i, label in enumerate(names)
    ]
    return result


def overlaps(left: Iterable[tuple[int, int]], right: Iterable[tuple[int, int]]) -> int:
    """The most pairs (one of each, none twice) that have a character in common; for spans that do not overlap on their own side."""
    a, b = sorted(left), sorted(right)
    i = j = pairs = 0
    while i < len(a) and j < len(b):
        if a[i][0] < b[j][1] and b[j][0] < a[i][1]:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif a[i][1] <= b[j][0]:
            i += 1
        else:
            j += 1
    return pairs


def counts(truth: Iterable[Span], predicted: Iterable[Span], names: Sequence[str]) -> Array:
    """Of one document, shape (FIELDS * labels,): for each label, entities that are true, predicted, found exactly, found in part."""
    found = np.zeros(max(1, FIELDS * len(names)))
    true, given = set(truth), set(predicted)
    for start, end, label in true | given:
        if label not in names or not 0 <= start < end:
            raise ValueError(f"no span of text with one of the labels: ({start}, {end}, {label!r})")
    for i, name in enumerate(names):
        left, right = ({(s, e) for s, e, label in spans if label == name} for spans in (true, given))
        if left or right:
            found[FIELDS * i : FIELDS * (i + 1)] = len(left), len(right), len(left & right), overlaps(left, right)
    return found


def scores(summed: Array, labels: int) -> Mapping[str, Array]:
    """summed: sums of counts(), shape (m, FIELDS * labels). Also what paired.compare_sums takes."""
    table = summed[:, : FIELDS * labels].reshape(len(summed), labels, FIELDS)
    true, given = table[..., 0], table[..., 1]
    found: dict[str, Array] = {}
    for prefix, hits in (("", table[..., 2]), ("partial_", table[..., 3])):
        f1 = ratio(2 * hits, true + given)
        found |= {
            f"{prefix}precision": ratio(hits.sum(1), given.sum(1)),
            f"{prefix}recall": ratio(hits.sum(1), true.sum(1)),
            f"{prefix}f1": ratio(2 * hits.sum(1), (true + given).sum(1)),
            f"{prefix}macro_f1": ratio(np.nansum(f1, 1), (~np.isnan(f1)).sum(1)),
            f"label_{prefix}precision": ratio(hits, given),
            f"label_{prefix}recall": ratio(hits, true),
            f"label_{prefix}f1": f1,
        }
    return found
