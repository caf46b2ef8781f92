"""Make a model version again from its manifest, and compare what comes out. Nothing is committed.

plan(run, reference)    what is needed, and what is not as it was: said before anything is trained
carry_out(run, plan)    trains, evaluates, compares
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

from flows import progress
from flows.errors import ConfigurationError, NotFound
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.models import Models, ModelVersion
from flows.lake.objects import sha256_file
from flows.lake.references import Reference, parse
from flows.project import AnyCandidate, BaseModelCandidate, Model
from flows.project.candidates import Candidate
from flows.steps import Run, model_manifest, work_disk
from flows.steps.finetune import fit_and_evaluate, train_candidate
from flows.steps.plan import base_model, require_bucket
from flows.training.base_models import BaseModel
from flows.training.examples import prepare
from flows.training.tasks import task_of

if TYPE_CHECKING:
    import polars as pl

WEIGHTS = (".safetensors", ".skops", "dictionary.json")
Verdict = Literal["exact", "within", "different"]


@dataclass(frozen=True)
class ReproductionPlan:
    """What a version was made from, as it can be had now."""

    version: ModelVersion
    model: Model
    settings: AnyCandidate
    dataset: DatasetVersion
    key: list[str]
    base: BaseModel | None
    notes: list[str]
    """What is not as it was then, so that the result may differ."""
    tolerance: float
    """Of the metric that promotion goes by: a difference on either side up to it is none that counts."""


@dataclass(frozen=True)
class Reproduction:
    """What came out."""

    version: str
    verdict: Verdict
    """exact: the same answers to every test row, and the same scores. within: not, but the metric is within the tolerance on both sides."""
    notes: list[str]
    metric: str
    tolerance: float
    scores: dict[str, dict[str, list[float | None]]]
    """side -> metric -> [then, now]."""
    answers: dict[str, Any] = field(default_factory=dict)
    """Of the test side: rows, same (rows with the same answer), largest_difference (of their numbers). Empty: they were not kept then."""
    examples: list[str] = field(default_factory=list)
    """What differs between the examples of then and now: always nothing, unless preparing them changed."""
    weights: dict[str, bool] = field(default_factory=dict)
    """Files of weights -> whether they are the same, byte for byte."""


def plan(run: Run, reference: Reference, tolerance: float | None = None) -> ReproductionPlan:
    """`tolerance`: by default that of the model's promotion rule.

    Raises: NotFound if the version is not there, or if its dataset version expired or is gone; ConfigurationError if its settings are not
    known any more, or its base model is another one or is not there.
    """
    require_bucket(run)
    version = Models(run.lake, reference.project, reference.name).resolve(reference)
    model, settings, notes = _declared(run, version)
    wanted = parse(version.dataset["reference"])
    dataset = Dataset(run.lake, wanted.project, wanted.name).resolve(wanted)
    if dataset.load.load_id != version.dataset["load_id"]:
        raise NotFound(
            f"{dataset} is not the one that {version} was made from: it is load {dataset.load.load_id}, not {version.dataset['load_id']}",
            where=run.lake.place,
            hint="was the lake restored from a backup?",
        )
    key = version.dataset.get("key") or run.project.datasets[wanted.name].key
    base = _base(run, version, settings)
    notes += [*_of_training(version), *_of_environment(version, model, settings)]
    return ReproductionPlan(
        version, model, settings, dataset, key, base, notes, model.promote.tolerance if tolerance is None else tolerance
    )


def carry_out(run: Run, plan: ReproductionPlan) -> Reproduction:
    """Raises: what preparing and training raise."""
    version, task = plan.version, task_of(plan.model)
    with progress.step(f"{version}: preparing"):
        table = Dataset(run.lake, plan.dataset.project, plan.dataset.dataset)
        with work_disk(run), table.reading():
            examples = prepare(table.scan(plan.dataset.number), task, plan.key, run.work / "examples" / version.model)
    folder = run.work / "models" / version.model / "again"
    with progress.step(f"{version}: training again", "%", 1.0) as advance:
        trained, _ = train_candidate(run, task, plan.settings, plan.base, examples, folder, advance=advance)
    with progress.step(f"{version}: comparing"):
        personal_data = version.dataset.get("personal_data", "sensitive")
        _, metrics, _ = fit_and_evaluate(task, trained, examples, personal_data, folder)
        before = {"rows": version.dataset["rows"], "left_out": version.dataset["left_out"], "labels": version.labels}
        now = {"rows": examples.rows, "left_out": examples.left_out, "labels": examples.labels}
        differ = [name for name in before if before[name] != now[name]]
        scores = _scores(version, metrics)
        answers = _answers(run, version, (folder / model_manifest.OUTCOMES_FILE).read_bytes())
        weights = {
            n: sha256_file(folder / n) == f["sha256"] for n, f in version.files.items() if n.endswith(WEIGHTS) and (folder / n).is_file()
        }
    verdict = _verdict(plan, scores, answers, differ)
    return Reproduction(str(version), verdict, plan.notes, plan.model.metric, plan.tolerance, scores, answers, differ, weights)


# ---- what it was made from -----------------------------------------------------------------------------------------


def _declared(run: Run, version: ModelVersion) -> tuple[Model, AnyCandidate, list[str]]:
    if found := model_manifest.declared_then(version):
        return *found, []
    if version.model not in run.project.models:
        raise ConfigurationError(
            f"the manifest of {version} is older than those that hold the model's settings, and the project has no model {version.model!r}",
            where=str(run.project.folder),
            hint="put the model's block back into project.yaml as it was then",
        )
    settings = {k: v for k, v in version.candidate.items() if k not in ("label", "parts")}
    try:
        candidate: AnyCandidate = TypeAdapter(Candidate).validate_python(settings)
    except ValidationError as error:
        raise ConfigurationError(
            f"{version} was made from settings that this Socle does not know: {error.errors()[0]['msg']}",
            where=f"the manifest of {version}",
            hint=f"take Socle {version.made['code']}, which made it",
        ) from None
    return run.project.models[version.model], candidate, ["its manifest does not hold the model's settings: today's project file is taken"]


def _base(run: Run, version: ModelVersion, settings: AnyCandidate) -> BaseModel | None:
    if not isinstance(settings, BaseModelCandidate):
        return None
    base = base_model(run, settings.model_copy(update={"sha256": None}))
    if base.sha256 != version.base_model.get("sha256"):
        raise ConfigurationError(
            f"{base.name!r} has other weights now: sha256 {base.sha256}, and {version} began with {version.base_model.get('sha256')}",
            where=str(base.folder),
            hint="bring that one back: socle base-model add keeps a copy in the lake",
        )
    return base


def _of_training(version: ModelVersion) -> list[str]:
    facts, notes = version.training, []
    if facts.get("stopped") in ("max_minutes", "max_kwh"):
        notes.append("it stopped when its budget was spent: where that falls depends on how fast the machine is")
    if facts.get("resumed_from"):
        notes.append(f"it was interrupted, and resumed from step {facts['resumed_from']}; now it is made in one go")
    if facts.get("out_of_memory"):
        notes.append("memory ran out then, and it went on with smaller batches")
    if facts.get("processes", 1) > 1:
        notes.append(f"{facts['processes']} processes trained it together; now it is one")
    return notes


def _of_environment(version: ModelVersion, model: Model, settings: AnyCandidate) -> list[str]:
    then, now = version.environment, model_manifest.environment(model.task, settings)
    if not then:
        return [f"its manifest says of code and libraries only: Socle {version.made['code']}, {version.made.get('libraries', '')}"]
    notes = model_manifest.changes_of_environment(then, now)
    return [f"{what} was {a or 'none'}, and is {b or 'none'}" for what, a, b in notes]


# ---- what came out -------------------------------------------------------------------------------------------------


def _scores(version: ModelVersion, metrics: dict[str, Any]) -> dict[str, dict[str, list[float | None]]]:
    def value(score: Any) -> float | None:
        return score["value"] if isinstance(score, dict) else None

    return {
        side: {name: [score["value"], value(metrics[side].get(name))] for name, score in version.scores(side).items()}
        for side in ("validation", "test")
    }


def _answers(run: Run, version: ModelVersion, made: bytes) -> dict[str, Any]:
    import polars as pl

    if model_manifest.OUTCOMES_FILE not in version.files:
        return {}
    then = pl.read_parquet(io.BytesIO(Models(run.lake, version.project, version.model).read_file(version, model_manifest.OUTCOMES_FILE)))
    return compare_answers(then, pl.read_parquet(io.BytesIO(made)))


def compare_answers(then: pl.DataFrame, now: pl.DataFrame) -> dict[str, Any]:
    """Of two files of answers to the test side: rows of both, only_then, only_now, same, largest_difference (of numbers that are no
    answers by themselves: confidences, losses), identical."""
    import polars as pl

    columns = [c for c in then.columns if c in now.columns and c != "order"]
    both = then.join(now, on="order", suffix="__now").sort("order")
    numbers = [c for c in columns if then.schema[c].is_float()]
    answers = [c for c in columns if c not in numbers] or numbers
    same = both.select(pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}__now")) for c in answers).sum()).item() if answers else len(both)
    gaps = [both.select((pl.col(c) - pl.col(f"{c}__now")).abs().max()).item() for c in numbers]
    identical = then.sort("order").equals(now.sort("order"), null_equal=True)
    return {
        "rows": len(both),
        "only_then": len(then) - len(both),
        "only_now": len(now) - len(both),
        "same": int(same),
        "largest_difference": max((float(g) for g in gaps if g is not None), default=0.0),
        "identical": identical,
    }


def _verdict(plan: ReproductionPlan, scores: dict[str, Any], answers: dict[str, Any], differ: list[str]) -> Verdict:
    if differ or answers.get("only_then") or answers.get("only_now"):
        return "different"
    equal = all(then == now for side in scores.values() for then, now in side.values())
    if equal and answers.get("identical", True):
        return "exact"
    pairs = [scores[side].get(plan.model.metric, [None, None]) for side in scores]
    close = all(then is not None and now is not None and abs(then - now) <= plan.tolerance + 1e-12 for then, now in pairs)
    return "within" if close else "different"
