"""prepare -> train each candidate -> decide: one model of a project, from a dataset version to a champion.

Each candidate becomes a model version of its own, so that a changed setting trains that candidate only, and a person can
promote the other one. A version is committed when it is trained; a run that is killed later finds it and goes on from there.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

from flows import __version__, progress
from flows.errors import NotFound
from flows.lake.datasets import Dataset
from flows.lake.models import AliasMove, Models, ModelVersion
from flows.lake.references import Reference
from flows.project import TfidfCandidate, TransformerCandidate
from flows.steps import Run, work_disk
from flows.steps.plan import CandidatePlan, ModelPlan, plan_model, require_bucket
from flows.training.examples import Examples, prepare
from flows.training.promotion import Decision, Scored, decide, sentence

LIBRARIES = {"tfidf": ("scikit-learn",), "transformer": ("transformers", "torch")}
METRICS_FILE, CARD_FILE = "metrics.json", "README.md"


@dataclass(frozen=True)
class ModelOutcome:
    """What one model's run came to."""

    model: str
    action: str
    """trained, decided, nothing, waiting (for its dataset)"""
    reasons: list[str]
    versions: list[ModelVersion]
    """One a candidate, in the order of the project file."""
    trained: list[int]
    """Numbers of the versions that this run made."""
    decision: Decision | None
    state: AliasMove | None
    previous: AliasMove | None


def finetune_model(run: Run, name: str) -> ModelOutcome:
    """The whole job, in order. flows/finetune.py runs the same steps as Prefect tasks."""
    require_bucket(run)
    plan = plan_model(run, name)
    if plan.action == "wait":
        raise no_dataset(run, name)
    if plan.action == "nothing":
        return unchanged(run, plan)
    examples = prepare_examples(run, plan) if needs_examples(plan) else None
    versions, trained = [], []
    for index in range(len(plan.candidates)):
        version, new = candidate_version(run, plan, index, examples)
        versions.append(version)
        trained += [version.number] if new else []
    return promote_best(run, plan, versions, trained, examples)


def no_dataset(run: Run, name: str) -> NotFound:
    dataset = run.project.models[name].dataset
    return NotFound(
        f"model {name}: the dataset {dataset!r} has no version yet",
        where=run.lake.place,
        hint=f"socle run {run.project.name} --flow ingest",
    )


def unchanged(run: Run, plan: ModelPlan) -> ModelOutcome:
    store = Models(run.lake, run.project.name, plan.name)
    versions = [store.version(c.version) for c in plan.candidates if c.version is not None]
    return ModelOutcome(plan.name, "nothing", [], versions, [], None, plan.state, plan.state)


def needs_examples(plan: ModelPlan) -> bool:
    """To train; or to compare with a champion that was not made from this dataset version and these candidates."""
    return any(c.version is None for c in plan.candidates) or _outside_champion(plan) is not None


def prepare_examples(run: Run, plan: ModelPlan) -> Examples:
    assert plan.dataset is not None
    model = run.project.models[plan.name]
    with progress.step(f"{plan.name}: preparing"):
        table = Dataset(run.lake, run.project.name, model.dataset)
        with work_disk(run), table.reading():
            key = run.project.datasets[model.dataset].key
            return prepare(table.scan(plan.dataset.number), model, key, run.work / "examples" / plan.name)


def candidate_version(run: Run, plan: ModelPlan, index: int, examples: Examples | None) -> tuple[ModelVersion, bool]:
    """(the version of one candidate, whether it was made now)."""
    candidate = plan.candidates[index]
    store = Models(run.lake, run.project.name, plan.name)
    if candidate.version is not None:
        return store.version(candidate.version), False
    assert examples is not None
    settings = run.project.models[plan.name].all_candidates[index]
    folder = run.work / "models" / plan.name / str(index)
    start = time.monotonic()
    with progress.step(f"{plan.name}: training {candidate.label}", "%", 1.0) as advance, work_disk(run):
        predictor, parameters = _train(run, settings, candidate, examples, folder, advance)
    seconds = time.monotonic() - start
    with progress.step(f"{plan.name}: evaluating {candidate.label}"):
        metrics = _evaluate(predictor, examples)
    with progress.step(f"{plan.name}: committing {candidate.label}"):
        manifest = _manifest(run, plan, settings, candidate, examples, metrics, seconds, parameters, folder)
        _write_card(run, plan, manifest, examples, folder)
        return store.commit(folder, manifest), True


def _train(
    run: Run,
    settings: TfidfCandidate | TransformerCandidate,
    candidate: CandidatePlan,
    examples: Examples,
    folder: Path,
    advance: progress.Advance,
) -> tuple[Any, int]:
    if isinstance(settings, TfidfCandidate):
        from flows.training import baseline

        return baseline.train(settings, examples, folder)
    from flows.training import trainer

    assert candidate.base is not None
    work = folder.with_name(folder.name + "-work")  # its own: `datasets` would take up the tokens of another candidate
    work.mkdir(parents=True)
    return trainer.train(settings, candidate.base, examples, folder, work, advance)


def _evaluate(predictor: Any, examples: Examples) -> dict[str, Any]:
    from flows.training.evaluation import evaluate

    metrics = {}
    for side in ("validation", "test"):
        texts, truth = examples.read(side)
        metrics[side] = evaluate(truth, predictor.predict(texts), examples.labels)
    return metrics


