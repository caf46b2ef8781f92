"""The audit trail of runs on a real Prefect server and worker: who asked, what was touched, how it ended."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.lake.trail import Entry, Trail, newest
from flows.runs.who import LOGIN
from flows.settings import Settings
from flows.steps import whoami
from tests.platform import Platform, ask

pytestmark = pytest.mark.services


def lake(platform: Platform) -> Lake:
    return Lake(Settings(root=platform.root))


def on_record(platform: Platform, run: str, project: str = "essai") -> Entry:
    """What the trail has of a flow run, once it has its end (or 10 s have passed)."""
    from datetime import UTC, datetime, timedelta

    since = datetime.now(UTC).date() - timedelta(days=1)
    deadline = time.monotonic() + 10
    while True:
        (entry,) = (e for e in newest([Trail(lake(platform), project)], since) if e.id == run)
        if entry.outcome or time.monotonic() > deadline:
            return entry
        time.sleep(0.5)


def trigger_as(platform: Platform, who: str, deployment: str, parameters: dict[str, Any]) -> str:
    """As the proxy passes it on."""
    found = platform.api(f"deployments/name/{deployment}")
    headers = {
        "content-type": "application/json",
        "Prefect-Automation-Id": str(LOGIN),
        "Prefect-Automation-Name": base64.b64encode(who.encode()).decode(),
    }
    url = f"{platform.ui}/api/deployments/{found['id']}/create_flow_run"
    body = json.dumps({"parameters": parameters, "enforce_parameter_schema": False}).encode()
    return str(ask(urllib.request.Request(url, data=body, headers=headers))["id"])


@pytest.fixture
def waiting(platform: Platform) -> Iterator[Path]:
    with platform.waiting() as file:
        yield file


def test_who_is_logged_in_is_who_made_the_versions(platform: Platform) -> None:
    platform.write_rows(93)
    run = trigger_as(platform, "Élodie Zoé <elodie@example.gouv.fr>", "pipeline/essai", {"project": "essai"})
    assert platform.wait(run)["state_type"] == "COMPLETED"
    entry = on_record(platform, run)
    assert (entry.who, entry.trigger, entry.outcome) == ("Élodie Zoé <elodie@example.gouv.fr>", "login", "done")
    version = Dataset(lake(platform), "essai", "demandes").latest()
    assert version is not None and version.load.who == entry.who
    assert str(version) in entry.wrote and str(version) in entry.read
    assert any(name.startswith("essai/theme@") for name in entry.wrote)
    platform.write_rows(90)


def test_without_a_login_it_is_said_that_nobody_knows(platform: Platform) -> None:
    run = platform.trigger("check/essai", {"project": "essai"})
    platform.wait(run)
    entry = on_record(platform, run)
    assert (entry.who, entry.trigger, entry.what) == (whoami(), "unnamed", "check")
    assert entry.read and not entry.wrote


def test_a_refused_run_is_on_record_in_the_project_of_its_deployment(platform: Platform) -> None:
    """Whatever it was given: nobody writes into the trail of another project."""
    run = trigger_as(platform, "Mallory", "rollback/essai", {"project": "lent", "reference": "../x", "reason": "pour voir"})
    assert platform.wait(run)["state_type"] == "FAILED"
    entry = on_record(platform, run)
    assert (entry.project, entry.who, entry.outcome, entry.reason) == ("essai", "Mallory", "refused", "pour voir")
    assert entry.parameters == {"reference": "../x"}
    assert entry.wrote == []


def test_a_run_that_is_cancelled_is_on_record(platform: Platform, waiting: Path) -> None:
    run = trigger_as(platform, "Ada", "ingest/lent", {"project": "lent"})
    platform.wait_running(run)
    time.sleep(2)  # in its step
    platform.api(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert platform.wait(run)["state_type"] == "CANCELLED"
    entry = on_record(platform, run, "lent")
    assert (entry.who, entry.outcome) == ("Ada", "stopped")


def test_a_run_that_is_killed_has_a_start_and_no_end(platform: Platform, waiting: Path) -> None:
    run = trigger_as(platform, "Ada", "ingest/lent", {"project": "lent"})
    platform.wait_running(run)
    time.sleep(2)
    (process,) = platform.runs()
    os.kill(process.pid, signal.SIGKILL)
    assert platform.wait(run)["state_type"] == "CRASHED"
    entry = on_record(platform, run, "lent")
    assert (entry.who, entry.outcome, entry.ended) == ("Ada", "", "")


def test_a_run_that_cannot_be_put_on_record_changes_nothing(platform: Platform) -> None:
    folder = platform.root / ".socle" / "lake" / "socle-essai" / "audit"
    aside = folder.with_name("aside")
    before = Dataset(lake(platform), "essai", "demandes").delta_version()
    platform.write_rows(99)
    folder.rename(aside)
    folder.write_text("not a folder", encoding="utf-8")
    try:
        run = platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))
    finally:
        folder.unlink()
        aside.rename(folder)
        platform.write_rows(90)
    assert run["state_type"] == "FAILED"
    assert Dataset(lake(platform), "essai", "demandes").delta_version() == before
