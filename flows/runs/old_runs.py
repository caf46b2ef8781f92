"""Runs of a project that ended long ago, on the Prefect server. Deleting one takes its log and its tasks along."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.deployments import FLOWS
from flows.runs.prefect_run import on_a_server
from flows.steps import Run
from flows.steps.retention import Goes

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun

BATCH = 50  # runs in one request, the most that the server takes


async def clean(run: Run, dry_run: bool) -> Goes | None:
    """What was deleted, or would be; None when there is no server to clean."""
    if not on_a_server():
        return None
    before = datetime.now(UTC) - timedelta(days=run.project.retention.runs_days)

    @task(name="old_runs", task_run_name="exécutions anciennes", cache_policy=NO_CACHE, persist_result=False)
    async def work() -> Goes:
        return await _clean(run.project.name, before, dry_run)

    return await work()


async def _clean(project: str, before: datetime, dry_run: bool) -> Goes:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        count, oldest, seen = 0, None, 0
        while runs := await _page(client, project, before, offset=seen):
            count += len(runs)
            oldest = min([r.end_time for r in runs if r.end_time] + ([oldest] if oldest else []), default=None)
            if dry_run:
                seen += len(runs)
            else:
                await _delete(client, runs)
        return Goes(count, 0, oldest)


async def _page(client: PrefectClient, project: str, before: datetime, offset: int) -> list[FlowRun]:
    """Some of the runs that go; flows of others on the same server are left alone, also when their runs have our names."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    ours = FlowFilter(name=FlowFilterName(any_=list(FLOWS)))
    return await client.read_flow_runs(flow_filter=ours, flow_run_filter=_ended(project, before), limit=BATCH, offset=offset)


def _ended(project: str, before: datetime) -> FlowRunFilter:
    """Every run of a flow of ours has its project as its name, subflows too."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterEndTime,
        FlowRunFilterName,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import TERMINAL_STATES

    return FlowRunFilter(
        name=FlowRunFilterName(any_=[project]),
        end_time=FlowRunFilterEndTime.model_validate({"before_": before}),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES, key=str))),
    )


async def _delete(client: PrefectClient, runs: list[FlowRun]) -> None:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    these: Any = FlowRunFilter(id=FlowRunFilterId(any_=[r.id for r in runs]))
    answer = await client._client.post("/flow_runs/bulk_delete", json={"flow_runs": these.model_dump(mode="json", exclude_none=True)})
    answer.raise_for_status()
