"""Logistic regression as one row of coefficients a label, whatever training saw: what the cheap candidates end with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from flows.models.classes import NEVER

ITERATIONS = 200


def fit(features: Any, truth: pl.Series, labels: int, c: float, several: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(coefficients (labels, dimensions), intercepts (labels)), float32.

    `features`: array or sparse matrix, (rows, dimensions). `truth`: numbers of labels, or with `several` lists of them. `c`: inverse of
    the strength of the regularisation.
    """
    return (_each_label if several else _one_label)(features, truth, labels, c)


def _one_label(features: Any, truth: pl.Series, labels: int, c: float) -> tuple[np.ndarray, np.ndarray]:
    """One row a label: scikit-learn has a single row for two classes, and none for labels that training never saw."""
    classifier = _fit(features, truth.to_numpy(), c)
    coef, intercept = classifier.coef_, classifier.intercept_
    if len(classifier.classes_) == 2:
        coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([[0.0], intercept])
    full = np.zeros((labels, coef.shape[1]), dtype=np.float32)
    bias = np.full(labels, NEVER, dtype=np.float32)
    full[classifier.classes_], bias[classifier.classes_] = coef, intercept
    return full, bias


def _each_label(features: Any, truth: pl.Series, labels: int, c: float) -> tuple[np.ndarray, np.ndarray]:
    """A label that no training text has, or that all have, has nothing to be learned of: it is never, or always, given."""
    full = np.zeros((labels, features.shape[1]), dtype=np.float32)
    bias = np.full(labels, NEVER, dtype=np.float32)
    for label in range(labels):
        has = truth.list.contains(label).to_numpy()
        if has.all():
            bias[label] = -NEVER
        elif has.any():
            classifier = _fit(features, has, c)
            full[label], bias[label] = classifier.coef_[0], classifier.intercept_[0]
    return full, bias


def _fit(features: Any, truth: np.ndarray, c: float) -> LogisticRegression:
    classifier = LogisticRegression(C=c, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 200 iterations the scores no longer move
        return classifier.fit(features, truth)
