"""What a run says of itself to a project team, in French: what was done, what was refused and why, what changed since last time,
what to do next.

Everything shown is rounded, and links lead to the pages that Socle serves (serve.py). No row of data is shown here, but for the
examples of a report, which are masked.
"""

from __future__ import annotations

from typing import Any

from flows.errors import NotFound
from flows.lake import keys
from flows.quality.docs import VERDICTS, reasons, sentence
from flows.quality.results import CheckReport
from flows.quality.trends import Trend
from flows.quality.words import counted, number
from flows.steps import Run
from flows.steps.finetune import ModelOutcome
from flows.steps.ingest import LoadOutcome
from flows.steps.pipeline import RunResult
from flows.steps.reports import kept_trend
from flows.steps.rollback import RollbackOutcome
from flows.texts import checks, explain, links
from flows.texts.refused import refused_text
from flows.training import estimate as estimates
from flows.training.estimate import Estimate
from flows.training.promotion import sentence as decision_sentence

FAILED = "## Ce qui n'a pas marché"
ACTIONS = {"loaded": "nouvelle version", "checked": "contrôlé à nouveau", "nothing": "rien de nouveau", "refused": "refusé"}
CAUSES = {
    "raw": "les données de la source ont changé",
    "new source files": "la source a de nouveaux fichiers",
    "there is no version yet": "c'est la première version",
    "source": "l'adresse de la source a changé",
    "format": "la description du format a changé",
    "columns": "les colonnes déclarées ont changé",
    "mode": "le mode de chargement a changé",
    "transform": "la transformation a changé",
    "on_failure": "la conduite à tenir en cas d'échec a changé",
    "expectation code": "le code des contrôles a changé",
    "reference lists": "une liste de référence des contrôles a changé",
    "revision": "la lecture des fichiers a changé",
}
"""Parts of a fingerprint (steps/fingerprints.py) and other reasons of a plan -> French."""


def run_text(run: Run, result: RunResult) -> list[str]:
    """Markdown paragraphs: the whole result of a pipeline."""
    parts = [f"# {result.title}", _overall(result)]
    if changes := _changes(run, result):
        parts += ["## Ce qui a changé depuis la dernière fois", "\n".join(f"- {line}" for line in changes)]
    parts += ["## À faire", "\n".join(f"- {line}" for line in _todo(run, result))]
    if result.datasets:
        parts += ["## Données", *(dataset_text(run, o) for o in result.datasets)]
    if result.models:
        parts += ["## Modèles", *(model_text(run, o) for o in result.models)]
    if result.failures:
        parts += [FAILED, *(explain.paragraphs(name, error) for name, error in result.failures)]
    return parts


def _overall(result: RunResult) -> str:
    if result.failures or any(o.refused for o in result.datasets):
        return "**Quelque chose a été refusé ou n'a pas marché** : voir ci-dessous. Ce qui était publié le reste."
    return "Rien n'a changé depuis la dernière fois : rien n'a été refait." if result.did_nothing else "**Tout s'est bien passé.**"


def dataset_text(run: Run, outcome: LoadOutcome) -> str:
    title = run.project.datasets[outcome.dataset].title
    lines = [f"### {title}"]
    lines.append(f"`{run.project.name}/{outcome.dataset}` : **{ACTIONS[outcome.action]}**, {_served(outcome)}.")
    if outcome.report:
        trend = kept_trend(run, outcome.dataset, outcome.report.load_id)
        lines += [report_text(outcome.report, trend), f"[Voir tous les contrôles]({links.data_docs(run.settings, outcome.report)})"]
        if outcome.action == "loaded" and outcome.previous:
            now = number(outcome.report.rows["total"])
            before = outcome.previous.load.rows.get("total", 0)
            lines.append(f"Lignes au total : {now}, contre {number(before)} dans la version {outcome.previous.number}.")
        if outcome.report.rows["refused"] and outcome.action != "checked":
            lines += refused_text(run, outcome.dataset, outcome.report.load_id)
    if outcome.report and (what := checks.todo(outcome.report)):
        lines += ["**À faire**", "\n".join(f"- {line}" for line in what)]
    if outcome.refused:
        lines.append("Ce qui était publié le reste.")
    return "\n\n".join(lines)


