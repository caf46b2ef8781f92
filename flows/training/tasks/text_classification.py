"""A text gets one label, several labels, or one label of an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import polars as pl

from flows.errors import Refused
from flows.models import join_inputs
from flows.models.classes import Classes
from flows.project import AnyCandidate, FrozenCandidate, TextClassification, TfidfCandidate
from flows.training.evaluation import calibration, classification, errors, label_problems, multilabel, ordered, paired, thresholds
from flows.training.evaluation.paired import Comparison
from flows.training.examples import Examples
from flows.training.tasks.base import LEFT_OUT, Job, Seen, Trainer, TransformerTask

PROMISED = 0.9  # how often answers should be right where the model gives one by itself: the threshold for it is in the card


def task(model: Any) -> TextClassificationTask:
    return TextClassificationTask(model)


@dataclass(frozen=True)
class Several:
    """Answers where a text may have several labels: what is given depends on the thresholds of the model that was asked."""

    probabilities: np.ndarray
    """(rows, labels)"""
    thresholds: np.ndarray
    """(labels,)"""

    @property
    def given(self) -> np.ndarray:
        return np.asarray(self.probabilities >= self.thresholds)


class TextClassificationTask(TransformerTask):
    """Examples: `text`, and `label`: a number, or a list of numbers for `answer: several`. Answers: probabilities, (rows, labels); for
    several labels, `Several`."""

    model: TextClassification
    REASONS: ClassVar[dict[str, str]] = {
        "without_label": "sans étiquette",
        "without_text": "sans texte",
        "unknown_label": "d'une étiquette qui n'est pas dans l'ordre déclaré",
    }

    @property
    def several(self) -> bool:
        return self.model.answer == "several"

    def examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        inputs = rows.select(pl.col(self.model.inputs).cast(pl.String))
        name = rows.select(pl.col(self.model.label).cast(pl.String))[self.model.label].rename("label")
        found = pl.DataFrame([pl.Series("text", [join_inputs(v) for v in inputs.iter_rows()], dtype=pl.String), name])
        unlabelled = pl.col("label").is_null()
        if self.several:
            split = pl.col("label").str.split(self.model.separator).list.eval(pl.element().str.strip_chars())
            found = found.with_columns(label=split.list.eval(pl.element().filter(pl.element() != "")).list.unique().list.sort())
            unlabelled = pl.col("label").list.len().fill_null(0) == 0
        unknown = ~pl.col("label").is_in(self.model.order) if self.model.answer == "ordered" else pl.lit(False)
        reasons = {"without_label": unlabelled, "without_text": pl.col("text").str.strip_chars() == "", "unknown_label": unknown}
        return found.with_columns(pl.coalesce(pl.when(is_so).then(pl.lit(why)) for why, is_so in reasons.items()).alias(LEFT_OUT))

    def labels(self, examples: pl.DataFrame) -> list[str]:
        if self.model.answer == "ordered":
            return list(self.model.order)
        names = examples["label"].explode() if self.several else examples["label"]
        return sorted(names.drop_nulls().unique().to_list())

    def numbered(self, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        numbers = {label: number for number, label in enumerate(labels)}
        if self.several:
            return examples.with_columns(label=pl.col("label").list.eval(pl.element().replace_strict(numbers, return_dtype=pl.Int64)))
        return examples.with_columns(label=pl.col("label").replace_strict(numbers, return_dtype=pl.Int64))

    def check(self, examples: Examples) -> None:
        labels = pl.scan_parquet(examples.path("train")).select(pl.col("label").explode() if self.several else "label")
        trained = labels.collect()["label"].unique().to_list()
        if len(examples.labels) < 2 or len(trained) < 2:
            raise Refused(
                f"there is nothing to tell apart: the label {self.model.label!r} has fewer than two values to train on "
                f"({', '.join(examples.labels[i] for i in trained) or 'none'})",
                where=f"dataset {self.model.dataset}, column {self.model.label}",
            )

    # -- training

    def trainer(self, candidate: AnyCandidate) -> Trainer:
        if isinstance(candidate, TfidfCandidate):
            from flows.training import baseline

            return partial(baseline.train, several=self.several)
        if isinstance(candidate, FrozenCandidate):
            from flows.training import frozen

            return partial(frozen.train, several=self.several)
        from flows.training import trainer

        return partial(trainer.train, self)

    def head(self, job: Job, arguments: dict[str, Any]) -> Any:
        from transformers import AutoModelForSequenceClassification

        labels = job.examples.labels
        assert job.base is not None
        return AutoModelForSequenceClassification.from_pretrained(
            job.base.folder,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: i for i, label in enumerate(labels)},
            problem_type="multi_label_classification" if self.several else "single_label_classification",
            ignore_mismatched_sizes=True,  # a model that knew other labels gets a new head
            **arguments,
        )

    def encode(self, job: Job, tokenizer: Any) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
        def encoded(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            tokens = tokenizer(batch["text"], truncation=True, max_length=job.candidate.max_length)
            return {**tokens, "labels": self._targets(batch["label"], len(job.examples.labels))}

        return encoded

    def _targets(self, labels: list[Any], count: int) -> list[Any]:
        """Numbers; for several labels, a row of 0.0 and 1.0, as the loss of transformers wants it."""
        return [[float(i in has) for i in range(count)] for has in labels] if self.several else labels

    def collator(self, job: Job, tokenizer: Any) -> Any:
        from transformers import DataCollatorWithPadding

        return DataCollatorWithPadding(tokenizer)

    def predictor(self, job: Job, model: Any, tokenizer: Any) -> Any:
        from flows.models.transformer import TransformerPredictor

        return TransformerPredictor(model, tokenizer, Classes(job.examples.labels, self.several), job.candidate.max_length)

    # -- evaluation

    def predict(self, predictor: Any, examples: pl.DataFrame) -> Any:
        probabilities = np.asarray(predictor.predict(examples["text"].to_list()))
        return Several(probabilities, predictor.classes.cuts) if self.several else probabilities

    def evaluate(self, answers: Any, examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        truth = self._truth(examples, len(labels))
        if self.several:
            return multilabel.evaluate(truth, answers.probabilities, labels, answers.thresholds)
        scored: dict[str, Any] = (ordered if self.model.answer == "ordered" else classification).evaluate(truth, answers, labels)
        return scored

    def fit_to_validation(self, predictor: Any, examples: Examples) -> dict[str, Any]:
        return self.fit_and_predict(predictor, examples)[0]

    def fit_and_predict(self, predictor: Any, examples: Examples) -> tuple[dict[str, Any], Any]:
        """A temperature, so that a probability says how often the model is right; for several labels, each label's threshold, too."""
        classes: Classes = predictor.classes
        rows = examples.read("validation")
        truth, scores = self._truth(rows, len(classes.labels)), predictor.scores(rows["text"].to_list())
        classes.temperature = calibration.fit_temperature(truth, classes.probabilities(scores))
        probabilities = classes.probabilities(scores)
        if not self.several:
            return {"temperature": classes.temperature}, probabilities
        classes.thresholds = [float(t) for t in multilabel.choose_thresholds(truth, probabilities)]
        return {"temperature": classes.temperature, "thresholds": classes.thresholds}, Several(probabilities, classes.cuts)

    def _truth(self, examples: pl.DataFrame, labels: int) -> np.ndarray:
        """Label numbers, (rows,); for several labels 0 or 1, (rows, labels)."""
        if not self.several:
            return examples["label"].to_numpy()
        truth = np.zeros((len(examples), labels), dtype=np.int8)
        numbers = examples.select(row=pl.int_range(pl.len()), label=pl.col("label")).explode("label")
        truth[numbers["row"].to_numpy(), numbers["label"].to_numpy()] = 1
        return truth

    def some(self, answers: Any, rows: np.ndarray) -> Any:
        return Several(answers.probabilities[rows], answers.thresholds) if self.several else answers[rows]

    def outcomes(self, answers: Any, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        truth = examples["label"].rename("truth")
        if self.several:
            given = [np.flatnonzero(row).tolist() for row in answers.given]
            return pl.DataFrame([truth, pl.Series("predicted", given, dtype=pl.List(pl.Int64))])
        return pl.DataFrame([truth, pl.Series("predicted", answers.argmax(1), dtype=pl.Int64), pl.Series("confidence", answers.max(1))])

    def paired(self, challenger: Any, champion: Any, examples: pl.DataFrame, labels: list[str]) -> Comparison:
        truth, metric = self._truth(examples, len(labels)), self.model.metric
        if self.several:
            new, old = multilabel.sums(truth, challenger.given), multilabel.sums(truth, champion.given)
            return paired.compare_sums(new, old, multilabel.scores, metric)
        scores = (ordered if self.model.answer == "ordered" else classification).scores
        return paired.compare(truth, challenger.argmax(1), champion.argmax(1), len(labels), metric=metric, scores=scores)

    def report(self, seen: Seen) -> dict[str, Any]:
        truth = {side: self._truth(rows, len(seen.labels)) for side, rows in seen.examples.items()}
        if self.several:
            return {"calibration": calibration.measure(truth["test"], seen.answers["test"].probabilities)}
        rows, answers, texts = seen.examples["test"], seen.answers["test"], seen.examples["test"]["text"]
        return {
            "calibration": calibration.measure(truth["test"], answers),
            "thresholds": thresholds.promise((truth["validation"], seen.answers["validation"]), (truth["test"], answers), PROMISED),
            "errors": _named(
                errors.sample(truth["test"], answers, seen.labels, lambda row: str(texts[row]), personal_data=seen.personal_data), rows
            ),
            "label_problems": _named(label_problems.find(truth["test"], answers, seen.labels), rows),
        }

    def in_labels(self, answers: Any, found: list[str], wanted: list[str]) -> Any:
        """A label that the older model does not know has probability 0."""
        if self.several:
            cuts = [answers.thresholds[found.index(label)] if label in found else 1.0 for label in wanted]
            return Several(_columns(answers.probabilities, found, wanted), np.array(cuts))
        return _columns(answers, found, wanted)


def _columns(probabilities: np.ndarray, found: list[str], wanted: list[str]) -> np.ndarray:
    columns = np.zeros((len(probabilities), len(wanted)), dtype=np.float32)
    for index, label in enumerate(wanted):
        if label in found:
            columns[:, index] = probabilities[:, found.index(label)]
    return columns


def _named(found: dict[str, Any], rows: pl.DataFrame) -> dict[str, Any]:
    """Rows get the name by which they are found again in `test.parquet`, in place of their number."""
    for entries in found.values():
        for entry in entries if isinstance(entries, list) else ():
            if "row" in entry:
                entry["order"] = float(rows["order"][entry.pop("row")])
    return found
