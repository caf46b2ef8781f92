"""Fifty runs triggered at once for ten projects: none lost, none doubled, and the UI answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crowd import cores, require_once, require_one_version, wait_for_all, watched, write_crowd
from tests.platform import running

pytestmark = [pytest.mark.services, pytest.mark.timeout(1500)]

LIMIT_S = 1200.0
EACH = ("pipeline", "pipeline", "ingest", "ingest", "ingest")


def test_fifty_runs_triggered_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    projects = write_crowd(tmp_path, 10)
    with running(tmp_path) as platform:
        wanted = [(flow, name) for flow in EACH for name in projects]
        with watched(platform) as watch, ThreadPoolExecutor(10) as people:
            ids = list(people.map(lambda one: platform.trigger(f"{one[0]}/{one[1]}", {"project": one[1]}), wanted))
            assert len(set(ids)) == len(wanted) == 50
            runs = wait_for_all(platform, ids, LIMIT_S)
        with capsys.disabled():
            print(f"\n50 runs on {cores()} cores: {watch}")
        require_once(platform, runs)
    assert watch.failed == []
    require_one_version(tmp_path, projects, models=1)
