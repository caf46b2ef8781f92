"""Which candidate becomes champion: the frugal rule. Pure functions on scores.

Candidates are compared on the validation side; the cheapest one within `tolerance` of the best is chosen. The test side then
compares it with the champion in place, on the same rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from flows.project import Promote

DECISION_REVISION = "1"
RANK = {"tfidf": 0, "transformer": 1}  # from cheap to dear; the time that training took decides within a kind


@dataclass(frozen=True)
class Scored:
    """A candidate with its scores."""

    label: str
    kind: str
    version: int
    validation: float
    test: float
    train_seconds: float

    @property
    def cost(self) -> tuple[int, float]:
        return RANK[self.kind], self.train_seconds


@dataclass(frozen=True)
class Decision:
    """What was decided and on what grounds; `sentence` says it."""

    chosen: Scored
    best: Scored
    promoted: bool
    why: str
    """chosen_is_best, frugal, below_minimum, champion_is_better, already_champion"""
    metric: str
    at_least: float
    tolerance: float
    champion: Scored | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def decide(candidates: list[Scored], champion: Scored | None, rule: Promote) -> Decision:
    """`champion`: the one in place, scored on the same test rows; None if there is none."""
    best = max(candidates, key=lambda c: (c.validation, [-x for x in c.cost]))
    close = [c for c in candidates if c.validation >= best.validation - rule.tolerance]
    chosen = min([c for c in close if c.validation >= rule.at_least] or close, key=lambda c: c.cost)

    def decision(promoted: bool, why: str) -> Decision:
        return Decision(chosen, best, promoted, why, rule.metric, rule.at_least, rule.tolerance, champion)

    if chosen.validation < rule.at_least:
        return decision(False, "below_minimum")
    if champion is not None and champion.version == chosen.version:
        return decision(False, "already_champion")
    competitor = champion is not None and champion.version not in {c.version for c in candidates}
    if champion is not None and competitor and chosen.test < champion.test - rule.tolerance:
        return decision(False, "champion_is_better")
    return decision(True, "chosen_is_best" if chosen == best else "frugal")


def sentence(decision: Decision, language: str = "en") -> str:
    d, c = decision, decision.chosen
    value, minimum = _figure(c.validation, language), _figure(d.at_least, language)
    gain = _figure(d.best.validation - c.validation, language)
    times = d.best.train_seconds / max(c.train_seconds, 0.1)
    champion = d.champion
    english = {
        "chosen_is_best": f"{c.label} has the best {d.metric} on the validation side ({value})",
        "frugal": f"{c.label} ({value}) is within {d.tolerance} of the best, {d.best.label}, which would have bought {gain} {d.metric} "
        f"for {times:.0f} times the training time",
        "below_minimum": f"the best choice, {c.label}, reaches {d.metric} {value}, below the minimum of {minimum}: nothing is promoted",
        "already_champion": f"{c.label} ({value}) is the champion already",
        "champion_is_better": f"{c.label} is below the champion on the same test rows: the champion stays",
    }
    french = {
        "chosen_is_best": f"{c.label} a le meilleur {d.metric} en validation ({value})",
        "frugal": f"{c.label} ({value}) est à moins de {_figure(d.tolerance, language)} du meilleur, {d.best.label}, "
        f"qui n'aurait apporté que {gain} de {d.metric} pour {times:.0f} fois le temps d'entraînement",
        "below_minimum": f"le meilleur choix, {c.label}, atteint un {d.metric} de {value}, sous le minimum de {minimum} : rien n'est promu",
        "already_champion": f"{c.label} ({value}) est déjà le champion",
        "champion_is_better": f"{c.label} fait moins bien que le champion sur les mêmes lignes de test : le champion reste",
    }
    text = (french if language == "fr" else english)[d.why]
    if champion is not None and champion.version != c.version and d.why in ("chosen_is_best", "frugal", "champion_is_better"):
        scores = f"{_figure(c.test, language)} / {_figure(champion.test, language)}"
        text += f" ; test, challenger / champion : {scores}" if language == "fr" else f"; test, challenger / champion: {scores}"
    return text


def _figure(value: float, language: str) -> str:
    text = f"{value:.3f}"
    return text.replace(".", ",") if language == "fr" else text
