"""The cheap baseline of texts: TF-IDF and logistic regression."""

from __future__ import annotations

from flows.errors import Refused
from flows.models.classes import Classes
from flows.models.tfidf import TfidfPredictor, make_vectorizer
from flows.project import TfidfCandidate
from flows.training import logistic
from flows.training.tasks.base import Job, Trained


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
    coef, intercept = logistic.fit(features, frame["label"], len(labels), candidate.c, several)
    predictor = TfidfPredictor(vectorizer, coef, intercept, Classes(labels, several))
    parameters = int(coef.size + intercept.size)
    return Trained(predictor, parameters, parameters)