def _manifest(
    run: Run,
    plan: ModelPlan,
    settings: TfidfCandidate | TransformerCandidate,
    candidate: CandidatePlan,
    examples: Examples,
    metrics: dict[str, Any],
    seconds: float,
    parameters: int,
    folder: Path,
) -> dict[str, Any]:
    assert plan.dataset is not None
    libraries = ", ".join(f"{name} {library_version(name)}" for name in LIBRARIES[settings.kind])
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return {
        "fingerprint": candidate.fingerprint,
        "candidate": {"label": candidate.label, **settings.model_dump(exclude_none=True), "parts": candidate.parts},
        "dataset": {
            "reference": str(plan.dataset),
            "load_id": plan.dataset.load.load_id,
            "rows": examples.rows,
            "left_out": examples.left_out,
        },
        "metrics": metrics,
        "cost": {
            "train_seconds": round(seconds, 2),
            "cores": float(os.cpu_count() or 1),
            "parameters": float(parameters),
            "size_bytes": float(size),
        },
        "labels": examples.labels,
        "inputs": run.project.models[plan.name].inputs,
        "made": {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "run": run.id,
            "who": run.who,
            "code": __version__,
            "libraries": f"Python {platform.python_version()}, {libraries}",
        },
        "base_model": {"name": candidate.base.name, "sha256": candidate.base.sha256} if candidate.base else {},
    }


def _write_card(run: Run, plan: ModelPlan, manifest: dict[str, Any], examples: Examples, folder: Path) -> None:
    import json

    from flows.training import card

    project, model = run.project, run.project.models[plan.name]
    dataset = project.datasets[model.dataset]
    facts = manifest | {
        "title": model.title,
        "task": model.task,
        "ministry": project.ministry,
        "team": project.owner.team,
        "email": project.owner.email,
        "reference": f"{project.name}/{plan.name}",
        "dataset": manifest["dataset"] | {"title": dataset.title, "licence": dataset.licence},
        "candidate": {k: v for k, v in manifest["candidate"].items() if k != "parts"},
        "rows": examples.rows,
        "left_out": examples.left_out,
    }
    (folder / CARD_FILE).write_text(card.write(facts), encoding="utf-8")
    (folder / METRICS_FILE).write_text(json.dumps(manifest["metrics"], ensure_ascii=False, indent=1), encoding="utf-8")


# ---- promotion -----------------------------------------------------------------------------------------------------


def promote_best(run: Run, plan: ModelPlan, versions: list[ModelVersion], trained: list[int], examples: Examples | None) -> ModelOutcome:
    """Decide by the frugal rule and move the aliases: `candidate` to the choice, `champion` too if it is promoted.

    Raises: Conflict if somebody moved the aliases since the plan.
    """
    model, store = run.project.models[plan.name], Models(run.lake, run.project.name, plan.name)
    with progress.step(f"{plan.name}: deciding"):
        scored = [score(v, model.promote.metric) for v in versions]
        decision = decide(scored, _champion(run, plan, store, versions, examples), model.promote)
        aliases = {"candidate": decision.chosen.version}
        if decision.promoted:
            aliases["champion"] = decision.chosen.version
        fingerprints = {c.fingerprint: v.number for c, v in zip(plan.candidates, versions, strict=True)}
        state = store.move(
            aliases,
            expected=plan.state,
            who=run.who,
            run=run.id,
            reason=sentence(decision),
            decision={"fingerprint": plan.decision, "versions": fingerprints} | decision.to_dict(),
        )
    return ModelOutcome(plan.name, "trained" if trained else "decided", plan.reasons, versions, trained, decision, state, plan.state)


def score(version: ModelVersion, metric: str) -> Scored:
    return Scored(
        label=str(version.candidate["label"]),
        kind=str(version.candidate["kind"]),
        version=version.number,
        validation=version.metrics["validation"][metric]["value"],
        test=version.metrics["test"][metric]["value"],
        train_seconds=version.cost["train_seconds"],
    )


def _outside_champion(plan: ModelPlan) -> int | None:
    champion = plan.state.aliases.get("champion") if plan.state else None
    return champion if champion is not None and champion not in {c.version for c in plan.candidates} else None


def _champion(run: Run, plan: ModelPlan, store: Models, versions: list[ModelVersion], examples: Examples | None) -> Scored | None:
    """The champion in place, with its score on the test rows of today: never a number from another split."""
    number = plan.state.aliases.get("champion") if plan.state else None
    if number is None:
        return None
    metric = run.project.models[plan.name].promote.metric
    version = store.resolve(Reference(run.project.name, plan.name, version=number))
    if number in {v.number for v in versions} or examples is None:
        return score(version, metric)
    from flows.models import load
    from flows.training.evaluation import evaluate

    predictor = load(store.download(version, run.work / "champion" / plan.name))
    texts, truth = examples.read("test")
    probabilities = _in_labels(predictor.predict(texts), predictor.labels, examples.labels)
    test = evaluate(truth, probabilities, examples.labels)[metric]["value"]
    scored = score(version, metric)
    return Scored(scored.label, scored.kind, number, scored.validation, test, scored.train_seconds)


def _in_labels(probabilities: Any, found: list[str], wanted: list[str]) -> Any:
    """Columns of `wanted` labels; one that the model does not know has probability 0."""
    import numpy as np

    columns = np.zeros((len(probabilities), len(wanted)), dtype=np.float32)
    for index, label in enumerate(wanted):
        if label in found:
            columns[:, index] = probabilities[:, found.index(label)]
    return columns
