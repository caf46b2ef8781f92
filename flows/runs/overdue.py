"""Scheduled runs that could not start in time are not all made up for: of those that are due, the newest one runs.

Every flow looks at the present state of its source and of the lake, so one run does what ten missed ones would have done. Runs
that a person asked for are never skipped.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.types._datetime import now

LATE = timedelta(seconds=5)
MOST = 200  # runs of a deployment that are looked at


async def overtaken_by() -> datetime | None:
    """When the newest run of the same schedule was due that runs, has run or is about to, if there is one."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or not run.auto_scheduled or run.deployment_id is None or run.expected_start_time is None:
        return None
    due, moment = run.expected_start_time, now("UTC")
    if moment - due < LATE:  # nothing newer can be due: the server is asked only when something went wrong
        return None
    async with get_client() as client:
        others = await client.read_flow_runs(flow_run_filter=_newer(run, due, moment), limit=MOST)
    newer = [other.expected_start_time for other in others if _of_same_schedule(run, other) and other.expected_start_time]
    return max((when for when in newer if when > due), default=None)


def _newer(run: Any, due: datetime, moment: datetime) -> Any:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterExpectedStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    stopped = [StateType.CANCELLED, StateType.CANCELLING]
    return FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[run.deployment_id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=stopped)),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=due, before_=moment),  # type: ignore[arg-type]
    )


def _of_same_schedule(run: Any, other: Any) -> bool:
    """Another schedule of the deployment may have other parameters."""
    ours, theirs = run.created_by, other.created_by
    return other.id != run.id and bool(other.auto_scheduled) and ours is not None and theirs is not None and ours.id == theirs.id
