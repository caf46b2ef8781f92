"""Who is named as having asked for a run."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import CreatedBy

from flows.runs import who
from flows.steps import whoami

LOGIN = CreatedBy(id=who.LOGIN, type="AUTOMATION", display_value="Ada Lovelace")


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"created_by": LOGIN}, ("Ada Lovelace", "login")),
        ({"created_by": CreatedBy(id=uuid4(), type="AUTOMATION", display_value="relance")}, ("relance", "automation")),
        ({"created_by": CreatedBy(id=uuid4(), type="SCHEDULE", display_value="CronSchedule")}, ("planification", "schedule")),
        ({"auto_scheduled": True}, ("planification", "schedule")),
        ({}, (whoami(), "unnamed")),
        ({"deployment_id": None}, (whoami(), "command")),
        ({"created_by": CreatedBy(id=who.LOGIN, type="AUTOMATION", display_value="")}, (whoami(), "unnamed")),
    ],
)
def test_who_asked(monkeypatch, run, expected):
    given = {"created_by": None, "auto_scheduled": False, "deployment_id": uuid4()} | run
    context = SimpleNamespace(flow_run=SimpleNamespace(**given))
    monkeypatch.setattr(who.FlowRunContext, "get", lambda: context)
    asked = who.asked()
    assert (asked.who, asked.trigger) == expected


def test_outside_of_a_flow_run():
    assert who.asked() == who.Asked(whoami(), "command")
