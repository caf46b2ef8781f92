"""prepare -> train each candidate -> decide: one model of a project, from a dataset version to a champion.

Each candidate becomes a model version of its own, so that a changed setting trains that candidate only, and a person can
promote the other one. A version is committed when it is trained; a run that is killed later finds it and goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import __version__, progress
from flows.errors import NotFound, Refused
from flows.lake.datasets import Dataset
from flows.lake.models import AliasMove, Models, ModelVersion
from flows.lake.references import Reference
from flows.project import AnyCandidate, TabularClassification, TabularRegression
from flows.steps import Run, model_manifest, work_disk
from flows.steps.plan import ModelPlan, plan_model, require_bucket
from flows.training import search, tracking
from flows.training.base_models import BaseModel
from flows.training.checkpoints import Checkpoints
from flows.training.estimate import Estimate, disk, notices, taken
from flows.training.examples import Examples, prepare
from flows.training.promotion import Decision, Paired, Rule, Scored, decide, sentence
from flows.training.tasks import task_of
from flows.training.tasks.base import Job, Seen, Task, Trained

if TYPE_CHECKING:
    from flows.training.energy import Meter

METRICS_FILE, REPORT_FILE, CARD_FILE, PLOTS_FOLDER = "metrics.json", "evaluation.json", "README.md", "plots"


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
        version, new = candidate_version(run, plan, index, examples, estimate_candidate(run, plan, index, examples))
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
            return prepare(table.scan(plan.dataset.number), task_of(model), key, run.work / "examples" / plan.name)


def estimate_candidate(run: Run, plan: ModelPlan, index: int, examples: Examples | None) -> Estimate | None:
    """What its training will take; None: it is trained already, or too cheap to ask.

    Raises: Refused if it cannot fit in memory or on the disk.
    """
    candidate, task = plan.candidates[index], task_of(run.project.models[plan.name])
    if candidate.version is not None or candidate.base is None or examples is None:
        return None
    from flows.training import preflight

    settings = task.model.all_candidates[index]
    with progress.step(f"{plan.name}: estimating {candidate.label}"), work_disk(run):
        job = _job(run, task, settings, candidate.base, examples, run.work / "estimates" / plan.name / str(index))
        job.checkpoints = _checkpoints(run, plan, index)
        found = preflight.estimate(task, job)
    return found.times(task.model.search.most) if found and task.model.search and settings is task.model.searched else found


def candidate_version(
    run: Run, plan: ModelPlan, index: int, examples: Examples | None, estimate: Estimate | None = None
) -> tuple[ModelVersion, bool]:
    """(the version of one candidate, whether it was made now)."""
    candidate = plan.candidates[index]
    store = Models(run.lake, run.project.name, plan.name)
    if candidate.version is not None:
        return store.version(candidate.version), False
    assert examples is not None
    task, settings = task_of(run.project.models[plan.name]), run.project.models[plan.name].all_candidates[index]
    folder, checkpoints = run.work / "models" / plan.name / str(index), _checkpoints(run, plan, index)
    personal_data = run.project.datasets[task.model.dataset].personal_data
    what, said = f"{plan.name}: {{}} {candidate.label}", notices(estimate, task.model.budget, candidate.label) if estimate else []
    with tracking.tracked(run.settings, _tracked(run, plan, index), said.append) as tracked:
        with progress.step(what.format("training"), "%", 1.0) as advance:
            trained, seconds = train_candidate(
                run, task, settings, candidate.base, examples, folder, checkpoints, advance, said.append, tracked.log
            )
            settings = search.found(settings, trained)
        with progress.step(what.format("evaluating")):
            fitted, metrics, report = fit_and_evaluate(task, trained, examples, personal_data, folder)
            trained.facts["took"] |= disk(folder, run.work / "training" / folder.relative_to(run.work))
        tracked.scores(tracking.final(metrics, trained.facts["took"]))
    trained.facts |= {"tracking": tracked.where} | ({"estimated": estimate.to_dict()} if estimate else {})
    trained.facts |= {"notices": said} if said else {}
    with progress.step(what.format("committing")):
        manifest = model_manifest.make(run, plan, settings, candidate, examples, metrics, seconds, trained, folder) | {"fitted": fitted}
        _write_card(run, plan, manifest, report, folder)
        version = store.commit(folder, manifest)
        checkpoints.remove()
        return version, True


def _checkpoints(run: Run, plan: ModelPlan, index: int) -> Checkpoints:
    fingerprint = plan.candidates[index].fingerprint
    return Checkpoints(run.lake.bucket(run.project.name), plan.name, fingerprint, run.settings.checkpoint_minutes)


def _tracked(run: Run, plan: ModelPlan, index: int) -> tracking.Training:
    candidate, model = plan.candidates[index], run.project.models[plan.name]
    settings = model.all_candidates[index].model_dump(exclude_none=True)
    asked = {"task": model.task, "metric": model.metric, "base_sha256": candidate.base.sha256 if candidate.base else None}
    tags = {"dataset": str(plan.dataset), "run": run.id, "fingerprint": candidate.fingerprint, "code": __version__}
    return tracking.Training(run.project.name, plan.name, candidate.label, tracking.flat(settings | asked), tags)


def train_candidate(
    run: Run,
    task: Task,
    settings: AnyCandidate,
    base: BaseModel | None,
    examples: Examples,
    folder: Path,
    checkpoints: Checkpoints | None = None,
    advance: Callable[[float], None] = lambda share: None,
    notice: Callable[[str], None] = lambda text: None,
    log: Callable[[int, dict[str, float]], None] = lambda step, values: None,
) -> tuple[Trained, float]:
    """(what was trained, seconds: those of killed runs count, up to the checkpoint that was gone on from). `folder`: new, for the
    model's files. `checkpoints`: None: it begins at the beginning."""
    from flows.training.energy import Meter
    from flows.training.resources import Peak

    job = _job(run, task, settings, base, examples, folder)
    job.checkpoints, job.advance, job.notice, job.log = checkpoints, advance, notice, log
    start = time.monotonic()
    with work_disk(run), Meter() as meter, Peak() as peak:
        if meter.works:
            job.energy = meter.kwh
        elif job.budget.max_kwh is not None:
            notice("L'énergie ne peut pas être mesurée sur cette machine : le budget en kWh ne compte pas.")
        trained = search.train(task, job) if settings is task.model.searched else task.trainer(settings)(job)
    seconds = time.monotonic() - start + trained.facts.get("seconds_before", 0.0)
    trained.facts["took"] = taken(seconds, peak.bytes) | _energy(meter, trained)
    return trained, seconds


