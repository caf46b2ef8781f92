"""`socle up` for real: server, worker, docs and deployments of a small project, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import PROJECT, csv_text, rows, write_project

SOCLE = Path(sys.executable).parent / "socle"
START_S, RUN_S, STOP_S, BUSY_S = 240, 180, 60, 30  # limits, not expectations
SCHEDULE = 'schedules:\n  pipeline: {cron: "0 4 * * 1", timezone: Europe/Paris}\n'


@dataclass
class Platform:
    root: Path
    ui: str
    docs: str
    process: subprocess.Popen[str]

    def api(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.ui}/api/{path}", data=data, headers={"content-type": "application/json"})
        return ask(request)

    def trigger(self, deployment: str, parameters: dict[str, Any], **more: Any) -> str:
        found = self.api(f"deployments/name/{deployment}")
        return str(self.api(f"deployments/{found['id']}/create_flow_run", {"parameters": parameters, **more})["id"])

    def wait(self, run_id: str) -> dict[str, Any]:
        """The flow run once it has ended."""
        deadline = time.monotonic() + RUN_S
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.api(f"flow_runs/{run_id}")
            if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return run
            time.sleep(1)
        raise AssertionError(f"flow run {run_id} did not end in {RUN_S} s; worker log:\n{self.log('worker')}")

    def wait_running(self, *run_ids: str) -> str:
        """The first of these flow runs that runs; they do not end by themselves."""
        deadline = time.monotonic() + RUN_S
        while True:
            states = {run: self.api(f"flow_runs/{run}")["state_type"] for run in run_ids}
            for run, state in states.items():
                if state == "RUNNING":
                    return run
            assert set(states.values()) <= {"SCHEDULED", "PENDING"} and time.monotonic() < deadline, f"{states}\n{self.log('worker')}"
            time.sleep(0.2)

    def cancel(self, *run_ids: str) -> None:
        for run in run_ids:
            self.api(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLED"}, "force": True})

    def runs(self) -> list[psutil.Process]:
        """The processes of the runs that are going on: the children of the warm process."""
        (warm,) = (p for p in psutil.Process(self.process.pid).children() if "flows.worker.warm" in p.cmdline())
        return list(warm.children())

    def only_run(self) -> psutil.Process:
        """The process of the one run that goes on, once those of runs that have just ended are gone."""
        deadline = time.monotonic() + STOP_S
        while len(runs := self.runs()) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        (run,) = runs
        return run

    def wait_idle(self) -> None:
        """Until no process of a run is left, also of one that was cancelled while it started."""
        deadline = time.monotonic() + RUN_S
        while self.runs():
            assert time.monotonic() < deadline, self.log("worker")
            time.sleep(0.2)

    def artifacts(self, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api("artifacts/filter", {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC"})
        return found

    def log(self, name: str) -> str:
        return (self.root / ".socle" / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    @contextlib.contextmanager
    def waiting(self) -> Iterator[Path]:
        """There is something new to read in `lent`, and while the file that this gives is there, runs of ingest/lent do not end."""
        folder = self.root / "projects" / "lent"
        data, file = folder / "data" / "demandes.csv", folder / "attendre"
        data.write_text(csv_text(rows(data.read_text(encoding="utf-8").count("\n") + 2)), encoding="utf-8")
        file.touch()
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    def write_rows(self, count: int, *more: tuple[str, ...]) -> None:
        path = self.root / "projects" / "essai" / "data" / "demandes.csv"
        path.write_text(csv_text([*rows(count), *more]), encoding="utf-8")


def ask(request: urllib.request.Request) -> Any:
    """The JSON answer; asked again, as every client of Prefect does, while its SQLite database is busy."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


WAITING = """\
import time
from pathlib import Path


def demandes(batch):
    while (Path(__file__).parent / "attendre").exists():
        time.sleep(0.1)
    return batch
"""


def write_waiting_project(root: Path) -> Path:
    """`lent`: its ingest waits as long as the file `attendre` is in its folder."""
    folder = write_project(root, "lent", PROJECT.replace("    key: [id]", "    key: [id]\n    transform: transform.py:demandes"))
    (folder / "transform.py").write_text(WAITING, encoding="utf-8")
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(root: Path, profile: str = "team", settings: dict[str, str] | None = None) -> Iterator[Platform]:
    port, docs_port = free_port(), free_port()
    # PostgreSQL does not run as root, and its user may not enter pytest's folders.
    database = Path(tempfile.mkdtemp(prefix="socle-test-pg-"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))}
    environment |= {
        "SOCLE_ROOT": str(root),
        "SOCLE_POSTGRES_FOLDER": str(database),
        "SOCLE_NOTIFY_PORT": str(free_port()),
        "SOCLE_METRICS_PORT": str(free_port()),
    } | (settings or {})
    command = [str(SOCLE), "up", "--profile", profile, "--port", str(port), "--docs-port", str(docs_port), "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    platform = Platform(root, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{docs_port}", process)
    try:
        deadline = time.monotonic() + START_S
        while not (root / ".socle" / "up.json").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "socle up was not ready in time"
            time.sleep(0.5)
        yield platform
    finally:
        stop(process)
        shutil.rmtree(database)


def stop(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Ctrl-C, and which of its processes are still there afterwards."""
    if process.poll() is not None:
        return []
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=STOP_S)
    return [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("platform")
    folder = write_project(root)
    with (folder / "project.yaml").open("a", encoding="utf-8") as file:
        file.write(SCHEDULE)
    write_waiting_project(root)
    broken = root / "projects" / "casse"
    shutil.copytree(folder, broken)
    (broken / "project.yaml").write_text("title: [", encoding="utf-8")
    with running(root) as started:
        yield started
