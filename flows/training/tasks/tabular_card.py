"""What the card of a model of tables says besides its table of metrics: who comes first in the ranking, what counts most, errors by size.

Sentences for people: nothing here computes a score.
"""

from __future__ import annotations

from typing import Any

SHOWN = 12  # inputs
Words = dict[str, str]

FRENCH: Words = {
    "ranking": "Le classement, sur le test",
    "chance": "Ce qui est cherché : `{label}` = « {positive} ». C'est le cas de {share} des lignes du test, "
    "et donc d'une liste tirée au hasard.",
    "sentence": "Parmi les {looked} lignes signalées en premier, c'est le cas de {precision}, soit {lift} fois le hasard ; "
    "elles réunissent {recall} de toutes celles qui sont cherchées.",
    "table": "| lignes signalées | dont « {positive} » | fois le hasard | part retrouvée |",
    "importance": "Ce qui compte le plus",
    "how": "De combien {metric} se dégrade, sur la validation, quand les valeurs d'une colonne sont mélangées entre les lignes "
    "(de {score}, moyenne de {repeats} mélanges). Deux colonnes qui disent la même chose se cachent "
    "l'une l'autre, et ce qui compte n'est pas une cause.",
    "columns": "| colonne | perte | de … à … |",
    "nothing": "Aucune : le modèle répond aussi bien sans elles.",
    "without": "Sans effet mesurable : {names}.",
    "by_truth": "Erreurs selon la valeur à prévoir, sur le test",
    "errors": "| valeur de … à … | lignes | erreur absolue moyenne | écart moyen (prévu − vrai) |",
}
ENGLISH: Words = {
    "ranking": "The ranking, on the test side",
    "chance": "What is looked for: `{label}` = “{positive}”. It is so in {share} of the test rows, and thus of a list drawn by chance.",
    "sentence": "Of the {looked} rows that come first, it is so in {precision}, {lift} times chance; they hold {recall} of "
    "all that are looked for.",
    "table": "| rows looked at | of which “{positive}” | times chance | share found |",
    "importance": "What counts most",
    "how": "How much worse {metric} gets, on the validation side, when the values of a column are shuffled among rows (from {score}, "
    "mean of {repeats} shuffles). Two columns that say the same hide each other, and what counts is not a cause.",
    "columns": "| column | loss | from … to … |",
    "nothing": "None: the model answers as well without them.",
    "without": "Without a measurable effect: {names}.",
    "by_truth": "Errors by the value to predict, on the test side",
    "errors": "| value from … to … | rows | mean absolute error | mean difference (predicted − true) |",
}


def section(manifest: dict[str, Any], language: str, label: str) -> str:
    """`label`: the column that is learned. `language`: fr or en. What the manifest does not hold is left out."""
    words, test = FRENCH if language == "fr" else ENGLISH, manifest["metrics"]["test"]
    parts = []
    if "ranking" in test:
        parts.append(_ranking(test["ranking"], label, test["positive"], words))
    if "by_truth" in test:
        parts.append(_by_truth(test["by_truth"], words))
    if importance := manifest.get("fitted", {}).get("importance"):
        parts.append(_importance(importance, words))
    return "\n\n".join(parts)


def _ranking(found: dict[str, Any], label: str, positive: str, words: Words) -> str:
    fr, wanted, names = words is FRENCH, cell(positive), list(found["looked_at"])
    lines = [f"### {words['ranking']}", "", words["chance"].format(share=_share(found["base_rate"], fr), label=label, positive=wanted)]
    if found["positives"]:
        values = {
            "looked": _count(found["looked_at"][names[-1]], fr),
            "precision": _share(found[f"precision_at_{names[-1]}"], fr),
            "lift": _with_interval(found[f"lift_at_{names[-1]}"], fr, 1),
            "recall": _share(found[f"recall_at_{names[-1]}"], fr),
        }
        lines[-1] += " " + words["sentence"].format(**values)
    lines += ["", words["table"].format(positive=wanted), "|---|---:|---:|---:|"]
    for name in names:
        size = _count(found["looked_at"][name], fr) + (f" ({_percent(float(name[:-3]) / 100, fr)})" if name.endswith("pct") else "")
        lift, recall = _with_interval(found[f"lift_at_{name}"], fr, 1), _share(found[f"recall_at_{name}"], fr)
        lines.append(f"| {size} | {_share(found[f'precision_at_{name}'], fr, interval=True)} | {lift} | {recall} |")
    return "\n".join(lines)


def _importance(found: dict[str, Any], words: Words) -> str:
    fr = words is FRENCH
    said = words["how"].format(metric=f"`{found['metric']}`", score=_figure(abs(found["score"]), fr), repeats=found["repeats"])
    counts = [i for i in found["inputs"] if i["low"] > 0]
    lines = [f"### {words['importance']}", "", said, ""]
    if counts:
        lines += [words["columns"], "|---|---:|---:|"]
        lines += [
            f"| {cell(i['input'])} | {_figure(i['loss'], fr)} | {_figure(i['low'], fr)} – {_figure(i['high'], fr)} |"
            for i in counts[:SHOWN]
        ]
    else:
        lines.append(words["nothing"])
    if counts and (others := [cell(i["input"]) for i in found["inputs"] if i["low"] <= 0]):
        lines += ["", words["without"].format(names=", ".join(others))]
    return "\n".join(lines)


def _by_truth(found: list[dict[str, Any]], words: Words) -> str:
    fr = words is FRENCH
    lines = [f"### {words['by_truth']}", "", words["errors"], "|---|---:|---:|---:|"]
    for part in found:
        ends = f"{_figure(part['from'], fr)} – {_figure(part['to'], fr)}"
        error, bias = _with_interval(part["mae"], fr), _figure(part["bias"]["value"], fr)
        lines.append(f"| {ends} | {_count(part['rows'], fr)} | {error} | {bias} |")
    return "\n".join(lines)


def cell(text: str) -> str:
    """A name or a value of the data inside a table: it must not end the cell or the row."""
    return " ".join(text.split()).replace("|", "\\|")


def _figure(value: float | None, fr: bool, digits: int = 3) -> str:
    if value is None:
        return "–"
    text = f"{value:,.{digits}f}" if abs(value) < 1e6 else f"{value:.3g}"
    return text.replace(",", "\u202f").replace(".", ",") if fr else text


def _count(value: int, fr: bool) -> str:
    return _figure(value, fr, 0)


def _percent(value: float | None, fr: bool) -> str:
    if value is None:
        return "–"
    text = f"{100 * value:.1f}".removesuffix(".0")
    return text.replace(".", ",") + "\u00a0%" if fr else f"{text}%"


def _share(score: dict[str, Any], fr: bool, interval: bool = False) -> str:
    value = _percent(score["value"], fr)
    return f"{value} ({_percent(score['low'], fr)} – {_percent(score['high'], fr)})" if interval and score["low"] is not None else value


def _with_interval(score: dict[str, Any], fr: bool, digits: int = 3) -> str:
    value = _figure(score["value"], fr, digits)
    if score["low"] is None:
        return value
    return f"{value} ({_figure(score['low'], fr, digits)} – {_figure(score['high'], fr, digits)})"
