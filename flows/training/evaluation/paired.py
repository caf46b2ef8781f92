"""A challenger against the champion on the same rows: the difference of a score, its interval, and whether chance alone would give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flows.errors import Refused
from flows.training.evaluation import classification
from flows.training.evaluation.intervals import SEED, Array, Statistic, Sums, checked, interval, number, ratio, resample
from flows.training.evaluation.score_table import ScoreTable, areas

CELLS, CELL_BINS = 20_000, 100  # rows up to which draws of a ranking are exact; scores that they are taken together to, beyond

Keys = tuple[Sequence[object], Sequence[object]]
"""Of the rows that the challenger and the champion were scored on, in their order."""


@dataclass(frozen=True)
class Comparison:
    """`difference` is challenger - champion, with its 95 % interval. None: the score does not exist on these rows."""

    metric: str
    challenger: float | None
    champion: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    rows: int
    test: str
    """mcnemar (exact, of accuracy) or bootstrap"""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    truth: Sequence[int] | Array,
    challenger: Array,
    champion: Array,
    labels: int,
    *,
    metric: str = "macro_f1",
    scores: Callable[[Array], Mapping[str, Array]] = classification.scores,
    keys: Keys | None = None,
    seed: int = SEED,
) -> Comparison:
    """By a score of the confusion table.

    truth: label numbers, shape (n,). challenger, champion: label numbers that they gave, shape (n,), or probabilities, shape (n, labels).
    scores: of confusion tables of shape (m, labels, labels), with `metric` among its names; ordered.scores for ordered labels.
    The p-value of accuracy is that of McNemar's exact test (the binomial one: McNemar 1947), of others that of the paired bootstrap.
    Raises: Refused where the rows differ, there are none, or values are NaN.
    """
    truth = np.asarray(truth)
    _same_rows(len(challenger), len(champion), keys)
    answers = [_answers(truth, a, name) for a, name in ((challenger, "the challenger's answers"), (champion, "the champion's answers"))]
    tables = [classification.confusion(truth, a, labels) for a in answers]
    point = [scores(table)[metric] for table in tables]
    draws = _draws_of_tables(truth, answers, labels, lambda table: scores(table)[metric], seed)
    if metric != "accuracy":
        return _of_draws(metric, point, draws, len(truth))
    right = [a == truth for a in answers]
    return _of_draws(metric, point, draws, len(truth), mcnemar(right[0], right[1]))


def compare_rows(challenger: Array, champion: Array, metric: str, *, keys: Keys | None = None, seed: int = SEED) -> Comparison:
    """By the mean of what each row scores (an absolute error, a reciprocal rank), shape (n,) each. Raises: as compare()."""
    left, right = (np.column_stack([np.asarray(c, dtype=float), np.ones(len(c))]) for c in (challenger, champion))
    return compare_sums(left, right, lambda sums: {metric: ratio(sums[:, 0], sums[:, 1])}, metric, keys=keys, seed=seed)


def compare_sums(
    challenger: Array, champion: Array, statistic: Statistic, metric: str, *, keys: Keys | None = None, seed: int = SEED
) -> Comparison:
    """By a score of sums over rows, each of shape (n, k): for instance of true, predicted and found entities of each document.

    statistic: sums of shape (m, k) -> scores by name, with `metric` among them; quotients of sums, as draws are not all of the same number
    of rows (a column of ones counts them). Raises: as compare().
    """
    _same_rows(len(challenger), len(champion), keys)
    left, right = checked(challenger, champion, "the scores of rows")
    rows, width = left.shape
    sums = Sums(rows, 2 * width, seed)
    for start in range(0, rows, 100_000):
        sums.add(np.column_stack([side[start : start + 100_000] for side in (left, right)]).astype(float))

    def both(summed: Array) -> dict[str, Array]:
        return {"challenger": statistic(summed[:, :width])[metric], "champion": statistic(summed[:, width:])[metric]}

    point, draws = sums.point(both), sums.draws(both, seed)
    return _of_draws(metric, [point["challenger"], point["champion"]], draws["challenger"] - draws["champion"], rows)


def compare_rankings(
    truth: Array, challenger: Array, champion: Array, metric: str = "average_precision", *, keys: Keys | None = None, seed: int = SEED
) -> Comparison:
    """By roc_auc or average_precision of the order that scores put rows in.

    truth: 0 or 1, shape (n,). challenger, champion: scores, shape (n,), the higher the likelier to be 1. Beyond CELLS rows, draws take
    neighbouring scores together; the difference itself is exact. Raises: Refused where the rows differ, there are none, or values are NaN.
    """
    _same_rows(len(challenger), len(champion), keys)
    scores = [checked(truth, s, name)[1] for s, name in ((challenger, "the challenger's scores"), (champion, "the champion's scores"))]
    positive = np.asarray(truth).astype(bool)
    whole = [ScoreTable.of(positive, s) for s in scores]
    point = [areas(t.positives, t.negatives)[metric] for t in whole]
    tops = [t.binned(CELL_BINS if len(positive) > CELLS else len(positive)).scores[::-1] for t in whole]
    # the bin of each row, from the highest: its top is the lowest that the score does not exceed
    places = [len(top) - 1 - np.searchsorted(top, s) for top, s in zip(tops, scores, strict=True)]
    cells, counts = np.unique(np.column_stack([positive, *places]), axis=0, return_counts=True)
    return _of_draws(metric, point, _draws_of_rankings(cells, counts, [len(top) for top in tops], metric, point, seed), len(positive))


def _draws_of_rankings(cells: Array, counts: Array, sizes: Sequence[int], metric: str, point: Sequence[Array], seed: int) -> Array:
    """Differences, shape (RESAMPLES,), of cells (truth, place of the challenger's score, of the champion's), shape (cells, 3)."""
    from scipy.sparse import csr_matrix

    def sides(column: int) -> list[Any]:
        shape = (len(cells), sizes[column])
        return [csr_matrix(((cells[:, 0] == t).astype(float), (np.arange(len(cells)), cells[:, 1 + column])), shape) for t in (1, 0)]

    both = [sides(0), sides(1)]

    def statistic(drawn: Array) -> dict[str, Array]:
        found = [areas(*((side.T @ drawn.T).T for side in pair))[metric] for pair in both]
        return {"difference": found[0] - found[1]}

    rough = statistic(counts[None])["difference"][0]
    moved: Array = resample(counts, statistic, seed, wide=2 * sum(sizes))["difference"] + (point[0] - point[1] - rough)
    return moved


def mcnemar(left: Array, right: Array) -> float:
    """The two-sided exact p-value that two models are right equally often. left, right: bool, shape (n,): which rows each has right."""
    from scipy.stats import binomtest

    only_left, only_right = int((left & ~right).sum()), int((~left & right).sum())
    return float(binomtest(only_left, only_left + only_right, 0.5).pvalue) if only_left + only_right else 1.0


def _draws_of_tables(truth: Array, answers: list[Array], labels: int, score: Callable[[Array], Array], seed: int) -> Array:
    """Differences, shape (RESAMPLES,). A row is one of labels**3 cells (truth, challenger, champion); the cells that occur are drawn."""
    from scipy.sparse import csr_matrix

    cells, counts = np.unique((truth.astype(np.int64) * labels + answers[0]) * labels + answers[1], return_counts=True)
    true, first, second = np.unravel_index(cells, (labels, labels, labels))
    places = [
        csr_matrix((np.ones(len(cells)), (np.arange(len(cells)), true * labels + a)), (len(cells), labels**2)) for a in (first, second)
    ]

    def statistic(drawn: Array) -> dict[str, Array]:
        left, right = (score((place.T @ drawn.T).T.reshape(-1, labels, labels)) for place in places)
        return {"difference": left - right}

    return resample(counts, statistic, seed, wide=3 * labels**2)["difference"]


def _of_draws(metric: str, point: Sequence[Array], draws: Array, rows: int, p_value: float | None = None) -> Comparison:
    """p_value: by default the share of draws that lie as far from the difference as it lies from 0 (Efron and Tibshirani, "An Introduction
    to the Bootstrap", 1993, chapter 16)."""
    difference = point[0] - point[1]
    found, defined = interval(difference, draws), draws[~np.isnan(draws)]
    if p_value is None and found["value"] is not None and len(defined):
        beyond = np.abs(defined - difference) >= abs(difference) - 1e-12
        p_value = float((beyond.sum() + 1) / (len(defined) + 1))
    test = "mcnemar" if metric == "accuracy" else "bootstrap"
    return Comparison(metric, number(point[0]), number(point[1]), found["value"], found["low"], found["high"], p_value, rows, test)


def _answers(truth: Array, given: Array, what: str) -> Array:
    given = checked(truth, given, what)[1]
    return classification.most_likely(given) if given.ndim == 2 else given


def _same_rows(challenger: int, champion: int, keys: Keys | None) -> None:
    sizes = [challenger, champion, *(len(k) for k in keys or ())]
    hint = "score both on the rows of one version of the dataset, in one order"
    if len(set(sizes)) > 1:
        raise Refused("challenger and champion were not scored on the same rows", where=f"{challenger} and {champion} rows", hint=hint)
    different = [i for i, (a, b) in enumerate(zip(*keys, strict=True)) if a != b] if keys else []
    if different:
        where = f"{len(different)} of {challenger} rows have another key, the first is row {different[0]}"
        raise Refused("challenger and champion were not scored on the same rows", where=where, hint=hint)
