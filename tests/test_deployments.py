"""The list of deployments, and that what it gives fits the flows."""

from __future__ import annotations

import importlib
import re
import shutil
from pathlib import Path

import pytest

from flows.cli.run import PARAMETERS, FlowName
from flows.deploy.plan import desired, form
from flows.deploy.prefect_yaml import render
from flows.deployments import FLOWS, FORM, PLATFORM, Deployment, broken, listed
from flows.errors import ConfigurationError
from flows.project.base import NAME
from flows.settings import load_settings
from flows.validation import load_project, project_names
from tests.conftest import REPOSITORY, write_project


def signature(flow: str) -> dict[str, object]:
    return dict(getattr(importlib.import_module(f"flows.{flow}"), flow).parameters.properties)


@pytest.mark.parametrize("flow", FLOWS)
def test_forms_and_options_name_the_parameters_of_the_flow(flow: str) -> None:
    names = set(signature(flow))
    assert names <= set(FORM)
    if flow in set(FlowName):
        assert names == {"project", *PARAMETERS[FlowName(flow)]}


def deployment_of(flow: str) -> Deployment:
    return next(d for d in listed(REPOSITORY, "exemple")[0] if d.flow == flow)


KNOWN = {"demandes@2": "24/11/2026, 400 lignes", "demandes@1": "23/11/2026, 390 lignes", "theme@1": "23/11/2026, tfidf", "gone@1": "–"}


def test_versions_are_choices_with_what_a_person_knows_them_by() -> None:
    field = form(deployment_of("rollback"), KNOWN)["properties"]["reference"]
    assert field["enum"] == ["demandes", "demandes@2", "demandes@1", "theme", "theme@1"]
    assert "- `demandes@2` : 24/11/2026, 400 lignes" in field["description"]
    assert "- `demandes` : la version d'avant" in field["description"]


def test_a_form_offers_versions_of_what_its_flow_is_about_and_may_stay_empty() -> None:
    field = form(deployment_of("check"), KNOWN)["properties"]["reference"]
    assert field["anyOf"] == [{"type": "string", "enum": ["demandes", "demandes@2", "demandes@1"]}, {"type": "null"}]


def test_the_reason_is_asked_for_in_words() -> None:
    reason = form(deployment_of("rollback"))["properties"]["reason"]
    assert (reason["minLength"], reason["maxLength"], reason["title"]) == (5, 300, "Pourquoi")


@pytest.mark.parametrize("project", project_names(REPOSITORY))
def test_every_schedule_and_parameter_fits_its_flow(project: str) -> None:
    deployments, problems = listed(REPOSITORY, project)
    assert problems == []
    scheduled = {d.flow for d in deployments if d.schedule}
    assert scheduled == set(load_project(REPOSITORY, project).schedules)
    for deployment in deployments:
        assert set(deployment.parameters) <= set(signature(deployment.flow))
        assert (desired(deployment)["schedule"] is not None) == (deployment.schedule is not None)
        properties = form(deployment)["properties"]
        assert properties["project"]["enum"] == [project]
        assert all(field["title"] == FORM[name][0] for name, field in properties.items())


def test_prefect_yaml_is_what_the_projects_say() -> None:
    deployments, _ = listed(REPOSITORY)
    written = (REPOSITORY / "prefect.yaml").read_text(encoding="utf-8")
    assert written == render(deployments), "run: socle deploy --prefect-yaml"


def test_a_broken_project_does_not_hide_the_others(root: Path) -> None:
    wrong = root / "projects" / "casse"
    wrong.mkdir()
    (wrong / "project.yaml").write_text("title: [", encoding="utf-8")
    deployments, problems = listed(root)
    assert {d.place for d in deployments} == {"essai", PLATFORM}
    assert broken(root, deployments) == {"casse"}
    assert [p.file.as_posix() for p in problems] == ["projects/casse/project.yaml"]


def test_a_project_without_models_has_no_finetune(root: Path, edit) -> None:
    path = root / "projects" / "essai" / "project.yaml"
    path.write_text(path.read_text(encoding="utf-8").split("models:")[0], encoding="utf-8")
    deployments, _ = listed(root)
    assert [d.flow for d in deployments] == ["pipeline", "ingest", "check", "replay", "rollback", "maintain", "reference_lists"]


def test_a_server_has_the_projects_that_its_settings_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(root, "autre")
    assert load_settings().deployed is None
    monkeypatch.setenv("SOCLE_PROJECTS", " autre , parti,")
    among = load_settings().deployed
    found, problems = listed(root, among=among)
    assert {d.place for d in found} == {"autre", PLATFORM}
    assert [p.message for p in problems] == ["there is no project 'parti'"]
    assert broken(root, found, among=among) == {"parti"}, "what it has stays until the settings no longer name it"
    assert {d.place for d in listed(root, "autre", among=among)[0]} == {"autre"}
    with pytest.raises(ConfigurationError, match="this server does not have the project 'essai'"):
        listed(root, "essai", among=among)


def test_what_is_about_no_project_is_deployed_once(root: Path, edit) -> None:
    write_project(root, "autre")
    (found,) = [d for d in listed(root)[0] if d.project is None]
    said = desired(found)
    assert found.name == "reference_lists/Plateforme" and not re.fullmatch(NAME, found.place), "no project can have its place"
    assert (said["work_pool_name"], said["parameters"], said["schedule"]) == ("socle", {}, ("0 6 1 * *", "Europe/Paris", {}))
    assert set(said["parameter_openapi_schema"]["properties"]) == {"refresh"} and "tous les projets" in said["description"]
    edit("title: Demandes\n", "title: Demandes\nexecution: {on: docker, image: a/b, max_runs: 9}\n")
    assert desired(listed(root)[0][-1])["work_pool_name"] == "socle", "a project of processes is left, and so a worker for them"


def test_where_all_projects_have_containers_the_platform_has_them_too(root: Path, edit) -> None:
    edit("title: Demandes\n", "title: Demandes\nexecution: {on: docker, image: a/b, max_runs: 9, gpus: 1}\n")
    found = listed(root)[0][-1]
    said = desired(found)
    assert (said["work_pool_name"], said["job_variables"]["image"], found.execution.max_runs) == ("socle-docker", "a/b", 1)
    assert said["job_variables"]["device_requests"] == []


def test_what_the_platform_has_stays_while_no_project_loads_and_goes_with_the_last(root: Path) -> None:
    (root / "projects" / "essai" / "project.yaml").write_text("title: [", encoding="utf-8")
    found, _ = listed(root)
    assert found == [] and broken(root, found) == {"essai", PLATFORM}
    assert broken(root, found, "essai") == {"essai"}, "one project is asked for"
    shutil.rmtree(root / "projects" / "essai")
    assert listed(root) == ([], []) and broken(root, []) == set()
