"""Data docs: a report as one HTML page, in French, with nothing loaded from elsewhere.

Great Expectations' own pages load style sheets and scripts from eight outside hosts and are in English: on a ministry's
network they are blank. See docs/decisions/0004-data-docs.md.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flows.quality.previous import PREVIOUS
from flows.quality.results import CheckReport, CheckResult

VERDICTS = {
    "passed": ("Conforme", "ok", "Tous les contrôles critiques sont satisfaits. La version est publiée."),
    "warned": ("Publié avec réserves", "warn", "La version est publiée, mais des contrôles ne sont pas satisfaits."),
    "quarantined": ("Publié, lignes écartées", "warn", "Les lignes non conformes sont en quarantaine ; le reste est publié."),
    "unchanged": ("Inchangé", "ok", "Le fichier a changé, mais ses lignes sont les mêmes : il n'y a pas de nouvelle version."),
    "refused": ("Refusé", "bad", "Rien n'a changé pour les lecteurs : ce qui était publié le reste."),
}
SEVERITIES = {"critical": "critique", "warning": "alerte", "info": "information"}
SENTENCES = {
    "expect_column_values_to_not_be_null": "« {column} » est toujours renseigné",
    "expect_column_values_to_be_unique": "« {column} » n'a pas de doublon",
    "expect_column_values_to_be_in_set": "« {column} » prend une des valeurs prévues",
    "expect_column_values_to_be_between": "« {column} » est entre {min_value} et {max_value}",
    "expect_column_value_lengths_to_be_between": "« {column} » a entre {min_value} et {max_value} caractères",
    "expect_column_values_to_match_regex": "« {column} » a la forme {regex}",
    "expect_column_values_to_not_match_regex": "« {column} » ne contient pas {regex}",
    "expect_table_row_count_to_be_between": "le nombre de lignes est entre {min_value} et {max_value}",
    "expect_column_distinct_values_to_equal_set": "« {column} » prend exactement les valeurs prévues",
    "expect_column_mean_to_be_between": "la moyenne de « {column} » est entre {min_value} et {max_value}",
    "expect_row_count_to_stay_close_to_previous": "le nombre de lignes reste proche de celui de la version précédente",
    "expect_column_distribution_to_stay_close_to_previous": "la répartition de « {column} » reste proche de celle de la version précédente",
    "expect_column_null_share_to_stay_close_to_previous": "la part de valeurs vides de « {column} » reste proche de la version précédente",
}


class _Any(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


def sentence(result: CheckResult) -> str:
    """What an expectation asks, in French: its own description, a known phrase, or its name."""
    if result.description:
        return result.description
    known = SENTENCES.get(result.type)
    arguments = {k: v for k, v in result.arguments.items() if v is not None}
    if known and "column" not in arguments:
        known = known.replace("« {column} »", "chaque colonne")
    if known and "max_value" not in arguments:
        known = known.replace("entre {min_value} et {max_value}", "au moins {min_value}")
    elif known and "min_value" not in arguments:
        known = known.replace("entre {min_value} et {max_value}", "au plus {max_value}")
    return known.format_map(_Any(arguments)) if known else f"{result.rule} {result.arguments}"


RULES = {
    "key": "clé « {} » en double",
    "key:already in the table": "clé « {} » déjà dans la table",
    "key:changed by a later load": "clé « {} » modifiée depuis par un autre chargement",
    "type": "« {} » n'a pas le type déclaré",
    "required": "« {} » manque",
    "drift": "colonnes différentes de celles déclarées ({})",
    "csv:fields": "la ligne n'a pas le bon nombre de champs",
    "csv:quote": "guillemets mal placés ou jamais fermés",
    "csv:encoding": "caractères illisibles dans l'encodage du fichier",
    "csv:nul": "caractère nul dans la ligne",
    "csv:size": "ligne trop longue",
    "excel:cells": "valeur dans une colonne sans nom",
    "geojson:properties": "objet géographique sans propriétés",
    "json": "JSON illisible",
    "jsonl": "ligne de JSON illisible",
    "xml": "élément XML illisible",
    "text": "texte illisible",
}
"""Kind of a rule, or kind and what it is about -> French."""
NOT_MET = "non respecté : "
"""Before the sentence of an expectation, which says what should be."""


def rule(name: str, results: list[CheckResult]) -> str:
    """Why a rule refused rows, in French: which expectation they do not meet, or what the contract or the format found."""
    for result in results:
        if result.rule == name:
            return NOT_MET + sentence(result)
    kind, _, rest = name.partition(":")
    about, _, detail = rest.partition(":")
    if kind in SENTENCES:  # of a suite that is not at hand: its figures are not known
        return NOT_MET + _without_figures(SENTENCES[kind]).format_map(_Any({"column": rest}))
    found = RULES.get(f"{kind}:{detail}") or RULES.get(f"{kind}:{about}") or RULES.get(kind)
    return found.format(rest.strip() if kind == "drift" else about) if found else (NOT_MET if kind.startswith("expect_") else "") + name


def _without_figures(sentence: str) -> str:
    return sentence.replace("est entre {min_value} et {max_value}", "est entre les bornes prévues").replace("{regex}", "prévue")


def reasons(report: CheckReport) -> list[str]:
    """Why a load was refused or flagged, for project teams: one sentence each."""
    lines = list(report.personal_data)
    for r in report.failed:
        if r.severity != "critical":
            continue
        if r.error:
            lines.append(f"« {sentence(r)} » n'a pas pu être évalué : {r.error}")
        else:
            found = f"{counted(r.unexpected, 'ligne')} en cause" if r.unexpected is not None else f"constaté : {number(r.observed)}"
            if r.type in PREVIOUS and r.examples:
                found = "constaté : " + " ; ".join(r.examples)
            lines.append(f"Non satisfait : {sentence(r)} ({found})")
    failed = {r.rule for r in report.failed}
    refused = sorted(report.refused_by_rule.items(), key=lambda item: -item[1])
    lines += [f"{counted(count, 'ligne écartée')} : {rule(name, report.results)}" for name, count in refused if name not in failed]
    if not report.rows["kept"]:
        lines.append("Aucune ligne ne reste après les contrôles")
    return lines


def moment(iso: str) -> str:
    """An ISO time as people write it: 24/11/2026 à 01:17 UTC."""
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%d/%m/%Y à %H:%M} UTC" if iso else ""


def number(value: Any, digits: int = 3) -> str:
    """A figure the French way: thin spaces between thousands, a decimal comma, rounded."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value) if len(str(value)) < 200 else str(value)[:199] + "…"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}".rstrip("0").rstrip(".")
    return text.replace(",", "\u202f").replace(".", ",")


def counted(count: int, words: str) -> str:
    """`3, "ligne écartée"` -> `3 lignes écartées`. In French, nought and one are singular."""
    return f"{number(count)} " + (" ".join(f"{word}s" for word in words.split()) if count > 1 else words)


def render(report: CheckReport, title: str) -> str:
    """The whole page. Values are escaped: data can hold anything."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    environment.filters["number"] = number
    ordered = sorted(report.results, key=lambda r: (r.success, list(SEVERITIES).index(r.severity)))
    name, css, meaning = VERDICTS[report.verdict]
    return environment.get_template("data_docs.html").render(
        report=report,
        title=title,
        verdict=name,
        css=css,
        meaning=meaning,
        results=[(r, sentence(r), SEVERITIES[r.severity]) for r in ordered],
        refused=[(rule(name, report.results), count) for name, count in sorted(report.refused_by_rule.items(), key=lambda i: -i[1])],
        reasons=reasons(report),
        at=moment(report.at),
    )
