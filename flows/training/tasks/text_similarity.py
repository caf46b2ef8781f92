"""Texts that mean the same lie close together; measured by finding the answer of each query among all answers of its side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import polars as pl

from flows.project import AnyCandidate, PretrainedCandidate, TextSimilarity, TfidfCandidate
from flows.training.evaluation import paired, retrieval
from flows.training.evaluation.paired import Comparison
from flows.training.tasks.base import LEFT_OUT, Job, Trainer, TransformerTask


def task(model: Any) -> TextSimilarityTask:
    return TextSimilarityTask(model)


class TextSimilarityTask(TransformerTask):
    """Examples: `query`, `answer`, and `negative` where the model has it. Answers: for each example, the places of the right answers
    of its query among all answers and negatives of the side (1 is the first)."""

    model: TextSimilarity
    REASONS: ClassVar[dict[str, str]] = {"without_text": "sans texte ou sans réponse"}

    def examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        columns = {"query": self.model.query, "answer": self.model.answer} | (
            {"negative": self.model.negative} if self.model.negative else {}
        )
        found = rows.select(pl.col(column).cast(pl.String).alias(name) for name, column in columns.items())
        empty = pl.any_horizontal(pl.col(name).fill_null("").str.strip_chars() == "" for name in columns)
        return found.with_columns(pl.when(empty).then(pl.lit("without_text")).alias(LEFT_OUT))

    # -- training

    def trainer(self, candidate: AnyCandidate) -> Trainer:
        from flows.training import similarity

        if isinstance(candidate, TfidfCandidate):
            return similarity.baseline
        if isinstance(candidate, PretrainedCandidate):
            return similarity.as_it_is
        from flows.training import trainer

        return partial(trainer.train, self)

    def head(self, job: Job, arguments: dict[str, Any]) -> Any:
        from flows.models.similarity import sentence_transformer
        from flows.training.similarity import Pairs

        assert job.base is not None
        return Pairs(sentence_transformer(job.base.folder, arguments, job.candidate.max_length))

    def encode(self, job: Job, tokenizer: Any) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
        names = ["query", "answer", *(["negative"] if self.model.negative else [])]

        def encoded(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            ids = {n: tokenizer(batch[n], truncation=True, max_length=job.candidate.max_length)["input_ids"] for n in names}
            together = [[i for of in row for i in of] for row in zip(*ids.values(), strict=True)]
            return ids | {"input_ids": together}  # what a row costs, so that rows of similar cost share a batch

        return encoded

    def collator(self, job: Job, tokenizer: Any) -> Any:
        from flows.training.similarity import PairCollator

        return PairCollator(tokenizer)

    def predictor(self, job: Job, model: Any, tokenizer: Any) -> Any:
        from flows.models.similarity import SentenceEmbedder

        return SentenceEmbedder(model.model)

    # -- evaluation

    def predict(self, predictor: Any, examples: pl.DataFrame) -> list[np.ndarray]:
        texts = examples["answer"].to_list() + (examples["negative"].to_list() if "negative" in examples.columns else [])
        pool = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        right: dict[str, set[int]] = {}
        for query, answer in examples.select("query", "answer").iter_rows():
            right.setdefault(query, set()).add(pool[answer])
        places = retrieval.ranks(predictor.embed(list(right)), predictor.embed(list(pool)), [sorted(r) for r in right.values()])
        of_query = dict(zip(right, places, strict=True))
        return [of_query[query] for query in examples["query"]]

    def some(self, answers: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        return [answers[row] for row in rows]

    def evaluate(self, answers: list[np.ndarray], examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        return retrieval.evaluate(answers)

    def outcomes(self, answers: list[np.ndarray], examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"place": [int(places.min()) for places in answers]})

    def paired(self, challenger: list[np.ndarray], champion: list[np.ndarray], examples: pl.DataFrame, labels: list[str]) -> Comparison:
        metric = self.model.metric
        new, old = (retrieval.of_rows(places)[metric] for places in (challenger, champion))
        return paired.compare_rows(new, old, metric)
