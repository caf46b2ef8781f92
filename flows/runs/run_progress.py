"""The progress of a run as people see it in Prefect: lines in its log, and one artifact that says how far it is, in words and per cent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from flows.project import Project

STEPS = {
    "receiving": "réception",
    "reading": "lecture",
    "checking": "contrôles",
    "publishing": "publication",
    "preparing": "préparation des exemples",
    "training": "entraînement",
    "evaluating": "évaluation",
    "committing": "enregistrement",
    "deciding": "choix du champion",
    "cleaning": "ménage",
}
WEIGHTS = {"checking": 2, "training": 10, "evaluating": 2}
"""How long a step is beside the others, which are 1: what makes per cent go forward evenly on the labour code."""
LOG_EVERY_S = 10.0  # seconds between two lines about one step
SHOW_EVERY_S = 2.0  # seconds between two changes of the artifact; a run that is shorter has none


def in_french(step: str) -> str:
    """`articles: training tfidf` -> `articles : entraînement de tfidf`. Terminals show steps in English, runs in French."""
    subject, _, action = step.partition(": ")
    verb, _, rest = action.partition(" ")
    return f"{subject} : {STEPS.get(verb, verb)}" + (f" de {rest}" if rest else "")


class Meter:
    """How far a run is. A part is a dataset or a model; its steps may be fewer than foreseen, never worth more."""

    def __init__(self, parts: dict[str, float]) -> None:
        self.foreseen = parts
        self.done = dict.fromkeys(parts, 0.0)
        self.now = ""
        self._share: dict[str, tuple[float, float | None]] = {}  # step that goes on -> (done, total)

    @property
    def percent(self) -> float:
        """0 to 99: only the end of the run is 100."""
        total = sum(self.foreseen.values()) or 1.0
        going = {name: weight(name) * min(1.0, done / whole) for name, (done, whole) in self._share.items() if whole}
        done = 0.0
        for part, foreseen in self.foreseen.items():
            more = sum(share for name, share in going.items() if name.partition(": ")[0] == part)
            done += min(foreseen, self.done[part] + more)
        return min(99.0, 100 * done / total)

    def started(self, name: str, total: float | None) -> None:
        self.now = in_french(name)
        self._share[name] = (0.0, total)

    def advanced(self, name: str, amount: float) -> None:
        done, total = self._share.get(name, (0.0, None))
        self._share[name] = (done + amount, total)

    def ended(self, name: str) -> None:
        self._share.pop(name, None)
        part = name.partition(": ")[0]
        if part in self.done:
            self.done[part] = min(self.foreseen[part], self.done[part] + weight(name))

    def finished(self, part: str) -> None:
        """All of a part is done, also when it had nothing to do."""
        if part in self.done:
            self.done[part] = self.foreseen[part]


def weight(step: str) -> float:
    return WEIGHTS.get(step.partition(": ")[2].partition(" ")[0], 1)


def parts_of(project: Project, datasets: Iterable[str], models: Iterable[str]) -> dict[str, float]:
    """What a run foresees: part -> the weight of all of its steps."""
    candidate = sum(WEIGHTS.get(verb, 1) for verb in ("training", "evaluating", "committing"))
    parts = dict.fromkeys(datasets, sum(WEIGHTS.get(verb, 1.0) for verb in ("receiving", "reading", "checking", "publishing")))
    return parts | {name: 2.0 + candidate * len(project.models[name].all_candidates) for name in models if name in project.models}


@dataclass
class PrefectProgress:
    """Listens to steps: the start of each in the log, a line every ten seconds, its end; and the meter."""

    meter: Meter
    state: dict[str, tuple[float | None, str, float, float]] = field(default_factory=dict)
    """Step -> (total, unit, done, time of the last line)."""

    def __post_init__(self) -> None:
        self.logger = get_run_logger()

    def started(self, name: str, unit: str, total: float | None) -> None:
        self.meter.started(name, total)
        self.state[name] = (total, unit, 0.0, time.monotonic())
        self.logger.info("%s …", in_french(name))

    def advanced(self, name: str, amount: float) -> None:
        self.meter.advanced(name, amount)
        total, unit, done, last = self.state[name]
        done, now = done + amount, time.monotonic()
        if now - last >= LOG_EVERY_S:
            share = f"{done / total:.0%}".replace("%", " %") if total else f"{done:,.0f} {unit}".replace(",", "\u202f")
            self.logger.info("%s : %s", in_french(name), share)
            last = now
        self.state[name] = (total, unit, done, last)

    def ended(self, name: str, seconds: float, failed: bool) -> None:
        self.meter.ended(name)
        took = f"{seconds:.1f} s".replace(".", ",")
        self.logger.log(40 if failed else 20, "%s : %s (%s)", in_french(name), "échec" if failed else "fait", took)


@asynccontextmanager
async def shown(project: str, meter: Meter) -> AsyncIterator[None]:
    """Keep the artifact `avancement-<project>` at what the meter says while the run goes on."""
    made: list[UUID] = []
    task = asyncio.create_task(_show(project, meter, made))
    words = "Arrêté avant la fin : voir les autres cartes."
    try:
        yield
        words = "Terminé."
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if made:
            await aupdate_progress_artifact(made[0], 100.0 if words == "Terminé." else meter.percent, words)


async def _show(project: str, meter: Meter, made: list[UUID]) -> None:
    shown_at = (-1.0, "")
    while True:
        await asyncio.sleep(SHOW_EVERY_S)
        percent, words = round(meter.percent), f"{meter.percent:.0f} % – {meter.now}"
        if (percent, words) == shown_at:
            continue
        shown_at = (percent, words)
        if made:
            await aupdate_progress_artifact(made[0], percent, words)
        else:
            made.append(await acreate_progress_artifact(percent, key=f"avancement-{project}", description=words))
