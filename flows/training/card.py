"""The model card: README.md of a model version, in Hugging Face's format, readable by project teams (in French)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

TITLES = {"macro_f1": "F1 macro", "accuracy": "exactitude"}
LICENCES = {"lov2": "etalab-2.0", "odbl": "odbl", "mit": "mit", "apache-2.0": "apache-2.0"}


def write(facts: dict[str, Any]) -> str:
    """The card's text. `facts`: title, task, ministry, team, email, reference, dataset (reference, title, licence, load_id),
    candidate, base_model, metrics (validation and test, from evaluation.py), rows, left_out, labels, inputs, cost, made."""
    return f"---\n{_front_matter(facts)}\n---\n\n{_body(facts)}"


def _front_matter(facts: dict[str, Any]) -> str:
    test = facts["metrics"]["test"]
    results = [
        EvalResult(
            task_type=facts["task"],
            dataset_type=facts["dataset"]["reference"],
            dataset_name=facts["dataset"]["title"],
            dataset_split="test",
            metric_type=metric,
            metric_name=metric,
            metric_value=round(test[metric]["value"], 4),
        )
        for metric in _metrics(test)
    ]
    data = ModelCardData(
        language="fr",
        license=LICENCES.get(facts["dataset"]["licence"], "other"),
        pipeline_tag=facts["task"],
        library_name="transformers" if facts["candidate"]["kind"] == "transformer" else "scikit-learn",
        base_model=facts["base_model"].get("name"),
        tags=["socle"],
        datasets=[facts["dataset"]["reference"]],
        model_name=facts["reference"],
        eval_results=results,
    )
    return str(data.to_yaml())


def _body(f: dict[str, Any]) -> str:
    settings = ", ".join(f"{k} = {v}" for k, v in f["candidate"].items() if k not in ("kind", "label") and v is not None)
    base = (
        f"Part de `{f['base_model']['name']}` (sha256 `{f['base_model']['sha256']}`)."
        if f["base_model"]
        else "Entraîné sans modèle préalable."
    )
    left_out = sum(f["left_out"].values())
    return f"""# {f["title"]}

Modèle `{f["reference"]}` du projet de {f["ministry"]} ; équipe {f["team"]} ({f["email"]}).
Fait le {_day(f["made"]["at"])} par {f["made"]["who"]}.

## À quoi il sert

Lire {_listed(f["inputs"])} et proposer {_proposed(f["labels"])}.
{f.get("purpose") or ""}
C'est une aide à l'orientation : il ne prend aucune décision seul.

## Données

Jeu de données `{f["dataset"]["reference"]}` ({f["dataset"]["title"]}).
Licence : {f["dataset"]["licence"] or "non précisée"} ; chargement `{f["dataset"]["load_id"]}`.

| côté | lignes |
|---|---:|
| entraînement | {_count(f["rows"]["train"])} |
| validation | {_count(f["rows"]["validation"])} |
| test | {_count(f["rows"]["test"])} |

{_sides(f.get("split", {}))} {_count(left_out)} ligne(s) n'ont pas pu servir.

## Résultats

| mesure | validation | test (intervalle à 95 %) |
|---|---:|---:|
{_scores(f["metrics"])}

Le choix entre candidats se fait sur la validation ; le test n'est que rapporté. Intervalles par rééchantillonnage des lignes.

{_details(f)}
## Limites

{_limits(f)}

## Comment il a été fait

Candidat `{f["candidate"]["label"]}` : {settings}. {base}
{_cost(f["cost"])}
Code Socle {f["made"]["code"]} ; {_libraries(f)}.
"""


def _sides(split: dict[str, Any]) -> str:
    group = f" Toutes les lignes d'une même entité (`{split['group']}`) sont du même côté." if split.get("group") else ""
    if split.get("by") == "time":
        return f"Le test est fait des lignes dont `{split['column']}` est {split['test_from']} ou après ; l'entraînement, d'avant.{group}"
    return group.strip() or "Le côté d'une ligne dépend de sa clé seule."


def _proposed(labels: list[str]) -> str:
    return f"une valeur parmi {len(labels)} : {_listed(labels)}" if labels else "une réponse"


def _metrics(scores: dict[str, Any]) -> list[str]:
    return [name for name, score in scores.items() if isinstance(score, dict) and "value" in score]


def _cost(cost: dict[str, float]) -> str:
    seconds, size = _decimal(cost["train_seconds"], 0), _decimal(cost["size_bytes"] / 1e6, 1)
    return f"Coût : {seconds} s d'entraînement sur {cost['cores']:.0f} cœurs, {_count(int(cost['parameters']))} paramètres, {size} Mo."


def _scores(metrics: dict[str, Any]) -> str:
    lines = []
    for name in _metrics(metrics["test"]):
        test, title = metrics["test"][name], TITLES.get(name, name)
        interval = f"{_decimal(test['value'])} ({_decimal(test['low'])} – {_decimal(test['high'])})"
        lines.append(f"| {title} | {_decimal(metrics['validation'][name]['value'])} | {interval} |")
    return "\n".join(lines)


def _details(f: dict[str, Any]) -> str:
    """What the task says of its results, after the scores of each label, if it has labels."""
    parts = []
    if labels := f["metrics"]["test"].get("per_label"):
        lines = ["### Par valeur, sur le test", "", "| valeur | lignes | précision | rappel |", "|---|---:|---:|---:|"]
        for p in labels:
            lines.append(f"| {_cell(p['label'])} | {_count(p['rows'])} | {_decimal(p['precision'])} | {_decimal(p['recall'])} |")
        parts.append("\n".join(lines))
    return "".join(f"{part}\n\n" for part in (*parts, f.get("section")) if part)


def _cell(text: str) -> str:
    """A value of the data inside a table: it must not end the cell or the row."""
    return " ".join(text.split()).replace("|", "\\|")


def _limits(f: dict[str, Any]) -> str:
    labels = f["metrics"]["test"].get("per_label", [])
    known = [p for p in labels if p["recall"] is not None]
    weak = sorted(known, key=lambda p: p["recall"])[:2]
    names = ", ".join(f"{p['label']} (rappel {_decimal(p['recall'])})" for p in weak)
    lines = [f"- {limit}" for limit in f.get("limits", [])]
    lines += [f"- Là où il est le plus faible : {names}."] if names else []
    rare = [p["label"] for p in labels if p["rows"] < 30]
    if rare:
        lines.append(f"- Trop peu de lignes de test pour juger : {_listed(rare)}.")
    lines.append("- Mesuré sur des données de même origine que celles de l'entraînement ; sur d'autres, il peut faire moins bien.")
    return "\n".join(lines)


def _listed(names: list[str]) -> str:
    return ", ".join(f"«\u00a0{n}\u00a0»" for n in names[:20]) + (" …" if len(names) > 20 else "")


def _day(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%d/%m/%Y}"


def _decimal(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace(".", ",")


def _count(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def _libraries(f: dict[str, Any]) -> str:
    """An older manifest has them as a sentence."""
    found = f.get("environment") or {}
    if not found:
        return str(f["made"].get("libraries", ""))
    return ", ".join([f"Python {found['python']}", *(f"{name} {version}" for name, version in found["libraries"].items())])
