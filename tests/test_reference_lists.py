"""The flow, through the real Prefect inside its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.quality.french import lists

pytestmark = pytest.mark.services

LIMIT_S = 240
RUN = """
import asyncio, json, sys
from pathlib import Path
from flows.cli.embedded import prefect_environment
from flows.settings import load_settings
from flows.steps.reference_lists import review

async def main(folder, refresh):
    from prefect.client.orchestration import get_client
    from flows.reference_lists import reference_lists
    review.__defaults__ = (Path(folder),)
    state = await reference_lists(refresh=refresh == "refresh", return_state=True)
    async with get_client() as client:
        (run,) = await client.read_flow_runs()
        found = {a.key: a.data for a in await client.read_artifacts()}
    print(json.dumps({"type": run.state.type, "state": run.state.name, "message": run.state.message, "run": run.name, "artifacts": found}))

prefect_environment(load_settings())
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder, file = tmp_path / "reference", tmp_path / "departements.json"
    folder.mkdir()
    (tmp_path / ".git").mkdir()
    entry = {
        "title": "Départements",
        "fetched": "2026-01-02",
        "licence": "Licence Ouverte",
        "sources": [{"type": "file", "path": str(file)}],
    }
    (folder / lists.MANIFEST).write_text(json.dumps({"departments": entry}), encoding="utf-8")
    file.write_text(json.dumps([{"code": code, "zone": "metro"} for code in ("01", "02", "2A")]), encoding="utf-8")
    return folder


def run(folder: Path, mode: str) -> dict[str, Any]:
    home = folder.parent / f"prefect-{len(list(folder.parent.iterdir()))}"
    environment = {**os.environ, "SOCLE_ROOT": str(folder.parent), "PREFECT_HOME": str(home)}
    command = [sys.executable, "-c", RUN, str(folder), mode]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_it_says_what_would_change_then_writes_it_then_nothing(folder: Path) -> None:
    looked = run(folder, "look")
    assert (looked["type"], looked["state"], looked["run"]) == ("COMPLETED", "Completed", "Plateforme")
    assert "1 n'est plus celle de sa source" in looked["message"] and not (folder / "departments.csv").exists()
    text = looked["artifacts"]["listes-de-reference"]
    assert "02/01/2026" in text and "Ajoutés (4) : `01`, `02`, `20`, `2A`" in text and "`socle reference-lists --refresh`" in text
    assert "1 a été mise à jour" in run(folder, "refresh")["message"] and (folder / "departments.csv").read_text().count("\n") == 5


def test_a_source_that_is_not_there_is_a_warning_and_no_failure(folder: Path) -> None:
    entries = lists.manifest(folder)
    entries["naf"] = {"title": "NAF", "sources": [{"type": "http", "url": "http://127.0.0.1:1/naf.json"}]}
    (folder / lists.MANIFEST).write_text(json.dumps(entries), encoding="utf-8")
    found = run(folder, "look")
    assert (found["type"], found["state"]) == ("COMPLETED", "Avertissement")
    assert "1 liste dont une source est injoignable" in found["message"] and "Ajoutés (4)" in found["artifacts"]["listes-de-reference"]


def test_a_manifest_that_cannot_be_read_is_a_failure_that_is_explained(folder: Path) -> None:
    (folder / lists.MANIFEST).write_text("{", encoding="utf-8")
    found = run(folder, "look")
    assert found["type"] == "FAILED" and "À faire" in found["message"] and "manifest" in found["artifacts"]["echecs-plateforme"]
