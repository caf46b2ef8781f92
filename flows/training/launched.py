"""One process of a training in several (see launch.py): `torchrun ... -m flows.training.launched job.json`. The first one speaks."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import PartialState
from pydantic import TypeAdapter

from flows.errors import SocleError
from flows.lake import Lake
from flows.lake.local import LocalObjects
from flows.project import AnyModel, Budget, Candidate
from flows.settings import load_settings
from flows.training import trainer
from flows.training.base_models import BaseModel
from flows.training.checkpoints import Checkpoints
from flows.training.examples import Examples
from flows.training.launch import EVENT, KWH
from flows.training.tasks import task_of
from flows.training.tasks.base import Job, TransformerTask


def say(event: str, **values: Any) -> None:
    if PartialState().is_main_process:
        sys.stdout.write(EVENT + json.dumps({"event": event, **values}) + "\n")
        sys.stdout.flush()


def measured(path: Path) -> float:
    """kWh so far, as the parent says."""
    return float(path.read_text(encoding="ascii")) if path.is_file() else 0.0


def job_of(told: dict[str, Any]) -> Job:
    examples, base = told["examples"], told["base"]
    return Job(
        TypeAdapter(Candidate).validate_python(told["candidate"]),
        Examples(Path(examples["folder"]), examples["labels"], examples["rows"], examples["left_out"]),
        Path(told["work"]) / "launched",
        Path(told["work"]),
        Path(told["cache"]),
        BaseModel(base["name"], Path(base["folder"]), base["sha256"]),
        budget=Budget(**told["budget"]),
        energy=partial(measured, Path(told["work"]) / KWH) if told["measures_energy"] else None,
        checkpoints=_checkpoints(told.get("checkpoints")),
        advance=lambda share: say("advance", share=share),
        log=lambda step, values: say("log", step=step, values=values),
        notice=lambda text: say("notice", text=text),
        cache_gb=told["cache_gb"],
    )


def _checkpoints(told: dict[str, Any] | None) -> Checkpoints | None:
    if told is None:
        return None
    if "folder" in told:
        objects: Any = LocalObjects(Path(told["folder"]))
    else:
        settings = load_settings()
        project = told["bucket"].removeprefix(f"{settings.s3_prefix}-")
        objects = Lake(settings.for_project(project)).bucket(project)
    return Checkpoints(objects, told["model"], told["fingerprint"], told["every_minutes"])


def main(path: str) -> int:
    told = json.loads(Path(path).read_text(encoding="utf-8"))
    PartialState(cpu=not torch.cuda.is_available())
    job = job_of(told)
    try:
        task = cast("TransformerTask", task_of(TypeAdapter(AnyModel).validate_python(told["model"])))
        found = trainer.train(task, job)
    except SocleError as error:
        said = {"code": error.exit_code, "message": error.message, "where": error.where, "hint": error.hint, "french": error.french}
        say("error", error=said)
        return error.exit_code
    if PartialState().is_main_process:
        job.folder.mkdir(exist_ok=True)
        found.predictor.save(job.folder)
    counted = {"parameters": found.parameters, "trained_parameters": found.trained_parameters}
    say("done", folder=str(job.folder), facts=found.facts, **counted)
    PartialState().wait_for_everyone()
    PartialState().destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
