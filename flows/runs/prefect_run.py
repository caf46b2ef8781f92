"""What the flow files share: a step as a Prefect task, places that runs wait for, and the run with its progress.

Steps are closures, so that Prefect never sees (or stores) what they are given: parameters hold names only, never a secret.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows import progress
from flows.deployments import limits
from flows.runs.run_progress import Meter, PrefectProgress, parts_of, shown
from flows.runs.who import asked
from flows.steps import Run, open_run

Result = TypeVar("Result")
_meter: ContextVar[Meter | None] = ContextVar("socle_meter", default=None)


async def step(title: str, work: Callable[..., Result], *arguments: object) -> Result:
    """Run `work(*arguments)` in a thread as one task, shown under `title` (French) in the UI."""

    @task(name=work.__name__, task_run_name=_label(title), cache_policy=NO_CACHE, persist_result=False)
    async def run() -> Result:
        return await anyio.to_thread.run_sync(lambda: work(*arguments))

    return await run()


def _label(title: str) -> str:
    """As a task's name: braces would be a template, and the picture of a run has no letters with accents (it leaves them out)."""
    plain = "".join(c for c in unicodedata.normalize("NFD", title) if not unicodedata.combining(c))
    return plain.replace("{", "(").replace("}", ")")


@asynccontextmanager
async def training_place() -> AsyncIterator[None]:
    """One of the places for trainings on a GPU, on a machine that has one; others wait here until one is free."""
    if not (_has_gpu() and on_a_server()):
        yield
        return
    from prefect.concurrency.asyncio import concurrency

    async with concurrency("gpu"):
        yield


async def source_turn(run: Run, source: str) -> None:
    """Wait until a source of this type may be asked again, if there is a rate for it."""
    if on_a_server() and (name := f"source-{source}") in limits(run.settings):
        from prefect.concurrency.asyncio import rate_limit

        await rate_limit(name)


def on_a_server() -> bool:
    """Not on one that was started for this run alone (`socle run`): that has no deployments and no limits."""
    return "PREFECT_API_URL" in os.environ


def _has_gpu() -> bool:
    return os.environ.get("CUDA_VISIBLE_DEVICES") != "" and Path("/dev/nvidiactl").exists()


@asynccontextmanager
async def flow_context(project: str, *, datasets: Iterable[str] | None = None, models: Iterable[str] | None = None) -> AsyncIterator[Run]:
    """The run of the current flow run; `datasets` and `models` are what it is about (None: all of them). Its steps are logged
    and its progress shown, unless somebody listens already (a terminal, the pipeline)."""
    with open_run(project, run_id=str(flow_run.id), who=asked().who) as run:
        if progress.current() is not None:
            yield run
            return
        all_datasets, all_models = run.project.datasets, run.project.models
        meter = Meter(parts_of(run.project, all_datasets if datasets is None else datasets, all_models if models is None else models))
        token = _meter.set(meter)
        try:
            with progress.listening(PrefectProgress(meter)):
                async with shown(project, meter):
                    yield run
        finally:
            _meter.reset(token)


def part_done(name: str) -> None:
    """A dataset or a model is done: what was foreseen for it counts, also if it had nothing to do."""
    if (meter := _meter.get()) is not None:
        meter.finished(name)
