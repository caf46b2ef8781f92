"""A hundred schedules due in the same minute: each fires once, and the UI answers."""

from __future__ import annotations

import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import PROJECT
from tests.crowd import all_runs, cores, require_once, require_one_version, wait_for_all, watched, write_crowd
from tests.platform import SOCLE, running

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

COUNT, LIMIT_S = 100, 2400.0
PREFETCH = timedelta(seconds=2)  # a worker takes runs a second before their time
PARIS = ZoneInfo("Europe/Paris")


def test_a_hundred_schedules_in_one_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    projects = write_crowd(tmp_path, COUNT)
    with running(tmp_path) as platform:
        due = (datetime.now(PARIS) + timedelta(minutes=4)).replace(second=0, microsecond=0)
        for name in projects:
            schedule = f'schedules:\n  ingest: {{cron: "{due.minute} {due.hour} {due.day} {due.month} *", timezone: Europe/Paris}}\n'
            (tmp_path / "projects" / name / "project.yaml").write_text(PROJECT + schedule, encoding="utf-8")
        environment = {"SOCLE_ROOT": str(tmp_path), "PREFECT_API_URL": f"{platform.ui}/api", "PATH": "/usr/bin:/bin"}
        subprocess.run([str(SOCLE), "deploy"], env=environment, check=True, capture_output=True, timeout=600)
        assert datetime.now(PARIS) < due, "this machine deploys too slowly for the test"
        until = {"before_": (due + timedelta(hours=1)).isoformat()}

        def scheduled() -> list[str]:
            return [run["id"] for run in all_runs(platform, expected_start_time=until)]

        with watched(platform) as watch:
            while datetime.now(PARIS) < due + timedelta(seconds=20):
                time.sleep(1)
            ids = scheduled()
            assert len(ids) == COUNT
            runs = wait_for_all(platform, ids, LIMIT_S)
        with capsys.disabled():
            last = max(datetime.fromisoformat(run["end_time"].replace("Z", "+00:00")) for run in runs)
            print(f"\n{COUNT} schedules on {cores()} cores: the last ended after {(last - due).total_seconds():.0f} s; {watch}")
        assert sorted(scheduled()) == sorted(ids), "none fired again"
        assert len({run["deployment_id"] for run in runs}) == COUNT
        assert all(datetime.fromisoformat(run["start_time"].replace("Z", "+00:00")) >= due - PREFETCH for run in runs)
        require_once(platform, runs)
    assert watch.failed == []
    require_one_version(tmp_path, projects, models=0)
