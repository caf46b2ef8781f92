"""The cheap baseline of texts: TF-IDF and logistic regression."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from flows.errors import Refused
from flows.models.classes import Classes
from flows.models.tfidf import TfidfPredictor, make_vectorizer
from flows.project import TfidfCandidate
from flows.training.tasks.base import Job, Trained

ITERATIONS = 200
NEVER = -1e9  # score of a label that training never saw


def train(job: Job, several: bool = False) -> Trained:
    """`several`: examples have lists of labels, and each label has a regression of its own.

    Raises: Refused if the texts hold no word.
    """
    candidate: TfidfCandidate = job.candidate
    frame = job.examples.read("train")
    texts = frame["text"].to_list()
    vectorizer = make_vectorizer(candidate.ngram_max, max_features=candidate.max_features, min_df=2 if len(texts) > 1000 else 1)
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError:  # its only cause here: no word at all
        raise Refused("the texts to train on hold no word", where=f"{len(texts)} texts of the training side") from None
    labels = job.examples.labels
    coef, intercept = (_each_label if several else _one_label)(candidate, features, frame["label"], len(labels))
    predictor = TfidfPredictor(vectorizer, coef, intercept, Classes(labels, several))
    parameters = int(coef.size + intercept.size)
    return Trained(predictor, parameters, parameters)


def _one_label(candidate: TfidfCandidate, features: object, truth: pl.Series, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """One row a label: scikit-learn has a single row for two classes, and none for labels that training never saw."""
    classifier = _fit(candidate, features, truth.to_numpy())
    coef, intercept = classifier.coef_, classifier.intercept_
    if len(classifier.classes_) == 2:
        coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([[0.0], intercept])
    full = np.zeros((labels, coef.shape[1]), dtype=np.float32)
    bias = np.full(labels, NEVER, dtype=np.float32)
    full[classifier.classes_], bias[classifier.classes_] = coef, intercept
    return full, bias


def _each_label(candidate: TfidfCandidate, features: object, truth: pl.Series, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """A label that no training text has, or that all have, has nothing to be learned of: it is never, or always, given."""
    full = np.zeros((labels, features.shape[1]), dtype=np.float32)  # type: ignore[attr-defined]
    bias = np.full(labels, NEVER, dtype=np.float32)
    for label in range(labels):
        has = truth.list.contains(label).to_numpy()
        if has.all():
            bias[label] = -NEVER
        elif has.any():
            classifier = _fit(candidate, features, has)
            full[label], bias[label] = classifier.coef_[0], classifier.intercept_[0]
    return full, bias


def _fit(candidate: TfidfCandidate, features: object, truth: np.ndarray) -> LogisticRegression:
    classifier = LogisticRegression(C=candidate.c, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 200 iterations the scores no longer move
        return classifier.fit(features, truth)
