"""A real Prefect server and worker, started by `socle up`."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.quality.french import lists
from tests.conftest import write_project
from tests.platform import Platform, running, stop

pytestmark = pytest.mark.services


def test_every_valid_project_is_deployed_and_the_broken_one_is_not(platform: Platform) -> None:
    names = {d["name"] for d in platform.api("deployments/filter", {})}
    assert names == {"essai", "lent", "Plateforme"}
    found = platform.api("deployments/name/finetune/essai")["parameter_openapi_schema"]["properties"]
    assert found["project"]["enum"] == ["essai"]
    assert found["model"]["title"] == "Modèle"
    assert found["model"]["anyOf"] == [{"type": "string", "enum": ["theme"]}, {"type": "null"}]


def test_a_flow_that_is_about_no_project_runs_on_the_worker(platform: Platform) -> None:
    """Whether the sources can be reached from here or not: what could not be read is a warning."""
    run = platform.wait(platform.trigger("reference_lists/Plateforme", {}))
    assert run["state_type"] == "COMPLETED" and run["state_name"] in ("Completed", "Avertissement"), run["state"]
    (shown, *_) = platform.artifacts("listes-de-reference")
    assert all(f"`{name}`" in shown["data"] for name in lists.manifest()) and "Licence Ouverte" in shown["data"]


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
    assert "90 lignes lues, 90 gardées, 0 écartée" in summary["data"]
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
    assert run["state"]["message"].startswith("demandes refusé – Non satisfait : La colonne « texte » ne doit pas être vide")
    text = platform.artifacts("donnees-essai-demandes")[0]["data"]
    assert re.search(r"\*\*refusé\*\*, la version \d+ est servie", text)
    assert "**À faire**" in text
    platform.write_rows(90)


def test_refused_rows_are_replayed_from_the_ui(platform: Platform) -> None:
    """A rule is put right by the engineer, and the project team lets the rows that it refused try again."""
    project, suite = platform.root / "projects" / "essai" / "project.yaml", platform.root / "expectations" / "demandes.json"
    was, rules = project.read_text(encoding="utf-8"), suite.read_text(encoding="utf-8")
    try:
        project.write_text(was.replace("on_failure: block", "on_failure: quarantine"), encoding="utf-8")
        platform.write_rows(90, ("sans-texte", "", "paie"))
        assert platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))["state_type"] == "COMPLETED"
        again = platform.wait(platform.trigger("replay/essai", {"project": "essai"}))
        assert again["state_type"] == "COMPLETED", again["state"]
        assert "écartées par les règles d'aujourd'hui" in platform.artifacts("reprise-essai-demandes")[0]["data"]
        suite.write_text(rules.replace('"critical"', '"warning"', 1), encoding="utf-8")
        run = platform.wait(platform.trigger("replay/essai", {"project": "essai", "dataset": "demandes"}))
        assert run["state_type"] == "COMPLETED", run["state"]
        assert "**1 ligne reprise** : 1 entrée, 0 écartée de nouveau." in platform.artifacts("reprise-essai-demandes")[0]["data"]
        assert "91 lignes lues, 91 gardées, 0 écartée" in platform.artifacts("donnees-essai-demandes")[0]["data"]
    finally:
        project.write_text(was, encoding="utf-8")
        suite.write_text(rules, encoding="utf-8")
        platform.write_rows(90)


def test_a_name_that_is_not_a_choice_is_refused_before_it_runs(platform: Platform) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        platform.trigger("ingest/essai", {"project": "essai", "dataset": "../ailleurs"})
    assert refused.value.code in (409, 422)


@pytest.mark.parametrize(
    ("deployment", "parameters", "words"),
    [
        ("ingest/essai", {"project": "lent"}, "Cette ligne est celle du projet « essai » : elle ne peut pas agir sur « lent »."),
        ("ingest/essai", {"dataset": "../ailleurs"}, "Le projet n'a pas de jeu de données « ../ailleurs »"),
        ("replay/essai", {"dataset": "../ailleurs"}, "Le projet n'a pas de jeu de données « ../ailleurs »"),
        ("check/essai", {"reference": "demandes@99"}, "La version 99 de « demandes » n'existe pas"),
        ("check/essai", {"reference": "lent/demandes@1"}, "« lent/demandes@1 » n'est pas du projet « essai »."),
        ("rollback/essai", {"reference": "demandes", "reason": "x"}, "« Pourquoi » : 5 caractères au moins."),
        ("rollback/essai", {"reference": "demandes"}, "« Pourquoi » : il faut une valeur."),
    ],
)
def test_what_a_form_would_refuse_is_refused_by_the_run_in_french(
    platform: Platform, deployment: str, parameters: dict[str, str], words: str
) -> None:
    """Whoever starts a run can switch the form's check off: there is a box for it below the form."""
    run = platform.wait(platform.trigger(deployment, {"project": "essai"} | parameters, enforce_parameter_schema=False))
    assert run["state_type"] == "FAILED" and words in run["state"]["message"], run["state"]
    assert words in platform.artifacts("echecs-essai")[0]["data"], "under the name of its own project, whatever it was given"
    if "project" in parameters:
        assert "À faire : corriger cette valeur" in run["state"]["message"]


