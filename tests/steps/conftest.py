"""What tests of the steps share: each `load()` or `train()` is a run of its own, as if the command had been typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.lake.quarantine import Quarantine
from flows.quality.results import CheckReport
from flows.steps import open_run
from flows.steps.finetune import ModelOutcome, finetune_model
from flows.steps.ingest import LoadOutcome, load_dataset


@pytest.fixture
def load(root: Path) -> Callable[[], LoadOutcome]:
    def loaded() -> LoadOutcome:
        with open_run("essai") as run:
            return load_dataset(run, "demandes")

    return loaded


@pytest.fixture
def train(root: Path) -> Callable[[], ModelOutcome]:
    def trained() -> ModelOutcome:
        with open_run("essai") as run:
            return finetune_model(run, "theme")

    return trained


@pytest.fixture
def append(edit: Callable[[str, str], None]) -> None:
    edit("key: [id]", "key: [id]\n    mode: append")


@pytest.fixture
def served(root: Path) -> Callable[..., list[dict[str, Any]]]:
    """Rows of a version (the latest), in the order of `id`."""

    def rows_of(version: int | None = None) -> list[dict[str, Any]]:
        from flows.lake.datasets import Dataset

        with open_run("essai") as run:
            table = Dataset(run.lake, "essai", "demandes")
            latest = table.latest()
            assert latest is not None
            return table.scan(version or latest.number).collect().sort("id", nulls_last=True).to_dicts()

    return rows_of


@pytest.fixture
def history(root: Path) -> Callable[[], list[int]]:
    """Numbers of the versions that readers see, the newest first."""

    def numbers() -> list[int]:
        from flows.lake.datasets import Dataset

        with open_run("essai") as run:
            return [v.number for v in Dataset(run.lake, "essai", "demandes").history()]

    return numbers


@pytest.fixture
def quarantined_rows(root: Path) -> Callable[[CheckReport], list[dict[str, Any]]]:
    """The refused rows of one load."""

    def rows_of(report: CheckReport) -> list[dict[str, Any]]:
        with open_run("essai") as run:
            return Quarantine(run.lake, "essai", "demandes").rows(report.load_id)

    return rows_of


@pytest.fixture
def quarantined(root: Path) -> Callable[[CheckReport], dict[int, set[str]]]:
    """row number -> rules, of the refused rows of one load."""

    def rows_of(report: CheckReport) -> dict[int, set[str]]:
        with open_run("essai") as run:
            return {r["row_number"]: set(r["rules"]) for r in Quarantine(run.lake, "essai", "demandes").rows(report.load_id)}

    return rows_of


@pytest.fixture
def data(root: Path) -> Callable[..., Path]:
    """Write a source file; without text, remove it."""

    def write(text: str | bytes | None, name: str = "demandes.csv") -> Path:
        path = root / "projects" / "essai" / "data" / name
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def suite(root: Path) -> Callable[..., None]:
    """Write the project's suite: (type, kwargs) or (type, kwargs, severity)."""

    def write(*expectations: tuple[Any, ...]) -> None:
        entries = [{"type": e[0], "kwargs": e[1], "severity": e[2] if len(e) > 2 else "critical"} for e in expectations]
        text = json.dumps({"name": "demandes", "expectations": entries})
        (root / "expectations" / "demandes.json").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def unchecked(suite: Callable[..., None]) -> None:
    """A suite that expects nothing: what is tested is not the checks, and Great Expectations takes its time."""
    suite()
