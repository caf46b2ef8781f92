"""Runs as metrics: by project and flow, from the server alone, the same after a restart."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flows.errors import ConfigurationError, SystemFailure
from flows.monitor import Samples, api, runs
from flows.monitor.api import PrefectApi
from flows.monitor.runs import Runs
from tests.monitor.prefect import Server, iso

HOUR = 3600.0


@pytest.fixture
def server() -> Server:
    return Server()


def view(server: Server, hours: float = 24) -> Runs:
    return Runs(PrefectApi("http://prefect.test/api", transport=server.transport), hours)


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    return {frozenset(k): v for k, v in samples.values.get(metric, {}).items()}.get(frozenset(labels.items()))


def test_runs_that_ended_are_counted_by_state_within_the_window(server):
    now = time.time()
    essai, autre = server.deploy("essai", "pipeline"), server.deploy("autre", "ingest")
    for state, age in [("COMPLETED", 1), ("COMPLETED", 2), ("FAILED", 3), ("CRASHED", 30)]:
        server.run(essai, state, now - age * HOUR)
    server.run(autre, "CANCELLED", now - HOUR)
    found = view(server).collect()
    assert value(found, "socle_runs_ended", project="essai", flow="pipeline", state="completed") == 2
    assert value(found, "socle_runs_ended", project="essai", flow="pipeline", state="failed") == 1
    assert value(found, "socle_runs_ended", project="essai", flow="pipeline", state="crashed") == 0
    assert value(found, "socle_runs_ended", project="autre", flow="ingest", state="cancelled") == 1


def test_what_ended_while_the_exporter_was_away_is_known_after_a_restart(server):
    now, deployment = time.time(), server.deploy("essai", "pipeline")
    server.run(deployment, "COMPLETED", now - 200 * HOUR, seconds=7)
    server.run(deployment, "FAILED", now - 100 * HOUR)
    for _ in range(2):
        found = view(server).collect()
        assert value(found, "socle_run_last_state", project="essai", flow="pipeline", state="failed") == 1
        assert value(found, "socle_run_last_end_timestamp_seconds", project="essai", flow="pipeline") == pytest.approx(now - 100 * HOUR)
        last = value(found, "socle_run_last_success_timestamp_seconds", project="essai", flow="pipeline")
        assert last == pytest.approx(now - 200 * HOUR)
        assert value(found, "socle_run_last_duration_seconds", project="essai", flow="pipeline") == 7


def test_the_past_is_looked_up_once(server):
    for number in range(5):
        server.deploy(f"p{number}", "pipeline")
    looking = view(server)
    looking.collect()
    before = server.asked["flow_runs/filter"]
    looking.collect()
    assert server.asked["flow_runs/filter"] - before == 3  # ended, begun, due


def test_deployments_that_others_crowd_out_of_a_page_are_found_all_the_same(server):
    now = time.time()
    busy, quiet = server.deploy("affaire", "pipeline"), server.deploy("calme", "pipeline")
    for number in range(450):
        server.run(busy, "FAILED", now - 100 * HOUR - number)
    server.run(busy, "COMPLETED", now - 300 * HOUR)
    server.run(quiet, "COMPLETED", now - 400 * HOUR)
    looking = view(server)
    found = looking.collect()
    success = found.values["socle_run_last_success_timestamp_seconds"]
    assert {dict(k)["project"]: v for k, v in success.items()} == pytest.approx({"affaire": now - 300 * HOUR, "calme": now - 400 * HOUR})
    assert value(found, "socle_run_last_state", project="affaire", flow="pipeline", state="failed") == 1
    assert server.asked["flow_runs/filter"] <= 3 + 4


def test_a_later_success_takes_the_place_of_a_failure(server):
    now, deployment = time.time(), server.deploy("essai", "pipeline")
    server.run(deployment, "FAILED", now - 60)
    looking = view(server)
    looking.collect()
    server.run(deployment, "COMPLETED", now - 30, seconds=3)
    found = looking.collect()
    assert value(found, "socle_run_last_state", project="essai", flow="pipeline", state="failed") == 0
    assert value(found, "socle_run_last_state", project="essai", flow="pipeline", state="completed") == 1
    assert value(found, "socle_run_last_duration_seconds", project="essai", flow="pipeline") == 3


def test_durations(server):
    now, deployment = time.time(), server.deploy("essai", "pipeline")
    for seconds in (1, 2, 30):
        server.run(deployment, "COMPLETED", now - 60, seconds=seconds)
    found = view(server).collect().values["socle_run_duration_seconds"]
    assert {dict(labels)["statistic"]: v for labels, v in found.items()} == {"median": 2, "max": 30, "sum": 33}


def test_many_runs_are_read_in_pages(server):
    now, deployment = time.time(), server.deploy("essai", "pipeline")
    for number in range(450):
        server.run(deployment, "COMPLETED", now - 1 - number)
    assert value(view(server).collect(), "socle_runs_ended", project="essai", flow="pipeline", state="completed") == 450


def test_more_runs_than_can_be_read_is_an_error_that_says_what_to_do(server, monkeypatch):
    monkeypatch.setattr(api, "MAX_PAGES", 2)
    now, deployment = time.time(), server.deploy("essai", "pipeline")
    run = server.run(deployment, "COMPLETED", now - 1)
    server.runs = [run] * (2 * api.PAGE)
    with pytest.raises(SystemFailure, match="SOCLE_METRICS_WINDOW_HOURS"):
        view(server).collect()


def test_runs_of_others_and_runs_within_runs_do_not_count(server):
    now, ours = time.time(), server.deploy("essai", "pipeline")
    server.deploy("essai", "autre-flow")
    odd = server.deploy('Mon "projet"\n', "pipeline")
    server.run(ours, "COMPLETED", now - 5, parent_task_run_id="x")
    server.run(odd, "COMPLETED", now - 5)
    server.run("gone", "COMPLETED", now - 5)
    server.run(None, "COMPLETED", now - 5, flow_id=server.flows[0]["id"], parameters={"project": "inconnu"})
    found = view(server).collect()
    assert value(found, "socle_runs_ended", project="essai", flow="pipeline", state="completed") == 0
    projects = {dict(labels).get("project") for values in found.values.values() for labels in values}
    assert projects - {None} == {"essai"}


def test_a_run_of_the_command_line_belongs_to_the_project_that_it_names(server):
    server.deploy("essai", "pipeline")
    server.run(None, "COMPLETED", time.time() - 5, flow_id=server.flows[0]["id"], parameters={"project": "essai"})
    assert value(view(server).collect(), "socle_runs_ended", project="essai", flow="pipeline", state="completed") == 1


def test_what_runs_and_for_how_long(server):
    now, deployment = time.time(), server.deploy("essai", "pipeline")
    server.run(deployment, "RUNNING", now - 600)
    server.run(deployment, "RUNNING", now - 60)
    server.run(deployment, "PENDING", now - 5)
    found = view(server).collect()
    assert value(found, "socle_runs_active", project="essai", flow="pipeline", state="running") == 2
    oldest = value(found, "socle_runs_oldest_seconds", project="essai", flow="pipeline", state="running")
    assert oldest is not None and 599 < oldest < 660
    assert value(found, "socle_runs_oldest_seconds", project="essai", flow="pipeline", state="paused") == 0


def test_late_is_what_waits_for_a_worker(server):
    now, deployment = time.time(), server.deploy("essai", "pipeline")
    server.run(deployment, "SCHEDULED", now + HOUR)  # not due
    server.run(deployment, "SCHEDULED", now - 1200, state_name="AwaitingConcurrencySlot")
    found = view(server).collect()
    assert value(found, "socle_runs_late_seconds", project="essai") == 0
    assert value(found, "socle_runs_due", project="essai", waits_for="place") == 1
    server.run(deployment, "SCHEDULED", now - 300, state_name="Late")
    found = view(server).collect()
    late = value(found, "socle_runs_late_seconds", project="essai")
    assert late is not None and 299 < late < 360
    assert value(found, "socle_runs_due", project="essai", waits_for="worker") == 1


def test_workers_and_queues(server):
    server.deploy("essai", "pipeline")
    server.deploy("essai", "ingest")
    server.workers = [{"status": "ONLINE"}, {"status": "OFFLINE"}]
    server.queues = [
        {"name": "essai", "is_paused": False, "last_polled": iso(1000.0)},
        {"name": "default", "is_paused": False, "last_polled": None},
    ]
    found = view(server).collect()
    assert value(found, "socle_workers_online", pool="socle") == 1
    assert value(found, "socle_deployments", pool="socle") == 2
    assert value(found, "socle_queue_polled_timestamp_seconds", project="essai") == 1000
    assert value(found, "socle_queue_paused", project="essai") == 0
    server.pools[0]["is_paused"] = True
    assert value(view(server).collect(), "socle_queue_paused", project="essai") == 1


def schedule(active: bool = True, **what: Any) -> dict[str, Any]:
    return {"active": active, "schedule": what, "updated": iso(5000.0), "created": iso(4000.0)}


def test_only_active_schedules_count(server):
    daily = schedule(cron="0 4 * * *", timezone="Europe/Paris")
    server.deploy("a", "pipeline", [daily])
    server.deploy("b", "pipeline", [daily | {"active": False}])
    server.deploy("c", "pipeline", [daily], paused=True)
    server.deploy("d", "pipeline", [schedule(rrule="FREQ=DAILY")])
    found = view(server).collect()
    periods = {dict(k)["project"]: v for k, v in found.values["socle_schedule_period_seconds"].items()}
    assert periods == {"a": 86_400}
    assert value(found, "socle_schedule_changed_timestamp_seconds", project="a", flow="pipeline") == 5000
    assert found.errors == []


def test_a_schedule_that_cannot_be_read_hides_nothing_else(server):
    server.deploy("a", "pipeline", [schedule(cron="0 4 * * *", timezone="Nulle/Part")])
    found = view(server).collect()
    assert len(found.errors) == 1 and "schedules" in found.errors[0]
    assert value(found, "socle_workers_online", pool="socle") == 0


def test_what_is_deployed_is_read_again_when_there_is_more_and_now_and_then(server, monkeypatch):
    looking = view(server)
    assert looking.collect().values.get("socle_runs_ended") is None
    server.deploy("essai", "pipeline")
    assert looking.collect().values["socle_runs_ended"]
    looking.collect()
    assert server.asked["deployments/filter"] == 2
    monkeypatch.setattr(runs, "PLAN_S", 0)
    looking.collect()
    assert server.asked["deployments/filter"] == 3


def test_a_project_that_is_gone_is_forgotten(server):
    now = time.time()
    for name in ("essai", "parti"):
        server.run(server.deploy(name, "pipeline"), "COMPLETED", now - 10)
    looking = view(server)
    looking.collect()
    server.deployments.pop()
    found = looking.collect()
    assert value(found, "socle_run_last_state", project="essai", flow="pipeline", state="completed") == 1
    assert {dict(k).get("project") for v in found.values.values() for k in v} <= {"essai", None}


@pytest.mark.parametrize("status", [401, 500, 503])
def test_a_server_that_refuses_is_an_error_without_its_answer(server, status):
    server.status = status
    with pytest.raises(SystemFailure, match=str(status)) as caught:
        view(server).collect()
    assert "secret" not in str(caught.value)
    assert not PrefectApi("http://prefect.test/api", transport=server.transport).answers()


def test_credentials_are_those_of_prefects_clients(monkeypatch):
    from flows.monitor.api import _headers

    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:mot-de-passe")
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", '{"X-Worker": "1"}')
    assert _headers() == {"X-Worker": "1", "Authorization": "Basic YWRtaW46bW90LWRlLXBhc3Nl"}
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", "pas du json")
    with pytest.raises(ConfigurationError, match="PREFECT_CLIENT_CUSTOM_HEADERS"):
        _headers()


def test_no_server_is_a_clear_error():
    with pytest.raises(ConfigurationError, match="PREFECT_API_URL"):
        PrefectApi.from_environment()
