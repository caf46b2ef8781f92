"""`socle run` through the real Prefect inside its process: no server is there before, none is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Done
from tests.conftest import PROJECT, csv_text, write_project

pytestmark = pytest.mark.services

SCRIPT = Path(sys.executable).parent / "socle"
LIMIT_S = 240
NPM = "{type: npm, package: lodash, version: 4.17.21, member: package.json}"


@pytest.fixture
def typed(root: Path) -> Iterator[Callable[..., Done]]:
    """A command in a process of its own; `path` replaces PATH."""

    def run(*arguments: str, path: str = os.environ["PATH"]) -> Done:
        done = subprocess.run(
            [str(SCRIPT), *arguments],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env={**os.environ, "SOCLE_ROOT": str(root), "PATH": path},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    yield run
    assert left_behind(root) == []


def left_behind(root: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SOCLE_ROOT") == str(root):
                found.append(" ".join(process.cmdline()))
                process.kill()
        except psutil.Error:
            continue
    return found


def test_a_whole_run_and_then_nothing(typed):
    done = typed("run", "essai")
    assert done.code == 0, done
    for words in (
        "Demandes reçues",
        "essai/demandes@1",
        "90 rows read, 90 kept",
        "2 passed",
        "★ champion",
        "promoted",
        "data docs",
        "model card",
    ):
        assert words in done.out
    again = typed("run", "essai", "--json")
    assert again.code == again.json["exit_code"] == 0
    assert [d["action"] for d in again.json["result"]["datasets"]] == ["nothing"]
    assert [m["action"] for m in again.json["result"]["models"]] == ["nothing"]


def test_one_dataset_that_is_refused(typed, root):
    """`--set dataset=`: the other dataset of the project is left alone. Exit code 1, the reason in both forms."""
    other = PROJECT[PROJECT.index("  demandes:") : PROJECT.index("models:")].replace("  demandes:", "  autres:")
    write_project(root, text=PROJECT.replace("models:", other + "models:", 1))
    data = root / "projects" / "essai" / "data" / "demandes.csv"
    data.write_text(csv_text([("a", "", "paie"), ("b", "du texte", "paie")]), encoding="utf-8")
    done = typed("run", "essai", "--flow", "ingest", "--set", "dataset=demandes", "--json")
    assert done.code == done.json["exit_code"] == 1
    (dataset,) = done.json["result"]["datasets"]
    assert (dataset["dataset"], dataset["action"], dataset["version"]) == ("demandes", "refused", None)
    assert any("texte" in reason for reason in dataset["reasons"])
    assert not list((root / ".socle" / "prefect").glob("storage/*")), "Prefect keeps no copy, and no pickle"
    again = typed("run", "essai", "--flow", "ingest", "--set", "dataset=demandes")
    assert again.code == 1 and "refused" in again.out and "1 row(s)" in again.out
    assert typed("ls", "essai", "--json").json["datasets"] == {"demandes": [], "autres": []}


@pytest.mark.parametrize(
    ("flow", "assigned", "named"),
    [
        ("pipeline", "datasets=demandes", "datasets"),
        ("ingest", "model=theme", "dataset"),
        ("ingest", "dataset=demande", "demandes"),
        ("pipeline", "project=autre", "project"),
    ],
)
def test_a_wrong_parameter_is_bad_usage(typed, flow, assigned, named):
    done = typed("run", "essai", "--flow", flow, "--set", assigned, "--json")
    assert done.code == 2
    assert named in json.dumps(done.json, ensure_ascii=False)


def test_the_fallback_when_npm_is_not_there(typed, root):
    write_project(root, name="distant", text=PROJECT.replace("{type: file, path: data/*.csv}", NPM))
    done = typed("run", "distant", "--fallback", "essai", "--json", path=str(root))
    assert done.code == 0, done
    said = [line for line in done.err.splitlines() if "npm" in line or "essai" in line]
    assert said == ["the npm client is not installed: running the offline project 'essai' instead."]
    assert done.json["result"]["project"] == "essai"
    assert typed("ls", "distant", "--json").json["datasets"] == {"demandes": []}


def test_without_a_fallback_npm_missing_is_a_system_failure(typed, root):
    write_project(root, name="distant", text=PROJECT.replace("{type: file, path: data/*.csv}", NPM))
    done = typed("run", "distant", "--json", path=str(root))
    assert done.code == 3
    assert "npm" in json.dumps(done.json)