def test_progress_is_shown_in_words_and_per_cent(platform: Platform, waiting: Path) -> None:
    run = platform.trigger("ingest/lent", {"project": "lent"})
    platform.wait_running(run)
    deadline = time.monotonic() + 30
    while not (shown := platform.artifacts("avancement-lent")) or shown[0]["flow_run_id"] != run:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert shown[0]["description"] == "20 % – demandes : lecture" and shown[0]["data"] == 20
    waiting.unlink()
    platform.wait(run)
    assert (platform.artifacts("avancement-lent")[0]["data"], platform.artifacts("avancement-lent")[0]["description"]) == (100, "Terminé.")


def test_back_to_an_earlier_version_from_a_form_that_knows_it(platform: Platform) -> None:
    platform.write_rows(90)
    platform.wait(platform.trigger("pipeline/essai", {"project": "essai"}))
    platform.write_rows(60)
    platform.wait(platform.trigger("pipeline/essai", {"project": "essai"}))
    field = platform.api("deployments/name/rollback/essai")["parameter_openapi_schema"]["properties"]["reference"]
    (small, big) = [r for r in field["enum"] if r.startswith("demandes@")][:2]
    assert f"`{small}` : " in field["description"] and "60 lignes" in field["description"]
    run = platform.wait(platform.trigger("rollback/essai", {"project": "essai", "reference": big, "reason": "lignes perdues"}))
    assert run["state_type"] == "COMPLETED", run["state"]
    text = platform.artifacts("retour-essai-demandes")[0]["data"]
    assert "de nouveau servie" in text and f"avec `{small}`" in text and "lignes perdues" in text
    after = platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))
    assert after["state_type"] == "COMPLETED"
    assert "rien de nouveau" in platform.artifacts("donnees-essai-demandes")[0]["data"]
    platform.write_rows(90)


@pytest.fixture
def waiting(platform: Platform) -> Iterator[Path]:
    with platform.waiting() as file:
        yield file


def test_runs_of_one_project_do_not_keep_another_waiting(platform: Platform, waiting: Path) -> None:
    crowd = [platform.trigger("ingest/lent", {"project": "lent"}) for _ in range(6)]
    crowd += [platform.trigger("pipeline/lent", {"project": "lent"}) for _ in range(6)]
    first = platform.wait_running(*crowd)
    assert platform.wait(platform.trigger("check/essai", {"project": "essai"}))["state_type"] == "COMPLETED"
    states = {run: platform.api(f"flow_runs/{run}")["state_type"] for run in crowd}
    running = [run for run, state in states.items() if state == "RUNNING"]
    assert len(running) <= 2 and set(states.values()) <= {"RUNNING", "SCHEDULED", "PENDING"}, states
    platform.cancel(*(run for run in crowd if run not in running))
    waiting.unlink()
    assert first in running
    assert {platform.wait(run)["state_type"] for run in running} == {"COMPLETED"}
    platform.wait_idle()  # before the next test makes runs wait again


def test_a_run_is_cancelled_with_its_process(platform: Platform, waiting: Path) -> None:
    run = platform.trigger("ingest/lent", {"project": "lent"})
    platform.wait_running(run)
    process = platform.only_run()
    platform.api(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert platform.wait(run)["state_type"] == "CANCELLED"
    process.wait(30)


def test_a_run_whose_process_is_killed_is_crashed_and_the_next_one_works(platform: Platform, waiting: Path) -> None:
    run = platform.trigger("ingest/lent", {"project": "lent"})
    platform.wait_running(run)
    process = platform.only_run()
    process.kill()
    ended = platform.wait(run)
    assert ended["state_type"] == "CRASHED", ended["state"]
    waiting.unlink()
    assert platform.wait(platform.trigger("ingest/lent", {"project": "lent"}))["state_type"] == "COMPLETED"


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


@pytest.mark.parametrize("profile", ["personal", "team"])
def test_ctrl_c_leaves_no_process(tmp_path: Path, profile: str) -> None:
    write_project(tmp_path)
    with running(tmp_path, profile) as started:
        calls = {action["type"] for each in started.api("automations/filter", {}) for action in each["actions"]}
        assert ("call-webhook" in calls) is (profile == "team"), "no automation calls a notifier that is not there"
        run = started.trigger("pipeline/essai", {"project": "essai"})
        deadline = time.monotonic() + 60
        while started.api(f"flow_runs/{run}")["state_type"] != "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert stop(started.process) == []
        assert started.process.returncode == 0
        assert not (tmp_path / ".socle" / "up.json").exists()
