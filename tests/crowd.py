"""Many projects and many runs at once: made, triggered or scheduled, and counted afterwards. Figures are printed, never asserted."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.settings import Settings
from tests.conftest import write_project
from tests.platform import Platform

ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PAGE = 200


def names(count: int) -> list[str]:
    return [f"p{number:03}" for number in range(count)]


def write_crowd(root: Path, count: int) -> list[str]:
    for name in names(count):
        write_project(root, name)
    return names(count)


@dataclass
class Watch:
    """What the UI and the API take to answer while the crowd runs."""

    ui: list[float] = field(default_factory=list)
    api: list[float] = field(default_factory=list)
    memory_gb: float = 0.0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        def said(name: str, seconds: list[float]) -> str:
            return f"{name}: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s of {len(seconds)}"

        return f"{said('UI', self.ui)}; {said('list of runs', self.api)}; at most {self.memory_gb:.1f} GB (proportional set size)"


@contextlib.contextmanager
def watched(platform: Platform) -> Iterator[Watch]:
    found, done = Watch(), threading.Event()

    def look() -> None:
        while not done.wait(2):
            for path, times in (("/", found.ui), ("/api/flow_runs/filter", found.api)):
                start = time.monotonic()
                try:
                    if path.startswith("/api"):
                        platform.api("flow_runs/filter", {"limit": PAGE, "sort": "START_TIME_DESC"})
                    else:
                        with urllib.request.urlopen(platform.ui + path, timeout=60) as page:
                            page.read()
                except OSError as error:
                    found.failed.append(f"{path}: {error}")
                times.append(time.monotonic() - start)
            found.memory_gb = max(found.memory_gb, _memory_gb(platform))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def _memory_gb(platform: Platform) -> float:
    import psutil

    total = 0
    for process in psutil.Process(platform.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e9


def all_runs(platform: Platform, **more: Any) -> list[dict[str, Any]]:
    """Every run that somebody or a schedule started (not those that a run starts)."""
    found: list[dict[str, Any]] = []
    wanted = {"flow_runs": {"parent_task_run_id": {"is_null_": True}, **more}, "limit": PAGE, "sort": "ID_DESC"}
    while page := platform.api("flow_runs/filter", {**wanted, "offset": len(found)}):
        found += page
    return found


def wait_for_all(platform: Platform, ids: list[str], limit_s: float) -> list[dict[str, Any]]:
    deadline = time.monotonic() + limit_s
    while True:
        found = all_runs(platform, id={"any_": ids})
        if len(found) == len(ids) and all(run["state_type"] in ENDED for run in found):
            return found
        states = Counter(run["state"]["name"] for run in found)
        assert time.monotonic() < deadline, f"after {limit_s:.0f} s: {states}\n{platform.log('worker')[-3000:]}"
        time.sleep(2)


def require_once(platform: Platform, runs: list[dict[str, Any]]) -> None:
    """Each of them was started once and ended once, and did what it should."""
    assert Counter(run["state"]["name"] for run in runs) == {"Completed": len(runs)}
    for run in runs:
        states = [state["type"] for state in platform.api(f"flow_run_states/?flow_run_id={run['id']}")]
        assert (run["run_count"], states.count("RUNNING"), states.count("COMPLETED")) == (1, 1, 1), states


def require_one_version(root: Path, projects: list[str], models: int) -> None:
    lake = Lake(Settings(root=root))
    for name in projects:
        (only,) = Dataset(lake, name, "demandes").history()
        assert only.load.rows["total"] == 90
        assert len(Models(lake, name, "theme").numbers()) == models


def cores() -> int:
    return os.cpu_count() or 1
