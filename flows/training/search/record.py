"""What a search keeps of its trials, and what is said of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.project.search import with_settings
from flows.training.tasks.base import Trained

DONE, PRUNED, FAILED = "done", "pruned", "failed"
WHY = {"max_minutes": "le budget de temps ne suffit pas pour un de plus", "max_kwh": "le budget d'énergie ne suffit pas pour un de plus"}
APART = {PRUNED: "arrêté(s) tôt", FAILED: "en échec"}


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


def sentence(record: dict[str, Any]) -> str:
    """What a card says of a search, in French. `record`: what the manifest keeps of it."""
    states = [t["state"] for t in record["trials"]]
    apart = " et ".join(f"{states.count(state)} {word}" for state, word in APART.items() if state in states)
    settings = ", ".join(f"{name} = {value:g}" for name, value in record["settings"].items())
    why = f" ({WHY[record['stopped']]})" if record.get("stopped") in WHY else ""
    return (
        f"Recherche de réglages : {len(states)} essai(s) sur {record['asked']} prévus{why}{', dont ' + apart if apart else ''} ; "
        f"retenu sur la validation seule, l'essai {record['best']} ({settings}). Le meilleur de plusieurs scores de validation "
        "est un peu flatteur ; le test n'a pas servi à choisir."
    )
