"""The main job: ingest and check every dataset of a project, fine-tune what changed, promote."""

from __future__ import annotations

from flows.finetune import finetune
from flows.ingest import ingest
from flows.runs import artifacts, choices
from flows.runs.prefect_run import flow_context, part_done
from flows.runs.project_flow import project_flow
from flows.steps.pipeline import RunResult
from flows.steps.plan import in_order


@project_flow
async def pipeline(project: str) -> RunResult:
    """Tout le projet : charge et contrôle les données, entraîne ce qui a changé, promeut le meilleur modèle frugal."""
    async with flow_context(project) as run:
        result = RunResult(project, run.project.title, run.id)
        for kind, name in in_order(run.project):
            if kind == "dataset":
                await artifacts.merge(result, name, ingest(project, name))
            elif not result.add_waiting(run, name):
                await artifacts.merge(result, name, finetune(project, name))
            part_done(name)
        await artifacts.show_run(run, result)
        await choices.refresh(run)
    return artifacts.finish(result)
