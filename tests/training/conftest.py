"""A small labelled table, and examples made from it without the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.project import Model, TextClassification
from flows.training.examples import Examples, prepare
from flows.training.tasks import task_of
from tests.conftest import rows
from tests.training import tiny


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


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A very small BERT as a base model."""
    from flows.training.base_models import BaseModel, weights_sha256

    folder = tiny.make(tmp_path_factory.mktemp("tiny") / "model")
    return BaseModel("path:tiny", folder, weights_sha256(folder))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """So small a model is only slowed down by threads that wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def job_of(tmp_path: Path, tiny_base: Any) -> Callable[..., Any]:
    """A job with folders of its own, for a candidate that begins with the tiny model."""
    from flows.project import TransformerCandidate
    from flows.training.tasks.base import Job

    def made(examples: Examples, name: str = "model", base: Any = tiny_base, job: dict[str, Any] | None = None, **changes: Any) -> Job:
        fields = {"base_model": "path:tiny", "epochs": 1, "max_length": 32, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32"}
        folder, work = tmp_path / name, tmp_path / f"{name}-work"
        folder.mkdir()
        work.mkdir()
        candidate = TransformerCandidate.model_validate(fields | changes)
        return Job(candidate, examples, folder, work, tmp_path / "cache", base, **(job or {}))

    return made
