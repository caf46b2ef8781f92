"""`socle deploy` against a real Prefect server that has no worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli import postgres
from flows.cli.processes import Processes, answers
from flows.settings import Settings
from tests.conftest import PROJECT, write_project
from tests.platform import SCHEDULE, SOCLE, ask, free_port

pytestmark = pytest.mark.services

START_S, LIMIT_S = 180, 120
FLOWS = ["pipeline", "ingest", "check", "finetune", "replay", "rollback", "maintain"]
PLATFORM = "reference_lists/Plateforme"
Api = Callable[..., Any]
Deploy = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    port, home, database = free_port(), tmp_path_factory.mktemp("prefect"), Path(tempfile.mkdtemp(prefix="socle-test-pg-"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))}
    environment |= {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    children = Processes(home, environment)
    url = postgres.start(children, Settings(postgres_folder=database))
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    children.start("server", command, {"PREFECT_API_DATABASE_CONNECTION_URL": url})

    def call(path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{call.url}/{path}", data, {"content-type": "application/json"}, method=method)  # type: ignore[attr-defined]
        return ask(request)

    call.url = f"http://127.0.0.1:{port}/api"  # type: ignore[attr-defined]
    try:
        children.wait_until("server", lambda: answers(f"{call.url}/health"), START_S)  # type: ignore[attr-defined]
        yield call
    finally:
        children.stop()
        shutil.rmtree(database)


@pytest.fixture
def deploy(api: Api, root: Path) -> Iterator[Deploy]:
    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [str(SOCLE), "deploy", *arguments, "--json"],
            env={**os.environ, "SOCLE_ROOT": str(root), "PREFECT_API_URL": api.url},  # type: ignore[attr-defined]
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return dict(json.loads(done.stdout))

    yield run
    shutil.rmtree(root / "projects")
    run("--allow-empty")
    assert names(api) == [], "a server without projects has no deployments"


def names(api: Api) -> list[str]:
    flows = {f["id"]: f["name"] for f in api("flows/filter", {})}
    return sorted(f"{flows[d['flow_id']]}/{d['name']}" for d in api("deployments/filter", {}))


def one(api: Api, name: str) -> dict[str, Any]:
    return dict(api(f"deployments/name/{name}"))


def test_a_dry_run_shows_the_plan_and_a_second_deploy_changes_nothing(api: Api, deploy: Deploy) -> None:
    wanted = [*(f"{flow}/essai" for flow in FLOWS), PLATFORM]
    assert deploy("--dry-run")["added"] == wanted
    assert names(api) == []
    assert deploy()["added"] == wanted
    assert names(api) == sorted(wanted)
    before = [one(api, name)["updated"] for name in wanted]
    again = deploy()
    assert again["unchanged"] == wanted and not any(again[kind] for kind in ("added", "changed", "removed", "kept"))
    assert [one(api, name)["updated"] for name in wanted] == before


def test_only_what_a_change_touches_is_deployed_again(api: Api, deploy: Deploy, edit: Callable[[str, str], None]) -> None:
    deploy()
    edit("models:\n  theme:", "models:\n  sujet:")
    done = deploy()
    assert done["changed"] == ["finetune/essai", "rollback/essai"]
    assert done["fields"] == {name: ["parameter_openapi_schema"] for name in done["changed"]}
    form = one(api, "finetune/essai")["parameter_openapi_schema"]["properties"]["model"]
    assert form["anyOf"][0]["enum"] == ["sujet"]


def test_a_cleanup_that_a_schedule_starts_deletes_and_one_that_a_person_starts_shows(api: Api, deploy: Deploy, root: Path) -> None:
    with (root / "projects" / "essai" / "project.yaml").open("a", encoding="utf-8") as file:
        file.write(SCHEDULE.replace("pipeline", "maintain"))
    deploy()
    there = one(api, "maintain/essai")
    assert [s["parameters"] for s in there["schedules"]] == [{"dry_run": False}]
    assert "dry_run" not in there["parameters"]
    assert there["parameter_openapi_schema"]["properties"]["dry_run"]["default"] is True
    assert deploy()["changed"] == []


def test_what_has_no_project_any_more_is_removed_with_its_queue(api: Api, deploy: Deploy, root: Path) -> None:
    write_project(root, "passager")
    deploy()
    assert {"essai", "passager"} <= {q["name"] for q in api("work_pools/socle/queues/filter", {})}
    shutil.rmtree(root / "projects" / "passager")
    assert deploy("essai")["removed"] == [], "one project is asked for: the others are left alone"
    assert sorted(deploy()["removed"]) == sorted(f"{flow}/passager" for flow in FLOWS)
    assert names(api) == sorted([*(f"{flow}/essai" for flow in FLOWS), PLATFORM])
    assert "passager" not in {q["name"] for q in api("work_pools/socle/queues/filter", {})}


def test_a_flow_that_a_project_no_longer_has_is_removed(api: Api, deploy: Deploy, root: Path) -> None:
    deploy()
    (root / "projects" / "essai" / "project.yaml").write_text(PROJECT.split("models:")[0], encoding="utf-8")
    assert deploy()["removed"] == ["finetune/essai"]


def test_a_project_that_does_not_load_is_said_and_what_it_had_stays(api: Api, deploy: Deploy, root: Path) -> None:
    write_project(root, "autre")
    deploy()
    (root / "projects" / "autre" / "project.yaml").write_text("title: [", encoding="utf-8")
    done = deploy(code=2)
    assert "projects/autre/project.yaml" in done["problems"][0]
    assert sorted(done["kept"]) == sorted(f"{flow}/autre" for flow in FLOWS)
    assert len(done["unchanged"]) == len(FLOWS) + 1 and done["removed"] == []
    assert len(names(api)) == 2 * len(FLOWS) + 1


def test_what_is_about_no_project_is_there_once_and_stays_while_no_project_loads(api: Api, deploy: Deploy, root: Path) -> None:
    write_project(root, "autre")
    assert PLATFORM not in deploy("essai")["added"], "one project is asked for"
    assert PLATFORM in deploy()["added"]
    there = one(api, PLATFORM)
    assert [(s["schedule"]["cron"], s["active"]) for s in there["schedules"]] == [("0 6 1 * *", True)]
    assert (there["parameters"], there["global_concurrency_limit"]["limit"]) == ({}, 1)
    assert "Plateforme" in {q["name"] for q in api("work_pools/socle/queues/filter", {})}
    for name in ("essai", "autre"):
        (root / "projects" / name / "project.yaml").write_text("title: [", encoding="utf-8")
    done = deploy(code=2)
    assert PLATFORM in done["kept"] and done["removed"] == [] and PLATFORM in names(api)


def test_a_paused_schedule_stays_paused_and_those_added_by_hand_stay(api: Api, deploy: Deploy, root: Path, edit) -> None:
    write_project(root, text=PROJECT + SCHEDULE)
    deploy()
    deployment = one(api, "pipeline/essai")
    (schedule,) = deployment["schedules"]
    assert (schedule["schedule"]["cron"], schedule["active"]) == ("0 4 * * 1", True)
    api(f"deployments/{deployment['id']}/schedules/{schedule['id']}", {"active": False}, "PATCH")
    by_hand = [{"schedule": {"interval": 3600}, "active": True, "slug": "a-la-main"}]
    api(f"deployments/{deployment['id']}/schedules", by_hand)
    edit("0 4 * * 1", "0 5 * * 1")
    assert deploy()["fields"] == {"pipeline/essai": ["schedule"]}
    now = {s["slug"]: s for s in one(api, "pipeline/essai")["schedules"]}
    assert (now["project.yaml"]["schedule"]["cron"], now["project.yaml"]["active"]) == ("0 5 * * 1", False)
    assert now["a-la-main"]["schedule"]["interval"] == 3600 and now["a-la-main"]["active"]
    edit(SCHEDULE.replace("0 4", "0 5"), "")
    deploy()
    assert [s["slug"] for s in one(api, "pipeline/essai")["schedules"]] == ["a-la-main"]


def test_what_somebody_changed_on_the_server_is_put_right(api: Api, deploy: Deploy) -> None:
    deploy()
    deployment = one(api, "ingest/essai")
    api(f"deployments/{deployment['id']}", {"parameters": {"project": "ailleurs"}, "enforce_parameter_schema": False}, "PATCH")
    assert deploy()["fields"] == {"ingest/essai": ["parameters", "enforce_parameter_schema"]}
    assert one(api, "ingest/essai")["parameters"] == {"project": "essai"}


def test_deployments_of_others_are_left_alone(api: Api, deploy: Deploy) -> None:
    flow = api("flows/", {"name": "etranger"})["id"]
    made = api("deployments/", {"name": "essai", "flow_id": flow})["id"]
    deploy()
    assert not deploy()["removed"]
    assert "etranger/essai" in names(api)
    api(f"deployments/{made}", method="DELETE")


def test_how_a_run_executes_cannot_be_sent_with_it(api: Api, deploy: Deploy) -> None:
    """A command, an environment or an image in `job_variables` would be anybody's way into the worker."""
    deploy()
    deployment = one(api, "check/essai")
    for variables in ({"command": "id"}, {"env": {"SOCLE_STORAGE": "file:///tmp"}}, {"working_dir": "/"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            api(f"deployments/{deployment['id']}/create_flow_run", {"job_variables": variables, "parameters": {"project": "essai"}})
        assert refused.value.code in (409, 422)


def test_limits_of_a_project_and_of_its_flows(api: Api, deploy: Deploy, root: Path, edit) -> None:
    deploy()
    queues = {q["name"]: q["concurrency_limit"] for q in api("work_pools/socle/queues/filter", {})}
    assert queues["essai"] == 2
    pipeline, check = one(api, "pipeline/essai"), one(api, "check/essai")
    assert pipeline["global_concurrency_limit"]["limit"] == 1
    assert pipeline["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert check["global_concurrency_limit"] is None
    edit("title: Demandes\n", "title: Demandes\nexecution: {max_runs: 5}\n")
    deploy()
    assert {q["name"]: q["concurrency_limit"] for q in api("work_pools/socle/queues/filter", {})}["essai"] == 5


def test_a_project_moves_to_containers_and_back(api: Api, deploy: Deploy, root: Path, edit) -> None:
    write_project(root, "autre")
    deploy()
    edit("title: Demandes\n", "title: Demandes\nexecution: {on: kubernetes, cpus: 4, gpus: 1}\n")
    problem = deploy(code=2)["problems"][0]
    assert "no image is named" in problem and "projects/essai/project.yaml" in problem
    edit("gpus: 1}", "gpus: 1, image: registry.example/socle:1}")
    done = deploy()
    assert set(done["fields"]["pipeline/essai"]) == {"work_pool_name", "job_variables"} and "pipeline/autre" in done["unchanged"]
    assert one(api, "pipeline/essai")["job_variables"] == {
        "image": "registry.example/socle:1",
        "cpu_milli": 4000,
        "memory_mib": 8192,
        "gpus": 1,
    }
    assert one(api, "ingest/essai")["job_variables"]["gpus"] == 0
    queues = {on: {q["name"] for q in api(f"work_pools/{on}/queues/filter", {})} for on in ("socle", "socle-kubernetes")}
    assert "essai" in queues["socle-kubernetes"] and "essai" not in queues["socle"] and "autre" in queues["socle"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        body = {"job_variables": {"image": "somebody/else"}, "parameters": {"project": "essai"}}
        api(f"deployments/{one(api, 'pipeline/essai')['id']}/create_flow_run", body)
    assert refused.value.code in (409, 422)
    edit("socle:1}", "socle:2}")
    deploy()
    template = api("work_pools/socle-kubernetes")["base_job_template"]
    assert set(template["variables"]["properties"]["image"]["enum"]) == {"registry.example/socle:1", "registry.example/socle:2"}
    edit("execution: {on: kubernetes, cpus: 4, gpus: 1, image: registry.example/socle:2}\n", "")
    deploy()
    assert one(api, "pipeline/essai")["job_variables"] == {}
    assert "essai" not in {q["name"] for q in api("work_pools/socle-kubernetes/queues/filter", {})}


def test_what_all_projects_share_has_limits(api: Api, deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy()
    assert api("v2/concurrency_limits/gpu")["limit"] == 1
    monkeypatch.setenv("SOCLE_GPUS", "3")
    monkeypatch.setenv("SOCLE_NPM_PER_MINUTE", "60")
    deploy()
    assert api("v2/concurrency_limits/gpu")["limit"] == 3
    npm = api("v2/concurrency_limits/source-npm")
    assert (npm["limit"], npm["slot_decay_per_second"]) == (10, 1.0)


def test_prefect_deploy_with_the_prefect_yaml_that_is_written(api: Api, deploy: Deploy, root: Path) -> None:
    write_project(root, text=PROJECT + SCHEDULE)
    deploy()
    expected = {name: one(api, name) for name in names(api)}
    for found in expected.values():
        api(f"deployments/{found['id']}", method="DELETE")
    environment = {**os.environ, "SOCLE_ROOT": str(root), "PREFECT_API_URL": api.url}  # type: ignore[attr-defined]
    subprocess.run([str(SOCLE), "deploy", "--prefect-yaml"], env=environment, check=True, timeout=LIMIT_S)
    command = [str(SOCLE.parent / "prefect"), "--no-prompt", "deploy", "--all"]
    subprocess.run(command, env=environment, cwd=root, check=True, timeout=LIMIT_S)
    assert names(api) == sorted(expected)
    done = deploy("--dry-run")
    assert {name: fields for name, fields in done["fields"].items() if fields != ["parameter_openapi_schema"]} == {}
    assert [s["slug"] for s in one(api, "pipeline/essai")["schedules"]] == ["project.yaml"]


def test_without_a_server_the_error_says_what_to_do(root: Path) -> None:
    for extra, words in (({}, "no Prefect server"), ({"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}, "did not take")):
        environment = {**os.environ, "SOCLE_ROOT": str(root), "PREFECT_CLIENT_MAX_RETRIES": "0", **extra}
        done = subprocess.run([str(SOCLE), "deploy"], env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode in (2, 3) and words in done.stderr and "Traceback" not in done.stderr, done


WATCHED = [
    "Socle : exécution échouée",
    "Socle : exécution interrompue",
    "Socle : exécution en retard",
    "Socle : exécution sans signe de vie",
    "Socle : annulation sans réponse",
]


def test_an_empty_folder_takes_nothing_away_unless_it_is_meant(api: Api, deploy: Deploy, root: Path) -> None:
    """The wrong SOCLE_ROOT is a mistake that is made."""
    deploy()
    there = names(api)
    (root / "projects").rename(root / "elsewhere")
    (root / "projects").mkdir()
    with pytest.raises(AssertionError, match="everything on the server would be removed"):
        deploy()
    assert names(api) == there != []


@pytest.fixture
def unwatched(api: Api) -> None:
    for each in automations(api).values():
        api(f"automations/{each['id']}", method="DELETE")


def automations(api: Api) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in api("automations/filter", {})}


def test_automations_are_made_once(api: Api, deploy: Deploy, unwatched: None) -> None:
    assert deploy("--dry-run")["automations"]["added"] == WATCHED
    assert automations(api) == {}
    assert deploy()["automations"]["added"] == WATCHED
    made = automations(api)
    assert deploy()["automations"] == {"added": [], "changed": [], "removed": [], "unchanged": WATCHED}
    assert automations(api) == made and sorted(made) == sorted(WATCHED)


def test_automations_of_people_stay_and_ours_are_put_right(api: Api, deploy: Deploy, unwatched: None) -> None:
    deploy()
    theirs = automations(api)[WATCHED[0]] | {"name": "À moi", "tags": ["socle"]}
    api("automations/", {key: theirs[key] for key in ("name", "tags", "trigger", "actions")})
    old = theirs | {"name": "Socle : d'une version d'avant"}
    api("automations/", {key: old[key] for key in ("name", "tags", "trigger", "actions")})
    ours = automations(api)[WATCHED[1]]
    changed = {key: ours[key] for key in ("name", "tags", "trigger", "actions")} | {"description": "autre chose", "enabled": False}
    api(f"automations/{ours['id']}", changed, method="PUT")
    assert deploy()["automations"] == {
        "added": [],
        "changed": [WATCHED[1]],
        "removed": [old["name"]],
        "unchanged": [name for name in WATCHED if name != WATCHED[1]],
    }
    found = automations(api)
    assert "À moi" in found and found[WATCHED[1]]["description"] == "Prévient."
    assert found[WATCHED[1]]["enabled"] is False, "one that somebody switched off stays off"


def test_times_and_the_address_of_the_notifier_are_those_of_whoever_deploys(
    api: Api, deploy: Deploy, unwatched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()
    monkeypatch.setenv("SOCLE_LATE_AFTER_MIN", "30")
    monkeypatch.setenv("SOCLE_NOTIFY_URL", "http://notifier:4203")
    assert set(deploy("--dry-run")["automations"]["changed"]) == set(WATCHED[:3])
    deploy()
    assert automations(api)["Socle : exécution en retard"]["trigger"]["within"] == 1800
    (block,) = api("block_documents/filter", {"include_secrets": True})
    assert block["data"]["url"] == "http://notifier:4203/prefect"
    assert deploy()["automations"]["unchanged"] == WATCHED


def test_whoever_deploys_one_project_changes_nothing_that_all_share(
    api: Api, deploy: Deploy, unwatched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deploy("essai")["automations"]["added"] == WATCHED, "what is missing is made"
    deploy()
    before = automations(api), api("block_documents/filter", {"include_secrets": True}), api("v2/concurrency_limits/gpu")
    monkeypatch.setenv("SOCLE_LATE_AFTER_MIN", "30")
    monkeypatch.setenv("SOCLE_NOTIFY_URL", "http://elsewhere:4203")
    monkeypatch.setenv("SOCLE_GPUS", "4")
    api(f"automations/{before[0][WATCHED[0]]['id']}", method="DELETE")
    assert deploy("essai")["automations"] == {"added": WATCHED[:1], "changed": [], "removed": [], "unchanged": WATCHED[1:]}
    after = automations(api), api("block_documents/filter", {"include_secrets": True}), api("v2/concurrency_limits/gpu")
    assert after[1:] == before[1:]
    assert after[0][WATCHED[0]]["actions"] == before[0][WATCHED[0]]["actions"], "it tells the notifier that is there"


def test_a_server_without_a_notifier_calls_none(api: Api, deploy: Deploy, unwatched: None, root: Path) -> None:
    deploy()
    (root / ".socle").mkdir(exist_ok=True)
    up = root / ".socle" / "up.json"
    up.write_text(json.dumps({"api": api.url, "notifier": False}), encoding="utf-8")  # type: ignore[attr-defined]
    done = deploy()["automations"]
    assert (sorted(done["removed"]), done["unchanged"], done["added"]) == (sorted(WATCHED[:3]), WATCHED[3:], [])
    assert sorted(automations(api)) == sorted(WATCHED[3:])
    assert deploy("essai")["automations"]["unchanged"] == WATCHED[3:]
    up.write_text(json.dumps({"api": "http://127.0.0.1:1/api", "notifier": False}), encoding="utf-8")
    assert deploy()["automations"]["added"] == WATCHED[:3], "what is known of another server does not count"
