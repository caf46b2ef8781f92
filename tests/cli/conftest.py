"""Commands typed in this process, and a tree where a project has run twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, csv_text, rows, write_project


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def socle(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Type a command, as its console script does."""

    def typed(*arguments: str) -> Done:
        from flows.cli import main

        monkeypatch.setattr(sys, "argv", ["socle", *arguments])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return typed


@pytest.fixture(scope="session")
def ran_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dataset versions 1 and 2, and from each a model version of two candidates: 1 and 2, 3 and 4. Champion: 3."""
    from flows.steps import open_run
    from flows.steps.pipeline import run_plain

    tree = tmp_path_factory.mktemp("ran-twice")
    folder = write_project(tree, text=PROJECT.replace("[tfidf]", "[tfidf, {kind: tfidf, max_features: 1, ngram_max: 1}]"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOCLE_ROOT", str(tree))
        for count in (90, 120):
            (folder / "data" / "demandes.csv").write_text(csv_text(rows(count)), encoding="utf-8")
            with open_run("essai") as run:
                assert run_plain(run).exit_code == 0
    return tree


@pytest.fixture
def lake(ran_twice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that tree, which the commands use."""
    tree = tmp_path / "tree"
    shutil.copytree(ran_twice, tree)
    monkeypatch.setenv("SOCLE_ROOT", str(tree))
    return tree


@pytest.fixture
def modules() -> Callable[..., tuple[Done, set[str]]]:
    """A command in a process of its own, and the top-level modules that were imported when it ended."""

    def typed(*arguments: str) -> tuple[Done, set[str]]:
        code = (
            "import sys, json, atexit\n"
            "atexit.register(lambda: sys.stderr.write('\\nMODULES ' + json.dumps(sorted({m.split('.')[0] for m in sys.modules}))))\n"
            "from flows.cli import main\n"
            "main()\n"
        )
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False)
        err, _, listed = done.stderr.rpartition("\nMODULES ")
        return Done(done.returncode, done.stdout, err), set(json.loads(listed))

    return typed
