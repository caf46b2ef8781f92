"""A text gets one label, several labels, or one label of an order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
import polars as pl

from flows.errors import Refused
from flows.models import join_inputs
from flows.models.classes import Classes
from flows.project import AnyCandidate, FrozenCandidate, TextClassification, TfidfCandidate
from flows.training.evaluation import evaluate
from flows.training.examples import Examples
from flows.training.tasks.base import LEFT_OUT, Job, Trainer, TransformerTask


def task(model: Any) -> TextClassificationTask:
    return TextClassificationTask(model)


class TextClassificationTask(TransformerTask):
    """Examples: `text`, and `label`: a number, or a list of numbers for `answer: several`. Answers: probabilities, (rows, labels)."""

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

    def predict(self, predictor: Any, examples: pl.DataFrame) -> np.ndarray:
        return np.asarray(predictor.predict(examples["text"].to_list()))

    def evaluate(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        return evaluate(examples["label"].to_list(), answers, labels)

    def outcomes(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"truth": examples["label"], "predicted": answers.argmax(1), "confidence": answers.max(1)})

    def in_labels(self, answers: np.ndarray, found: list[str], wanted: list[str]) -> np.ndarray:
        """A label that the older model does not know has probability 0."""
        columns = np.zeros((len(answers), len(wanted)), dtype=np.float32)
        for index, label in enumerate(wanted):
            if label in found:
                columns[:, index] = answers[:, found.index(label)]
        return columns
