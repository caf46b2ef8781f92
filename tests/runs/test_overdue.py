"""Which of the overdue runs of a schedule runs, and that the server is asked only when one is overdue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect.types._datetime import now

from flows.runs import overdue

SCHEDULE, OTHER = uuid4(), uuid4()
Ask = Callable[..., Any]


def run(seconds_ago: float, schedule: UUID | None = SCHEDULE, *, auto: bool = True) -> SimpleNamespace:
    return SimpleNamespace(
        id=uuid4(),
        auto_scheduled=auto,
        deployment_id=uuid4(),
        expected_start_time=now("UTC") - timedelta(seconds=seconds_ago),
        created_by=SimpleNamespace(id=schedule) if schedule else None,
    )


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What a run learns beside others; the server's part (due, not cancelled) is taken as done."""

    def build(own: Any, others: list[Any], *, reachable: bool = True) -> Any:
        class Client:
            async def __aenter__(self) -> Any:
                assert reachable, "the server was asked"
                return self

            async def __aexit__(self, *_: object) -> None: ...

            async def read_flow_runs(self, **_: Any) -> list[Any]:
                return [own, *others]

        monkeypatch.setattr(overdue, "get_client", Client)
        monkeypatch.setattr(overdue.FlowRunContext, "get", classmethod(lambda cls: SimpleNamespace(flow_run=own)))
        return asyncio.run(overdue.overtaken_by())

    return build


def test_a_newer_one_of_the_same_schedule_does_the_work(ask: Ask) -> None:
    newest = run(20)
    assert ask(run(600), [run(300), newest, run(10, OTHER), run(5, None), run(1, auto=False)]) == newest.expected_start_time
    assert ask(newest, [run(300), run(600)]) is None


@pytest.mark.parametrize(
    "own", [lambda: run(1), lambda: run(600, auto=False), lambda: SimpleNamespace(**vars(run(600)) | {"deployment_id": None})]
)
def test_the_server_is_asked_only_about_overdue_runs_of_schedules(ask: Ask, own: Callable[[], Any]) -> None:
    assert ask(own(), [], reachable=False) is None


def test_outside_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(overdue.overtaken_by()) is None


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(10, 10_000), min_size=1, max_size=20, unique=True))
def test_of_any_crowd_exactly_the_newest_runs(ask: Ask, ages: list[int]) -> None:
    crowd = [run(age) for age in ages]
    left = [own for own in crowd if ask(own, [other for other in crowd if other is not own]) is None]
    assert left == [max(crowd, key=lambda each: each.expected_start_time)]
