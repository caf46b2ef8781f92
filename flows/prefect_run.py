"""What the flow files share: a step as a Prefect task, a listener that logs progress, and errors as people read them.

Steps are closures, so that Prefect never sees (or stores) what they are given: parameters hold names only, never a secret.
Flows name the JSON serializer: Prefect writes the exception of a failed run to its storage, as a pickle unless told otherwise.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio.to_thread
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows import progress
from flows.steps import Run, open_run

Result = TypeVar("Result")
STEPS = {
    "receiving": "réception",
    "reading": "lecture",
    "checking": "contrôles",
    "publishing": "publication",
    "preparing": "préparation des exemples",
    "training": "entraînement",
    "evaluating": "évaluation",
    "committing": "enregistrement",
    "deciding": "choix du champion",
}
LOG_EVERY_S = 10.0  # seconds between two lines about one step


async def step(title: str, work: Callable[..., Result], *arguments: object) -> Result:
    """Run `work(*arguments)` in a thread as one task, shown under `title` (French) in the UI."""

    @task(name=work.__name__, task_run_name=title.replace("{", "(").replace("}", ")"), cache_policy=NO_CACHE, persist_result=False)
    async def run() -> Result:
        return await anyio.to_thread.run_sync(lambda: work(*arguments))

    return await run()


@asynccontextmanager
async def flow_context(project: str) -> AsyncIterator[Run]:
    """The run of the current flow run; its steps are logged unless somebody listens already (a terminal, the pipeline)."""
    with open_run(project, run_id=str(flow_run.id)) as run:
        if progress.current() is not None:
            yield run
            return
        with progress.listening(PrefectLog()):
            yield run


def in_french(step: str) -> str:
    """`articles: training tfidf` -> `articles : entraînement de tfidf`. Terminals show steps in English, runs in French."""
    subject, _, action = step.partition(": ")
    verb, _, rest = action.partition(" ")
    return f"{subject} : {STEPS.get(verb, verb)}" + (f" de {rest}" if rest else "")


class PrefectLog:
    """Progress in the run's log: the start of a step, a line every ten seconds, its end."""

    def __init__(self) -> None:
        self.logger = get_run_logger()
        self.state: dict[str, tuple[float | None, str, float, float]] = {}  # total, unit, done, last line

    def started(self, name: str, unit: str, total: float | None) -> None:
        self.state[name] = (total, unit, 0.0, time.monotonic())
        self.logger.info("%s …", in_french(name))

    def advanced(self, name: str, amount: float) -> None:
        total, unit, done, last = self.state[name]
        done, now = done + amount, time.monotonic()
        if now - last >= LOG_EVERY_S:
            share = f"{done / total:.0%}".replace("%", " %") if total else f"{done:,.0f} {unit}".replace(",", "\u202f")
            self.logger.info("%s : %s", in_french(name), share)
            last = now
        self.state[name] = (total, unit, done, last)

    def ended(self, name: str, seconds: float, failed: bool) -> None:
        self.logger.log(40 if failed else 20, "%s : %s (%.1f s)", in_french(name), "échec" if failed else "fait", seconds)
