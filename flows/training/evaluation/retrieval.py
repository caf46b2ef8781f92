"""Scores of a search: where in the list of answers the right ones stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from flows.errors import Refused
from flows.training.evaluation.intervals import SEED, Array, Sums, checked, ratio

CUTS = (1, 5, 10)
GAIN_AT = 10
SIMILARITIES = 20_000_000  # that are in memory at once


def ranks(queries: Array, answers: Array, right: Sequence[Sequence[int]]) -> list[Array]:
    """The place (1 is the first) of each query's right answers, by dot product: normalise rows beforehand for cosine similarity.

    queries: shape (q, d); answers: shape (a, d); both arrays, or both sparse matrices (CSR). right[i]: row numbers of the right answers
    of query i. Answers are looked at in portions. An answer that is just as similar counts as before the right one: a model that finds
    all alike is not to look good. Raises: Refused for NaN.
    """
    for side, vectors in (("queries", queries), ("answers", answers)):
        values = vectors.data if issparse(vectors) else vectors
        if vectors.shape[0] and len(values):
            checked(values, values, f"the model's vectors of {side}")
    wide = min(answers.shape[0], 50_000)
    size = max(1, SIMILARITIES // max(wide, 1))
    found: list[Array] = []
    for start in range(0, queries.shape[0], size):
        found += _ranks(queries[start : start + size], answers, right[start : start + size], wide)
    return found


def evaluate(places: Iterable[Array], *, cuts: Sequence[int] = CUTS, seed: int = SEED) -> dict[str, Any]:
    """recall_at_k (share of a query's right answers among the first k), mrr and ndcg_at_10, means over queries with intervals.

    places: for each query the places of its right answers, as of ranks(); a query without a right answer is refused by a ValueError.
    mrr: mean of 1 / place of the first right one (Voorhees 1999). ndcg: Järvelin and Kekäläinen 2002, answers being right or not.
    """
    places = [np.asarray(p) for p in places]
    if any(not len(p) for p in places):
        raise ValueError("a query has no right answer: leave it out, and say how many")
    if not places:
        raise Refused("there are no queries to evaluate", where="retrieval", hint="look at the sizes of the sides of the split")

    sums = Sums(len(places), len(cuts) + 3, seed)
    for start in range(0, len(places), 10_000):
        part = of_rows(places[start : start + 10_000], cuts)
        sums.add(np.column_stack([*part.values(), np.ones(len(part["mrr"]))]))
    names = [*(f"recall_at_{k}" for k in cuts), "mrr", f"ndcg_at_{GAIN_AT}"]

    def statistic(summed: Array) -> Mapping[str, Array]:
        return {name: ratio(summed[:, i], summed[:, -1]) for i, name in enumerate(names)}

    return {"rows": len(places)} | sums.intervals(statistic, seed)


def of_rows(places: Sequence[Array], cuts: Sequence[int] = CUTS) -> dict[str, Array]:
    """What each query contributes to the scores of evaluate(): name -> shape (queries,)."""
    discounts = np.cumsum(1 / np.log2(np.arange(2, GAIN_AT + 2)))
    rows = []
    for p in places:
        near = p[p <= GAIN_AT]
        gain = (1 / np.log2(near + 1)).sum() / discounts[min(len(p), GAIN_AT) - 1]
        rows.append([*((p <= k).mean() for k in cuts), 1 / p.min(), gain])
    names = [*(f"recall_at_{k}" for k in cuts), "mrr", f"ndcg_at_{GAIN_AT}"]
    return dict(zip(names, np.array(rows).reshape(len(rows), len(names)).T, strict=True))


def _ranks(queries: Array, answers: Array, right: Sequence[Sequence[int]], wide: int) -> list[Array]:
    own = np.repeat(np.arange(queries.shape[0]), [len(r) for r in right])
    numbers = np.concatenate([np.asarray(r, dtype=np.int64) for r in right])
    before, limits = np.zeros(len(own), dtype=np.int64), np.empty(len(own), np.result_type(queries.dtype, answers.dtype))
    portions = range(0, answers.shape[0], wide)
    for start in portions:  # by the same product as below: one computed otherwise may differ in its last bit, and not be equal to itself
        here = (numbers >= start) & (numbers < start + wide)
        if here.any():
            limits[here] = _similar(queries, answers[start : start + wide])[own[here], numbers[here] - start]
    for start in portions:
        similar = _similar(queries, answers[start : start + wide])
        step = max(1, SIMILARITIES // wide)
        for at in range(0, len(own), step):
            pairs = slice(at, at + step)
            before[pairs] += (similar[own[pairs]] >= limits[pairs, None]).sum(1)
    return np.split(before, np.cumsum([len(r) for r in right])[:-1])


def _similar(queries: Array, answers: Array) -> Array:
    product: Any = queries @ answers.T
    return np.asarray(product.toarray() if issparse(product) else product)
