"""SIGKILL while a cleanup or an erasure goes on: what is not expired reads as before, and the same command again does the rest."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset
from tests.conftest import PROJECT, REPOSITORY, csv_text, rows, write_project
from tests.faults.cleaning import WORK, do

PERSON = "d00003"
SUITE: dict[str, Any] = {"name": "demandes", "expectations": []}


@dataclass(frozen=True)
class Tree:
    """A lake with four versions, the second of which a model was made from; refused rows; a checkpoint."""

    folder: Path
    told: dict[int, list[dict[str, Any]]]
    keys: dict[str, list[str]]
    """Work -> keys of the lake after it, when nobody kills it."""
    events: dict[str, list[str]]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    folder = tmp_path_factory.mktemp("cleaning") / "tree"
    text = PROJECT.replace("on_failure: block", "on_failure: quarantine")
    project = write_project(folder, text=text, suite=SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOCLE_ROOT", str(folder))
        for count in (10, 60, 70, 80):
            refused = [("", f"sans numéro {count}", "paie"), (PERSON, "deux fois", "paie")]
            (project / "data" / "demandes.csv").write_text(csv_text([*rows(count), *refused]), encoding="utf-8")
            with open_run("essai") as run:
                load_dataset(run, "demandes")
                if count == 60:
                    finetune_model(run, "theme")
        with open_run("essai") as run:
            table = Dataset(run.lake, "essai", "demandes")
            opened = table.open()
            assert opened is not None
            opened.create_checkpoint()
            told = {v.number: read(table, v.number) for v in table.history()}
    found: dict[str, list[str]] = {}
    events: dict[str, list[str]] = {}
    for work in WORK:
        copy = folder.with_name(work)
        shutil.copytree(folder, copy)
        events[work] = json.loads(clean(copy, work).stdout.splitlines()[-1])
        found[work] = kinds(copy)
    return Tree(folder, told, found, events)


def clean(root: Path, work: str, kill_at: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.cleaning", str(root), work, *([str(kill_at)] if kill_at is not None else [])]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == (0 if kill_at is None else -signal.SIGKILL), done.stderr
    return done


def read(table: Dataset, number: int) -> list[dict[str, Any]]:
    return table.scan(number).collect().sort("id").to_dicts()


def kinds(root: Path) -> list[str]:
    """Keys of the lake, without names that are new in every run."""
    bucket = root / ".socle" / "lake" / "socle-essai"
    names = [p.relative_to(bucket).as_posix() for p in bucket.rglob("*") if p.is_file()]
    own = ("audit/", "erasures/")
    kept = (n for n in names if not n.startswith(own) and "_delta_log" not in n)
    return sorted(re.sub(r"part-.*|(?<=checks/demandes/)[0-9a-f]{24}", "*", n) for n in kept)


def whole(work: str, told: dict[int, list[dict[str, Any]]]) -> None:
    """Whatever is not expired is as it was, or, for the version that an erasure made, without the person."""
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "demandes")
        history = table.history()
        for version in history:
            if version.expired is None:
                before = told.get(version.number) or [r for r in told[4] if r["id"] != PERSON]
                assert read(table, version.number) == before, version
        assert history[0].expired is None or work == "purge"
        store = Models(run.lake, "essai", "theme")
        store.download(store.version(1), run.work / "model")


def survives(tree: Tree, root: Path, work: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tree.folder, root)
    monkeypatch.setenv("SOCLE_ROOT", str(root))
    clean(root, work, number)
    whole(work, tree.told)
    do(work)
    whole(work, tree.told)
    assert kinds(root) == tree.keys[work]
    with open_run("essai") as run:
        alive = {v.number for v in Dataset(run.lake, "essai", "demandes").history() if v.expired is None}
        assert load_dataset(run, "demandes").action == "nothing"
    assert alive == ({4, 2} if work == "maintain" else {5})
    if work == "purge":
        assert [p for p in (root / ".socle" / "lake").rglob("*") if p.is_file() and names_person(p)] == []


def names_person(path: Path) -> bool:
    rows = str(pl.read_parquet(path).to_dicts()) if path.suffix == ".parquet" else ""
    return PERSON in rows or PERSON.encode() in path.read_bytes()


def spread(tree: Tree, work: str, shares: int) -> list[int]:
    last = len(tree.events[work]) - 1
    return sorted({round(last * share / (shares - 1)) for share in range(shares)})


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("share", range(4))
def test_a_kill_here_and_there(tree, tmp_path, monkeypatch, work, share):
    survives(tree, tmp_path / "root", work, spread(tree, work, 4)[share], monkeypatch)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("work", WORK)
def test_a_kill_at_every_event(tree, tmp_path, monkeypatch, work):
    for number in range(len(tree.events[work])):
        survives(tree, tmp_path / str(number), work, number, monkeypatch)


def test_there_are_events_of_every_kind(tree):
    assert {"before create_write_transaction", "after create_write_transaction", "before delete"} <= set(tree.events["maintain"])
    assert {"after write_deltalake", "after create_write_transaction", "before put", "before create"} <= set(tree.events["purge"])
    assert min(map(len, tree.events.values())) > 20
