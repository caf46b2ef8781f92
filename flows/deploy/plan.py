"""What a server has beside what the list says: a plan of changes that can be shown before it is carried out."""

from __future__ import annotations

import copy
import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flows import __version__
from flows.deploy import pools
from flows.deployments import FLOWS, REFERENCE, VERSIONS, Deployment, describe_form

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

Kind = Literal["added", "changed", "removed", "unchanged", "kept"]
PAGE = 200  # the most that the server gives at once
SLUG = "project.yaml"  # name of the one schedule that is ours; others were added by hand and stay
START_S = 120  # seconds that a run has from Pending to Running before its place is given to the next


@dataclass(frozen=True)
class Change:
    """`kept`: the project does not load, so what was deployed for it stays as it is."""

    kind: Kind
    name: str
    fields: list[str] = field(default_factory=list)
    """What differs, for `changed`."""
    deployment: Deployment | None = None
    present: DeploymentResponse | None = None

    @property
    def project(self) -> str:
        return self.name.partition("/")[2]


async def plan(client: PrefectClient, wanted: list[Deployment], only: str | None, broken: set[str]) -> list[Change]:
    """Compare the list with the server. `only`: leave every other project alone. `broken`: projects that do not load."""
    present = {name: response async for name, response in deployed(client)}
    changes = []
    for deployment in wanted:
        there = present.pop(deployment.name, None)
        if there is None:
            changes.append(Change("added", deployment.name, deployment=deployment))
            continue
        target, actual = desired(deployment, there), observed(there)
        differ = [key for key in target if target[key] != actual[key]]
        changes.append(Change("changed" if differ else "unchanged", deployment.name, differ, deployment, there))
    for name, there in present.items():
        if only is not None and there.name != only:
            continue
        changes.append(Change("kept" if there.name in broken else "removed", name, present=there))
    return changes


async def deployed(client: PrefectClient) -> AsyncIterator[tuple[str, DeploymentResponse]]:
    """Name and description of every deployment in our pools."""
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
    from prefect.client.schemas.sorting import DeploymentSort

    ours = WorkPoolFilter(name=WorkPoolFilterName(any_=list(pools.POOLS.values())))
    flows = {flow.id: flow.name async for flow in pages(client.read_flows, work_pool_filter=ours)}
    # All deployments of a project have the same name: sorted by it (the default), a page could repeat some and leave others out.
    async for response in pages(client.read_deployments, work_pool_filter=ours, sort=DeploymentSort.CREATED_DESC):
        yield f"{flows[response.flow_id]}/{response.name}", response


async def pages(read: Any, **filters: Any) -> AsyncIterator[Any]:
    offset = 0
    while page := await read(limit=PAGE, offset=offset, **filters):
        for each in page:
            yield each
        offset += len(page)


def desired(deployment: Deployment, present: DeploymentResponse | None = None) -> dict[str, Any]:
    """What the server should say of a deployment, in the words of its API. Two things are the server's own business: whether a
    schedule is paused, and which versions a form offers (`present` has those that runs found)."""
    spec, schedule, execution = deployment.spec, deployment.schedule, deployment.execution
    return {
        "version": __version__,
        "description": deployment.description,
        "tags": [deployment.place],
        "parameters": deployment.parameters,
        "parameter_openapi_schema": form(deployment, _known(present)),
        "enforce_parameter_schema": True,
        "entrypoint": f"flows.{deployment.flow}.{deployment.flow}",
        "work_pool_name": pools.POOLS[execution.on],
        "work_queue_name": deployment.place,
        "job_variables": pools.job_variables(execution, deployment.image, spec.trains),
        "concurrency": (spec.at_once, spec.collision, START_S) if spec.at_once else None,
        "schedule": (schedule.cron, schedule.timezone, dict(spec.on_schedule)) if schedule else None,
    }


def observed(response: DeploymentResponse) -> dict[str, Any]:
    """The same of a deployment that is on the server."""
    from prefect.client.schemas.schedules import CronSchedule

    limit, options = response.global_concurrency_limit, response.concurrency_options
    ours = next((s for s in response.schedules if s.slug == SLUG), None)
    cron = ours.schedule if ours else None
    return {
        "version": response.version,
        "description": response.description,
        "tags": response.tags,
        "parameters": response.parameters,
        "parameter_openapi_schema": response.parameter_openapi_schema,
        "enforce_parameter_schema": response.enforce_parameter_schema,
        "entrypoint": response.entrypoint,
        "work_pool_name": response.work_pool_name,
        "work_queue_name": response.work_queue_name,
        "job_variables": response.job_variables,
        "concurrency": (limit.limit, options.collision_strategy.value, options.grace_period_seconds) if limit and options else None,
        "schedule": (cron.cron, cron.timezone, ours.parameters) if ours and isinstance(cron, CronSchedule) else None,
    }


_SCHEMAS: dict[str, dict[str, Any]] = {}


def _known(present: DeploymentResponse | None) -> dict[str, str]:
    schema = (present.parameter_openapi_schema if present else None) or {}
    versions = schema.get("properties", {}).get(REFERENCE, {}).get(VERSIONS, [])
    return {reference: text for reference, text in versions if "@" in reference}


def form(deployment: Deployment, known: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON schema of a run form: the flow's signature, with our titles, explanations and choices."""
    if not _SCHEMAS:
        for flow in FLOWS:
            function = getattr(importlib.import_module(f"flows.{flow}"), flow)
            _SCHEMAS[flow] = function.parameters.model_dump(mode="json", exclude_none=True)
    schema = copy.deepcopy(_SCHEMAS[deployment.flow])
    describe_form(deployment, schema["properties"], known or {})
    return schema
