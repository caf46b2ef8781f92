"""What a run leaves in the Prefect UI. The texts are in summary.py and explain.py."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from flows.errors import SocleError
from flows.lake.datasets import DatasetVersion
from flows.quality.results import CheckReport
from flows.steps import Run
from flows.steps.finetune import ModelOutcome
from flows.steps.ingest import LoadOutcome
from flows.steps.pipeline import RunResult
from flows.steps.reports import kept_trend
from flows.steps.rollback import RollbackOutcome
from flows.texts import checks, explain, links, summary
from flows.training.estimate import Estimate

LOADED = "Ce que le chargement a donné"

# ---- results of parts ----------------------------------------------------------------------------------------------


async def attempt(result: RunResult, name: str, work: Awaitable[LoadOutcome | ModelOutcome]) -> None:
    """Await one part; keep its outcome or its failure in `result`."""
    try:
        result.add(await work)
    except SocleError as error:
        result.failed(name, error)


async def merge(result: RunResult, name: str, flow: Awaitable[RunResult]) -> None:
    """Await a subflow; what it did goes into `result`, also when it failed."""
    try:
        part = await flow
    except SocleError as error:
        if not isinstance(error.payload, RunResult):
            result.failed(name, error)
            return
        part = error.payload
    result.datasets += part.datasets
    result.models += part.models
    result.failures += part.failures


def finish(result: RunResult) -> RunResult:
    """The result, or its error: a run that refused something ends as Failed, with the reason as its message."""
    if (error := result.error()) is not None:
        error.french = summary.what_went_wrong(result)
        raise error
    return result


# ---- artifacts -----------------------------------------------------------------------------------------------------


async def show_run(run: Run, result: RunResult) -> None:
    text = "\n\n".join(summary.run_text(run, result))
    await acreate_markdown_artifact(text, key=f"resume-{result.project}", description="Résumé de l'exécution")


async def show_datasets(run: Run, result: RunResult) -> None:
    for outcome in result.datasets:
        await acreate_markdown_artifact(
            summary.dataset_text(run, outcome),
            key=f"donnees-{result.project}-{outcome.dataset}",
            description=LOADED,
        )
        if outcome.report and outcome.report.results:
            await _checks_table(run, outcome.report)


async def show_failures(run: Run, result: RunResult) -> None:
    """For flows that run alone: the pipeline's summary has its own part for them."""
    if result.failures:
        await _show_failures(result.project, result.failures)


async def show_error(project: str, error: BaseException) -> None:
    """Of a run that ended before it had a result. `project` may be anything that somebody sent."""
    await _show_failures(re.sub(r"[^a-z0-9-]+", "-", project.lower())[:48], [(summary.quoted(project[:48]), error)])


async def _show_failures(project: str, failures: Sequence[tuple[str, BaseException]]) -> None:
    text = "\n\n".join([summary.FAILED, *(explain.paragraphs(name, error) for name, error in failures)])
    await acreate_markdown_artifact(text, key=f"echecs-{project}", description="Ce qui n'a pas marché")


async def show_rollback(run: Run, outcome: RollbackOutcome) -> None:
    key = f"retour-{run.project.name}-{outcome.name}"
    await acreate_markdown_artifact(summary.rollback_text(run, outcome), key=key, description="Ce que le retour en arrière a fait")


async def show_text(key: str, text: str, description: str) -> None:
    await acreate_markdown_artifact(text, key=key, description=description)


async def show_report(run: Run, version: DatasetVersion, report: CheckReport) -> None:
    said = summary.report_text(report, kept_trend(run, report.dataset, report.load_id))
    todo = [f"- {line}" for line in checks.todo(report)]
    parts = [f"## {version}", said, *(["**À faire**", "\n".join(todo)] if todo else [])]
    text = "\n\n".join([*parts, f"[Voir tous les contrôles]({links.data_docs(run.settings, report)})"])
    await acreate_markdown_artifact(text, key=f"donnees-{report.project}-{report.dataset}", description="Contrôle d'une version publiée")
    await _checks_table(run, report)


async def _checks_table(run: Run, report: CheckReport) -> None:
    rows = checks.table(report, kept_trend(run, report.dataset, report.load_id))
    await acreate_table_artifact(rows, key=f"controles-{report.project}-{report.dataset}", description="Contrôles de qualité")


async def show_estimate(run: Run, model: str, candidate: str, estimate: Estimate | None) -> None:
    """Before the training that it is about begins."""
    if estimate is not None:
        text = summary.estimate_text(run, model, candidate, estimate)
        key = f"estimation-{run.project.name}-{model}"
        await acreate_markdown_artifact(text, key=key, description="Ce que l'entraînement devrait demander")


async def show_models(run: Run, result: RunResult) -> None:
    for outcome in result.models:
        key = f"{result.project}-{outcome.model}"
        await acreate_markdown_artifact(summary.model_text(run, outcome), key=f"modele-{key}", description="Ce que l'entraînement a donné")
        if outcome.versions:
            await acreate_table_artifact(summary.candidates(run, outcome), key=f"candidats-{key}", description="Candidats comparés")
