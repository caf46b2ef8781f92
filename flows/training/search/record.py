"""What a search keeps of its trials, and what is said of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.project.search import with_settings
from flows.training.tasks.base import Trained

DONE, PRUNED, FAILED = "done", "pruned", "failed"
WHY = {
    "max_minutes": ("le budget de temps ne suffisait pas pour un de plus", "the time budget did not suffice for another one"),
    "max_kwh": ("le budget d'énergie ne suffisait pas pour un de plus", "the energy budget did not suffice for another one"),
}
APART = {PRUNED: ("arrêté(s) tôt", "ended early"), FAILED: ("en échec", "failed")}


@dataclass
class Trial:
    """One training of the search, as the manifest keeps it."""

    number: int
    settings: dict[str, Any]
    state: str = FAILED
    """done, pruned (ended for being worse than others were at the same point), failed"""
    validation: float | None = None
    """The model's metric."""
    seconds: float = 0.0
    kwh: float | None = None
    """None: it is not measured."""
    why: str = ""
    """Of one that failed."""
    stopped: str | None = None
    """Why training ended before its end: max_minutes, patience ..."""
    curve: dict[int, float] = field(default_factory=dict)
    """Evaluations during training: 1, 2 ... -> the metric."""

    def to_dict(self) -> dict[str, Any]:
        """Without what is empty."""
        return {k: v for k, v in asdict(self).items() if v not in ("", None, {})}


@dataclass
class Progress:
    """How far a search is."""

    trials: list[Trial] = field(default_factory=list)
    best: int | None = None
    """Number of the best trial, and below what it gave."""
    trained: Trained | None = None
    notices: list[str] = field(default_factory=list)
    folder: Path | None = None
    """Where it worked."""


def found(candidate: Any, trained: Trained) -> Any:
    """The candidate that was trained: with the settings of the best trial, if there was a search."""
    return with_settings(candidate, trained.facts["search"]["settings"]) if "search" in trained.facts else candidate


def sentence(record: dict[str, Any], french: bool = True) -> str:
    """What a card says of a search. `record`: what the manifest keeps of it."""
    own = 0 if french else 1
    states = [t["state"] for t in record["trials"]]
    apart = (" et ", " and ")[own].join(f"{states.count(state)} {words[own]}" for state, words in APART.items() if state in states)
    settings = ", ".join(f"{name} = {value:g}" for name, value in record["settings"].items())
    why = f" ({WHY[record['stopped']][own]})" if record.get("stopped") in WHY else ""
    if french:
        return (
            f"Réglages cherchés par {len(states)} essai(s) sur {record['asked']} prévus{why}{', dont ' + apart if apart else ''} ; "
            f"retenu sur la validation seule, l'essai {record['best']} ({settings}). Le meilleur de plusieurs scores de validation "
            "est un peu flatteur ; le test n'a pas servi à choisir."
        )
    return (
        f"Settings were searched in {len(states)} trial(s) of {record['asked']}{why}{', of which ' + apart if apart else ''}; chosen "
        f"by the validation side alone, trial {record['best']} ({settings}). The best of several validation scores is a little flattering; "
        "the test side had no part in the choice."
    )
