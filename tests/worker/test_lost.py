"""Which runs are closed as lost: those without a heartbeat, and none as long as the server may just not have heard them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Pending, Running
from prefect.types._datetime import now

from flows.deployments import LOST
from flows.worker import lost
from flows.worker.lost import Search

SILENT = timedelta(minutes=10)
AGO = timedelta(minutes=11)


class Server:
    """What a Prefect client gives of some runs; `heard`: those with a recent heartbeat."""

    def __init__(self, runs: list[FlowRun], heard: set[UUID] | None = None) -> None:
        self.runs, self.heard = runs, heard or set()
        self.closed: dict[UUID, State[Any]] = {}
        self.down = False

    async def read_flow_runs(self, **_: Any) -> list[FlowRun]:
        if self.down:
            raise ConnectionError
        return self.runs

    async def request(self, method: str, path: str, json: dict[str, Any]) -> Any:
        (resource,) = json["filter"]["resource"]["id"]
        events = [{}] if UUID(resource.removeprefix("prefect.flow-run.")) in self.heard else []

        class Answer:
            def raise_for_status(self) -> None: ...

            def json(self) -> dict[str, Any]:
                return {"events": events}

        return Answer()

    async def set_flow_run_state(self, run: UUID, state: State[Any]) -> None:
        self.closed[run] = state


def flow_run(state: State[Any], ago: timedelta) -> FlowRun:
    return FlowRun(id=uuid4(), flow_id=uuid4(), state=state.model_copy(update={"timestamp": now("UTC") - ago}))


def look(server: Server, heard_for: timedelta = AGO) -> list[UUID]:
    search = Search(server, "socle", SILENT)  # type: ignore[arg-type]
    search.heard_since = now("UTC") - heard_for
    return [run.id for run in asyncio.run(search.look())]


def test_those_without_a_sign_of_life_are_closed() -> None:
    stuck, dead, alive, new = flow_run(Pending(), AGO), flow_run(Running(), AGO), flow_run(Running(), AGO), flow_run(Running(), SILENT / 2)
    server = Server([stuck, dead, alive, new], heard={alive.id})
    assert look(server) == [stuck.id, dead.id]
    assert {state.message for state in server.closed.values()} == {LOST}
    assert all(state.is_crashed() for state in server.closed.values())


def test_none_is_closed_before_the_server_has_listened_long_enough() -> None:
    server = Server([flow_run(Running(), AGO)])
    assert look(server, heard_for=SILENT / 2) == [] and server.closed == {}


def test_an_outage_starts_the_waiting_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "EVERY_S", 0.01)
    server = Server([flow_run(Running(), AGO)])

    async def run() -> None:
        search = Search(server, "socle", SILENT)  # type: ignore[arg-type]
        looking = asyncio.create_task(search.keep_looking())
        await asyncio.sleep(0.05)
        search.heard_since = now("UTC") - SILENT / 2
        server.down = True
        await asyncio.sleep(0.05)
        server.down = False
        await asyncio.sleep(0.05)
        assert search.heard_since is not None and now("UTC") - search.heard_since < SILENT / 4
        assert server.closed == {}
        looking.cancel()

    asyncio.run(run())
