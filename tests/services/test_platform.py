"""A real Prefect server and worker, started by `socle up`."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import write_project
from tests.platform import Platform, running, stop

pytestmark = pytest.mark.services


def test_every_valid_project_is_deployed_and_the_broken_one_is_not(platform: Platform) -> None:
    names = {d["name"] for d in platform.api("deployments/filter", {})}
    assert names == {"essai"}
    found = platform.api("deployments/name/finetune/essai")["parameter_openapi_schema"]["properties"]
    assert found["project"]["enum"] == ["essai"]
    assert found["model"]["title"] == "Modèle"
    assert found["model"]["anyOf"] == [{"type": "string", "enum": ["theme"]}, {"type": "null"}]


def test_schedules_become_scheduled_runs(platform: Platform) -> None:
    """With SQLAlchemy 2.1 the scheduler of Prefect 3.8.8 failed at every turn, and nothing else showed it."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        runs = platform.api("flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        if runs:
            break
        time.sleep(2)
    else:
        pytest.fail("no run was scheduled\n" + platform.log("server")[-2000:])
    assert "Traceback" not in platform.log("server")


def test_a_run_shows_its_result_in_french_with_links_that_open(platform: Platform) -> None:
    run = platform.wait(platform.trigger("pipeline/essai", {"project": "essai"}))
    assert run["state_type"] == "COMPLETED", run["state"]
    (summary,) = platform.artifacts("resume-essai")[:1]
    assert "Tout s'est bien passé" in summary["data"]
    assert "90 lignes lues, 90 gardées, 0 écartées" in summary["data"]
    links = [part.split(")")[0] for part in summary["data"].split("](")[1:]]
    assert len(links) == 2
    for link in links:
        assert link.startswith(platform.docs)
        with urllib.request.urlopen(link, timeout=20) as page:
            assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "<h1>" in page.read().decode()


def test_a_refused_load_ends_as_failed_and_says_why(platform: Platform) -> None:
    before = platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))
    assert before["state_type"] == "COMPLETED"
    platform.write_rows(90, ("sans-texte", "", "paie"))
    run = platform.wait(platform.trigger("ingest/essai", {"project": "essai", "dataset": "demandes"}))
    assert run["state_type"] == "FAILED"
    assert "expect_column_values_to_not_be_null:texte" in run["state"]["message"]
    text = platform.artifacts("donnees-essai-demandes")[0]["data"]
    assert "**refusé**, version 1 est servie" in text
    assert "**À faire**" in text
    platform.write_rows(90)


def test_a_name_that_is_not_a_choice_is_refused_before_it_runs(platform: Platform) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        platform.trigger("ingest/essai", {"project": "essai", "dataset": "../ailleurs"})
    assert refused.value.code in (409, 422)


def test_the_docs_server_only_reads(platform: Platform) -> None:
    for method in ("POST", "PUT", "DELETE"):
        request = urllib.request.Request(f"{platform.docs}/essai", method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        assert refused.value.code == 405
    for path in ("/essai/donnees/demandes/..%2f..", "/essai/modeles/theme/99", "/inconnu", "/essai/donnees/demandes/" + "0" * 24):
        with pytest.raises(urllib.error.HTTPError) as absent:
            urllib.request.urlopen(platform.docs + path, timeout=10)
        assert absent.value.code == 404


def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    write_project(tmp_path)
    with running(tmp_path) as started:
        run = started.trigger("pipeline/essai", {"project": "essai"})
        deadline = time.monotonic() + 60
        while started.api(f"flow_runs/{run}")["state_type"] != "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert stop(started.process) == []
        assert started.process.returncode == 0
        assert not (tmp_path / ".socle" / "up.json").exists()
