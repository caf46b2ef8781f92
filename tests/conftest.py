"""Fixtures that all tests share: a repository root of their own, with a lake in a temporary folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("socle", deadline=None)  # how long an example takes on a busy machine says nothing
settings.load_profile("socle")
pytest_plugins = ["tests.platform", "tests.s3", "tests.stack", "tests.faults.shaken"]

REPOSITORY = Path(__file__).resolve().parent.parent

PROJECT = """\
title: Demandes
ministry: Ministère d'essai
owner: {team: Équipe, email: equipe@example.gouv.fr}
datasets:
  demandes:
    title: Demandes reçues
    source: {type: file, path: data/*.csv}
    format: {type: csv}
    key: [id]
    columns: {id: string, texte: string, theme: string}
    expectations: [demandes.json]
    on_failure: block
    personal_data: none
models:
  theme:
    title: Thème d'une demande
    task: text-classification
    dataset: demandes
    inputs: [texte]
    label: theme
    split: {by: key, validation: 0.2, test: 0.2}
    candidates: [tfidf]
    promote: {metric: macro_f1, at_least: 0.3, tolerance: 0.01}
"""

SUITE = {
    "name": "demandes",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "texte"}, "severity": "critical"},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}, "severity": "critical"},
    ],
}
WORDS = {"congé": "congé vacances repos absence", "paie": "salaire prime bulletin virement", "contrat": "embauche essai rupture préavis"}


def rows(count: int, start: int = 0) -> list[tuple[str, str, str]]:
    """(id, texte, theme): three themes that words tell apart; the same rows for the same arguments."""
    themes = list(WORDS)
    out = []
    for i in range(start, start + count):
        theme = themes[i % len(themes)]
        words = WORDS[theme].split()
        out.append((f"d{i:05}", f"question {i} sur {words[i % 4]} et {words[(i // 3) % 4]}", theme))
    return out


def csv_text(lines: list[tuple[str, ...]], header: str = "id,texte,theme") -> str:
    return "\n".join([header, *(",".join(line) for line in lines)]) + "\n"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No SOCLE_ or PREFECT_ variable of the developer's shell decides a test."""
    for name in [n for n in os.environ if n.startswith(("SOCLE_", "PREFECT_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository root with one project, `essai` (see PROJECT), its suite, 90 rows, and a lake of its own."""
    write_project(tmp_path)
    monkeypatch.setenv("SOCLE_ROOT", str(tmp_path))
    return tmp_path


def write_project(root: Path, name: str = "essai", text: str = PROJECT, suite: dict[str, Any] = SUITE, count: int = 90) -> Path:
    folder = root / "projects" / name
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    (folder / "data" / "demandes.csv").write_text(csv_text(rows(count)), encoding="utf-8")
    (root / "expectations").mkdir(exist_ok=True)
    (root / "expectations" / "demandes.json").write_text(json.dumps(suite), encoding="utf-8")
    return folder


@pytest.fixture
def edit(root: Path) -> Callable[[str, str], None]:
    """Replace text in the project file; fails if it is not there."""

    def replace(old: str, new: str) -> None:
        path = root / "projects" / "essai" / "project.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new), encoding="utf-8")

    return replace


@pytest.fixture
def run(root: Path) -> Iterator[Any]:
    from flows.steps import open_run

    with open_run("essai") as opened:
        yield opened


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """`c` of every training of the TF-IDF baseline."""
    from flows.training import baseline

    seen: list[float] = []
    own = baseline.train

    def counted(job: Any, **more: Any) -> Any:
        seen.append(job.candidate.c)
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", counted)
    return seen
