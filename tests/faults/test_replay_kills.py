"""SIGKILL on both sides of every write of a replay: versions are whole, no row is lost or doubled, the same command does the rest."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.lake.datasets import Dataset
from flows.steps import open_run
from flows.steps.correct import correct, export
from flows.steps.ingest import load_dataset
from flows.steps.quarantine import survey
from flows.steps.replay import replay
from tests.conftest import PROJECT, REPOSITORY, csv_text, write_project

KEPT, CORRECTED, WRONG = ["d1", "d2"], ["d3", "d4"], "d5"
NO_RULES = {"name": "demandes", "expectations": []}


def ids(number: int | None = None) -> list[str]:
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "demandes")
        latest = table.latest()
        assert latest is not None
        with table.reading():
            return sorted(table.scan(number or latest.number).collect()["id"].to_list())


def replayed_by(root: Path, kill_at: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.cleaning", str(root), "replay", *([str(kill_at)] if kill_at is not None else [])]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def tree(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two rows kept, three refused, two of them corrected."""
    root = tmp_path / "tree"
    text = PROJECT.replace("on_failure: block", f"on_failure: quarantine\n    mode: {request.param}")
    folder = write_project(root, text=text.replace("theme: string", "theme: {type: string, required: true}"), suite=NO_RULES)
    lines = [*((i, "texte", "paie") for i in KEPT), *((i, "texte", "") for i in [*CORRECTED, WRONG])]
    (folder / "data" / "demandes.csv").write_text(csv_text(lines), encoding="utf-8")
    monkeypatch.setenv("SOCLE_ROOT", str(root))
    sheet = tmp_path / "out.csv"
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        export(run, "demandes", sheet)
        header, *rows = csv.reader(sheet.open(encoding="utf-8-sig", newline=""), delimiter=";")
        for row in rows:
            row[header.index("theme")] = "" if row[header.index("id")] == WRONG else "paie"
        with sheet.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, *rows])
        correct(run, "demandes", sheet)
    return root


@pytest.mark.parametrize("tree", ["append"], indirect=True)
def test_a_replay_that_is_killed_in_its_middle_is_done_by_the_next(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = events(tree, tmp_path)
    survives(tree, tmp_path, monkeypatch, len(labels) // 2, labels)


@pytest.mark.faults
@pytest.mark.parametrize("tree", ["append", "upsert", "replace"], indirect=True)
def test_a_replay_that_is_killed_anywhere_is_done_by_the_next(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = events(tree, tmp_path)
    for number in range(len(labels)):
        survives(tree, tmp_path, monkeypatch, number, labels)


def events(tree: Path, tmp_path: Path) -> list[str]:
    whole = tmp_path / "whole"
    shutil.copytree(tree, whole)
    labels: list[str] = json.loads(replayed_by(whole).stdout)
    assert len(labels) > 6
    return labels


def survives(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, labels: list[str]) -> None:
    root = tmp_path / f"killed-{number}"
    shutil.copytree(tree, root)
    monkeypatch.setenv("SOCLE_ROOT", str(root))
    done = replayed_by(root, number)
    assert done.returncode == -signal.SIGKILL, (labels[number], done.stderr)
    assert ids() in (KEPT, KEPT + CORRECTED), labels[number]
    with open_run("essai") as run:
        replay(run, "demandes")
    assert ids() == KEPT + CORRECTED, labels[number]
    assert ids(1) == KEPT
    with open_run("essai") as run:
        assert replay(run, "demandes").outcomes == []
        assert load_dataset(run, "demandes").action == "nothing"
        counts = survey(run, "demandes").counts
        assert (counts["open"], counts["let in"]) == (1, 2), labels[number]
        assert len(Dataset(run.lake, "essai", "demandes").history()) == 2
    shutil.rmtree(root)
