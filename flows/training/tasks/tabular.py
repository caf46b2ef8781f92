"""A row of a table gets a label, or a number."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar

import numpy as np
import polars as pl

from flows.errors import ConfigurationError, Refused
from flows.project import AnyCandidate, LinearCandidate, TabularClassification, TabularRegression
from flows.training import importance
from flows.training.evaluation import calibration, classification, paired, ranking, regression, thresholds
from flows.training.evaluation.paired import Comparison
from flows.training.evaluation.score_table import ScoreTable, areas
from flows.training.examples import Examples
from flows.training.tables import INPUT, inputs_of
from flows.training.tasks import tabular_card
from flows.training.tasks.base import LEFT_OUT, Seen, Task, Trainer

FEWEST = 100  # rows of the validation side from which on a temperature is fitted


def task(model: Any) -> Task:
    return TabularRegressionTask(model) if isinstance(model, TabularRegression) else TabularClassificationTask(model)


class TabularTask(Task):
    """Examples: `input.<name>` in the types of the dataset, and `label`."""

    model: TabularClassification | TabularRegression

    def examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        label, left_out = self._label(rows[self.model.label])
        return rows.select(pl.col(name).alias(INPUT + name) for name in self.model.inputs).with_columns(
            label.alias("label"), left_out.alias(LEFT_OUT)
        )

    @abstractmethod
    def _label(self, column: pl.Series) -> tuple[pl.Series, pl.Series]:
        """(what is learned, why a row is left out or null)."""

    def trainer(self, candidate: AnyCandidate) -> Trainer:
        from flows.training import tables

        kind = tables.linear if isinstance(candidate, LinearCandidate) else tables.boosting
        return partial(kind, texts=self.model.texts, **self._settings(candidate))

    @abstractmethod
    def _settings(self, candidate: AnyCandidate) -> dict[str, Any]:
        """Further arguments of the trainer."""

    def predict(self, predictor: Any, examples: pl.DataFrame) -> np.ndarray:
        return np.asarray(predictor.predict(inputs_of(examples)))

    def fit_to_validation(self, predictor: Any, examples: Examples) -> dict[str, Any]:
        rows = examples.read("validation")
        truth = rows["label"].to_numpy()

        def score(table: pl.DataFrame, kept: np.ndarray) -> float:
            return self._worth(truth[kept], predictor.predict(table), examples.labels)

        return {"importance": importance.permutation(inputs_of(rows), score) | {"metric": self.model.metric}}

    @abstractmethod
    def _worth(self, truth: np.ndarray, answers: np.ndarray, labels: list[str]) -> float:
        """The model's metric as a number that is higher for better answers."""

    def card(self, manifest: dict[str, Any], language: str) -> str:
        return tabular_card.section(manifest, language, self.model.label)


