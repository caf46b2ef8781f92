"""The repository's own projects and suites in a root of their own, with data beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.lake.datasets import Dataset
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import REPOSITORY

COUNTS = ("expect_table_row_count", "expect_column_unique_value_count")
"""Expectations that only whole files meet."""


def root_of(folder: Path, *projects: str, whole: bool) -> Path:
    """`whole`: the suites as they are; otherwise without what only whole files meet."""
    for project in projects:
        shutil.copytree(REPOSITORY / "projects" / project, folder / "projects" / project, ignore=shutil.ignore_patterns("data"))
        (folder / "projects" / project / "data").mkdir()
    shutil.copytree(REPOSITORY / "expectations", folder / "expectations")
    for path in () if whole else (folder / "expectations").rglob("*.json"):
        suite = json.loads(path.read_text(encoding="utf-8"))
        suite["expectations"] = [e for e in suite["expectations"] if not e["type"].startswith(COUNTS)]
        path.write_text(json.dumps(suite), encoding="utf-8")
    return folder


def load_all(project: str):
    with open_run(project) as run:
        run.lake.bucket(project).ensure()
        return {name: load_dataset(run, name) for name in run.project.datasets}


def table(reference: str):
    """`project/dataset@version` as a frame."""
    project, _, rest = reference.partition("/")
    name, _, version = rest.partition("@")
    with open_run(project) as run:
        return Dataset(run.lake, project, name).scan(int(version)).collect()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A root with one project; gives the folder that its data go to."""

    def made(project: str) -> Path:
        root_of(tmp_path, project, whole=False)
        monkeypatch.setenv("SOCLE_ROOT", str(tmp_path))
        return tmp_path / "projects" / project / "data"

    return made