def _served(outcome: LoadOutcome) -> str:
    if outcome.version is None:
        return "aucune version n'est encore servie"
    number_ = outcome.version.number
    return (
        f"la version {number_} est servie"
        if outcome.is_served
        else f"la version {number_} reste dans l'historique, une plus récente est servie"
    )


def report_text(report: CheckReport, trend: Trend) -> str:
    name, _, meaning = VERDICTS[report.verdict]
    rows = report.rows
    erased = f", {counted(rows['erased'], 'laissée')} de côté (personnes effacées)" if rows.get("erased") else ""
    lines = [
        f"**{name}.** {meaning}",
        f"{counted(rows['read'], 'ligne lue')}, {counted(rows['kept'], 'gardée')}, {counted(rows['refused'], 'écartée')}{erased} ; "
        f"{counted(report.passed, 'contrôle satisfait')} sur {len(report.results)}.",
    ]
    found = ["**À savoir sur ces données**", *(f"- {finding}" for finding in report.findings)] if report.findings else []
    return "\n\n".join(lines + [f"- {line}" for line in checks.found(report, trend, quoted)] + found)


def model_text(run: Run, outcome: ModelOutcome) -> str:
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
        rows = candidates(run, outcome)
        header = "| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0])
        lines.append("\n".join([header, *("| " + " | ".join(str(v) for v in r.values()) + " |" for r in rows)]))
    lines += ["\n".join(f"- {line}" for line in said)] if (said := _said(outcome)) else []
    return "\n\n".join(lines)


def estimate_text(run: Run, model: str, candidate: str, estimate: Estimate) -> str:
    """Of one training, before it begins."""
    budget = run.project.models[model].budget
    title = f"## Avant l'entraînement de {quoted(candidate)}"
    warned = [f"**À savoir** : {line}" for line in estimates.notices(estimate, budget, quoted(candidate))]
    return "\n\n".join([title, f"Il devrait demander {estimates.told(estimate)}.", *warned])


def _said(outcome: ModelOutcome) -> list[str]:
    """What a person should know of the trainings of this run, and what they were expected to take and took."""
    lines = []
    for v in outcome.versions:
        if v.number not in outcome.trained:
            continue
        label = f"**{quoted(str(v.candidate['label']))}**"
        lines += [f"{label} : {text}" for text in v.training.get("notices", [])]
        if (was := v.training.get("estimated")) and (took := v.training.get("took")):
            seconds = [estimates.duration(found["seconds"]) for found in (was, took)]
            memory = [estimates.size(round(found["memory_gb"] * estimates.GB)) for found in (was, took)]
            lines.append(f"{label} : {seconds[0]} et {memory[0]} de mémoire prévus, {seconds[1]} et {memory[1]} utilisés.")
    return lines


def candidates(run: Run, outcome: ModelOutcome) -> list[dict[str, Any]]:
    metric = run.project.models[outcome.model].metric
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
                "énergie": estimates.energy(v.cost["energy_kwh"]) if "energy_kwh" in v.cost else "–",
            }
        )
    return rows


# ---- what changed, what to do --------------------------------------------------------------------------------------


def _changes(run: Run, result: RunResult) -> list[str]:
    lines = []
    for outcome in result.datasets:
        if outcome.action in ("loaded", "checked", "refused"):
            lines.append(
                f"**{outcome.dataset}** : {_why(outcome.reasons) if outcome.action != 'refused' else 'nouvelles données refusées'}."
            )
        if outcome.action == "loaded" and outcome.previous and outcome.report:
            lines += [f"**{outcome.dataset}** : {line}" for line in _since(run, outcome, outcome.report)]
    for model in result.models:
        before = model.previous.aliases.get("champion") if model.previous else None
        after = model.state.aliases.get("champion") if model.state else None
        if after is not None and after != before:
            lines.append(
                f"**{model.model}** : le champion est la version {after}" + (f", et non plus la version {before}." if before else ".")
            )
    return lines


def _why(reasons: list[str]) -> str:
    found = []
    for reason in reasons:
        part = reason.removesuffix(" changed")
        suite = part.removeprefix("expectations ")
        found.append(CAUSES.get(part) or (f"les règles de {suite} ont changé" if suite != part else reason))
    return ", ".join(dict.fromkeys(found))


