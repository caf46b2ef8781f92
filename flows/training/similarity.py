"""Trains models of texts that mean the same: the TF-IDF baseline, and what makes sentence-transformers one of the common trainer's."""

from __future__ import annotations

from typing import Any

import torch

from flows.errors import Refused
from flows.models.similarity import SentenceEmbedder, TfidfEmbedder, sentence_transformer
from flows.models.tfidf import make_vectorizer
from flows.project import TfidfCandidate
from flows.training.base_models import loading_arguments
from flows.training.tasks.base import Job, Trained

COLUMNS = ("query", "answer", "negative")


def baseline(job: Job) -> Trained:
    candidate: TfidfCandidate = job.candidate
    frame = job.examples.read("train")
    texts = [text for name in COLUMNS if name in frame.columns for text in frame[name]]
    vectorizer = make_vectorizer(candidate.ngram_max, max_features=candidate.max_features, min_df=2 if len(texts) > 2000 else 1)
    try:
        vectorizer.fit(texts)
    except ValueError:  # its only cause here: no word at all
        raise Refused("the texts to train on hold no word", where=f"{len(texts)} texts of the training side") from None
    terms = len(vectorizer.vocabulary_)
    return Trained(TfidfEmbedder(vectorizer), terms, terms)


def as_it_is(job: Job) -> Trained:
    """The base model, not trained."""
    assert job.base is not None
    model = sentence_transformer(job.base.folder, loading_arguments(job.candidate), job.candidate.max_length)
    return Trained(SentenceEmbedder(model), sum(p.numel() for p in model.parameters()), 0)


class Pairs(torch.nn.Module):
    """A SentenceTransformer with the loss that pairs are trained with: of all answers in a batch, a query's own is the nearest
    (MultipleNegativesRankingLoss, Henderson et al. 2017).

    Its only part is the encoder, so that freezing and adapters work as for every other task.
    """

    model: Any
    loss: Any

    def __init__(self, model: Any) -> None:
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

        super().__init__()
        self.encoder = model[0].auto_model
        self.__dict__["model"], self.__dict__["loss"] = model, MultipleNegativesRankingLoss(model)  # not as parts: they share the encoder

    @property
    def config(self) -> Any:
        return self.encoder.config

    @property
    def base_model(self) -> Any:
        return self.encoder

    def forward(self, query: dict[str, Any], answer: dict[str, Any], negative: dict[str, Any] | None = None) -> dict[str, Any]:
        self.model.train(self.training)
        features = [dict(column) for column in (query, answer, negative) if column is not None]
        return {"loss": self.loss(features, None)}


class PairCollator:
    """Each column of a batch padded to its longest. An answer that comes twice in a batch would count as a wrong one for the other
    query: the later row waits for another epoch."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        distinct = list({tuple(row["answer"]): row for row in reversed(rows)}.values())[::-1]
        columns = [name for name in COLUMNS if name in distinct[0]]
        return {name: dict(self.tokenizer.pad({"input_ids": [r[name] for r in distinct]}, return_tensors="pt")) for name in columns}
