"""The cheap baseline: TF-IDF and logistic regression."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from flows.errors import Refused
from flows.models.tfidf import TfidfPredictor, make_vectorizer
from flows.project import TfidfCandidate
from flows.training.examples import Examples

ITERATIONS = 200


def train(candidate: TfidfCandidate, examples: Examples, folder: Path) -> tuple[TfidfPredictor, int]:
    """Train, and write the model's files to `folder`. Returns: (predictor, number of parameters)."""
    texts, truth = examples.read("train")
    vectorizer = make_vectorizer(candidate.ngram_max, max_features=candidate.max_features, min_df=2 if len(texts) > 1000 else 1)
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError:  # its only cause here: no word at all
        raise Refused("the texts to train on hold no word", where=f"{len(texts)} texts of the training side") from None
    classifier = LogisticRegression(C=candidate.c, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 200 iterations the scores no longer move
        classifier.fit(features, truth)
    coef, intercept = _for_every_label(classifier, len(examples.labels))
    predictor = TfidfPredictor(vectorizer, coef, intercept, examples.labels)
    folder.mkdir(parents=True, exist_ok=True)
    predictor.save(folder, candidate.ngram_max)
    return predictor, int(coef.size + intercept.size)


def _for_every_label(classifier: LogisticRegression, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """One row a label: scikit-learn has a single row for two classes, and none for labels that training never saw."""
    coef, intercept = classifier.coef_, classifier.intercept_
    if len(classifier.classes_) == 2:
        coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([[0.0], intercept])
    full = np.zeros((labels, coef.shape[1]), dtype=np.float32)
    bias = np.full(labels, -1e9, dtype=np.float32)
    full[classifier.classes_], bias[classifier.classes_] = coef, intercept
    return full, bias
