"""Made-up companies whose risk hangs on what a table knows of them, and models of them without the steps."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flows.project import TabularClassification, TabularRegression
from flows.training.examples import Examples, prepare
from flows.training.tasks import task_of
from flows.training.tasks.base import Job, Task, Trained

INPUTS = ["effectif", "secteur", "sociale", "creation", "activite"]
SECTORS = ["A", "B", "C", "D"]


def companies(count: int = 600, seed: int = 1) -> pl.DataFrame:
    """Sectors A and B are at risk where they are small, the others where they are large: no linear model sees it. One tenth of the sizes
    and one tenth of the sectors are not known. `note` is a number that hangs on size and date."""
    generator = np.random.default_rng(seed)
    sector = generator.choice(SECTORS, count)
    size = np.round(generator.lognormal(4, 1, count))
    days = generator.integers(0, 9000, count)
    risk = np.isin(sector, ["A", "B"]) == (size < 55)
    risk ^= generator.random(count) < 0.1
    words = np.where(risk, "atelier mécanique", "bureau conseil")
    words = np.where(generator.random(count) < 0.5, words, "activité diverse")
    missing = generator.random((2, count)) < 0.1
    frame = pl.DataFrame(
        {
            "id": [f"e{i:05}" for i in range(count)],
            "effectif": size,
            "secteur": sector,
            "sociale": generator.random(count) < 0.3,
            "creation": [date(2000, 1, 1) + timedelta(days=int(d)) for d in days],
            "activite": words,
            "risque": risk,
            "note": 50 + days / 300 + np.log(size) * 3 + generator.normal(0, 1, count),
        }
    )
    return frame.with_columns(
        effectif=pl.when(pl.Series(missing[0])).then(None).otherwise(pl.col("effectif")),
        secteur=pl.when(pl.Series(missing[1])).then(None).otherwise(pl.col("secteur")),
        vu=pl.lit(datetime(2024, 5, 6, 10, 30)),
    )


def classification(**changes: Any) -> TabularClassification:
    fields = {"title": "t", "task": "tabular-classification", "dataset": "d", "inputs": INPUTS, "texts": ["activite"], "label": "risque"}
    fields |= {"positive": "true", "split": {"validation": 0.2, "test": 0.2}, "candidates": ["linear", "boosting"]}
    return TabularClassification.model_validate(fields | changes)


def regression(**changes: Any) -> TabularRegression:
    fields = {"title": "t", "task": "tabular-regression", "dataset": "d", "inputs": INPUTS, "texts": ["activite"], "label": "note"}
    fields |= {"split": {"validation": 0.2, "test": 0.2}, "candidates": ["linear", "boosting"]}
    return TabularRegression.model_validate(fields | changes)


def prepared(folder: Path, model: Any, rows: pl.DataFrame | None = None) -> tuple[Task, Examples]:
    task = task_of(model)
    return task, prepare((companies() if rows is None else rows).lazy(), task, ["id"], folder / "examples")


def trained(task: Task, examples: Examples, folder: Path, kind: str, **settings: Any) -> tuple[Trained, Job]:
    """`settings`: of the job; the candidate is the first of that kind."""
    candidate = next(c for c in task.model.all_candidates if c.kind == kind)
    place = folder / kind
    place.mkdir()
    job = Job(candidate, examples, place, place, place, **settings)
    found = task.trainer(candidate)(job)
    found.predictor.save(place)
    return found, job
