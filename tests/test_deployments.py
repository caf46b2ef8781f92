"""The list of deployments, and that what it gives fits the flows."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

import pytest

from flows.cli.run import PARAMETERS, FlowName
from flows.deployments import FLOWS, FORM, listed, to_prefect
from flows.validation import load_project, project_names
from tests.conftest import REPOSITORY


def signature(flow: str) -> dict[str, object]:
    return dict(getattr(importlib.import_module(f"flows.{flow}"), flow).parameters.properties)


@pytest.mark.parametrize("flow", FLOWS)
def test_forms_and_options_name_the_parameters_of_the_flow(flow: str) -> None:
    names = set(signature(flow))
    assert names == {"project", *PARAMETERS[FlowName(flow)]}
    assert names <= set(FORM)


@pytest.mark.parametrize("project", project_names(REPOSITORY))
def test_every_schedule_and_parameter_fits_its_flow(project: str) -> None:
    deployments, problems = listed(REPOSITORY, project)
    assert problems == []
    scheduled = {d.flow for d in deployments if d.schedule}
    assert scheduled == set(load_project(REPOSITORY, project).schedules)
    for deployment in deployments:
        made = asyncio.run(to_prefect(deployment))
        assert set(made.parameters) <= set(signature(deployment.flow))
        assert len(made.schedules or []) == (1 if deployment.schedule else 0)
        schema = made._parameter_openapi_schema.properties
        assert schema["project"]["enum"] == [project]
        assert all(field["title"] == FORM[name][0] for name, field in schema.items())


def test_a_broken_project_does_not_hide_the_others(root: Path) -> None:
    broken = root / "projects" / "casse"
    broken.mkdir()
    (broken / "project.yaml").write_text("title: [", encoding="utf-8")
    deployments, problems = listed(root)
    assert {d.project.name for d in deployments} == {"essai"}
    assert [p.file.as_posix() for p in problems] == ["projects/casse/project.yaml"]


def test_a_project_without_models_has_no_finetune(root: Path, edit) -> None:
    path = root / "projects" / "essai" / "project.yaml"
    path.write_text(path.read_text(encoding="utf-8").split("models:")[0], encoding="utf-8")
    deployments, _ = listed(root)
    assert [d.flow for d in deployments] == ["pipeline", "ingest", "check"]
