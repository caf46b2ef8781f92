"""Delete what nothing refers to any more, by the project's `retention`; or show what that would be."""

from __future__ import annotations

from dataclasses import replace

from flows.runs import artifacts, choices, old_runs
from flows.runs.prefect_run import flow_context, part_done, step
from flows.runs.project_flow import project_flow
from flows.steps.maintain import MaintainOutcome, maintain_dataset, maintain_models
from flows.steps.plan import require_bucket
from flows.steps.retention import Cleanup, undeclared
from flows.texts import cleanup_summary


@project_flow
async def maintain(project: str, dry_run: bool = True) -> MaintainOutcome:
    """Fait le ménage : supprime ce que rien n'utilise plus et dont la durée de garde est passée."""
    async with flow_context(project, models=()) as run:
        require_bucket(run)
        datasets = []
        for name in run.project.datasets:
            datasets.append(await step(f"{name} : ménage", maintain_dataset, run, name, dry_run))
            part_done(name)
        models = await step("modèles : fichiers abandonnés", maintain_models, run, dry_run)
        outcome = MaintainOutcome(project, dry_run, Cleanup(datasets, models, undeclared(run)))
        outcome = replace(outcome, runs=await old_runs.clean(run, dry_run))
        await artifacts.show_text(f"menage-{project}", cleanup_summary.text(run, outcome), cleanup_summary.title(outcome))
        if not dry_run:
            await choices.refresh(run)
    return outcome