class TabularClassificationTask(TabularTask):
    """`label`: a number. Answers: probabilities, (rows, labels)."""

    model: TabularClassification
    REASONS: ClassVar[dict[str, str]] = {"without_label": "sans étiquette"}

    def _label(self, column: pl.Series) -> tuple[pl.Series, pl.Series]:
        label = column.cast(pl.String)
        return label, (label.is_null() | (label == "")).replace_strict({True: "without_label"}, default=None, return_dtype=pl.String)

    def labels(self, examples: pl.DataFrame) -> list[str]:
        return sorted(examples["label"].drop_nulls().unique().to_list())

    def numbered(self, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        numbers = {label: number for number, label in enumerate(labels)}
        return examples.with_columns(label=pl.col("label").replace_strict(numbers, return_dtype=pl.Int64))

    def check(self, examples: Examples) -> None:
        where, labels = f"dataset {self.model.dataset}, column {self.model.label}", examples.labels
        trained = pl.scan_parquet(examples.path("train")).select("label").unique().collect()["label"].to_list()
        if len(trained) < 2:
            known = ", ".join(labels[i] for i in trained) or "none"
            raise Refused(f"there is nothing to tell apart: fewer than two labels to train on ({known})", where=where)
        if self.model.positive is not None and (len(labels) != 2 or self.model.positive not in labels):
            raise Refused(
                f"positive: {self.model.positive!r} is not one of two labels: there are {len(labels)} ({', '.join(labels[:10])})",
                where=where,
                hint="a ranking needs two labels; `positive` is the one that is looked for",
            )

    def _settings(self, candidate: AnyCandidate) -> dict[str, Any]:
        return {"regression": False}

    def evaluate(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        """Also `ranking`, if there is a label to rank by: how many of it are among the first 1, 5 and 10 %."""
        truth, positive = examples["label"].to_numpy(), self.model.positive
        found = classification.evaluate(truth, answers, labels, positive=positive)
        if positive is not None:
            found["ranking"] = ranking.evaluate(*self._ranked(truth, answers, labels))
        return found

    def _ranked(self, truth: np.ndarray, answers: np.ndarray, labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(0 or 1, the probability of `positive`), (rows,) each."""
        place = labels.index(self.model.positive) if self.model.positive is not None else len(labels) - 1
        return (truth == place).astype(np.int8), answers[:, place]

    def _worth(self, truth: np.ndarray, answers: np.ndarray, labels: list[str]) -> float:
        metric = self.model.metric
        if metric in ("roc_auc", "average_precision"):
            table = ScoreTable.of(*(a.astype(t) for a, t in zip(self._ranked(truth, answers, labels), (bool, float), strict=True)))
            return float(areas(table.positives, table.negatives)[metric])
        return float(classification.scores(classification.confusion(truth, answers.argmax(1), len(labels)))[metric])

    def outcomes(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        """With `positive`, its probability: what rows are ranked by."""
        found = pl.DataFrame({"truth": examples["label"], "predicted": answers.argmax(1), "confidence": answers.max(1)})
        if self.model.positive is None:
            return found
        return found.with_columns(probability=pl.Series(answers[:, labels.index(self.model.positive)]))

    def fit_to_validation(self, predictor: Any, examples: Examples) -> dict[str, Any]:
        """A temperature, so that a probability says how often the model is right; and what counts most."""
        rows, classes = examples.read("validation"), predictor.classes
        if len(rows) >= FEWEST:
            classes.temperature = calibration.fit_temperature(rows["label"].to_numpy(), self.predict(predictor, rows))
        return {"temperature": classes.temperature} | super().fit_to_validation(predictor, examples)

    def report(self, seen: Seen) -> dict[str, Any]:
        truth, answers = seen.examples["test"]["label"].to_numpy(), seen.answers["test"]
        found: dict[str, Any] = {"calibration": calibration.measure(truth, answers)}
        if self.model.positive is not None:
            found["decisions"] = thresholds.decisions(*self._ranked(truth, answers, seen.labels))
        return found

    def paired(self, challenger: np.ndarray, champion: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> Comparison:
        truth, metric = examples["label"].to_numpy(), self.model.metric
        if metric in ("roc_auc", "average_precision"):
            (positive, left), (_, right) = (self._ranked(truth, answers, labels) for answers in (challenger, champion))
            return paired.compare_rankings(positive, left, right, metric)
        return paired.compare(truth, challenger, champion, len(labels), metric=metric)

    def in_labels(self, answers: np.ndarray, found: list[str], wanted: list[str]) -> np.ndarray:
        """A label that the older model does not know has probability 0."""
        columns = [answers[:, found.index(label)] if label in found else np.zeros(len(answers), dtype=answers.dtype) for label in wanted]
        return np.column_stack(columns)


class TabularRegressionTask(TabularTask):
    """`label`: a float. Answers: floats, (rows,)."""

    model: TabularRegression
    REASONS: ClassVar[dict[str, str]] = {"without_label": "sans valeur à prévoir", "not_finite": "dont la valeur à prévoir est infinie"}

    def _label(self, column: pl.Series) -> tuple[pl.Series, pl.Series]:
        if not column.dtype.is_numeric():
            raise ConfigurationError(
                f"label: {self.model.label!r} is {column.dtype}, not a number",
                where=f"dataset {self.model.dataset}, column {self.model.label}",
                hint="declare the column as integer or number, or take task: tabular-classification",
            )
        label = column.cast(pl.Float64)
        finite = label.is_finite()
        why = pl.when(finite.is_null() | label.is_nan()).then(pl.lit("without_label")).when(~finite).then(pl.lit("not_finite"))
        return label, pl.select(why)["literal"]

    def _settings(self, candidate: AnyCandidate) -> dict[str, Any]:
        """Boosting goes by what the model is judged by: absolute errors, or squared ones. The linear model by squared ones."""
        if isinstance(candidate, LinearCandidate):
            return {"regression": True}
        return {"regression": True, "loss": "absolute_error" if self.model.metric == "mae" else "squared_error"}

    def evaluate(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        return regression.evaluate(examples["label"].to_numpy(), answers)

    def _worth(self, truth: np.ndarray, answers: np.ndarray, labels: list[str]) -> float:
        value = float(regression.statistic(regression.sums(truth, answers).sum(0, keepdims=True))[self.model.metric][0])
        return value if self.model.higher_is_better else -value

    def outcomes(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"truth": examples["label"], "predicted": answers})

    def paired(self, challenger: np.ndarray, champion: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> Comparison:
        truth = examples["label"].to_numpy()
        left, right = (regression.sums(truth, answers) for answers in (challenger, champion))
        return paired.compare_sums(left, right, regression.statistic, self.model.metric)
