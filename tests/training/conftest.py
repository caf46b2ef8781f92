"""A small labelled table, and examples made from it without the steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.project import Model, TextClassification
from flows.training.examples import Examples, prepare
from flows.training.tasks import task_of
from tests.conftest import rows


@pytest.fixture
def model() -> Callable[..., Model]:
    def made(**changes: Any) -> Model:
        split = {"validation": 0.2, "test": 0.2}
        fields = {"title": "t", "task": "text-classification", "dataset": "d", "inputs": ["texte"], "label": "theme", "split": split}
        return TextClassification.model_validate(fields | {"candidates": ["tfidf"]} | changes)

    return made


@pytest.fixture
def examples(tmp_path: Path, model: Callable[..., Model]) -> Callable[..., Examples]:
    def made(lines: list[tuple[str, str | None, str | None]] | None = None, **changes: Any) -> Examples:
        schema = {"id": pl.String, "texte": pl.String, "theme": pl.String}
        frame = pl.DataFrame(rows(150) if lines is None else lines, schema=schema, orient="row")
        return prepare(frame.lazy(), task_of(model(**changes)), ["id"], tmp_path / "examples")

    return made
