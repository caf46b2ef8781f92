"""Carry out a plan on the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flows.deploy import automations, places
from flows.deploy.automations import AutomationChange
from flows.deploy.places import some_at_once
from flows.deploy.plan import SLUG, Change, desired, plan
from flows.deployments import Deployment, limits
from flows.errors import SystemFailure
from flows.settings import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate


async def deploy(
    wanted: list[Deployment],
    settings: Settings,
    *,
    only: str | None = None,
    broken: set[str] | None = None,
    dry_run: bool = False,
    notifier: bool = True,
    advance: Callable[[float], None] = lambda count: None,
) -> tuple[list[Change], list[AutomationChange]]:
    """Make the server match the list, and say what that changed. With `only`, what all projects share (limits, what the server
    watches) is made if it is missing, and otherwise left as it is. Without a `notifier`, nothing calls it.

    Raises: SystemFailure if the server does not answer or does not take a change. What was changed before stays; run again.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        async with get_client() as client:
            changes = await plan(client, wanted, only, broken or set())
            watched = await automations.plan(client, settings, notifier=notifier, keep=only is not None)
            if not dry_run:
                await places.prepare(client, changes, limits(settings), keep=only is not None)
                await _carry_out(client, changes, advance)
                await places.tidy(client, changes)
                await automations.carry_out(client, settings, watched, notifier=notifier, keep=only is not None)
            return changes, watched
    except (httpx.HTTPError, PrefectException) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise SystemFailure(
            f"the Prefect server did not take the deployments: {reason}", hint="check PREFECT_API_URL, or socle up"
        ) from None


async def _carry_out(client: PrefectClient, changes: list[Change], advance: Callable[[float], None]) -> None:
    flows = {c.deployment.flow for c in changes if c.deployment}
    ids = {flow: await client.create_flow_from_name(flow) for flow in sorted(flows)}

    async def one(change: Change) -> None:
        if change.present is not None and change.kind == "removed":
            await client.delete_deployment(change.present.id)
        elif change.deployment is not None and change.kind in ("added", "changed"):
            await _put(client, ids[change.deployment.flow], change, change.deployment)
        advance(1)

    await some_at_once(one, changes)


async def _put(client: PrefectClient, flow_id: Any, change: Change, deployment: Deployment) -> None:
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions

    fields = desired(deployment, change.present)
    concurrency = fields.pop("concurrency")
    fields.pop("schedule")
    limit, options = None, None
    if concurrency:
        limit, collision, start_s = concurrency
        options = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(collision), grace_period_seconds=start_s)
    await client.create_deployment(
        flow_id,
        name=deployment.place,
        concurrency_limit=limit,
        concurrency_options=options,
        schedules=_schedules(change, deployment),
        **fields,
    )


def _schedules(change: Change, deployment: Deployment) -> list[DeploymentScheduleCreate]:
    """Ours as project.yaml says, paused if somebody paused it; those that were added by hand as they are."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    present = change.present.schedules if change.present else []
    kept = [
        DeploymentScheduleCreate(schedule=s.schedule, active=s.active, parameters=s.parameters, slug=s.slug)
        for s in present
        if s.slug != SLUG
    ]
    if deployment.schedule is None:
        return kept
    active = all(s.active for s in present if s.slug == SLUG)
    ours = CronSchedule(cron=deployment.schedule.cron, timezone=deployment.schedule.timezone)
    parameters = dict(deployment.spec.on_schedule)
    return [DeploymentScheduleCreate(schedule=ours, active=active, parameters=parameters, slug=SLUG), *kept]