def _energy(meter: Meter, trained: Trained) -> dict[str, Any]:
    """That of earlier runs counts, which a checkpoint was gone on from; they emitted as much a kWh."""
    if not meter.works:
        return {}
    kwh = meter.kwh() + trained.facts.get("kwh_before", 0.0)
    return {"energy_kwh": kwh, "co2_kg": kwh * meter.kg_per_kwh(), "energy": meter.how()}


def _job(run: Run, task: Task, settings: AnyCandidate, base: BaseModel | None, examples: Examples, folder: Path) -> Job:
    work = run.work / "training" / folder.relative_to(run.work)
    folder.mkdir(parents=True)
    work.mkdir(parents=True)
    cache, gb = run.settings.state_folder / "training", run.settings.training_cache_gb
    return Job(settings, examples, folder, work, cache, base, budget=task.model.budget, cache_gb=gb)


def fit_and_evaluate(
    task: Task, trained: Trained, examples: Examples, personal_data: str, folder: Path
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(what was fitted to the validation side, scores, report). `folder` gets the model's files, and its answers to the test side
    without any of its text."""
    import polars as pl

    from flows.training import report

    predictor = trained.predictor
    rows = {side: examples.read(side) for side in ("validation", "test")}
    fitted, answered = task.fit_and_predict(predictor, examples)
    predictor.save(folder)
    answers = {"validation": answered, "test": task.predict(predictor, rows["test"])}
    metrics = {side: task.evaluate(answers[side], rows[side], examples.labels) for side in rows}
    outcomes = task.outcomes(answers["test"], rows["test"], examples.labels)
    outcomes.with_columns(pl.Series("order", rows["test"]["order"])).write_parquet(folder / model_manifest.OUTCOMES_FILE)
    seen = Seen(rows, answers, examples.labels, personal_data, folder / PLOTS_FOLDER)
    found = report.make(task, seen, examples)
    (folder / METRICS_FILE).write_text(json.dumps(metrics, ensure_ascii=False, indent=1), encoding="utf-8")
    (folder / REPORT_FILE).write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    return fitted, metrics, found


def _write_card(run: Run, plan: ModelPlan, manifest: dict[str, Any], report: dict[str, Any], folder: Path) -> None:
    from flows.models import DESCRIPTION
    from flows.training import card, pictures
    from flows.training.examples import REASONS

    project, task = run.project, task_of(run.project.models[plan.name])
    facts = manifest | {
        "title": task.model.title,
        "task": task.model.task,
        "metric": task.model.metric,
        "ministry": project.ministry,
        "team": project.owner.team,
        "email": project.owner.email,
        "reference": f"{project.name}/{plan.name}",
        "purpose": task.model.purpose,
        "limits": task.model.limits,
        "split": task.model.split.model_dump(exclude_none=True),
        "reasons": REASONS | task.REASONS,
        "report": report,
        "about": json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")),
        "sections": {language: task.card(manifest, language) for language in ("fr", "en")},
        "plots": pictures.draw(manifest["metrics"]["test"], report, folder),
    }
    (folder / CARD_FILE).write_text(card.write(facts), encoding="utf-8")


# ---- promotion -----------------------------------------------------------------------------------------------------


def promote_best(run: Run, plan: ModelPlan, versions: list[ModelVersion], trained: list[int], examples: Examples | None) -> ModelOutcome:
    """Decide by the frugal rule and move the aliases: `candidate` to the choice, `champion` too if it is promoted.

    Raises: Conflict if somebody moved the aliases since the plan.
    """
    model, store = run.project.models[plan.name], Models(run.lake, run.project.name, plan.name)
    with progress.step(f"{plan.name}: deciding"):
        scored = [score(v, model.metric) for v in versions]
        champion, paired = _champion(run, plan, store, versions, examples)
        decision = decide(scored, champion, Rule.of(model), paired)
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
    """Raises: Refused if the metric does not exist on the rows of a side: no decision can be made by it."""
    for side in ("validation", "test"):
        if metric not in version.scores(side):
            raise Refused(
                f"{metric} of {version} does not exist on the {side} side",
                where=f"{version.metrics.get(side, {}).get('rows', 0)} rows",
                hint="larger shares in split, or another promote.metric",
                french=f"La mesure {metric} n'existe pas sur les lignes de {side}.",
            )
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


def _champion(
    run: Run, plan: ModelPlan, store: Models, versions: list[ModelVersion], examples: Examples | None
) -> tuple[Scored | None, Paired | None]:
    """The champion in place, with its score on the test rows of today (never a number from another split), and what compares a
    candidate with it row by row."""
    number = plan.state.aliases.get("champion") if plan.state else None
    if number is None:
        return None, None
    model = run.project.models[plan.name]
    version = store.resolve(Reference(run.project.name, plan.name, version=number))
    if number in {v.number for v in versions} or examples is None:
        return score(version, model.metric), None
    from flows.models import load

    task, rows = task_of(model), examples.read("test")

    def answers(of: ModelVersion) -> Any:
        predictor = load(store.download(of, run.work / "compared" / plan.name / str(of.number)))
        return task.in_labels(task.predict(predictor, _rows_that_it_reads(run, plan, of, examples)), of.labels, examples.labels)

    own = answers(version)
    test = task.evaluate(own, rows, examples.labels)[model.metric]["value"]

    def paired(chosen: Scored) -> dict[str, float] | None:
        found = task.paired(answers(store.version(chosen.version)), own, rows, examples.labels)
        if found is None or found.difference is None or found.low is None or found.high is None:
            return None
        ends = sorted((Rule.of(model).worth(found.low), Rule.of(model).worth(found.high)))
        return {"value": Rule.of(model).worth(found.difference), "low": ends[0], "high": ends[1], "p_value": found.p_value or 0.0}

    return replace(score(version, model.metric), test=test), paired


def _rows_that_it_reads(run: Run, plan: ModelPlan, version: ModelVersion, examples: Examples) -> Any:
    """The test rows of today, with the inputs that this version was trained on: a model of tables reads columns by name.

    Raises: Refused if the dataset does not have one of them any more.
    """
    model, rows = run.project.models[plan.name], examples.read("test")
    if not isinstance(model, TabularClassification | TabularRegression) or set(version.inputs) <= set(model.inputs):
        return rows
    assert plan.dataset is not None
    table = Dataset(run.lake, run.project.name, model.dataset)
    with work_disk(run), table.reading():
        scanned = table.scan(plan.dataset.number)
        if gone := sorted(set(version.inputs) - set(scanned.collect_schema().names())):
            raise Refused(
                f"{plan.name}: the champion, version {version.number}, reads columns that {model.dataset} does not have any more: "
                f"{', '.join(gone)}",
                where=f"inputs of {run.project.name}/{plan.name}@{version.number}",
                hint=f"it cannot be compared with the new versions: choose one by hand, socle promote {run.project.name}/{plan.name}@N",
            )
        earlier = task_of(model.model_copy(update={"inputs": version.inputs, "texts": []}))
        key, folder = run.project.datasets[model.dataset].key, run.work / "compared" / plan.name / f"rows-{version.number}"
        return prepare(scanned, earlier, key, folder).read("test")
