"""Which candidate becomes champion: the frugal rule. Pure functions on scores.

Candidates are compared on the validation side; the cheapest one within `tolerance` of the best is chosen. The test side then
compares it with the champion in place, on the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from flows.project import Model
from flows.project.candidates import RANK

ROUNDING = 1e-12  # 0.80 is within 0.01 of 0.81, whatever floating point makes of it


@dataclass(frozen=True)
class Rule:
    """What a model is promoted by."""

    metric: str
    higher_is_better: bool = True
    minimum: float | None = None
    """The worst value on the validation side that may be promoted: at_least, or at_most where lower is better."""
    tolerance: float = 0.01

    @classmethod
    def of(cls, model: Model) -> Rule:
        promote = model.promote
        minimum = promote.at_least if model.higher_is_better else promote.at_most
        return cls(model.metric, model.higher_is_better, minimum, promote.tolerance)

    def worth(self, value: float) -> float:
        """A number that is higher for a better value of the metric."""
        return value if self.higher_is_better else -value

    def reached(self, value: float) -> bool:
        return self.minimum is None or self.worth(value) >= self.worth(self.minimum)


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


Paired = Callable[[Scored], dict[str, float] | None]


@dataclass(frozen=True)
class Decision:
    """What was decided and on what grounds; `sentence` says it."""

    chosen: Scored
    best: Scored
    promoted: bool
    why: str
    """chosen_is_best, frugal, below_minimum, champion_is_better, already_champion"""
    metric: str
    minimum: float | None
    tolerance: float
    higher_is_better: bool
    champion: Scored | None
    difference: dict[str, float] | None = None
    """Challenger against champion, row by row on the test side: value, low, high (95 %); above 0 the challenger is better."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def decide(candidates: list[Scored], champion: Scored | None, rule: Rule, paired: Paired | None = None) -> Decision:
    """`champion`: the one in place, scored on the same test rows; None if there is none. `paired`: compares the chosen one with it.

    The champion stays if the challenger is worse by more than the tolerance, or if it is worse beyond chance: the whole
    interval of their difference is below 0.
    """
    best = max(candidates, key=lambda c: (rule.worth(c.validation), [-x for x in c.cost]))
    close = [c for c in candidates if rule.worth(c.validation) >= rule.worth(best.validation) - rule.tolerance - ROUNDING]
    chosen = min([c for c in close if rule.reached(c.validation)] or close, key=lambda c: c.cost)

    def decision(promoted: bool, why: str, difference: dict[str, float] | None = None) -> Decision:
        said = (rule.metric, rule.minimum, rule.tolerance, rule.higher_is_better)
        return Decision(chosen, best, promoted, why, *said, champion, difference)

    if not rule.reached(chosen.validation):
        return decision(False, "below_minimum")
    if champion is not None and champion.version == chosen.version:
        return decision(False, "already_champion")
    difference = None
    if champion is not None and champion.version not in {c.version for c in candidates}:
        difference = paired(chosen) if paired else None
        if rule.worth(chosen.test) < rule.worth(champion.test) - rule.tolerance or (difference and difference["high"] < 0):
            return decision(False, "champion_is_better", difference)
    return decision(True, "chosen_is_best" if chosen == best else "frugal", difference)


def sentence(decision: Decision, language: str = "en") -> str:
    d, c = decision, decision.chosen
    value, minimum = _figure(c.validation, language), _figure(d.minimum or 0.0, language)
    gain = _figure(abs(d.best.validation - c.validation), language)
    times = d.best.train_seconds / max(c.train_seconds, 0.1)
    champion = d.champion
    english = {
        "chosen_is_best": f"{c.label} has the best {d.metric} on the validation side ({value})",
        "frugal": f"{c.label} ({value}) is within {d.tolerance} of the best, {d.best.label}, which would have bought {gain} {d.metric} "
        f"for {times:.0f} times the training time",
        "below_minimum": f"the best choice, {c.label}, reaches {d.metric} {value}, not the wanted {minimum}: nothing is promoted",
        "already_champion": f"{c.label} ({value}) is the champion already",
        "champion_is_better": f"{c.label} is below the champion on the same test rows: the champion stays",
    }
    french = {
        "chosen_is_best": f"{c.label} a le meilleur {d.metric} en validation ({value})",
        "frugal": f"{c.label} ({value}) est à moins de {_figure(d.tolerance, language)} du meilleur, {d.best.label}, "
        f"qui n'aurait apporté que {gain} de {d.metric} pour {times:.0f} fois le temps d'entraînement",
        "below_minimum": f"le meilleur choix, {c.label}, atteint un {d.metric} de {value}, et non les {minimum} voulus : rien n'est promu",
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
