"""What checks found, as a project team reads it in an artifact: what failed, how often, how it was before, some masked examples, and
what to do."""

from __future__ import annotations

from collections.abc import Callable

from flows.quality import trends
from flows.quality.docs import SEVERITIES, in_question, rule, sentence
from flows.quality.previous import PREVIOUS
from flows.quality.results import DECLARED_WITHOUT, CheckReport, CheckResult
from flows.quality.trends import Trend
from flows.quality.words import counted, number, share

SHOWN = 12  # checks that failed, and causes of refused rows
STATES = {"critical": "Non satisfait", "warning": "À regarder", "info": "Pour information"}


def found(report: CheckReport, trend: Trend, as_text: Callable[[str], str]) -> list[str]:
    """Items of a Markdown list, the gravest first. `as_text`: makes what was typed or loaded harmless in Markdown."""
    lines = [f"**Données personnelles** – {as_text(line.removeprefix(DECLARED_WITHOUT))}" for line in report.personal_data]
    failed = [(key, r) for key, r in trends.keyed(report.results).items() if not r.success or r.refused]
    failed.sort(key=lambda one: _gravity(one[1]))
    for key, result in failed[:SHOWN]:
        lines.append(_failure(result, [answer for _, answer in trend.of(key)], as_text))
    if len(failed) > SHOWN:
        lines.append(f"… et {counted(len(failed) - SHOWN, 'autre contrôle')}, dans la page des contrôles.")
    own = {r.rule for _, r in failed}
    refused = [(name, count) for name, count in sorted(report.refused_by_rule.items(), key=lambda i: -i[1]) if name not in own]
    lines += [f"{counted(count, 'ligne écartée')} : {as_text(rule(name, report.results))}" for name, count in refused[:SHOWN]]
    if not report.rows["kept"]:
        lines.append("Aucune ligne ne reste après les contrôles.")
    return lines


def _gravity(result: CheckResult) -> tuple[bool, bool, int]:
    """What is critical and failed, what took rows out, and the others."""
    return result.severity != "critical" or result.success, not result.refused, list(SEVERITIES).index(result.severity)


def _failure(result: CheckResult, answers: list[trends.Answer], as_text: Callable[[str], str]) -> str:
    state = "Lignes écartées" if result.took_out else STATES[result.severity]
    line = f"**{state}** – {as_text(sentence(result).rstrip('.'))}"
    if result.error:
        return f"{line} : n'a pas pu être évalué ({as_text(result.error)})."
    line += f" : {_how_many(result, as_text)}"
    if before := trends.moved(answers) if result.took_out else trends.phrase(answers, result.type):
        line += f" ; {before}"
    if result.type in PREVIOUS:
        return f"{line}."
    examples = ", ".join(f"« {as_text(e)} »" for e in result.examples)
    return f"{line}. Par exemple : {examples}." if examples else f"{line}."


def _how_many(result: CheckResult, as_text: Callable[[str], str]) -> str:
    if result.refused and (rows := result.judged_rows):
        more = f" ; encore {in_question(result)} en cause" if result.unexpected else ""
        return f"{counted(result.refused, 'ligne écartée')} sur {number(rows)}, {share(result.refused / rows)}{more}"
    if result.type in PREVIOUS and result.examples:  # sentences about the table, not values of rows
        return "constaté : " + " ; ".join(as_text(e) for e in result.examples)
    if result.unexpected is None:
        return f"constaté : {as_text(number(result.observed))}"
    if not result.checked_rows:
        return f"{in_question(result)} en cause"
    return f"{in_question(result)} en cause sur {number(result.checked_rows)}, {share(result.unexpected / result.checked_rows)}"


def table(report: CheckReport, trend: Trend) -> list[dict[str, str]]:
    """Every check, as the rows of a table artifact."""
    return [
        {
            "contrôle": sentence(r),
            "importance": SEVERITIES[r.severity],
            "résultat": "satisfait" if r.success else "non satisfait",
            "lignes en cause": number(r.unexpected) if r.unexpected is not None and r.level == "row" else "–",
            "lignes écartées": number(r.refused) if r.refused else "–",
            "constaté": _observed(r),
            "évolution": trends.phrase([answer for _, answer in trend.of(key)], r.type) or "–",
        }
        for key, r in trends.keyed(report.results).items()
    ]


def _observed(result: CheckResult) -> str:
    if result.type in PREVIOUS and result.examples:
        return " ; ".join(result.examples)
    if result.level == "table" and result.unexpected:
        return f"{in_question(result)} en cause"
    return number(result.observed)


def todo(report: CheckReport) -> list[str]:
    """What to do about it, one sentence each; none where there is nothing to do."""
    grave = [r for r in report.failed if r.severity == "critical"]
    lines = []
    if report.personal_data:
        lines.append(
            "Retirer ces données personnelles à la source. Si elles doivent y être, ou n'en sont pas, l'ingénieur du projet le déclare "
            "(`personal_data`, `not_personal`)."
        )
    if any(r.error for r in report.failed):
        lines.append("Faire corriger par l'ingénieur du projet la règle qui n'a pas pu être évaluée.")
    if any(r.level == "table" and not r.error for r in grave):
        lines.append(
            "Vérifier que la source est complète et à jour : un contrôle porte sur toute la table, écarter des lignes n'y change rien."
        )
    if any(r.level == "row" and not r.error for r in grave):
        lines.append("Corriger à la source les lignes en cause, ou faire changer la règle par l'ingénieur du projet, puis relancer.")
    if report.rows["refused"] and report.verdict == "quarantined":
        lines.append(
            f"Regarder ce qui a été écarté ({counted(report.rows['refused'], 'ligne écartée')}), et le faire corriger à la source."
        )
    if report.verdict == "refused" and not lines:
        lines.append("Corriger la source ou la règle en cause, puis relancer.")
    if not lines and any(not r.success for r in report.results):
        lines.append("Regarder les contrôles signalés : ils n'ont rien bloqué.")
    return lines
