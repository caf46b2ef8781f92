"""What a cleanup says of itself to a project team, in French: what goes or went, how much, how old, and what stays although it is old."""

from __future__ import annotations

from datetime import datetime

from flows.quality.words import number
from flows.steps import Run
from flows.steps.maintain import MaintainOutcome
from flows.steps.retention import DatasetCleanup, Goes

KINDS = {
    "versions": "versions remplacées",
    "raw": "fichiers reçus",
    "quarantine": "lignes écartées",
    "checks": "contrôles de chargements passés",
    "uploads": "envois de modèle interrompus",
    "runs": "exécutions dans Prefect, avec leur journal",
}


def title(outcome: MaintainOutcome) -> str:
    return "Ce que le ménage supprimerait" if outcome.dry_run else "Ce que le ménage a supprimé"


def text(run: Run, outcome: MaintainOutcome) -> str:
    lines = [f"# {title(outcome)} : {run.project.title}", _overall(outcome)]
    rows = []
    for dataset in outcome.cleanup.datasets:
        rows += [(f"`{dataset.name}`", KINDS[kind], goes) for kind, goes in dataset.parts.items()]
    for model in outcome.cleanup.models:
        rows += [(f"`{model.name}`", KINDS[kind], goes) for kind, goes in model.parts.items()]
    if outcome.runs is not None:
        rows.append(("–", KINDS["runs"], outcome.runs))
    if shown := [_row(*row) for row in rows if row[2].count or row[2].size]:
        lines.append("\n".join(["| De | Quoi | Nombre | Taille | Le plus ancien |", "|---|---|---|---|---|", *shown]))
    lines += [line for dataset in outcome.cleanup.datasets for line in _versions(dataset)]
    if outcome.cleanup.untouched:
        lines.append(f"Le projet ne déclare plus {', '.join(f'`{n}`' for n in outcome.cleanup.untouched)} : rien n'en est supprimé.")
    return "\n\n".join([*lines, f"**À faire** : {_todo(outcome)}"])


def _overall(outcome: MaintainOutcome) -> str:
    if outcome.did_nothing:
        return "Rien à supprimer : tout ce qui est gardé sert encore, ou sa durée de garde n'est pas passée."
    if outcome.dry_run:
        return "**Rien n'a été supprimé** : voici seulement ce qui le serait."
    return "Ce qui suit a été supprimé, parce que rien ne l'utilisait plus et que sa durée de garde était passée."


def _todo(outcome: MaintainOutcome) -> str:
    if outcome.dry_run and not outcome.did_nothing:
        return "si cette liste convient, relancer avec « Montrer seulement » éteint. Une suppression ne s'annule pas."
    return "rien."


def _row(of: str, kind: str, goes: Goes) -> str:
    return f"| {of} | {kind} | {number(goes.count)} | {size(goes.size)} | {day(goes.oldest)} |"


def _versions(dataset: DatasetCleanup) -> list[str]:
    lines = []
    if dataset.versions:
        named = ", ".join(str(v.number) for v in sorted(dataset.versions, key=lambda v: v.number))
        lines.append(f"`{dataset.name}` : versions {named} ; {number(dataset.kept)} version(s) restent.")
    if dataset.referred:
        kept = " ; ".join(f"{n} ({why})" for n, why in sorted(dataset.referred.items()))
        lines.append(f"`{dataset.name}` : restent, bien qu'anciennes : {kept}.")
    return lines


def size(count: int) -> str:
    """Bytes as people write them."""
    if not count:
        return "–"
    value, unit = float(count), "octets"
    for unit in ("octets", "ko", "Mo", "Go"):
        if value < 1000 or unit == "Go":
            break
        value /= 1000
    return f"{number(round(value, 1) if unit != 'octets' else int(value))} {unit}"


def day(moment: datetime | None) -> str:
    return f"{moment:%d/%m/%Y}" if moment else "–"
