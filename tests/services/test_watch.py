"""What happens to runs when something goes wrong around them, and who is told: on a real server and worker, with short times."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.deployments import LOST
from flows.worker.process import HANDED_BACK
from tests.conftest import PROJECT, write_project
from tests.notify.receivers import SECRETS, Receivers, all_of_them
from tests.platform import Platform, running, write_waiting_project

pytestmark = pytest.mark.services

LIMIT_S = 240
BUSY_S = 70
BUSY = f"""\
import time


def demandes(batch):
    end = time.monotonic() + {BUSY_S}
    while time.monotonic() < end:
        sum(range(5_000_000))  # one call, in which no other thread of this process runs
    return batch
"""
SETTINGS = {
    "SOCLE_LOST_AFTER_MIN": "1",
    "SOCLE_LATE_AFTER_MIN": "0.2",
    "SOCLE_DRAIN_MIN": "0.25",
    "SOCLE_NOTIFY_FOLD_MIN": "0",
    "SOCLE_UI_URL": "https://socle.example",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "3",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
    "PREFECT_WORKER_PREFETCH_SECONDS": "1",
}


@pytest.fixture(scope="module")
def receivers() -> Iterator[Receivers]:
    with all_of_them() as found:
        yield found


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, receivers: Receivers) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("watched")
    write_project(root)
    write_waiting_project(root)
    busy = write_project(root, "occupe", PROJECT.replace("    key: [id]", "    key: [id]\n    transform: transform.py:demandes"))
    (busy / "transform.py").write_text(BUSY, encoding="utf-8")
    urls = root / "urls"
    urls.write_text(receivers.lines("essai"), encoding="utf-8")
    with running(root, settings=SETTINGS | {"SOCLE_NOTIFY_URLS_FILE": str(urls)}) as started:
        yield started


@pytest.fixture
def waiting(watched: Platform) -> Iterator[Path]:
    with watched.waiting() as file:
        yield file


def processes(platform: Platform, *words: str) -> list[psutil.Process]:
    found = psutil.Process(platform.process.pid).children(recursive=True)
    return [p for p in found if any(word in " ".join(p.cmdline()) for word in words)]


def wait_for_state(platform: Platform, run: str, *types: str) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT_S
    while (found := platform.api(f"flow_runs/{run}"))["state_type"] not in types:
        assert time.monotonic() < deadline, f"{found['state']}\n{platform.log('worker')[-3000:]}"
        time.sleep(0.5)
    return dict(found)


@contextlib.contextmanager
def nothing_starts(platform: Platform) -> Iterator[None]:
    change(platform, "work_pools/socle", {"is_paused": True})
    try:
        yield
    finally:
        change(platform, "work_pools/socle", {"is_paused": False})


def change(platform: Platform, path: str, body: dict[str, Any]) -> None:
    import httpx

    httpx.patch(f"{platform.ui}/api/{path}", json=body, timeout=30).raise_for_status()


def test_a_failed_run_is_told_by_every_way(watched: Platform, receivers: Receivers) -> None:
    watched.write_rows(90, ("sans-texte", "", "paie"))
    run = watched.trigger("ingest/essai", {"project": "essai"})
    assert watched.wait(run)["state_type"] == "FAILED"
    for inbox in (receivers.mattermost, receivers.matrix, receivers.mail):
        text = inbox.wait_for("Échec : ingest, projet essai")
        assert "L'exécution « ingest » du projet « Demandes » (essai) a échoué." in text
        assert "Raison : demandes refusé – Non satisfait : La colonne « texte » ne doit pas être vide" in text and "À faire : " in text
        assert f"https://socle.example/runs/flow-run/{run}" in text and "docs/ops/run-failed.md" in text
        assert "sans-texte" not in text, "no row leaves the platform"
    watched.write_rows(90)


def test_a_pipeline_that_fails_is_told_once(watched: Platform, receivers: Receivers) -> None:
    """Its parts fail as well, and are runs of Prefect."""
    watched.write_rows(90, ("sans-texte", "", "paie"))
    before = len(receivers.mail.got)
    assert watched.wait(watched.trigger("pipeline/essai", {"project": "essai"}))["state_type"] == "FAILED"
    receivers.mail.wait_for("Échec : pipeline, projet essai")
    time.sleep(3)
    assert len(receivers.mail.got) == before + 1
    watched.write_rows(90)


def test_a_run_whose_process_is_killed_is_told(watched: Platform, receivers: Receivers, waiting: Path) -> None:
    run = watched.trigger("ingest/lent", {"project": "lent"})
    wait_for_state(watched, run, "RUNNING")
    (process,) = watched.runs()
    process.kill()
    text = receivers.mail.wait_for("Interruption : ingest, projet lent")
    assert "a été interrompue" in text and run in text and "docs/ops/run-crashed.md" in text
    assert not any("lent" in message for message in receivers.matrix.got), "that room is of another project"


def test_a_run_that_waits_too_long_is_told(watched: Platform, receivers: Receivers) -> None:
    with nothing_starts(watched):
        run = watched.trigger("ingest/essai", {"project": "essai"})
        text = receivers.matrix.wait_for("Retard : ingest, projet essai", LIMIT_S)
    assert "n'a pas commencé ; elle était prévue le " in text and run in text and "docs/ops/run-late.md" in text
    assert watched.wait(run)["state_type"] == "COMPLETED"


def test_lost_runs_are_closed_and_busy_ones_are_not(watched: Platform, receivers: Receivers, waiting: Path) -> None:
    """Worker, warm process and runs are killed at once, so that nobody can report the end of the runs."""
    lost = watched.trigger("ingest/lent", {"project": "lent"})
    cancelled = watched.trigger("pipeline/lent", {"project": "lent"})
    for run in (lost, cancelled):
        wait_for_state(watched, run, "RUNNING")
    victims = processes(watched, "flows.worker", "socle-launch")
    for victim in victims:
        victim.suspend()
    for victim in victims:
        victim.kill()
    watched.api(f"flow_runs/{cancelled}/set_state", {"state": {"type": "CANCELLING"}})
    busy = watched.trigger("ingest/occupe", {"project": "occupe"})
    stuck = watched.trigger("check/essai", {"project": "essai", "reference": "demandes"}, state={"type": "PENDING"})
    ended = wait_for_state(watched, lost, "CRASHED", "FAILED", "COMPLETED")
    assert ended["state"]["message"] == LOST, ended["state"]
    text = receivers.mail.wait_for("Exécution perdue : ingest, projet lent")
    assert "ne donne plus signe de vie et a été close" in text and "docs/ops/zombie-run.md" in text
    assert wait_for_state(watched, cancelled, "CANCELLED", "CRASHED")["state_type"] == "CANCELLED"
    healthy = wait_for_state(watched, busy, "COMPLETED", "FAILED", "CRASHED")
    assert healthy["state_type"] == "COMPLETED", healthy["state"]
    assert healthy["total_run_time"] > BUSY_S > 60 * float(SETTINGS["SOCLE_LOST_AFTER_MIN"])
    assert wait_for_state(watched, stuck, "CRASHED", "COMPLETED")["state"]["message"] == LOST, "no worker has ever had it"
    waiting.unlink()
    assert watched.wait(watched.trigger("ingest/lent", {"project": "lent"}))["state_type"] == "COMPLETED", "its place is free again"


def test_a_worker_that_is_replaced_lets_its_runs_finish(watched: Platform, waiting: Path) -> None:
    run = watched.trigger("ingest/lent", {"project": "lent"})
    wait_for_state(watched, run, "RUNNING")
    (worker,) = processes(watched, "flows.worker.process")
    worker.send_signal(signal.SIGTERM)
    time.sleep(2)
    assert worker.is_running()
    waiting.unlink()
    ended = wait_for_state(watched, run, "COMPLETED", "CRASHED", "FAILED")
    assert (ended["state_type"], ended["run_count"]) == ("COMPLETED", 1), ended["state"]
    worker.wait(30)


def test_a_run_that_does_not_finish_in_time_is_handed_back_and_runs_again(watched: Platform, receivers: Receivers, waiting: Path) -> None:
    told = len(receivers.mattermost.got)
    run = watched.trigger("ingest/lent", {"project": "lent"})
    wait_for_state(watched, run, "RUNNING")
    (worker,) = processes(watched, "flows.worker.process")
    worker.send_signal(signal.SIGTERM)
    back = wait_for_state(watched, run, "SCHEDULED", "CRASHED", "FAILED")
    assert back["state"]["message"] == HANDED_BACK, back["state"]
    worker.wait(30)
    waiting.unlink()
    ended = wait_for_state(watched, run, "COMPLETED", "CRASHED", "FAILED")
    assert (ended["state_type"], ended["run_count"]) == ("COMPLETED", 2), ended["state"]
    assert len(receivers.mattermost.got) == told, "nobody is alarmed"


def test_overdue_runs_of_a_schedule_are_not_all_made_up_for(watched: Platform) -> None:
    watched.wait(watched.trigger("ingest/essai", {"project": "essai"}))
    deployment = watched.api("deployments/name/check/essai")["id"]
    schedule = {"schedule": {"interval": 5}, "active": True, "slug": "essai", "parameters": {"reference": "demandes"}}
    with nothing_starts(watched):
        started = datetime.now(UTC)
        (made,) = watched.api(f"deployments/{deployment}/schedules", [schedule])
        address = f"deployments/{deployment}/schedules/{made['id']}"
        deadline = time.monotonic() + LIMIT_S
        while len(scheduled(watched, deployment, started, datetime.now(UTC))) < 3:
            assert time.monotonic() < deadline
            time.sleep(1)
        resumed = datetime.now(UTC)
    due = scheduled(watched, deployment, started, resumed)
    ended = [wait_for_state(watched, run, "COMPLETED", "CANCELLED", "FAILED", "CRASHED") for run in due]
    done = [run for run in ended if run["state_type"] == "COMPLETED"]
    assert len(done) <= 1, [run["state"] for run in ended]
    assert all("Pas exécutée : elle est en retard" in run["state"]["message"] for run in ended if run not in done)
    # A schedule that is paused, and resumed after several of its times: none of them is made up for.
    change(watched, address, {"active": False})
    paused = datetime.now(UTC) + timedelta(seconds=2)  # a worker takes a run a little before it is due
    time.sleep(17)
    change(watched, address, {"active": True})
    resumed = datetime.now(UTC)
    time.sleep(8)
    assert scheduled(watched, deployment, paused, resumed) == []
    change(watched, address, {"active": False})


def scheduled(platform: Platform, deployment: str, since: datetime, until: datetime) -> list[str]:
    wanted = {
        "deployment_id": {"any_": [deployment]},
        "expected_start_time": {"after_": since.isoformat(), "before_": until.isoformat()},
    }
    runs = platform.api("flow_runs/filter", {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"})
    return [run["id"] for run in runs if run["auto_scheduled"]]


def test_no_secret_of_a_target_is_anywhere(watched: Platform) -> None:
    for folder, _, names in os.walk(watched.root / ".socle"):
        for name in names:
            content = (Path(folder) / name).read_bytes()
            assert not any(secret.encode() in content for secret in SECRETS), name
    blocks = watched.api("block_documents/filter", {"include_secrets": True})
    automations = watched.api("automations/filter", {})
    assert not any(secret in f"{blocks}{automations}" for secret in SECRETS)
