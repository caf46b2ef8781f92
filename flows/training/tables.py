"""Models of tables: a linear one, the cheap baseline, and gradient boosting. Both are scikit-learn pipelines of its usual parts.

A feature that has one value in all training rows says nothing and is left out. Of categories, those of few rows count as one; a category
that training never saw counts as a rare one (linear) or as a missing one (boosting).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from flows.errors import Refused
from flows.models.classes import Classes
from flows.models.tabular import SMALL, Column, TabularPredictor, features, kind_of
from flows.models.tfidf import make_vectorizer
from flows.project import BoostingCandidate, LinearCandidate
from flows.training.tasks.base import Job, Trained

INPUT = "input."  # before the names of input columns in examples
RARE, RARE_FROM = 5, 1_000  # categories of fewer rows are rare, in tables of more rows; in smaller ones, those of one row
ONE_HOT = 1_000  # categories of a column that get a number of their own in the linear model; the others are rare
NATIVE = 254  # the same for boosting: scikit-learn's trees have 255 bins, and one is for the missing
WORDS = 20_000  # of a text
DIMENSIONS = 32  # that boosting gets of a text (latent semantic analysis: Deerwester et al. 1990)
ITERATIONS = 1_000
TREES = 20  # between two looks at the budget
NUMBERS, CATEGORIES = "numbers", "categories"


@dataclass
class Table:
    """One side, as the pipeline reads it."""

    features: pl.DataFrame
    truth: np.ndarray
    """Label numbers, or numbers to predict."""


def inputs_of(examples: pl.DataFrame) -> pl.DataFrame:
    """The inputs under their own names, as a predictor reads them."""
    return examples.select(pl.col(c).alias(c.removeprefix(INPUT)) for c in examples.columns if c.startswith(INPUT))


def linear(job: Job, texts: Sequence[str], regression: bool) -> Trained:
    """Logistic regression, or ridge regression. `texts`: inputs that are texts. Raises: Refused if no input varies."""
    candidate: LinearCandidate = job.candidate
    columns, train, _ = _sides(job, texts)
    encoder = _linear_encoder(train.features, columns)
    model = Ridge(alpha=1 / candidate.c) if regression else LogisticRegression(C=candidate.c, max_iter=ITERATIONS)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(encoder.fit_transform(train.features), train.truth)
    if any(issubclass(w.category, ConvergenceWarning) for w in warned):
        job.notice(f"{candidate.label} : arrêté après {ITERATIONS} itérations, avant d'avoir convergé.")
    parameters = int(np.size(model.coef_) + np.size(model.intercept_))
    return _trained(job, encoder, model, columns, regression, parameters, {})


def boosting(job: Job, texts: Sequence[str], regression: bool, loss: str = "squared_error") -> Trained:
    """Histogram gradient boosting (Friedman 2001; Ke et al. 2017) with native categories and missing values. It stops once ten trees in a
    row have not made the validation side better. `loss`: of a regression. Raises: Refused if no input varies."""
    candidate: BoostingCandidate = job.candidate
    columns, train, validation = _sides(job, texts)
    encoder = _boosting_encoder(train.features, columns, candidate.seed)
    matrix = encoder.fit_transform(train.features)
    coded = encoder.output_indices_.get(CATEGORIES, slice(0, 0))
    settings = candidate.model_dump(include={"learning_rate", "max_leaf_nodes", "min_samples_leaf", "l2_regularization"})
    settings |= {"categorical_features": list(range(coded.start, coded.stop)), "random_state": candidate.seed}
    settings |= {"warm_start": True, "early_stopping": True}
    model = HistGradientBoostingRegressor(loss=loss, **settings) if regression else HistGradientBoostingClassifier(**settings)
    known = np.ones(len(validation.truth), dtype=bool) if regression else np.isin(validation.truth, train.truth)
    held = encoder.transform(validation.features)[known], validation.truth[known]
    if not known.any():  # labels that training never saw say nothing of when to stop
        held = matrix, train.truth
    with threadpool_limits(1 if len(train.truth) <= SMALL else None):
        stopped = _grow(job, model, candidate.max_iter, lambda: model.fit(matrix, train.truth, X_val=held[0], y_val=held[1]))
    nodes = sum(len(tree.nodes) for trees in model._predictors for tree in trees)
    return _trained(job, encoder, model, columns, regression, nodes, {"steps": int(model.n_iter_), "stopped": stopped})


def _grow(job: Job, model: Any, most: int, fit: Callable[[], Any]) -> str | None:
    """Fit TREES more at a time, until the validation side, the budget or `most` ends it. Why it ended before `most`; None: it did not."""
    began, told = time.monotonic(), 0
    for trees in range(min(TREES, most), most + TREES, TREES):
        model.set_params(max_iter=min(trees, most))
        fit()
        for step in range(told + 1, model.n_iter_ + 1):
            scores = {"train_loss": model.train_score_[step], "validation_loss": model.validation_score_[step]}
            job.log(step, {name: -float(score) for name, score in scores.items()})
        over = "validation" if model.n_iter_ < model.max_iter else _over_budget(job, time.monotonic() - began)
        job.advance(((most if over else model.n_iter_) - told) / most)
        told = model.n_iter_
        if over:
            if over != "validation":
                job.notice(f"{job.candidate.label} : arrêté après {told} arbres, le budget est épuisé ({over}).")
            return over
    return None


def _over_budget(job: Job, seconds: float) -> str | None:
    budget = job.budget
    if budget.max_minutes is not None and seconds >= budget.max_minutes * 60:
        return "max_minutes"
    return "max_kwh" if budget.max_kwh is not None and job.energy is not None and job.energy() >= budget.max_kwh else None


# ---- features ------------------------------------------------------------------------------------------------------


def _sides(job: Job, texts: Sequence[str]) -> tuple[list[Column], Table, Table]:
    read = {side: job.examples.read(side) for side in ("train", "validation")}
    tables = {side: inputs_of(frame) for side, frame in read.items()}
    columns = [Column(name, kind_of(name, dtype, texts)) for name, dtype in tables["train"].schema.items()]
    _tell_of_infinite(job, tables["train"])
    train, validation = (Table(features(tables[side], columns), read[side]["label"].to_numpy()) for side in read)
    return columns, train, validation


def _tell_of_infinite(job: Job, table: pl.DataFrame) -> None:
    counts = {name: int(table[name].is_infinite().sum()) for name, dtype in table.schema.items() if dtype.is_float()}
    if found := {name: count for name, count in counts.items() if count}:
        job.notice("Valeurs infinies, lues comme absentes : " + ", ".join(f"{name} ({count})" for name, count in found.items()) + ".")


def _linear_encoder(frame: pl.DataFrame, columns: Sequence[Column]) -> ColumnTransformer:
    """Numbers scaled, with a column that says where one was missing; categories one-hot; texts as TF-IDF."""
    rare = RARE if len(frame) > RARE_FROM else 2
    number = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    category = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=rare, max_categories=ONE_HOT)
    return _encoder(frame, columns, number, category, _vectorizer)


def _boosting_encoder(frame: pl.DataFrame, columns: Sequence[Column], seed: int) -> ColumnTransformer:
    """Numbers as they are, categories as codes, of texts the dimensions of their TF-IDF that matter most."""
    code = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=NATIVE)

    def text(values: pl.Series) -> Any:
        vectorizer = _vectorizer(values)
        if vectorizer is None:
            return None
        words = len(vectorizer.fit(values).vocabulary_)
        return make_pipeline(vectorizer, TruncatedSVD(min(DIMENSIONS, words), random_state=seed)) if words > 1 else vectorizer

    encoder = _encoder(frame, columns, "passthrough", code, text)
    encoder.sparse_threshold = 0  # trees read dense arrays
    return encoder


def _encoder(
    frame: pl.DataFrame, columns: Sequence[Column], number: Any, category: Any, text: Callable[[pl.Series], Any]
) -> ColumnTransformer:
    """Not fitted. `text`: None for a text that is left out. Raises: Refused if no feature varies."""
    texts = [c.name for c in columns if c.kind == "text"]
    varying = [name for name in frame.columns if frame[name].n_unique() > 1]
    categories = [name for name in varying if frame.schema[name] == pl.String and name not in texts]
    numbers = [name for name in varying if frame.schema[name] != pl.String]
    parts: list[tuple[str, Any, Any]] = [(NUMBERS, number, numbers), (CATEGORIES, category, categories)]
    steps = [part for part in parts if part[2]]
    steps += [(f"text {name}", made, name) for name in texts if name in varying and (made := text(frame[name])) is not None]
    if not steps:
        raise Refused(
            "there is nothing to learn from: every input has one value in all training rows",
            where=f"the columns {', '.join(c.name for c in columns)}",
            hint="other inputs",
        )
    return ColumnTransformer(steps)


def _vectorizer(texts: pl.Series) -> TfidfVectorizer | None:
    """None if the texts hold no word."""
    vectorizer = make_vectorizer(1, max_features=WORDS, min_df=1)
    analyse = vectorizer.build_analyzer()
    return vectorizer if any(analyse(text) for text in texts) else None


def _trained(
    job: Job, encoder: ColumnTransformer, model: Any, columns: list[Column], regression: bool, parameters: int, facts: dict[str, Any]
) -> Trained:
    classes = None if regression else Classes(job.examples.labels)
    predictor = TabularPredictor(job.candidate.kind, Pipeline([("features", encoder), ("model", model)]), columns, classes)
    read = [name for _, _, names in encoder.transformers for name in ([names] if isinstance(names, str) else names)]
    unused = [c.name for c in columns if not any(name == c.name or name.startswith(f"{c.name}:") for name in read)]
    if unused:
        job.notice(f"Sans effet, car une seule valeur (ou aucun mot) dans l'entraînement : {', '.join(unused)}.")
    return Trained(predictor, parameters, parameters, {**facts, "unused_inputs": unused})
