"""The faults that take minutes: outages as long as the documentation promises, and runs that nobody is left to report."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from tests.faults.shaken import PROCESSES, Shaken

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

RUN_S = 600.0
OUTAGE_S, HANG_S = 60.0, 75.0  # the second is longer than a client waits for an answer, and shorter than a run may be silent
LEASE_S = 300.0  # Prefect's own, for a place of a deployment; it is renewed after three quarters of it


def works(shaken: Shaken) -> None:
    run = shaken.platform.trigger("pipeline/lent", {"project": "lent"})
    assert shaken.ended(run, RUN_S)["state_type"] == "COMPLETED"


def stop_new_server(shaken: Shaken) -> psutil.Process:
    """The server is killed, and the one that takes its place stopped before it answers."""
    shaken.hit("server")
    server = shaken.process("server")
    server.suspend()
    assert not shaken.answers()
    return server


def test_the_server_is_away_for_a_minute(shaken: Shaken) -> None:
    loads = shaken.loads()
    with shaken.run_held() as run:
        server = stop_new_server(shaken)
    time.sleep(OUTAGE_S)
    server.resume()
    assert shaken.ended(run, RUN_S)["state_type"] == "COMPLETED"
    assert len(shaken.loads()) == len(loads) + 1
    works(shaken)


def test_the_server_does_not_answer_for_longer_than_a_request(shaken: Shaken) -> None:
    """It accepts connections all the while."""
    loads = shaken.loads()
    with shaken.run_held() as run:
        server = shaken.process("server")
        server.suspend()
    time.sleep(HANG_S)
    server.resume()
    assert shaken.ended(run, RUN_S)["state_type"] == "COMPLETED"
    assert len(shaken.loads()) == len(loads) + 1
    works(shaken)


def test_a_long_run_keeps_its_place_over_a_restart_of_the_server(shaken: Shaken) -> None:
    """The server has to know the places that were taken before: it ends a run that holds one which it does not know."""
    with shaken.run_held() as run:
        shaken.hit("server")
        shaken.until(shaken.answers, 120, "the server does not answer")
        time.sleep(LEASE_S)
        assert shaken.platform.api(f"flow_runs/{run}")["state_type"] == "RUNNING"
    assert shaken.ended(run, RUN_S)["state_type"] == "COMPLETED"


def test_the_database_is_killed(shaken: Shaken) -> None:
    with shaken.run_held() as run:
        shaken.hit("postgres", signal.SIGKILL)
    assert shaken.ended(run, RUN_S)["state_type"] == "COMPLETED"
    works(shaken)


def test_the_storage_is_down_for_a_minute(shaken: Shaken) -> None:
    shaken.network.calm()
    loads = shaken.loads()
    with shaken.run_held() as run:
        shaken.network.down()
    time.sleep(OUTAGE_S)
    shaken.network.up()
    assert shaken.ended(run, RUN_S)["state_type"] == "COMPLETED"
    assert len(shaken.loads()) == len(loads) + 1
    works(shaken)


def test_the_storage_stays_down(shaken: Shaken) -> None:
    """The run ends by itself, and says why; nothing of it is visible."""
    shaken.network.calm()
    loads = shaken.loads()
    with shaken.run_held() as run:
        shaken.network.down()
    try:
        ended = shaken.ended(run, RUN_S)
        assert ended["state_type"] == "FAILED" and "stockage" in ended["state"]["message"].lower(), ended["state"]
        assert shaken.loads() == loads
    finally:
        shaken.network.calm()
    works(shaken)


def test_nobody_is_left_to_report_a_run(shaken: Shaken) -> None:
    """The worker, its launchers and the warm process are killed together, as when memory runs out or a machine is switched off."""
    with shaken.run_held() as run:
        worker = shaken.process("worker")
        for process in (worker, *worker.children(recursive=True), shaken.process("warm")):
            process.kill()
        ended = shaken.ended(run, RUN_S)
        assert ended["state_type"] == "CRASHED" and "signe de vie" in ended["state"]["message"], ended["state"]
    assert {PROCESSES[name] for name in PROCESSES if shaken.process(name).is_running()} == set(PROCESSES.values())
    works(shaken)


def test_a_run_stuck_in_pending_does_not_wedge_its_deployment(shaken: Shaken) -> None:
    """It was taken by a worker that never started it. The deployment has one place, which the next run gets."""
    tomorrow = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2999-01-01T00:00:00Z"}}
    stuck = shaken.platform.trigger("pipeline/lent", {"project": "lent"}, state=tomorrow)
    taken = shaken.platform.api(f"flow_runs/{stuck}/set_state", {"state": {"type": "PENDING"}, "force": False})
    if taken["status"] == "WAIT":  # its time is far away: only whoever forces it may begin before
        pytest.fail(f"the run did not become pending: {taken}")
    works(shaken)
    ended = shaken.ended(stuck, RUN_S)
    assert ended["state_type"] == "CRASHED" and "signe de vie" in ended["state"]["message"], ended["state"]
