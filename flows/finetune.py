"""Train what changed, compare, promote. Every model of a project, or one."""

from __future__ import annotations

from contextlib import nullcontext

from flows.runs import artifacts, choices
from flows.runs.prefect_run import flow_context, part_done, step, training_place
from flows.runs.project_flow import is_top, project_flow
from flows.steps import Run
from flows.steps.finetune import (
    ModelOutcome,
    candidate_version,
    estimate_candidate,
    needs_examples,
    no_dataset,
    prepare_examples,
    promote_best,
    unchanged,
)
from flows.steps.pipeline import RunResult
from flows.steps.plan import plan_model, require_bucket


@project_flow
async def finetune(project: str, model: str | None = None) -> RunResult:
    """Entraîne ce qui a changé, compare les candidats, et promeut le champion."""
    async with flow_context(project, datasets=(), models=[model] if model else None) as run:
        require_bucket(run)
        result = RunResult(project, run.project.title, run.id)
        for name in [model] if model else run.project.models:
            await artifacts.attempt(result, name, train(run, name))
            part_done(name)
        await artifacts.show_models(run, result)
        await artifacts.show_failures(run, result)
        if is_top():
            await choices.refresh(run)
    return artifacts.finish(result)


async def train(run: Run, name: str) -> ModelOutcome:
    """One model: the same steps as steps/finetune.py, each a task."""
    plan = await step(f"{name} : que faut-il faire ?", plan_model, run, name)
    if plan.action == "wait":
        raise no_dataset(run, name)
    if plan.action == "nothing":
        return unchanged(run, plan)
    examples = await step(f"{name} : préparation des exemples", prepare_examples, run, plan) if needs_examples(plan) else None
    versions, trained = [], []
    for index, candidate in enumerate(plan.candidates):
        title = f"{name} : entraînement de {candidate.label}" if candidate.version is None else f"{name} : {candidate.label}, déjà fait"
        needs_place = candidate.base is not None and candidate.version is None
        async with training_place() if needs_place else nullcontext():
            estimate = None
            if needs_place:
                estimate = await step(f"{name} : estimation de {candidate.label}", estimate_candidate, run, plan, index, examples)
                await artifacts.show_estimate(run, name, candidate.label, estimate)
            version, new = await step(title, candidate_version, run, plan, index, examples, estimate)
        versions.append(version)
        trained += [version.number] if new else []
    return await step(f"{name} : choix du champion", promote_best, run, plan, versions, trained, examples)