def _since(run: Run, outcome: LoadOutcome, report: CheckReport) -> list[str]:
    """Against the version before."""
    assert outcome.previous is not None
    rows, lines = outcome.previous.load.rows, []
    for key, name in (("total", "lignes en tout"), ("refused", "lignes écartées")):
        if report.rows[key] != rows.get(key, 0):
            lines.append(f"{number(report.rows[key])} {name}, contre {number(rows.get(key, 0))} avant.")
    try:
        objects = run.lake.bucket(run.project.name)
        before = CheckReport.from_json(objects.get(keys.check_result(outcome.dataset, outcome.previous.load.load_id)))
    except NotFound:
        return lines
    was = {r.rule: r.success for r in before.results}
    lines += [f"n'est plus satisfait : {sentence(r)}." for r in report.results if not r.success and was.get(r.rule)]
    lines += [f"est de nouveau satisfait : {sentence(r)}." for r in report.results if r.success and was.get(r.rule) is False]
    return lines


def _todo(run: Run, result: RunResult) -> list[str]:
    lines = [f"**{name}** : {explain.explain(error).todo}" for name, error in result.failures]
    for outcome in result.datasets:
        verdict = outcome.report.verdict if outcome.report else None
        if outcome.refused:
            what = checks.todo(outcome.report) if outcome.report else []
            lines += [f"**{outcome.dataset}** : {line}" for line in what or ["Corriger les données à la source, puis relancer."]]
        elif verdict == "quarantined" and outcome.report:
            refused = counted(outcome.report.rows["refused"], "ligne écartée")
            lines.append(f"**{outcome.dataset}** : regarder ce qui a été écarté ({refused}), et le faire corriger à la source.")
        elif verdict == "warned":
            lines.append(f"**{outcome.dataset}** : regarder les contrôles non satisfaits ; la version est publiée quand même.")
    lines += [f"**{m.model}** : régler d'abord ce qui bloque ses données." for m in result.models if m.action == "waiting"]
    return lines or ["Rien : le projet est à jour."]


def what_went_wrong(result: RunResult) -> str:
    """In a sentence or two, for the state of a run."""
    parts = []
    for outcome in result.datasets:
        if outcome.refused:
            why = reasons(outcome.report)[:2] if outcome.report else []
            parts.append(f"{outcome.dataset} refusé – {' ; '.join(why) or 'voir le résumé'}.")
    parts += [f"{name} : {explain.explain(error).what}" for name, error in result.failures]
    return " ".join(parts)


# ---- rollback ------------------------------------------------------------------------------------------------------


def rollback_text(run: Run, outcome: RollbackOutcome) -> str:
    what = run.project.datasets if outcome.kind == "dataset" else run.project.models
    undo = f"Pour annuler ce retour : la même action, avec `{outcome.name}@{outcome.before}`."
    if not outcome.changed:
        done = [f"La version {outcome.restored} était déjà celle qui est servie : rien n'a changé."]
    elif outcome.kind == "dataset":
        done = [
            f"**La version {outcome.restored} est de nouveau servie**, sous le numéro {outcome.after}. Elle remplace la version "
            f"{outcome.before}, qui reste gardée.",
            "Ce que la source a donné la dernière fois ne sera pas rechargé tant que ni la source, ni les règles, ni les réglages n'ont "
            "changé.",
            f"**À faire** : corriger la source ou les règles, puis lancer `pipeline` : les modèles suivront. {undo}",
        ]
    else:
        before = f", à la place de la version {outcome.before}, qui reste gardée" if outcome.before else ""
        done = [
            f"**La version {outcome.after} est de nouveau le champion**{before}.",
            f"Elle le reste jusqu'au prochain entraînement : les nouveaux candidats seront comparés avec elle. {undo}",
        ]
    return "\n\n".join([f"# Retour en arrière : {what[outcome.name].title}", *done, f"Motif : {quoted(outcome.reason)}"])


def quoted(text: str) -> str:
    """What somebody typed, as text: no link and no markup of theirs."""
    return "".join("\\" + c if c in "\\`*_{}[]<>()#+-.!|~&" else c for c in " ".join(text.split()))
