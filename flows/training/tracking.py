"""Parameters and curves of each training, for the tools that people compare trainings with: an MLflow server, or TensorBoard files.

A tracker never fails a training, nor does it hold it up for longer than a request: a server that does not answer is left alone until the
end and asked once more then; what it does not take goes to TensorBoard files.
"""

from __future__ import annotations

import logging
import math
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from flows.settings import Settings

log = logging.getLogger("socle.tracking")
SEND_EVERY_S = 5.0
POINTS = 2_000
"""Steps that a curve has one by one; then ever fewer: a million steps make about 14,000 points."""


@dataclass(frozen=True)
class Training:
    """What a tracker is told of. Nothing of its rows and nobody's name: whoever reads the tracker need not have a right to them."""

    project: str
    model: str
    candidate: str
    parameters: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    name: str
    value: float
    step: int
    at_ms: int


class Tracker(Protocol):
    """Of one training. Each method may raise anything."""

    name: str

    def send(self, points: list[Point]) -> None: ...

    def end(self, finished: bool) -> None: ...


class Tracking:
    """`log` is what a Job has; `scores` are those of the end."""

    def __init__(self, settings: Settings, training: Training, notice: Callable[[str], None]) -> None:
        self._settings, self._training, self._notice = settings, training, notice
        self._points: list[Point] = []
        """Not sent yet."""
        self._all: list[Point] = []
        self._last: dict[str, int] = {}
        self._sent_at = time.monotonic()
        self._away = False
        self._tracker = self._begin()

    @property
    def where(self) -> dict[str, str]:
        """Which tracker, and what the training is called there: for the manifest."""
        return {"tracker": self._tracker.name, **getattr(self._tracker, "where", {})}

    def log(self, step: int, values: dict[str, float]) -> None:
        now = round(time.time() * 1000)
        for name, value in values.items():
            if math.isfinite(value) and step >= self._last.get(name, -1) + max(1, step // POINTS):
                self._last[name] = step
                self._points.append(Point(name, float(value), step, now))
        if not self._away and time.monotonic() - self._sent_at >= SEND_EVERY_S:
            self._send()

    def scores(self, values: dict[str, float]) -> None:
        now, step = round(time.time() * 1000), max(self._last.values(), default=0)
        self._points += [Point(name, float(value), step, now) for name, value in values.items() if math.isfinite(value)]

    def end(self, finished: bool) -> None:
        if not self._send(last=True):
            self._tracker = self._files()
            self._points, self._all = self._all + self._points, []
            self._send(last=True)
        with suppress(Exception):
            self._tracker.end(finished)

    def _begin(self) -> Tracker:
        if not self._settings.mlflow_uri.get_secret_value():
            return self._files()
        try:
            from flows.training.mlflow_server import Server

            return Server(self._settings, self._training)
        except Exception as error:
            self._tell(error)
            return self._files()

    def _files(self) -> Tracker:
        try:
            return Files(self._settings, self._training)
        except Exception as error:  # a full disk, for instance: then there are no curves
            self._tell(error)
            return Nowhere()

    def _send(self, last: bool = False) -> bool:
        self._sent_at = time.monotonic()
        try:
            self._tracker.send(self._points)
        except Exception as error:
            self._tell(error)
            self._away = True
            return last and isinstance(self._tracker, Files | Nowhere)
        self._all += self._points
        self._points = []
        return True

    def _tell(self, error: Exception) -> None:
        """Once. What the exception says is not passed on: it may quote the address, with its password."""
        if self._away:
            return
        place = f"MLflow ({self._settings.mlflow_host})" if self._settings.mlflow_host else "le dossier des courbes"
        said = getattr(error, "error_code", None) or type(error).__name__
        missing = isinstance(error, ModuleNotFoundError)
        why = "le module mlflow-skinny n'est pas installé" if missing else f"pas de réponse utilisable ({said})"
        self._notice(f"Suivi des entraînements, {place} : {why}. L'entraînement continue ; ses courbes restent sur cette machine.")
        log.warning("experiment tracking, %s: %s", self._settings.mlflow_host or "files", said)


@contextmanager
def tracked(settings: Settings, training: Training, notice: Callable[[str], None]) -> Iterator[Tracking]:
    """`notice` gets what a person should know, in French, until the block ends."""
    tracking = Tracking(settings, training, notice)
    try:
        yield tracking
    except BaseException:
        tracking.end(finished=False)
        raise
    tracking.end(finished=True)


class Nowhere:
    name = "none"

    def send(self, points: list[Point]) -> None:
        pass

    def end(self, finished: bool) -> None:
        pass


class Files:
    """TensorBoard's event files: `tensorboard --logdir .socle/training/runs`. Of each model, the newest SOCLE_TRAINING_RUNS_KEPT stay."""

    name = "tensorboard"

    def __init__(self, settings: Settings, training: Training) -> None:
        from tensorboardX import SummaryWriter

        slug = re.sub(r"[^a-zA-Z0-9]+", "-", training.candidate).strip("-").lower()[:40]
        made = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{slug}-{uuid.uuid4().hex[:6]}"
        models = settings.state_folder / "training" / "runs" / training.project
        _prune(models / training.model, settings.training_runs_kept - 1)
        self.where = {"run": f"{training.project}/{training.model}/{made}"}
        self._writer = SummaryWriter(logdir=str(models / training.model / made), flush_secs=round(SEND_EVERY_S))
        table = "\n".join(f"| {name} | {value} |" for name, value in (training.parameters | training.tags).items())
        self._writer.add_text("parameters", f"| | |\n|---|---|\n{table}", 0)

    def send(self, points: list[Point]) -> None:
        for point in points:
            self._writer.add_scalar(point.name, point.value, point.step, walltime=point.at_ms / 1000)
        self._writer.flush()

    def end(self, finished: bool) -> None:
        self._writer.close()


def _prune(folder: Path, kept: int) -> None:
    """Names begin with the time, so that the newest sort last."""
    for old in sorted(p for p in folder.glob("*") if p.is_dir())[: -kept or None] if kept else list(folder.glob("*")):
        shutil.rmtree(old, ignore_errors=True)


def flat(values: dict[str, Any], before: str = "") -> dict[str, str]:
    """Nested settings as one level of texts.

    >>> flat({"epochs": 3, "lora": {"r": 8}, "seed": None})
    {'epochs': '3', 'lora.r': '8'}
    """
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        elif value is not None:
            found[f"{before}{name}"] = str(value)
    return found


def final(metrics: dict[str, Any], took: dict[str, Any]) -> dict[str, float]:
    """Scores of both sides and what the training took, as one level of numbers.

    >>> final({"test": {"rows": 20, "macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}}}, {"seconds": 3.0, "energy": "estimated"})
    {'test/macro_f1': 0.5, 'took/seconds': 3.0}
    """
    scores = {
        f"{side}/{name}": float(score["value"])
        for side, found in metrics.items()
        for name, score in found.items()
        if isinstance(score, dict) and score.get("value") is not None
    }
    return scores | {f"took/{name}": float(value) for name, value in took.items() if isinstance(value, int | float)}
