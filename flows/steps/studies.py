"""Looks at a model's data by training on parts of it, when a person asks: would more rows help, and which labels look wrong. Nothing is
committed, and no version is read or made."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError, Refused
from flows.lake.datasets import Dataset, DatasetVersion
from flows.project import AnyCandidate, BaseModelCandidate, Model, TabularClassification, TextClassification
from flows.steps import Run
from flows.steps.finetune import no_dataset, prepare_examples, train_candidate
from flows.steps.plan import ModelPlan, base_model, require_bucket
from flows.training.examples import Examples
from flows.training.split import SAMPLE_SALT, SIDES, unit_hash
from flows.training.tasks import task_of

if TYPE_CHECKING:
    import polars as pl

SHOWN_TEXT = 300  # characters of a row's text


@dataclass(frozen=True)
class LearningCurve:
    model: str
    dataset: str
    candidate: str
    metric: str
    higher_is_better: bool
    rows: int
    """Of the training side."""
    points: list[dict[str, Any]]
    """rows, share, and the metric: value, low and high (None where it could not be trained), on the validation side."""
    gain: float | None
    """What the last step added to the metric."""


@dataclass(frozen=True)
class Suspect:
    key: dict[str, Any]
    given: str
    suggested: str
    margin: float
    """Probability of the suggested label less that of the given one."""
    text: str | None
    """None: the dataset may hold personal data, or the row is of a table."""


@dataclass(frozen=True)
class LabelProblems:
    model: str
    dataset: str
    candidate: str
    rows: int
    suspects: list[Suspect]
    """The surest first."""
    pairs: list[dict[str, Any]]
    """given, suggested, rows: the most frequent first."""


def learning_curve(run: Run, name: str, label: str | None = None) -> LearningCurve:
    """Train one candidate (the cheap baseline unless `label` names another one) on 10, 25, 50 and 100 % of the training side.

    Raises: ConfigurationError if there is no such model or candidate; NotFound if the dataset has no version.
    """
    from flows.training.evaluation import learning_curve as curve

    model, version, examples = _prepared(run, name)
    title, settings = _candidate(model, label)
    task, folder = task_of(model), run.work / "curve"
    base = base_model(run, settings) if isinstance(settings, BaseModelCandidate) else None

    def train_and_score(rows: int) -> dict[str, Any]:
        part = _part(examples, folder / f"rows-{rows}", examples.read("train", rows), examples.read("validation"))
        try:
            task.check(part)
            trained, _ = train_candidate(run, task, settings, base, part, folder / f"model-{rows}")
        except Refused:  # so few rows say nothing
            return {model.metric: {"value": None, "low": None, "high": None}}
        validation = part.read("validation")
        scores = task.evaluate(task.predict(trained.predictor, validation), validation, part.labels)
        _forget(run, folder / f"rows-{rows}", folder / f"model-{rows}")
        return scores

    there = examples.rows["train"]
    most = min(there, getattr(settings, "max_rows", None) or there)
    found = curve.learning_curve(most, train_and_score, model.metric)
    points = [{"rows": p["rows"], "share": p["share"], **_ends(p[model.metric])} for p in found["points"]]
    return LearningCurve(name, str(version), title, model.metric, model.higher_is_better, most, points, found["gain"])


def label_problems(run: Run, name: str) -> LabelProblems:
    """Rows whose label the cheap baseline, trained without them (five folds of all rows), takes for another one.

    Raises: ConfigurationError if the model does not give a row one label; NotFound if the dataset has no version.
    """
    import polars as pl

    from flows.training.evaluation import label_problems as problems

    if name in run.project.models:
        require_one_label(run.project.models[name])
    model, version, examples = _prepared(run, name)
    task, folder = task_of(model), run.work / "labels"
    title, settings = _candidate(model, None)
    rows = pl.concat([examples.read(side) for side in SIDES])

    def fit_predict(train: Any, out: Any) -> Any:
        part = _part(examples, folder / "rows", rows[train], rows[out])
        trained, _ = train_candidate(run, task, settings, None, part, folder / "model")
        answers = task.predict(trained.predictor, rows[out])
        _forget(run, folder)
        return answers

    truth = rows["label"].to_numpy()
    probabilities = problems.cross_validated(truth, len(examples.labels), fit_predict)
    found = problems.find(truth, probabilities, examples.labels, most=len(truth))
    keys = _keys(run, model, version, rows["order"])
    dataset = run.project.datasets[model.dataset]
    texts = rows["text"] if dataset.personal_data == "none" and "text" in rows.columns else None

    def suspect(entry: dict[str, Any]) -> Suspect:
        row = entry["row"]
        text = None if texts is None else " ".join(texts[row].split())[:SHOWN_TEXT]
        return Suspect(keys[row], entry["given"], entry["suggested"], entry["margin"], text)

    return LabelProblems(name, str(version), title, len(rows), [suspect(e) for e in found["listed"]], found["pairs"])


def _prepared(run: Run, name: str) -> tuple[Model, DatasetVersion, Examples]:
    require_bucket(run)
    if name not in run.project.models:
        there = ", ".join(run.project.models) or "none"
        raise ConfigurationError(f"project {run.project.name} has no model {name!r}", where=f"models there: {there}")
    model = run.project.models[name]
    version = Dataset(run.lake, run.project.name, model.dataset).latest()
    if version is None:
        raise no_dataset(run, name)
    return model, version, prepare_examples(run, ModelPlan(name, "train", [], dataset=version))


def _candidate(model: Model, label: str | None) -> tuple[str, AnyCandidate]:
    """(its label, its settings as declared). A copy: the one that is declared for a search would be searched."""
    if label is not None and label not in model.labels:
        raise ConfigurationError(f"no candidate {label!r}", where=f"candidates there: {', '.join(model.labels)}")
    index = 0 if label is None else model.labels.index(label)
    return model.labels[index], model.all_candidates[index].model_copy()


def require_one_label(model: Model) -> None:
    """Raises: ConfigurationError."""
    one = isinstance(model, TextClassification) and model.answer != "several"
    if not one and not isinstance(model, TabularClassification):
        raise ConfigurationError(
            f"labels are only looked at where a row has one of several: {model.title!r} is {model.task}",
            hint="a model of text-classification (not answer: several) or tabular-classification",
        )


def _part(examples: Examples, folder: Path, train: pl.DataFrame, validation: pl.DataFrame) -> Examples:
    """Examples without a test side."""
    folder.mkdir(parents=True)
    part = replace(examples, folder=folder, rows={"train": len(train), "validation": len(validation), "test": 0})
    train.write_parquet(part.path("train"))
    validation.write_parquet(part.path("validation"))
    return part


def _forget(run: Run, *folders: Path) -> None:
    """Of one training, so that the next one finds its own folders empty."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(run.work / "training" / folder.relative_to(run.work), ignore_errors=True)


def _ends(score: dict[str, Any]) -> dict[str, float | None]:
    return {end: score.get(end) for end in ("value", "low", "high")}


def _keys(run: Run, model: Model, version: DatasetVersion, order: pl.Series) -> list[dict[str, Any]]:
    """The key of each row, by the number that examples have in its place."""
    key, table = run.project.datasets[model.dataset].key, Dataset(run.lake, run.project.name, model.dataset)
    with table.reading():
        rows = table.scan(version.number).select(key).collect()
    by_order = {unit_hash(SAMPLE_SALT, list(values)): dict(zip(key, values, strict=True)) for values in rows.iter_rows()}
    return [by_order[number] for number in order]
