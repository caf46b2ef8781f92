"""TF-IDF and logistic regression, stored as plain arrays: nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer

from flows.models import DESCRIPTION
from flows.models.classes import Classes

WEIGHTS, VOCABULARY = "model.safetensors", "vocabulary.json"
BATCH = 10_000  # texts whose scores are in memory at once


def make_vectorizer(ngram_max: int, **settings: Any) -> TfidfVectorizer:
    """One place for how texts become features, at training and at prediction."""
    return TfidfVectorizer(lowercase=True, strip_accents=None, sublinear_tf=True, dtype=np.float32, ngram_range=(1, ngram_max), **settings)


def save_vectorizer(vectorizer: TfidfVectorizer, folder: Path, **arrays: np.ndarray) -> dict[str, Any]:
    """Its words and weights, and `arrays` beside these. Returns what load_vectorizer() needs of the description."""
    arrays["idf"] = vectorizer.idf_
    save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in arrays.items()}, folder / WEIGHTS)
    terms = [term for term, _ in sorted(vectorizer.vocabulary_.items(), key=lambda item: item[1])]
    (folder / VOCABULARY).write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
    return {"ngram_max": vectorizer.ngram_range[1]}


def load_vectorizer(folder: Path, description: dict[str, Any]) -> tuple[TfidfVectorizer, dict[str, np.ndarray]]:
    """(the vectorizer, all arrays)."""
    terms = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    arrays = load_file(folder / WEIGHTS)
    vectorizer = make_vectorizer(description["ngram_max"], vocabulary={t: i for i, t in enumerate(terms)})
    vectorizer.idf_ = arrays["idf"]
    return vectorizer, arrays


class TfidfPredictor:
    def __init__(self, vectorizer: TfidfVectorizer, coef: np.ndarray, intercept: np.ndarray, classes: Classes) -> None:
        self.vectorizer, self.coef, self.intercept, self.classes = vectorizer, coef, intercept, classes

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Logits, (rows, labels)."""
        found = np.empty((len(texts), len(self.classes.labels)), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            features = self.vectorizer.transform(texts[start : start + BATCH])
            found[start : start + BATCH] = np.asarray(features @ self.coef.T) + self.intercept
        return found

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return self.classes.probabilities(self.scores(texts))

    def save(self, folder: Path) -> None:
        words = save_vectorizer(self.vectorizer, folder, coef=self.coef, intercept=self.intercept)
        description = {"kind": "tfidf", **words, **self.classes.to_dict()}
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> TfidfPredictor:
        vectorizer, arrays = load_vectorizer(folder, description)
        return cls(vectorizer, arrays["coef"], arrays["intercept"], Classes.from_dict(description))
