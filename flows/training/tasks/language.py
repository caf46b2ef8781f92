"""What the two tasks of language models have in common: scores of predicted words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from flows.errors import Refused
from flows.project import AnyCandidate, PretrainedCandidate
from flows.training.evaluation import paired
from flows.training.evaluation.intervals import Sums, portions, ratio
from flows.training.evaluation.paired import Comparison
from flows.training.examples import Examples
from flows.training.tasks.base import Trainer, TransformerTask


class LanguageTask(TransformerTask):
    """Answers: float64 (rows, 3), see LanguagePredictor. A metric is a mean over tokens; its interval is of rows."""

    ACCURACY: str
    """Name of the share of tokens that are predicted right."""

    def check(self, examples: Examples) -> None:
        if not examples.rows["train"]:
            raise Refused("there is no text to train on", where=f"dataset {self.model.dataset}")

    def trainer(self, candidate: AnyCandidate) -> Trainer:
        if isinstance(candidate, PretrainedCandidate):
            from flows.training import pretrained

            return partial(pretrained.train, self)
        from flows.training import trainer

        return partial(trainer.train, self)

    def scores(self, sums: np.ndarray) -> Mapping[str, np.ndarray]:
        """Of sums over rows, (m, 3)."""
        return {"perplexity": np.exp(ratio(sums[:, 0], sums[:, 1])), self.ACCURACY: ratio(sums[:, 2], sums[:, 1])}

    def evaluate(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        if not len(answers) or not answers[:, 1].sum():
            raise Refused("there is no word to predict", where=f"dataset {self.model.dataset}", hint="look at the sizes of the sides")
        sums = Sums(len(answers), 3)
        for part in portions(len(answers)):
            sums.add(answers[part])
        return {"rows": len(answers), "tokens": int(answers[:, 1].sum())} | sums.intervals(self.scores)

    def outcomes(self, answers: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        return pl.DataFrame(dict(zip(("loss", "tokens", "right"), answers.T, strict=True)))

    def paired(self, challenger: np.ndarray, champion: np.ndarray, examples: pl.DataFrame, labels: list[str]) -> Comparison:
        return paired.compare_sums(challenger, champion, self.scores, self.model.metric)
