"""What a run shows in the Prefect UI, in French: what was done, what was refused and why, what to do next.

Everything shown is rounded, and links lead to the pages that Socle serves (serve.py). No row of data is shown here: examples
are in the data docs, which know whether a dataset may show any.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from flows import links
from flows.errors import SocleError
from flows.lake.datasets import DatasetVersion
from flows.quality.docs import VERDICTS, number, reasons, sentence
from flows.quality.results import CheckReport
from flows.steps import Run
from flows.steps.finetune import ModelOutcome
from flows.steps.ingest import LoadOutcome
from flows.steps.pipeline import RunResult
from flows.training.promotion import sentence as decision_sentence

ACTIONS = {"loaded": "nouvelle version", "checked": "contrôlé à nouveau", "nothing": "rien de nouveau", "refused": "refusé"}


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
        raise error
    return result


# ---- artifacts -----------------------------------------------------------------------------------------------------


async def show_run(run: Run, result: RunResult) -> None:
    parts = [f"# {result.title}", _overall(result)]
    if result.datasets:
        parts += ["## Données", *(_dataset_text(run, o) for o in result.datasets)]
    if result.models:
        parts += ["## Modèles", *(_model_text(run, o) for o in result.models)]
    if result.failures:
        parts += ["## Ce qui n'a pas marché", *(_failure_text(name, error) for name, error in result.failures)]
    await acreate_markdown_artifact("\n\n".join(parts), key=f"resume-{result.project}", description="Résumé de l'exécution")


async def show_datasets(run: Run, result: RunResult) -> None:
    for outcome in result.datasets:
        await acreate_markdown_artifact(
            _dataset_text(run, outcome), key=f"donnees-{result.project}-{outcome.dataset}", description="Ce que le chargement a donné"
        )
        if outcome.report and outcome.report.results:
            await _checks_table(outcome.report)


async def show_failures(result: RunResult) -> None:
    """For flows that run alone: the pipeline's summary has its own part for them."""
    if result.failures:
        text = "\n\n".join(["## Ce qui n'a pas marché", *(_failure_text(name, error) for name, error in result.failures)])
        await acreate_markdown_artifact(text, key=f"echecs-{result.project}", description="Ce qui n'a pas marché")


async def show_report(run: Run, version: DatasetVersion, report: CheckReport) -> None:
    text = f"## {version}\n\n{_report_text(report)}\n\n[Voir tous les contrôles]({links.data_docs(run.settings, report)})"
    await acreate_markdown_artifact(text, key=f"donnees-{report.project}-{report.dataset}", description="Contrôle d'une version publiée")
    await _checks_table(report)


async def _checks_table(report: CheckReport) -> None:
    rows = [
        {
            "contrôle": sentence(r),
            "résultat": "satisfait" if r.success else "non satisfait",
            "lignes en cause": number(r.unexpected) if r.unexpected is not None else "–",
            "constaté": number(r.observed) if r.observed is not None else "–",
        }
        for r in report.results
    ]
    await acreate_table_artifact(rows, key=f"controles-{report.project}-{report.dataset}", description="Contrôles de qualité")


async def show_models(run: Run, result: RunResult) -> None:
    for outcome in result.models:
        key = f"{result.project}-{outcome.model}"
        await acreate_markdown_artifact(_model_text(run, outcome), key=f"modele-{key}", description="Ce que l'entraînement a donné")
        if outcome.versions:
            await acreate_table_artifact(_candidates(run, outcome), key=f"candidats-{key}", description="Candidats comparés")


# ---- texts ---------------------------------------------------------------------------------------------------------


def _overall(result: RunResult) -> str:
    if result.failures or any(o.refused for o in result.datasets):
        return "**Quelque chose a été refusé ou n'a pas marché** : voir ci-dessous. Ce qui était publié le reste."
    return "Rien n'a changé depuis la dernière fois : rien n'a été refait." if result.did_nothing else "**Tout s'est bien passé.**"


def _dataset_text(run: Run, outcome: LoadOutcome) -> str:
    title = run.project.datasets[outcome.dataset].title
    lines = [f"### {title}"]
    version = f"version {outcome.version.number}" if outcome.version else "aucune version"
    lines.append(f"`{run.project.name}/{outcome.dataset}` : **{ACTIONS[outcome.action]}**, {version} est servie.")
    if outcome.report:
        lines += [_report_text(outcome.report), f"[Voir tous les contrôles]({links.data_docs(run.settings, outcome.report)})"]
        if outcome.action == "loaded" and outcome.previous:
            now = number(outcome.report.rows["total"])
            before = outcome.previous.load.rows.get("total", 0)
            lines.append(f"Lignes au total : {now}, contre {number(before)} dans la version {outcome.previous.number}.")
    if outcome.refused:
        lines.append("**À faire** : corriger la source ou la règle en cause, puis relancer. La version précédente reste servie.")
    return "\n\n".join(lines)


def _report_text(report: CheckReport) -> str:
    name, _, meaning = VERDICTS[report.verdict]
    rows = report.rows
    lines = [
        f"**{name}.** {meaning}",
        f"{number(rows['read'])} lignes lues, {number(rows['kept'])} gardées, {number(rows['refused'])} écartées ; "
        f"{report.passed} contrôles satisfaits sur {len(report.results)}.",
    ]
    return "\n\n".join(lines + [f"- {reason}" for reason in reasons(report)])


def _model_text(run: Run, outcome: ModelOutcome) -> str:
    lines = [f"### {run.project.models[outcome.model].title}"]
    if outcome.decision:
        c = outcome.decision
        lines.append(
            ("**Nouveau champion** : " if c.promoted else "**Pas de changement de champion** : ") + decision_sentence(c, "fr") + "."
        )
    elif outcome.action == "waiting":
        lines.append("En attente : ses données n'ont encore aucune version publiée.")
    else:
        lines.append("Rien n'a changé : aucun entraînement n'a été nécessaire.")
    if outcome.state and "champion" in outcome.state.aliases:
        number_ = outcome.state.aliases["champion"]
        lines.append(
            f"Champion : version {number_} – [fiche du modèle]({links.model_card(run.settings, run.project.name, outcome.model, number_)})"
        )
    if outcome.versions:
        rows = _candidates(run, outcome)
        header = "| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0])
        lines.append("\n".join([header, *("| " + " | ".join(str(v) for v in r.values()) + " |" for r in rows)]))
    return "\n\n".join(lines)


def _candidates(run: Run, outcome: ModelOutcome) -> list[dict[str, Any]]:
    metric = run.project.models[outcome.model].promote.metric
    champion = outcome.state.aliases.get("champion") if outcome.state else None
    rows = []
    for v in outcome.versions:
        test = {k: number(round(value, 3)) for k, value in v.metrics["test"][metric].items()}
        rows.append(
            {
                "candidat": str(v.candidate["label"]) + (" (champion)" if v.number == champion else ""),
                "version": v.number,
                f"{metric}, validation": number(round(v.metrics["validation"][metric]["value"], 3)),
                f"{metric}, test": f"{test['value']} ({test['low']} – {test['high']})",
                "entraînement": f"{number(round(v.cost['train_seconds']))} s",
            }
        )
    return rows


def _failure_text(name: str, error: SocleError) -> str:
    parts = [f"- **{name}** : {error.message}"]
    if error.where:
        parts.append(f"  - Où : {error.where}")
    if error.hint:
        parts.append(f"  - À faire : {error.hint}")
    return "\n".join(parts)
