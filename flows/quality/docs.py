"""Data docs: a report as one HTML page, in French, with nothing loaded from elsewhere.

Great Expectations' own pages load style sheets and scripts from eight outside hosts and are in English: on a ministry's
network they are blank. See docs/decisions/0004-data-docs.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.quality import sentences, trends
from flows.quality.previous import PREVIOUS
from flows.quality.results import CheckReport, CheckResult
from flows.quality.trends import Answer, Point, Trend
from flows.quality.words import counted, moment, number

if TYPE_CHECKING:
    from jinja2 import Template

VERDICTS = {
    "passed": ("Conforme", "ok", "Tous les contrôles critiques sont satisfaits. La version est publiée."),
    "warned": ("Publié avec réserves", "warn", "La version est publiée, mais des contrôles ne sont pas satisfaits."),
    "quarantined": ("Publié, lignes écartées", "warn", "Les lignes non conformes sont en quarantaine ; le reste est publié."),
    "unchanged": ("Inchangé", "ok", "Le fichier a changé, mais ses lignes sont les mêmes : il n'y a pas de nouvelle version."),
    "refused": ("Refusé", "bad", "Rien n'a changé pour les lecteurs : ce qui était publié le reste."),
}
HISTORY = 12  # reports of the table under a trend
SEVERITIES = {"critical": "critique", "warning": "alerte", "info": "information"}


def sentence(result: CheckResult) -> str:
    """What an expectation asks, in French: the suite's own description, or what its type and its arguments say."""
    return result.description or sentences.sentence(result.type, result.arguments, result.sentence)


RULES = {
    "key": "clé « {} » en double",
    "key:already in the table": "clé « {} » déjà dans la table",
    "key:changed by a later load": "clé « {} » modifiée depuis par un autre chargement",
    "type": "« {} » n'a pas le type déclaré",
    "type:integer": "« {} » n'est pas un nombre entier",
    "type:number": "« {} » n'est pas un nombre",
    "type:boolean": "« {} » n'est ni oui ni non",
    "type:date": "« {} » n'est pas une date",
    "type:datetime": "« {} » n'est pas une date avec une heure",
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
    "conll": "phrase dont un mot n'a pas d'étiquette, ou illisible",
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
    if kind in sentences.SENTENCES:  # of a suite that is not at hand: its figures are not known
        return NOT_MET + sentences.sentence(kind, _columns(rest.partition("#")[0]))
    about, _, detail = rest.partition(":")
    found = RULES.get(f"{kind}:{detail}") or RULES.get(f"{kind}:{about}") or RULES.get(kind)
    return found.format(rest.strip() if kind == "drift" else about) if found else (NOT_MET if kind.startswith("expect_") else "") + name


def in_question(result: CheckResult) -> str:
    """How many rows do not meet it; of expectations of the whole table, how many values."""
    return counted(result.unexpected or 0, "ligne" if result.level == "row" else "valeur")


def _columns(names: str) -> dict[str, Any]:
    """The columns of a rule's name as the arguments that they were."""
    each = names.split(",") if names else []
    pair = dict(zip(("column_A", "column_B"), each, strict=False)) if len(each) == 2 else {}
    return {"column": names, "column_list": each} | pair if names else {}


def reasons(report: CheckReport) -> list[str]:
    """Why a load was refused or flagged, for project teams: one sentence each."""
    lines = list(report.personal_data)
    for r in report.failed:
        if r.severity != "critical":
            continue
        if r.error:
            lines.append(f"« {sentence(r)} » n'a pas pu être évalué : {r.error}")
        else:
            found = f"{in_question(r)} en cause" if r.unexpected is not None else f"constaté : {number(r.observed)}"
            if r.type in PREVIOUS and r.examples:
                found = "constaté : " + " ; ".join(r.examples)
            lines.append(f"Non satisfait : {sentence(r)} ({found})")
    failed = {r.rule for r in report.failed}
    refused = sorted(report.refused_by_rule.items(), key=lambda item: -item[1])
    lines += [f"{counted(count, 'ligne écartée')} : {rule(name, report.results)}" for name, count in refused if name not in failed]
    if not report.rows["kept"]:
        lines.append("Aucune ligne ne reste après les contrôles")
    return lines


@dataclass(frozen=True)
class Row:
    """One check of the page."""

    result: CheckResult
    text: str
    severity: str
    series: list[tuple[Point, Answer]]

    @property
    def to_look_at(self) -> bool:
        return not self.result.success or bool(self.result.refused)

    @property
    def newest(self) -> list[tuple[Point, Answer]]:
        return list(reversed(self.series))[:HISTORY]

    @property
    def line(self) -> str:
        return trends.drawn(self.series)[0]

    @property
    def marks(self) -> list[trends.Mark]:
        return trends.drawn(self.series)[1]

    @property
    def described(self) -> str:
        return trends.described(self.series)

    @property
    def phrase(self) -> str:
        answers = [answer for _, answer in self.series]
        return trends.moved(answers) if self.result.took_out else trends.phrase(answers, self.result.type)


def rows(report: CheckReport, trend: Trend) -> list[Row]:
    """What failed first, the gravest at the top; then what took rows out."""
    found = [Row(r, sentence(r), SEVERITIES[r.severity], trend.of(key)) for key, r in trends.keyed(report.results).items()]
    return sorted(found, key=lambda row: (row.result.success, not row.result.refused, list(SEVERITIES).index(row.result.severity)))


@lru_cache(maxsize=4)
def template(name: str) -> Template:
    """Of this folder. Values are escaped: data can hold anything."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"number": number, "moment": moment, "figures": trends.figures, "in_question": in_question}
    return environment.get_template(name)


def typeset(page: str) -> str:
    """No line ends inside quotation marks, or before a percent sign or a semicolon."""
    page = page.replace("« ", "«\u00a0").replace(" »", "\u00a0»").replace(" ; ", "\u00a0; ")
    return re.sub(r"(?<=\d) %", "\u202f%", page)


def render(report: CheckReport, title: str, trend: Trend | None = None) -> str:
    """The whole page. `trend`: this report included."""
    all_rows = rows(report, trend or Trend())
    name, css, meaning = VERDICTS[report.verdict]
    page = template("data_docs.html").render(
        report=report,
        title=title,
        verdict=name,
        css=css,
        meaning=meaning,
        failed=[row for row in all_rows if row.to_look_at],
        passed=[row for row in all_rows if not row.to_look_at],
        refused=[(rule(name, report.results), count) for name, count in sorted(report.refused_by_rule.items(), key=lambda i: -i[1])],
        reasons=reasons(report),
        at=moment(report.at),
        sentences_of=PREVIOUS,  # their examples are sentences about the table, not values of rows
    )
    return typeset(page)
