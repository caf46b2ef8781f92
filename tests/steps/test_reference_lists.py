"""A look at the reference lists that writes nothing, and one that writes where somebody can review it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from flows.quality.french import lists
from flows.settings import load_settings
from flows.steps import reference_lists
from flows.steps.reference_lists import Stayed, obstacle_to_writing, review


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lists of a repository, made of a file of departments; and one whose source is not there."""
    folder = tmp_path / "repository" / "reference"
    folder.mkdir(parents=True)
    file = folder.parent / "departements.json"
    entries = {
        "departments": {"title": "Départements", "sources": [{"type": "file", "path": str(file)}]},
        "naf": {"title": "NAF", "sources": [{"type": "file", "path": str(folder / "absent.json")}]},
    }
    (folder / lists.MANIFEST).write_text(json.dumps(entries), encoding="utf-8")
    publish(folder, "01", "02", "2A")
    return folder


def publish(folder: Path, *codes: str) -> None:
    content = json.dumps([{"code": code, "zone": "com" if code.startswith("97") else "metro"} for code in codes])
    (folder.parent / "departements.json").write_text(content, encoding="utf-8")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_look_writes_nothing_and_says_what_a_refresh_does(folder: Path) -> None:
    list(reference_lists.refresh([], load_settings(), folder))
    publish(folder, "01", "02", "2B")
    before = content(folder)
    looked = review(load_settings(), False, folder)
    assert content(folder) == before and not looked.written and looked.obstacle is None
    (change,) = looked.changes
    assert (change.added, change.removed, change.altered, change.before) == (["2B"], ["2A"], [], 4)
    assert looked.entries["departments"]["rows"] == 4
    (folder.parent / ".git").mkdir()
    done = review(load_settings(), True, folder)
    assert done.written and done.changes == looked.changes and "2B" in (folder / "departments.csv").read_text()
    assert review(load_settings(), False, folder).changes[0].nothing


def test_one_that_fails_is_named_by_the_place_that_there_is(folder: Path) -> None:
    list(reference_lists.refresh([], load_settings(), folder))
    publish(folder, "01")
    looked = review(load_settings(), False, folder)
    assert [one.name for one in looked.outcomes if isinstance(one, Stayed)] == ["departments", "naf"]
    assert looked.stayed[0].error.where == str(folder / "departments.csv")


def test_without_a_checkout_nothing_is_written(folder: Path) -> None:
    before = content(folder)
    done = review(load_settings(), True, folder)
    assert (done.written, done.obstacle) == (False, "no checkout") and content(folder) == before and done.changes[0].after == 4


def test_a_checkout_that_is_read_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / ".git").write_text("gitdir: elsewhere")  # of a worktree it is a file
    assert obstacle_to_writing(folder) is None
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != lists.MANIFEST)
    assert obstacle_to_writing(folder) == "read only"
