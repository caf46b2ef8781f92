"""The evaluation of a version beyond its scores: what every task has, and what the task adds."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from flows.training.evaluation import groups, leakage
from flows.training.examples import GROUP, Examples
from flows.training.split import SIDES
from flows.training.tasks.base import Seen, Task


def make(task: Task, seen: Seen, examples: Examples) -> dict[str, Any]:
    """JSON-serialisable: `sides` (texts that stand on two sides), `groups` (the score of each value of each group column), and what
    the task says (calibration, thresholds, errors, labels that look wrong ...)."""
    return {"sides": _sides(examples), "groups": _groups(task, seen)} | task.report(seen)


def _sides(examples: Examples) -> dict[str, Any] | None:
    """Texts on two sides, looked for once for all candidates. None: these examples are no texts."""
    kept = examples.folder / "leakage.json"
    if not kept.is_file():
        sides = {side: pl.scan_parquet(examples.path(side)) for side in SIDES}
        texts = "text" in sides["train"].collect_schema()
        kept.write_text(json.dumps(leakage.across_sides(sides) if texts else None), encoding="utf-8")
    found: dict[str, Any] | None = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _groups(task: Task, seen: Seen) -> dict[str, Any] | None:
    rows, answers, model = seen.examples["test"], seen.answers["test"], task.model
    if not model.groups:
        return None
    columns = {name: rows[f"{GROUP}{name}"].to_list() for name in model.groups}
    return groups.by_groups(
        columns,
        lambda some: task.evaluate(task.some(answers, some), rows[some], seen.labels),
        model.metric,
        higher_is_better=model.higher_is_better,
    )
