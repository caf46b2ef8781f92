"""Runs that nobody works on any more, found by looking: the server takes them for pending or running, and they gave no sign of life
for too long.

The automation `exécution sans signe de vie` (flows/deploy/automations.py) closes most of them. It lives on events, and a server
that is stopped forgets those that it has not worked off; a run that stays pending would then keep its place for ever.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect.types._datetime import now

from flows.deployments import LOST

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

EVERY_S = 60.0
MOST = 200  # runs that are looked at in one go
HEARTBEAT = "prefect.flow-run.heartbeat"


class Search:
    """In one work pool. After an outage of the server it waits as long as a run may be silent: runs could not be heard meanwhile."""

    def __init__(self, client: PrefectClient, pool: str, silent: timedelta) -> None:
        self.client, self.pool, self.silent = client, pool, silent
        self.heard_since: datetime | None = None

    async def keep_looking(self) -> None:
        while True:
            try:
                self.heard_since = self.heard_since or now("UTC")
                await self.look()
            except Exception as error:
                self.heard_since = None
                sys.stderr.write(f"lost runs were not looked for: {type(error).__name__}\n")
            await asyncio.sleep(EVERY_S)

    async def look(self) -> list[FlowRun]:
        """Close those that are lost, and say which."""
        old = [run for run in await self._open_runs() if run.state and now("UTC") - run.state.timestamp > self.silent]
        if not old or self.heard_since is None:
            return []
        alive = await self._alive(old)  # also when nothing is closed yet: an events API that does not answer is an outage
        if now("UTC") - self.heard_since < self.silent:
            return []
        lost = [run for run in old if str(run.id) not in alive]
        for run in lost:
            await self._close(run)
        return lost

    async def _open_runs(self) -> list[FlowRun]:
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterState,
            FlowRunFilterStateType,
            WorkPoolFilter,
            WorkPoolFilterName,
        )
        from prefect.client.schemas.objects import StateType
        from prefect.client.schemas.sorting import FlowRunSort

        return await self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
            ),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[self.pool])),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,  # the oldest first: lost ones are not hidden behind a crowd
            limit=MOST,
        )

    async def _alive(self, runs: list[FlowRun]) -> set[str]:
        """Ids of the runs that were heard within the time. The latest heartbeat of each is what counts, so one run at a time."""
        found = set()
        for run in runs:
            wanted = {
                "event": {"name": [HEARTBEAT]},
                "resource": {"id": [f"prefect.flow-run.{run.id}"]},
                "occurred": {"since": (now("UTC") - self.silent).isoformat()},
            }
            answer = await self.client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1})
            answer.raise_for_status()
            if answer.json()["events"]:
                found.add(str(run.id))
        return found

    async def _close(self, run: FlowRun) -> None:
        from prefect.client.schemas.objects import State
        from prefect.states import Crashed

        state: State[Any] = Crashed(message=LOST)
        await self.client.set_flow_run_state(run.id, state)  # not forced: one that ended in this moment stays as it ended
        sys.stderr.write(f"run {run.id} gave no sign of life for {self.silent.total_seconds():.0f} s and was closed\n")
