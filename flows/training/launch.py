"""One training on several processes: a GPU each, through torchrun; and how other launchers are told the same.

The processes share a step's rows: whatever their number, a step has `batch_size` x `accumulate` rows, and the curve is the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, Refused, SystemFailure
from flows.lake.local import LocalObjects
from flows.models import load
from flows.project import Execution
from flows.training.tasks.base import Job, Task, Trained

EVENT = "\x1e"  # begins a line of ours among whatever processes print
MODULE = "flows.training.launched"
KWH = "kwh.txt"  # in the work folder: what the parent measured so far, for the budget that the processes keep
CODES = {1: Refused, 2: ConfigurationError}


def is_launched() -> bool:
    """Whether this is one of several processes."""
    return "LOCAL_RANK" in os.environ


def shared(batch_size: int, accumulate: int, processes: int) -> tuple[int, int]:
    """(rows at once, batches a step) of each process.

    Raises: ConfigurationError if the rows of a step cannot be shared evenly.

    >>> shared(16, 1, 4), shared(2, 8, 4)
    ((4, 1), (2, 2))
    """
    if batch_size % processes == 0:
        return batch_size // processes, accumulate
    if accumulate % processes == 0:
        return batch_size, accumulate // processes
    raise ConfigurationError(
        f"batch_size {batch_size} x accumulate {accumulate} cannot be shared by {processes} processes",
        hint=f"a batch_size that is a multiple of {processes}",
    )


def torchrun(processes: int) -> list[str]:
    """Arguments of torchrun for processes on this machine; what they run comes after."""
    return ["--standalone", f"--nproc-per-node={processes}", "--max-restarts=0"]


def accelerate_config(execution: Execution, precision: str = "bf16") -> dict[str, Any]:
    """What `accelerate launch --config_file` reads, for a container of this project."""
    gpus = execution.gpus
    return {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "MULTI_GPU" if gpus > 1 else "NO",
        "num_machines": 1,
        "num_processes": max(gpus, 1),
        "machine_rank": 0,
        "mixed_precision": precision if gpus else "no",
        "use_cpu": gpus == 0,
        "main_training_function": "main",
        "rdzv_backend": "static",
        "same_network": True,
    }


def train(task: Task, job: Job, processes: int) -> Trained:
    """Train in so many processes of this machine; the predictor that they saved is loaded here.

    Raises: what the first process raised, or what `job` does on being told; SystemFailure if one of them died.
    """
    told = job.work / "job.json"
    told.write_text(json.dumps(_described(task, job)), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", *torchrun(processes), "-m", MODULE, str(told)]
    result: dict[str, Any] = {}
    errors = (job.work / "errors.txt").open("w+", encoding="utf-8", errors="replace")
    with errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace") as running:
        assert running.stdout is not None
        try:
            for line in running.stdout:
                if line.startswith(EVENT):
                    _pass_on(job, json.loads(line[1:]), result)
            code = running.wait()
        except BaseException:  # a pruned trial, for instance
            running.terminate()  # torchrun ends its processes, which a kill would leave behind
            raise
        errors.seek(0)
        last = errors.read()[-400:]
    if "error" in result:
        error = result["error"]
        raise CODES.get(error["code"], SystemFailure)(error["message"], where=error["where"], hint=error["hint"], french=error["french"])
    if code != 0 or "facts" not in result:
        raise SystemFailure(f"a process of the training ended with {code}", where=job.candidate.label, hint=last.strip())
    return Trained(load(Path(result["folder"])), result["parameters"], result["trained_parameters"], result["facts"])


def write_atomically(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="ascii")
    part.replace(path)


def _pass_on(job: Job, event: dict[str, Any], result: dict[str, Any]) -> None:
    match event["event"]:
        case "advance":
            job.advance(event["share"])
        case "log":
            job.log(event["step"], event["values"])
            if job.energy is not None:
                write_atomically(job.work / KWH, str(job.energy()))
        case "notice":
            job.notice(event["text"])
        case _:
            result.update(event)


def _described(task: Task, job: Job) -> dict[str, Any]:
    assert job.base is not None
    described: dict[str, Any] = {
        "model": task.model.model_dump(mode="json", exclude_unset=True),
        "candidate": job.candidate.model_dump(mode="json"),
        "examples": asdict(job.examples),
        "work": job.work,
        "cache": job.cache,
        "cache_gb": job.cache_gb,
        "base": asdict(job.base),
        "budget": job.budget.model_dump(),
        "measures_energy": job.energy is not None,
    }
    if job.checkpoints is not None:
        objects = job.checkpoints.objects
        place = {"folder": objects.folder} if isinstance(objects, LocalObjects) else {"bucket": objects.name}
        of = job.checkpoints
        described["checkpoints"] = place | {"model": of.model, "fingerprint": of.fingerprint, "every_minutes": of.every_minutes}
    return dict(json.loads(json.dumps(described, default=str)))
