"""Let refused rows try again: those that can still come in, by the rules of today and with what people corrected."""

from __future__ import annotations

from flows.errors import SocleError
from flows.runs import artifacts, choices
from flows.runs.prefect_run import flow_context, part_done, source_turn, step
from flows.runs.project_flow import project_flow
from flows.steps.pipeline import RunResult
from flows.steps.replay import may_load_again
from flows.steps.replay import replay as replay_rows
from flows.texts import replay_summary


@project_flow
async def replay(project: str, dataset: str | None = None) -> RunResult:
    """Reprend les lignes écartées qui peuvent encore entrer : les règles d'aujourd'hui les jugent à nouveau."""
    async with flow_context(project, datasets=[dataset] if dataset else None, models=()) as run:
        result = RunResult(project, run.project.title, run.id)
        for name in [dataset] if dataset else run.project.datasets:
            try:
                if await step(f"{name} : que faut-il reprendre ?", may_load_again, run, name):
                    await source_turn(run, run.project.datasets[name].source.type)
                done = await step(f"{name} : reprise", replay_rows, run, name)
            except SocleError as error:
                result.failed(name, error)
                continue
            for outcome in done.outcomes:
                result.add(outcome)
            part_done(name)
            await artifacts.show_text(f"reprise-{project}-{name}", replay_summary.text(run, done), replay_summary.TITLE)
        await artifacts.show_datasets(run, result)
        await artifacts.show_failures(run, result)
        await choices.refresh(run)
    return artifacts.finish(result)
