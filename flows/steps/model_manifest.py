"""What a model version says of itself: enough to read it without the project file, and to make it again."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flows import __version__
from flows.errors import ConfigurationError
from flows.lake.models import ModelVersion
from flows.project import AnyCandidate, AnyModel, Model
from flows.steps import Run
from flows.steps.plan import CandidatePlan, ModelPlan
from flows.training.examples import Examples
from flows.training.tasks.base import Trained

OUTCOMES_FILE = "test.parquet"
"""Of a version's files: its answers to the test side."""
PACKAGE = Path(__file__).resolve().parent.parent
TRAINS = ("training", "models")
"""The folders of this package whose code decides about what is trained and answered."""
TEXTS = ("numpy", "scikit-learn", "safetensors")
TORCH = ("torch", "transformers", "tokenizers", "accelerate", "safetensors", "numpy")
LIBRARIES = {
    "tfidf": TEXTS,
    "dictionary": (),
    "linear": (*TEXTS, "skops"),
    "boosting": (*TEXTS, "skops"),
    "pretrained": TORCH,
    "frozen": (*TORCH, "scikit-learn"),
    "transformer": TORCH,
}
"""kind of a candidate -> the libraries that its weights and answers come from."""
OF_TASKS = {"text-similarity": ("sentence-transformers",), "causal-lm": ("trl",)}


def make(
    run: Run,
    plan: ModelPlan,
    settings: AnyCandidate,
    candidate: CandidatePlan,
    examples: Examples,
    metrics: dict[str, Any],
    seconds: float,
    trained: Trained,
    folder: Path,
) -> dict[str, Any]:
    """The fields of ModelVersion that commit() does not make itself. `seconds`: of the training."""
    assert plan.dataset is not None
    model = run.project.models[plan.name]
    dataset = run.project.datasets[model.dataset]
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return {
        "fingerprint": candidate.fingerprint,
        "candidate": {"label": candidate.label, **settings.model_dump(exclude_none=True), "parts": candidate.parts},
        "dataset": {
            "reference": str(plan.dataset),
            "load_id": plan.dataset.load.load_id,
            "rows": examples.rows,
            "left_out": examples.left_out,
            "key": dataset.key,
            "title": dataset.title,
            "licence": dataset.licence,
            "personal_data": dataset.personal_data,
        },
        "metrics": metrics,
        "cost": {
            "train_seconds": round(seconds, 2),
            "cores": float(os.cpu_count() or 1),
            "parameters": float(trained.parameters),
            "trained_parameters": float(trained.trained_parameters),
            "size_bytes": float(size),
            **{name: float(trained.facts["took"][name]) for name in ("energy_kwh", "co2_kg") if name in trained.facts.get("took", {})},
        },
        "training": trained.facts,
        "labels": examples.labels,
        "inputs": next(iter(model.read.values())),
        "made": {"at": datetime.now(UTC).isoformat(timespec="seconds"), "run": run.id, "who": run.who, "code": __version__},
        "base_model": {"name": candidate.base.name, "sha256": candidate.base.sha256, "licence": candidate.base.licence}
        if candidate.base
        else {},
        "model_settings": declared(model),
        "environment": environment(model.task, settings),
    }


def declared(model: Model) -> dict[str, Any]:
    """A model's block of the project file as it was understood, without its candidates: defaults may be others one day."""
    block: dict[str, Any] = model.model_dump(mode="json", exclude={"candidates", "search"}, exclude_none=True)
    return block


def declared_then(version: ModelVersion) -> tuple[Model, AnyCandidate] | None:
    """(the model's block with this candidate alone, the candidate). None: an older manifest, which does not hold it.

    Raises: ConfigurationError if this Socle does not know one of its settings any more.
    """
    if not version.model_settings:
        return None
    candidate = {k: v for k, v in version.candidate.items() if k not in ("label", "parts")}
    try:
        model: Model = TypeAdapter(AnyModel).validate_python(version.model_settings | {"candidates": [candidate]})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(
            f"{version} was made from settings that this Socle does not know: {first['msg']}",
            where=f"the manifest of {version}, {'.'.join(map(str, first['loc']))}",
            hint=f"take Socle {version.made['code']}, which made it",
        ) from None
    return model, model.candidates[0]


def environment(task: str, settings: AnyCandidate) -> dict[str, Any]:
    """What made it besides data and settings: code, libraries (name -> version), machine."""
    names = [*LIBRARIES[settings.kind], *OF_TASKS.get(task, ()), *(("peft",) if getattr(settings, "lora", None) else ())]
    return {
        "code": code(),
        "python": platform.python_version(),
        "libraries": {name: found for name in names if (found := _installed(name))},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": os.cpu_count() or 1,
            "gpu": _gpu(),
        },
    }


def changes_of_environment(then: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(what, then, now) of code, libraries and machine. Of the code: what trains and answers; a revision alone changes nothing."""
    found: list[tuple[str, str, str]] = []
    codes = [then["code"], now["code"]]
    if codes[0]["sha256"] != codes[1]["sha256"]:
        old, new = (f"{c['version']} ({c['revision'] or c['sha256'][:12]})" for c in codes)
        found.append(("the code that trains", old, new))
    found.append(("Python", then["python"], now["python"]))
    names = dict.fromkeys([*then["libraries"], *now["libraries"]])
    found += [(name, then["libraries"].get(name, ""), now["libraries"].get(name, "")) for name in names]
    machines = (("the system", "system"), ("the processor", "processor"), ("the number of cores", "cores"), ("the GPU", "gpu"))
    found += [(what, str(then["machine"][name]), str(now["machine"][name])) for what, name in machines]
    return [entry for entry in found if entry[1] != entry[2]]


@cache
def code() -> dict[str, Any]:
    """version; sha256: of the Python files that train and answer; revision: of git, with a + if files differ from it, or empty."""
    content = hashlib.sha256()
    for path in sorted(p for folder in TRAINS for p in (PACKAGE / folder).rglob("*.py")):
        content.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return {"version": __version__, "sha256": content.hexdigest(), "revision": _revision()}


def _revision() -> str:
    """Of the repository that this package is the source tree of; an installed package, or one without git, has none."""
    if not (PACKAGE.parent / ".git").exists():
        return ""
    found = _git("rev-parse", "HEAD")
    return f"{found}+" if found and _git("status", "--porcelain", "--", PACKAGE.name) else found


def _git(*arguments: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["git", "-C", str(PACKAGE.parent), *arguments], capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def _installed(name: str) -> str:
    with suppress(PackageNotFoundError):
        return library_version(name)
    return ""


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor()


def _gpu() -> str:
    """Of the training that just ended; torch is not loaded for it."""
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_available() else ""
