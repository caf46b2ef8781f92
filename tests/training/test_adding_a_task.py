"""The task that docs/training.md adds, taken from the page: it trains, is measured, and what it saved is loaded again."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import numpy as np
import polars as pl

from tests.conftest import REPOSITORY

IMPORTS = """
from __future__ import annotations
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal
import numpy as np
import polars as pl
from pydantic import Field
from sklearn.linear_model import Ridge
from flows.models import DESCRIPTION, join_inputs
from flows.models.tfidf import load_vectorizer, make_vectorizer, save_vectorizer
from flows.project import AnyCandidate, Model, TfidfCandidate
from flows.project.models import Directions
from flows.training.evaluation import regression
from flows.training.tasks.base import LEFT_OUT, Job, Task, Trained, Trainer
"""


def blocks() -> list[str]:
    page = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")
    part = page.split("## Adding a task")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", part, re.DOTALL)


def test_the_task_of_the_page_is_short_and_works(tmp_path, monkeypatch):
    from flows.training.examples import prepare
    from flows.training.tasks.base import Job

    found = blocks()
    assert len(found) == 3 and sum(len(b.splitlines()) for b in found) < 100
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # pydantic looks there for what annotations name
    names = vars(module)
    exec(compile(IMPORTS + "\n".join(found), "docs/training.md", "exec", dont_inherit=True), names)
    words = ["calme", "ordinaire", "pressant", "urgent"]
    rows = [(str(i), f"demande {words[i % 4]} {i % 7}", None if i == 5 else float(i % 4)) for i in range(200)]
    frame = pl.DataFrame(rows, schema={"id": pl.String, "texte": pl.String, "n": pl.Float64}, orient="row")
    fields = {"title": "t", "task": "text-regression", "dataset": "d", "inputs": ["texte"], "label": "n", "candidates": ["tfidf"]}
    task = names["task"](names["TextRegression"].model_validate(fields))
    examples = prepare(frame.lazy(), task, ["id"], tmp_path / "examples")
    assert examples.left_out == {"without_label": 1}
    trained = task.trainer(task.model.all_candidates[0])(Job(task.model.all_candidates[0], examples, tmp_path, tmp_path, tmp_path))
    test = examples.read("test")
    scores = task.evaluate(task.predict(trained.predictor, test), test, [])
    assert scores["mae"]["high"] < 0.3 and task.outcomes(task.predict(trained.predictor, test), test, []).columns == ["truth", "predicted"]
    trained.predictor.save(tmp_path)
    again = names["NumberPredictor"].load(tmp_path, {"ngram_max": 2})
    np.testing.assert_allclose(again.predict(test["text"].to_list()), trained.predictor.predict(test["text"].to_list()), atol=1e-5)
