"""Bring data in: receive, parse, audit, publish. Every dataset of a project, or one."""

from __future__ import annotations

from flows.errors import Conflict, Refused
from flows.runs import artifacts, choices
from flows.runs.prefect_run import flow_context, part_done, source_turn, step
from flows.runs.project_flow import is_top, project_flow
from flows.steps import Run
from flows.steps.audit import audit
from flows.steps.ingest import (
    ATTEMPTS,
    LoadOutcome,
    all_in_one,
    check_again,
    may_have_more,
    publish,
    receive,
    too_many_writers,
    with_what_was_loaded,
    without_loading,
)
from flows.steps.parse import parse
from flows.steps.pipeline import RunResult
from flows.steps.plan import plan_dataset, require_bucket


@project_flow
async def ingest(project: str, dataset: str | None = None) -> RunResult:
    """Charge les données du projet : réception, lecture, contrôles, publication d'une nouvelle version."""
    async with flow_context(project, datasets=[dataset] if dataset else None, models=()) as run:
        require_bucket(run)
        result = RunResult(project, run.project.title, run.id)
        for name in [dataset] if dataset else run.project.datasets:
            await artifacts.attempt(result, name, load(run, name))
            part_done(name)
        await artifacts.show_datasets(run, result)
        await artifacts.show_failures(run, result)
        if is_top():
            await choices.refresh(run)
    return artifacts.finish(result)


async def load(run: Run, name: str) -> LoadOutcome:
    """One dataset. Raises: Refused, with the outcome as payload, when the load is refused."""
    outcomes = list[LoadOutcome]()
    with with_what_was_loaded(outcomes):
        outcome = await _load(run, name, outcomes)
    if outcome.refused:
        error = Refused(f"{name}: " + "; ".join(outcome.reasons), hint=f"socle show {run.project.name}/{name}")
        error.payload = outcome
        raise error
    return outcome


async def _load(run: Run, name: str, outcomes: list[LoadOutcome]) -> LoadOutcome:
    conflicts = 0
    while True:
        plan = await step(f"{name} : que faut-il faire ?", plan_dataset, run, name)
        if plan.action == "load":
            if plan.files is None:
                await source_turn(run, run.project.datasets[name].source.type)
            plan = await step(f"{name} : réception", receive, run, plan)
        if plan.action == "check":
            return await step(f"{name} : nouveau contrôle", check_again, run, plan)
        if (ended := without_loading(run, plan)) is not None:
            return all_in_one([*outcomes, ended])
        parsed = await step(f"{name} : lecture", parse, run, plan)
        audited = await step(f"{name} : contrôles", audit, run, plan, parsed)
        try:
            outcomes.append(await step(f"{name} : publication", publish, run, plan, audited))
        except Conflict:  # somebody committed since the plan: look again, audit again
            conflicts += 1
            if conflicts == ATTEMPTS:
                raise too_many_writers(run, name) from None
            continue
        if not may_have_more(run, outcomes[-1]):
            return all_in_one(outcomes)
