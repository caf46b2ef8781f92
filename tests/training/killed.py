"""Trainings that are killed, each in a process of its own: `python -m tests.training.killed < plan.json`.

This process imports and never computes; it forks one child for each training of the plan (threads of torch would not survive a fork),
which dies by SIGKILL where the plan says. Of each, a line of JSON: its exit, and what it left in its folder is for the tests to read.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from flows.lake.local import LocalObjects
from flows.project import TextClassification, TransformerCandidate
from flows.training import trainer
from flows.training.base_models import BaseModel
from flows.training.checkpoints import Checkpoints
from flows.training.examples import Examples
from flows.training.tasks import task_of
from flows.training.tasks.base import Job

MODEL = {"title": "t", "task": "text-classification", "dataset": "d", "inputs": ["texte"], "label": "theme", "candidates": ["tfidf"]}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killing(LocalObjects):
    """A folder whose writer dies at one of its writes: before (`at` even) or after it."""

    def __init__(self, folder: Path, at: int | None) -> None:
        super().__init__(folder)
        self.at, self.writes = at, 0

    def _counted(self, write: Any) -> Any:
        if self.at == self.writes:
            die()
        done = write()
        self.writes += 2
        if self.at == self.writes - 1:
            die()
        return done

    def put_all(self, files: Any, *, given: bool = False) -> None:
        for key, path in files:
            self._counted(lambda key=key, path=path: super(Killing, self).put_file(key, path))

    def create(self, key: str, data: bytes) -> bool:
        return bool(self._counted(lambda: super(Killing, self).create(key, data)))

    def delete(self, key: str) -> None:
        self._counted(lambda: super(Killing, self).delete(key))


def train(one: dict[str, Any]) -> None:
    """One training, in a folder of its own as on another machine: only the lake is shared."""
    import torch

    torch.set_num_threads(1)
    folder = Path(one["folder"])
    work = folder / f"run-{time.time_ns()}"
    (work / "work").mkdir(parents=True)
    examples = Examples(Path(one["examples"]), one["labels"], {}, {})
    base = BaseModel("path:tiny", Path(one["base"]), "0" * 64)
    curve = (work / "curve.jsonl").open("w", buffering=1)

    def log(step: int, values: dict[str, float]) -> None:
        curve.write(json.dumps([step, values]) + "\n")
        if step == one.get("kill_at_step") and "loss" in values:
            die()
        if step == one.get("term_at_step") and "loss" in values:
            os.kill(os.getpid(), signal.SIGTERM)

    objects = Killing(folder / "lake", one.get("kill_at_write"))
    objects.ensure()
    settings = {"base_model": "path:tiny", "max_length": 32, "batch_size": 4, "learning_rate": 1e-3, "precision": "fp32"}
    job = Job(
        TransformerCandidate.model_validate(settings | one["candidate"]),
        examples,
        work / "model",
        work / "work",
        work / "cache",
        base,
        checkpoints=Checkpoints(objects, "theme", "f" * 24, one.get("every_minutes", 0)),
        log=log,
        notice=lambda text: (work / "notices").open("a").write(text + "\n"),
    )
    if "kill_after_s" in one:
        signal.signal(signal.SIGALRM, lambda number, frame: die())
        signal.setitimer(signal.ITIMER_REAL, one["kill_after_s"])
    found = trainer.train(task_of(TextClassification.model_validate(MODEL)), job)
    weights = b"".join(t.numpy().tobytes() for _, t in sorted(found.predictor.model.state_dict().items()))
    done = {"facts": found.facts, "weights": hashlib.sha256(weights).hexdigest()}
    (work / "done.json").write_text(json.dumps(done))


def main() -> None:
    for one in json.load(sys.stdin):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                train(one)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        print(json.dumps({"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None, "exit": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main()
