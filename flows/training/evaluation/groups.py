"""Where a model is weak: the score of each region, size or other group of rows."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import Array

FEWEST = 30  # rows of a group from which on it is scored
MOST = 50  # groups of a column that are shown, the largest


def by_groups(
    columns: Mapping[str, Sequence[object]],
    evaluate: Callable[[Array], Mapping[str, Any]],
    metric: str,
    *,
    higher_is_better: bool = True,
    fewest: int = FEWEST,
) -> dict[str, Any]:
    """The score of each value of each column, and which are weak.

    columns: name -> the value of each row of the side, None where it is not known. evaluate: row numbers, shape (m,) -> a metrics
    dictionary; for instance lambda rows: evaluate(truth[rows], probabilities[rows], labels).
    Each group: value, rows, the score (None below `fewest` rows: `few`), and `weak`: its whole interval is on the bad side of the score of
    all rows. Of 40 groups that are no weaker than the others, one is called weak by chance; a score that hangs on which labels occur
    (macro_f1) may differ because the group has other labels. Groups beyond the MOST largest are counted in `others`.
    """
    sizes = {len(values) for values in columns.values()}
    if len(sizes) != 1:
        raise ValueError(f"columns of groups have {sorted(sizes)} rows: one number is needed")
    rows = sizes.pop()
    overall = evaluate(np.arange(rows))[metric]
    found = {name: _column(values, evaluate, metric, overall["value"], higher_is_better, fewest) for name, values in columns.items()}
    return {"rows": rows, "metric": metric, metric: overall, "columns": found}


def weak(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The weak groups of all columns, with their column, the weakest first."""
    metric, every = report["metric"], report[report["metric"]]["value"]
    found = [{"column": name} | group for name, column in report["columns"].items() for group in column["groups"] if group["weak"]]
    return sorted(found, key=lambda g: -abs(g[metric]["value"] - every))


def _column(
    values: Sequence[object], evaluate: Callable[[Array], Mapping[str, Any]], metric: str, overall: float | None, higher: bool, fewest: int
) -> dict[str, Any]:
    places: dict[object, array[int]] = {}
    for row, value in enumerate(values):
        places.setdefault(None if value is None or _is_nan(value) else value, array("q")).append(row)
    ordered = sorted(places, key=lambda v: (-len(places[v]), str(v)))
    groups = []
    for value in ordered[:MOST]:
        some = np.array(places[value], dtype=np.int64)
        score = dict(evaluate(some)[metric]) if len(some) >= fewest else None
        entry = {"value": None if value is None else str(value), "rows": len(some), metric: score, "few": score is None}
        groups.append(entry | {"weak": _is_weak(score, overall, higher)})
    others = [len(places[v]) for v in ordered[MOST:]]
    return {"groups": groups, "others": {"groups": len(others), "rows": sum(others)}}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_weak(score: Mapping[str, Any] | None, overall: float | None, higher: bool) -> bool:
    if score is None or overall is None or score["low"] is None:
        return False
    return bool(score["high"] < overall if higher else score["low"] > overall)
