"""Two versions compared by what was kept of their answers (test.parquet), on the test rows that both answered; no model is loaded.

What the columns are is said by each task's `outcomes`. A row never changes side, so neither version has learned from a test row of the
other. Rows whose truth is another by now are left out: an answer cannot be right for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from flows.training.evaluation import classification, entities, multilabel, ordered, paired, regression
from flows.training.evaluation.intervals import ratio
from flows.training.evaluation.paired import Comparison

RANKED = ("roc_auc", "average_precision")
LANGUAGE = {"loss", "tokens", "right"}


@dataclass(frozen=True)
class Outcomes:
    """The answers of one version to its test side, and the names of the numbers in them."""

    frame: pl.DataFrame
    labels: list[str]


@dataclass(frozen=True)
class Compared:
    """`comparison`: its challenger is the newer version. None: these answers cannot be compared row by row."""

    comparison: Comparison | None
    rows: int
    """In common, and with the same truth."""
    other_truth: int
    """In common, left out because their truth changed."""


def compare(old: Outcomes, new: Outcomes, metric: str, positive: str | None = None) -> Compared:
    """By `metric`; where that cannot be had of what was kept, by one that can: `comparison.metric` says which.

    positive: for rankings, the label that both rank by.
    """
    labels = list(dict.fromkeys([*old.labels, *new.labels]))
    both = _named(new, labels).join(_named(old, labels), on="order", suffix="__old").sort("order")
    same = both
    if "truth" in both.columns and "truth__old" in both.columns:
        same = both.filter(pl.col("truth").eq_missing(pl.col("truth__old")))
    columns = [c for c in new.frame.columns if c in old.frame.columns and c != "order"]
    left, right = same.select(columns), same.select(pl.col(f"{c}__old").alias(c) for c in columns)
    found = None
    if len(same) > 1 and _answers(columns):
        ranked = metric in RANKED and "probability" in columns and positive in labels
        found = _ranked(left, right, labels.index(positive), metric) if ranked and positive else _compared(left, right, labels, metric)
    return Compared(found, len(same), len(both) - len(same))


def _answers(columns: list[str]) -> bool:
    return {"truth", "predicted"} <= set(columns) or "place" in columns or set(columns) >= LANGUAGE


def _compared(new: pl.DataFrame, old: pl.DataFrame, labels: list[str], metric: str) -> Comparison:
    if "place" in new.columns:
        return paired.compare_rows(
            1 / new["place"].to_numpy(), 1 / old["place"].to_numpy(), "mrr"
        )  # the first right answer is what was kept
    if "loss" in new.columns:
        return _language(new, old, metric)
    if "counts" in new.columns:
        return _entities(new, old, len(labels), metric)
    if new.schema["predicted"].is_float():
        truth = new["truth"].to_numpy()
        left, right = (regression.sums(truth, side["predicted"].to_numpy()) for side in (new, old))
        return paired.compare_sums(left, right, regression.statistic, metric)
    if new.schema["predicted"] == pl.List:
        truth = _matrix(new["truth"], len(labels))
        left, right = (multilabel.sums(truth, _matrix(side["predicted"], len(labels))) for side in (new, old))
        return paired.compare_sums(left, right, multilabel.scores, metric)
    return _one_label(new, old, len(labels), metric)


def _one_label(new: pl.DataFrame, old: pl.DataFrame, labels: int, metric: str) -> Comparison:
    truth, answers = new["truth"].to_numpy(), [side["predicted"].to_numpy() for side in (new, old)]
    scores = ordered.scores if metric in ("quadratic_kappa", "macro_mae") else classification.scores
    by = metric if metric in scores(np.eye(labels, dtype=np.int64)) else "macro_f1"  # a ranking whose probabilities were not kept
    return paired.compare(truth, answers[0], answers[1], labels, metric=by, scores=scores)


def _ranked(new: pl.DataFrame, old: pl.DataFrame, positive: int, metric: str) -> Comparison:
    truth = (new["truth"] == positive).to_numpy().astype(np.int8)
    return paired.compare_rankings(truth, new["probability"].to_numpy(), old["probability"].to_numpy(), metric)


def _language(new: pl.DataFrame, old: pl.DataFrame, metric: str) -> Comparison:
    def statistic(sums: Any) -> dict[str, Any]:
        return {"perplexity": np.exp(ratio(sums[:, 0], sums[:, 1]))} | (
            {metric: ratio(sums[:, 2], sums[:, 1])} if metric != "perplexity" else {}
        )

    columns = ["loss", "tokens", "right"]
    return paired.compare_sums(new.select(columns).to_numpy(), old.select(columns).to_numpy(), statistic, metric)


def _entities(new: pl.DataFrame, old: pl.DataFrame, labels: int, metric: str) -> Comparison:
    """Documents are drawn whole."""
    _, documents = np.unique(new["document"].to_numpy(), return_inverse=True)
    sums = []
    for side in (new, old):
        summed = np.zeros((documents.max() + 1, entities.FIELDS * labels))
        np.add.at(summed, documents, np.array(side["counts"].to_list(), dtype=float))
        sums.append(summed)
    return paired.compare_sums(sums[0], sums[1], lambda s: entities.scores(s, labels), metric)


def _named(of: Outcomes, labels: list[str]) -> pl.DataFrame:
    """The frame with numbers that mean the same in both versions."""
    places = [labels.index(name) for name in of.labels]
    frame = of.frame
    if places == list(range(len(places))) and (len(places) == len(labels) or "counts" not in frame.columns):
        return frame
    numbers = dict(enumerate(places))
    if "counts" in frame.columns:
        wide = np.zeros((len(frame), entities.FIELDS * len(labels)), dtype=np.int64)
        counts = np.array(frame["counts"].to_list(), dtype=np.int64).reshape(len(frame), -1, entities.FIELDS)
        wide.reshape(len(frame), -1, entities.FIELDS)[:, places] = counts
        return frame.with_columns(counts=pl.Series(wide.tolist(), dtype=pl.List(pl.Int64)))
    if frame.schema["predicted"] == pl.List:
        return frame.with_columns(
            pl.col("truth", "predicted").list.eval(pl.element().replace_strict(numbers, return_dtype=pl.Int64)).list.sort()
        )
    return frame.with_columns(pl.col("truth", "predicted").replace_strict(numbers, return_dtype=pl.Int64))


def _matrix(lists: pl.Series, labels: int) -> np.ndarray:
    """0 or 1, (rows, labels)."""
    found = np.zeros((len(lists), labels), dtype=np.int8)
    for row, numbers in enumerate(lists.to_list()):
        found[row, numbers] = 1
    return found
