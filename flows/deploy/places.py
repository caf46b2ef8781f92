"""What deployments stand on, on the server: a pool for each way to execute, a queue for each project, limits for what all share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from flows.deploy import pools
from flows.deploy.plan import Change, pages
from flows.deployments import Limit

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

# Requests. The server is one process: more of them wait for each other's locks (1,200 deployments: 53 s with 3, 62 s with 8).
AT_ONCE = 3


async def prepare(client: PrefectClient, changes: list[Change], limits: dict[str, Limit], *, keep: bool) -> None:
    """Pools, queues and limits that the deployments need, before they are made. `keep`: there are others that need theirs, too."""
    for name, limit in limits.items():
        if not (keep and await _has_limit(client, name)):
            await client.upsert_global_concurrency_limit_by_name(name, limit.places, limit.freed_per_s)
    wanted = _wanted(changes)
    for on in sorted({"process", *(on for _, on in wanted)}):
        await _pool(client, on, _images(changes, on), keep)
    present = {on: await _queues(client, on) for on in {on for _, on in wanted}}

    async def one(item: tuple[tuple[str, str], int]) -> None:
        (project, on), limit = item
        queue = present[on].get(project)
        if queue is None:
            await client.create_work_queue(name=project, work_pool_name=pools.POOLS[on], concurrency_limit=limit)
        elif queue.concurrency_limit != limit:
            await client.update_work_queue(queue.id, concurrency_limit=limit)

    await some_at_once(one, wanted.items())


async def tidy(client: PrefectClient, changes: list[Change]) -> None:
    """Queues of projects that are gone, or that execute elsewhere now."""
    wanted, kept = _wanted(changes), {c.project for c in changes if c.kind == "kept"}
    ours = {c.project for c in changes} - kept
    moved = {c.project for c in changes if c.kind == "removed" or "work_pool_name" in c.fields}
    if not moved:
        return
    stale = []
    for on in pools.POOLS:
        queues = await _queues(client, on)
        stale += [queue.id for name, queue in queues.items() if name in ours and (name, on) not in wanted]
    await some_at_once(client.delete_work_queue_by_id, stale)


async def some_at_once(work: Callable[[Any], Awaitable[None]], items: Iterable[Any]) -> None:
    import anyio

    free = anyio.CapacityLimiter(AT_ONCE)

    async def one(item: Any) -> None:
        async with free:
            await work(item)

    try:
        async with anyio.create_task_group() as tasks:
            for item in items:
                tasks.start_soon(one, item)
    except ExceptionGroup as group:  # the first failure ends the others
        raise group.exceptions[0] from None


def _wanted(changes: list[Change]) -> dict[tuple[str, str], int]:
    """(project, how it executes) -> runs at the same time."""
    deployments = [c.deployment for c in changes if c.deployment]
    return {(d.place, d.execution.on): d.execution.max_runs for d in deployments}


def _images(changes: list[Change], on: str) -> list[str]:
    """Of the deployments of a pool, as they will be and as they are: the server checks both while they change."""
    wanted = {c.deployment.image for c in changes if c.deployment and c.deployment.execution.on == on}
    there = [c.present.job_variables or {} for c in changes if c.present and c.present.work_pool_name == pools.POOLS[on]]
    return sorted(wanted | {str(variables["image"]) for variables in there if "image" in variables})


async def _pool(client: PrefectClient, on: str, images: list[str], keep: bool) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    name = pools.POOLS[on]
    try:
        present = await client.read_work_pool(name)
    except ObjectNotFound:
        await client.create_work_pool(WorkPoolCreate(name=name, type=on, base_job_template=pools.template(on, images)))
        return
    if keep:
        images = sorted({*images, *present.base_job_template["variables"]["properties"].get("image", {}).get("enum", [])})
    template = pools.template(on, images)
    if present.base_job_template != template:
        await client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


async def _has_limit(client: PrefectClient, name: str) -> bool:
    from prefect.exceptions import ObjectNotFound

    try:
        await client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        return False
    return True


async def _queues(client: PrefectClient, on: str) -> dict[str, Any]:
    from prefect.exceptions import ObjectNotFound

    try:
        return {queue.name: queue async for queue in pages(client.read_work_queues, work_pool_name=pools.POOLS[on])}
    except ObjectNotFound:
        return {}
