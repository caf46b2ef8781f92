"""Faults on the running platform, one short one of each kind: the run goes on or ends clearly, no version is lost or half there, the
next run works. The long ones are in tests/faults/."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.settings import Settings
from tests.conftest import write_project
from tests.faults.shaken import Shaken
from tests.platform import SOCLE

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

RUN_S = 240.0  # limits, not expectations


@pytest.fixture
def one_more(shaken: Shaken, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Checks how a run ended, that it left exactly one version more (or none, if it failed), and that the next run works."""
    shaken.network.calm()
    loads, models = shaken.loads(), shaken.models(tmp_path / "before")

    def check(run: str, *states: str) -> dict[str, Any]:
        ended = shaken.ended(run, RUN_S)
        assert ended["state_type"] in states, ended["state"]
        done = ended["state_type"] == "COMPLETED"
        now = shaken.loads()
        assert now[len(now) - len(loads) :] == loads
        assert len(now) == len(loads) + 1 if done else len(now) <= len(loads) + 1
        if done:
            assert shaken.models(tmp_path / "after") == models + 1
        return ended

    yield check
    shaken.network.calm()
    shaken.until(shaken.answers, 120, "the server does not answer")
    following = shaken.platform.trigger("pipeline/lent", {"project": "lent"})
    assert shaken.ended(following, RUN_S)["state_type"] == "COMPLETED"
    assert len(shaken.loads()) == len(loads) + 1
    assert shaken.models(tmp_path / "next") == models + 1


def test_the_server_is_killed(shaken: Shaken, one_more: Callable[..., None]) -> None:
    """The run meets its steps' ends while nobody answers."""
    with shaken.run_held() as run:
        shaken.process("server").kill()
    one_more(run, "COMPLETED")


def test_the_database_is_restarted(shaken: Shaken, one_more: Callable[..., None]) -> None:
    with shaken.run_held() as run:
        shaken.hit("postgres", signal.SIGINT)
    one_more(run, "COMPLETED")


def test_the_worker_is_killed(shaken: Shaken, one_more: Callable[..., None]) -> None:
    """A run is a child of the warm process, and reports its end itself."""
    with shaken.run_held() as run:
        shaken.hit("worker")
    one_more(run, "COMPLETED")


def test_the_warm_process_is_killed(shaken: Shaken, one_more: Callable[..., None]) -> None:
    """Its runs end with it, and the worker says so."""
    with shaken.run_held() as run:
        shaken.hit("warm")
        one_more(run, "CRASHED")


def test_the_storage_is_slow_answers_503_to_one_in_five_and_cuts_uploads(shaken: Shaken, one_more: Callable[..., None]) -> None:
    with shaken.run_held() as run:
        shaken.network.set(wait_s=0.05, busy_one_in=5, cut_uploads=3, cut_over=200, lost_answers=2)
    one_more(run, "COMPLETED")
    done = shaken.network.done
    assert done["busy"] > 3 and done["cut"] == 3 and done["lost"] == 2, done


def test_the_storage_is_down_for_a_while(shaken: Shaken, one_more: Callable[..., None]) -> None:
    with shaken.run_held() as run:
        shaken.network.down()
    time.sleep(15)
    shaken.network.up()
    one_more(run, "COMPLETED")


def test_the_work_disk_is_full(shaken: Shaken, one_more: Callable[..., None]) -> None:
    work = shaken.platform.root / ".socle" / "work"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(work)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        with shaken.run_held() as run:
            (work / "filler").write_bytes(bytes(shutil.disk_usage(work).free))
        ended = one_more(run, "FAILED")
        assert "disque" in ended["state"]["message"], ended["state"]
    finally:
        subprocess.run(["umount", "--lazy", str(work)], check=True)


@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs Debian's package faketime")
def test_a_clock_that_is_wrong_is_named(s3_settings: Callable[..., Settings], tmp_path: Path) -> None:
    write_project(tmp_path)
    settings = s3_settings()
    environment = {
        "PATH": "/usr/bin:/bin",
        "SOCLE_ROOT": str(tmp_path),
        "SOCLE_STORAGE": settings.storage,
        "SOCLE_S3_ENDPOINT": settings.s3_endpoint,
        "SOCLE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "SOCLE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }

    def socle(*words: str, clock: str = "+0s") -> subprocess.CompletedProcess[str]:
        command = ["faketime", "-f", clock, str(SOCLE), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_S, check=False)

    assert socle("doctor", "--create").returncode == 0
    for clock in ("+1h", "-1h"):
        wrong = socle("run", "essai", clock=clock)
        assert wrong.returncode == 3, wrong.stderr
        assert "this machine's clock is too far from the S3 service's" in wrong.stderr
    assert socle("run", "essai", "--dry-run", clock="+5m").returncode == 0
