"""TF-IDF and logistic regression, stored as plain arrays: nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer

from flows.models import DESCRIPTION

WEIGHTS, VOCABULARY = "model.safetensors", "vocabulary.json"


def make_vectorizer(ngram_max: int, **settings: Any) -> TfidfVectorizer:
    """One place for how texts become features, at training and at prediction."""
    return TfidfVectorizer(lowercase=True, strip_accents=None, sublinear_tf=True, dtype=np.float32, ngram_range=(1, ngram_max), **settings)


class TfidfPredictor:
    def __init__(self, vectorizer: TfidfVectorizer, coef: np.ndarray, intercept: np.ndarray, labels: list[str]) -> None:
        self.vectorizer, self.coef, self.intercept, self.labels = vectorizer, coef, intercept, labels

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        scores = np.asarray(self.vectorizer.transform(texts) @ self.coef.T) + self.intercept
        return np.asarray(softmax(scores, axis=1), dtype=np.float32)

    def save(self, folder: Path, ngram_max: int) -> None:
        arrays = {"idf": self.vectorizer.idf_, "coef": self.coef, "intercept": self.intercept}
        save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in arrays.items()}, folder / WEIGHTS)
        terms = [term for term, _ in sorted(self.vectorizer.vocabulary_.items(), key=lambda item: item[1])]
        (folder / VOCABULARY).write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
        description = {"kind": "tfidf", "labels": self.labels, "ngram_max": ngram_max}
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> TfidfPredictor:
        terms = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        arrays = load_file(folder / WEIGHTS)
        vectorizer = make_vectorizer(description["ngram_max"], vocabulary={t: i for i, t in enumerate(terms)})
        vectorizer.idf_ = arrays["idf"]
        return cls(vectorizer, arrays["coef"], arrays["intercept"], description["labels"])
