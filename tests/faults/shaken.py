"""The whole platform on one machine, its lake on a real S3 server behind a network that misbehaves: `socle up --profile team`
whose processes are killed while a run goes on. What is in the lake is read past that network."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.settings import Settings
from tests.conftest import csv_text, rows, write_project
from tests.faults.proxy import Network, network
from tests.platform import Platform, running, write_waiting_project

PROCESSES = {
    "server": "prefect server start",
    "postgres": "bin/postgres",
    "worker": "flows.worker.process",
    "warm": "flows.worker.warm",
}
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class Shaken:
    platform: Platform
    network: Network
    lake: Lake
    """Reached past the network."""

    def process(self, name: str) -> psutil.Process:
        (found,) = (p for p in psutil.Process(self.platform.process.pid).children() if PROCESSES[name] in " ".join(p.cmdline()))
        return found

    def hit(self, name: str, number: int = signal.SIGKILL) -> None:
        """End one of the processes, and see `socle up` start it again."""
        before = self.process(name)
        before.send_signal(number)
        before.wait(60)
        self.until(lambda: self._others(name, before.pid), 60, f"{name} was not started again")

    def _others(self, name: str, pid: int) -> bool:
        try:
            return self.process(name).pid != pid
        except (ValueError, psutil.NoSuchProcess):
            return False

    @contextmanager
    def run_held(self) -> Iterator[str]:
        """A run of pipeline/lent in the middle of reading its rows, which are new; it goes on when the block ends."""
        folder = self.platform.root / "projects" / "lent"
        (folder / "data" / "demandes.csv").write_text(csv_text(rows(90, start=int(time.time()) % 50_000)), encoding="utf-8")
        gate = folder / "attendre"
        gate.touch()
        try:
            run = self.platform.trigger("pipeline/lent", {"project": "lent"})
            self.platform.wait_running(run)
            self.until(lambda: self.has_said(run, "lecture"), 60, "the run did not come to its rows")
            yield run
        finally:
            gate.unlink(missing_ok=True)

    def has_said(self, run: str, words: str) -> bool:
        logs = self.platform.api("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
        return any(words in each["message"] for each in logs)

    def answers(self) -> bool:
        try:
            return bool(self.platform.api("health"))
        except OSError:
            return False

    def ended(self, run: str, limit_s: float) -> dict[str, Any]:
        """The flow run once it has ended, whether the server answers in between or not."""
        found: dict[str, Any] = {}

        def look() -> bool:
            try:
                found.update(self.platform.api(f"flow_runs/{run}"))
            except (OSError, urllib.error.HTTPError):
                return False
            return found.get("state_type") in ENDED

        self.until(look, limit_s, f"the run did not end: {found.get('state')}")
        return found

    def until(self, true: Callable[[], bool], limit_s: float, otherwise: str) -> None:
        deadline = time.monotonic() + limit_s
        while not true():
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self.platform.log(name)[-3000:]}" for name in ("server", "worker"))
                raise AssertionError(f"after {limit_s:.0f} s: {otherwise}\n{logs}")
            time.sleep(0.5)

    def loads(self) -> list[str]:
        """The load of each version of the data set, the newest first; every version is read."""
        dataset = Dataset(self.lake, "lent", "demandes")
        history = dataset.history()
        for version in history:
            with dataset.reading():
                assert dataset.scan(version.number).collect().height == version.load.rows["total"] == 90
        return [version.load.load_id for version in history]

    def models(self, folder: Path) -> int:
        """How many versions the model has; the files of every one are fetched and compared with its manifest."""
        models = Models(self.lake, "lent", "theme")
        for number in models.numbers():
            models.download(models.version(number), folder / str(number))
        state = models.state()
        assert state is None or set(state.aliases.values()) <= set(models.numbers())
        return len(models.numbers())


@contextmanager
def shaken_platform(root: Path, endpoint: str, settings: Settings, **more: str) -> Iterator[Shaken]:
    write_project(root)
    write_waiting_project(root)
    with network(endpoint) as net:
        environment = {
            "SOCLE_STORAGE": settings.storage,
            "SOCLE_S3_ENDPOINT": net.address,
            "SOCLE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
            "SOCLE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        }
        lake = Lake(settings)
        for name in ("essai", "lent", "commun"):
            lake.bucket(name).ensure()
        with running(root, settings=environment | more) as platform:
            made = Shaken(platform, net, lake)
            with made.run_held() as first:
                pass
            assert made.ended(first, 180)["state_type"] == "COMPLETED"
            yield made


@pytest.fixture(scope="module")
def shaken(s3_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shaken]:
    """One platform for the tests of a module; each of them leaves it well. A lost run is closed after two minutes."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("SOCLE_", "PREFECT_"))}
    root = tmp_path_factory.mktemp("shaken")
    user = s3_server.users["socle"]
    settings = Settings(
        root=root,
        storage=f"s3://f{os.getpid()}",
        s3_endpoint=s3_server.endpoint,
        s3_access_key=user.access_key,
        s3_secret_key=user.secret_key,
    )
    try:
        with shaken_platform(root, s3_server.endpoint, settings, SOCLE_LOST_AFTER_MIN="2") as made:
            yield made
    finally:
        os.environ.update(kept)


__all__ = ["Shaken", "shaken"]
