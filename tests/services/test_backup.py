"""Backup of a platform that runs, and its restore into an empty database and an empty lake, where everything is there and work goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.backup import database
from flows.cli import postgres
from flows.cli.processes import Processes
from flows.errors import ConfigurationError, SystemFailure
from flows.settings import Settings
from tests.conftest import write_project
from tests.platform import SOCLE, Platform, running

pytestmark = pytest.mark.services

LIMIT_S = 240


def socle(root: Path, *arguments: str, **settings: str) -> dict[str, Any]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))}
    command = [str(SOCLE), *arguments, "--json"]
    done = subprocess.run(
        command, env=clean | {"SOCLE_ROOT": str(root)} | settings, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def folder() -> Iterator[Path]:
    """That PostgreSQL's own user may reach."""
    made = Path(tempfile.mkdtemp(prefix="socle-test-backup-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def known(platform: Platform) -> dict[str, Any]:
    """What people see of the past."""
    return {
        "runs": {run["id"]: run["state_name"] for run in platform.api("flow_runs/filter", {})},
        "deployments": sorted(d["name"] for d in platform.api("deployments/filter", {})),
        "summaries": [artifact["id"] for artifact in platform.artifacts("resume-essai")],
        "logs": len(platform.api("logs/filter", {})),
    }


def test_restored_into_an_empty_place_the_platform_goes_on(tmp_path: Path, folder: Path) -> None:
    first, second, copies = tmp_path / "first", tmp_path / "second", folder / "copies"
    for root in (first, second):
        root.mkdir()
        write_project(root)
    with running(first, settings={"SOCLE_POSTGRES_FOLDER": str(folder / "old")}) as platform:
        assert platform.wait(platform.trigger("pipeline/essai", {"project": "essai"}))["state_name"] == "Completed"
        made = socle(first, "backup", str(copies), SOCLE_POSTGRES_FOLDER=str(folder / "old"))
        before = known(platform)
    assert made["database"] == "postgresql" and made["missing"] == {}

    children = Processes(tmp_path / "logs", dict(os.environ))
    try:
        url = postgres.start(children, Settings(root=second, postgres_folder=folder / "new"))
        socle(second, "restore", str(copies), PREFECT_API_DATABASE_CONNECTION_URL=url)
        with pytest.raises(ConfigurationError, match="not empty"):
            database.require_empty(url)
    finally:
        children.stop()

    with running(second, settings={"SOCLE_POSTGRES_FOLDER": str(folder / "new")}) as platform:
        after = known(platform)
        assert before["runs"].items() <= after["runs"].items()
        assert {k: v for k, v in after.items() if k not in ("runs", "logs")} == {
            k: v for k, v in before.items() if k not in ("runs", "logs")
        }
        assert after["logs"] >= before["logs"]
        run = platform.wait(platform.trigger("pipeline/essai", {"project": "essai"}))
        assert run["state_name"] == "Completed"
        assert "rien n'a été refait" in platform.artifacts("resume-essai")[0]["data"]
        platform.write_rows(120)
        platform.wait(platform.trigger("pipeline/essai", {"project": "essai"}))
    listed = socle(second, "ls", "essai")
    assert [v["number"] for v in listed["datasets"]["demandes"]] == [2, 1]


def test_a_database_that_cannot_be_reached_is_said_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://prefect:tr%C3%A8s-secret@127.0.0.1:1/prefect"
    with pytest.raises(SystemFailure) as failed:
        database.dump(url, tmp_path / "dump")
    assert "très-secret" not in str(failed.value) and "tr%C3" not in str(failed.value)


def test_sqlite_of_one_person_is_copied_while_it_is_written(tmp_path: Path) -> None:
    import sqlite3

    source = tmp_path / "prefect.db"
    with sqlite3.connect(source) as writer:
        writer.execute("PRAGMA journal_mode=wal")
        writer.execute("CREATE TABLE run (id)")
        writer.execute("INSERT INTO run VALUES (1)")
        writer.commit()
        writer.execute("INSERT INTO run VALUES (2)")  # not committed
        database.dump(f"sqlite+aiosqlite:///{source}", tmp_path / "dump")
    target = f"sqlite+aiosqlite:///{tmp_path}/new/prefect.db"
    database.require_empty(target)
    database.restore(target, "sqlite", tmp_path / "dump")
    with sqlite3.connect(tmp_path / "new" / "prefect.db") as restored:
        assert restored.execute("SELECT id FROM run").fetchall() == [(1,)]
    with pytest.raises(ConfigurationError, match="not empty"):
        database.require_empty(target)
