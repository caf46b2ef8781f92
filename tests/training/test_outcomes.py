"""Two versions compared by what was kept of their answers, for each task, against what the task itself says with all answers at hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from flows.project import TabularClassification, TabularRegression, TextClassification, TextSimilarity, TokenClassification
from flows.training.outcomes import Outcomes, compare
from flows.training.tasks import task_of
from flows.training.tasks.language import LanguageTask
from flows.training.tasks.text_classification import Several

ROWS = 120
ORDER = pl.Series("order", np.linspace(0, 0.99, ROWS))
DRAW = np.random.default_rng(7)
COMMON = {"title": "t", "dataset": "d"}


def probabilities(truth: np.ndarray, labels: int, right: float) -> np.ndarray:
    shown = np.where(DRAW.random(len(truth)) < right, truth, (truth + 1) % labels)
    raw = 0.1 + np.eye(labels)[shown] + 0.3 * DRAW.random((len(truth), labels))
    return raw / raw.sum(1, keepdims=True)


def check(task, answers, examples, labels, positive=None):
    """`answers`: of the older and the newer version."""
    old, new = (Outcomes(task.outcomes(a, examples, labels).with_columns(ORDER), labels) for a in answers)
    found = compare(old, Outcomes(new.frame.reverse(), labels), task.model.metric, positive)
    assert (found.rows, found.other_truth) == (ROWS, 0)
    wanted = task.paired(answers[1], answers[0], examples, labels)
    assert found.comparison.metric == wanted.metric and found.comparison.difference == pytest.approx(wanted.difference)
    assert [found.comparison.low, found.comparison.high] == pytest.approx([wanted.low, wanted.high], abs=0.02)
    assert found.comparison.difference > 0 or not task.model.higher_is_better
    return old, new


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "macro_mae", "quadratic_kappa"])
def test_one_label(metric):
    ordered = {"answer": "ordered", "order": ["a", "b", "c"]} if metric in ("macro_mae", "quadratic_kappa") else {}
    fields = {"task": "text-classification", "inputs": ["x"], "label": "y", "candidates": ["tfidf"], "promote": {"metric": metric}}
    task = task_of(TextClassification.model_validate(COMMON | fields | ordered))
    truth = DRAW.integers(0, 3, ROWS)
    check(task, [probabilities(truth, 3, r) for r in (0.6, 0.9)], pl.DataFrame({"label": truth}), ["a", "b", "c"])


def test_several_labels():
    fields = {"task": "text-classification", "inputs": ["x"], "label": "y", "answer": "several", "candidates": ["tfidf"]}
    task = task_of(TextClassification.model_validate(COMMON | fields))
    truth = DRAW.integers(0, 2, (ROWS, 3))
    answers = [Several(np.abs(truth - (DRAW.random((ROWS, 3)) < wrong) * 1.0), np.full(3, 0.5)) for wrong in (0.4, 0.1)]
    examples = pl.DataFrame({"label": [np.flatnonzero(row).tolist() for row in truth]}, schema={"label": pl.List(pl.Int64)})
    check(task, answers, examples, ["a", "b", "c"])


@pytest.mark.parametrize("metric", ["macro_f1", "roc_auc", "average_precision"])
def test_tables(metric):
    fields = {"task": "tabular-classification", "inputs": ["x"], "label": "y", "positive": "oui", "candidates": ["linear"]}
    task = task_of(TabularClassification.model_validate(COMMON | fields | {"promote": {"metric": metric}}))
    truth = DRAW.integers(0, 2, ROWS)
    check(task, [probabilities(truth, 2, r) for r in (0.6, 0.95)], pl.DataFrame({"label": truth}), ["non", "oui"], "oui")


def test_a_ranking_whose_probabilities_were_not_kept_is_compared_by_another_score():
    frame = pl.DataFrame({"order": [0.1, 0.2, 0.3], "truth": [0, 1, 1], "predicted": [0, 1, 0], "confidence": [0.5] * 3})
    found = compare(Outcomes(frame, ["a", "b"]), Outcomes(frame, ["a", "b"]), "roc_auc", "b")
    assert (found.comparison.metric, found.comparison.difference) == ("macro_f1", 0.0)


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_numbers(metric):
    fields = {"task": "tabular-regression", "inputs": ["x"], "label": "y", "candidates": ["linear"], "promote": {"metric": metric}}
    task = task_of(TabularRegression.model_validate(COMMON | fields))
    truth = DRAW.normal(0, 3, ROWS)
    check(task, [truth + DRAW.normal(0, s, ROWS) for s in (2, 0.5)], pl.DataFrame({"label": truth}), [])


def test_places_of_answers():
    fields = {"task": "text-similarity", "query": "q", "answer": "a", "candidates": ["tfidf"]}
    task = task_of(TextSimilarity.model_validate(COMMON | fields))
    check(task, [[np.array([p]) for p in DRAW.integers(1, most, ROWS)] for most in (20, 4)], pl.DataFrame({"query": [""] * ROWS}), [])


@pytest.mark.parametrize("metric", ["perplexity", "masked_accuracy"])
def test_words(metric):
    class Task(LanguageTask):
        ACCURACY = "masked_accuracy"
        examples = encode = head = collator = predict = predictor = None

        def __init__(self):
            self.model = type("Model", (), {"metric": metric, "higher_is_better": metric != "perplexity"})

    Task.__abstractmethods__ = frozenset()
    tokens = DRAW.integers(5, 20, ROWS)
    answers = [np.column_stack([tokens * loss, tokens, np.rint(tokens * right)]) for loss, right in ((2.0, 0.3), (1.0, 0.6))]
    check(Task(), answers, pl.DataFrame({"text": [""] * ROWS}), [])


def test_entities_by_document():
    fields = {"task": "token-classification", "tokens": "t", "tags": "g", "candidates": ["dictionary"]}
    task = task_of(TokenClassification.model_validate(COMMON | fields))
    truth = [[(0, 3, "nom"), (5, 8, "lieu")] for _ in range(ROWS)]
    spans = [[{"start": s, "end": e, "label": name} for s, e, name in row] for row in truth]
    documents = [str(i // 3) for i in range(ROWS)]
    examples = pl.DataFrame({"spans": spans, "text": ["x" * 10] * ROWS, "repaired": [0] * ROWS, "document": documents})
    answers = [[[span for span in row if DRAW.random() < kept] for row in truth] for kept in (0.4, 0.9)]
    old, new = (Outcomes(task.outcomes(a, examples, ["lieu", "nom"]).with_columns(ORDER), ["lieu", "nom"]) for a in answers)
    found = compare(old, new, "f1").comparison
    scores = [task.evaluate(a, examples, ["lieu", "nom"])["f1"]["value"] for a in answers]
    assert [found.champion, found.challenger] == pytest.approx(scores)
    assert found.rows == ROWS / 3 and found.low > 0
    more = Outcomes(task.outcomes(answers[1], examples, ["date", "lieu", "nom"]).with_columns(ORDER), ["date", "lieu", "nom"])
    assert compare(old, more, "f1").comparison.difference == pytest.approx(found.difference), "labels have their names, not their numbers"


def test_labels_that_came_between_have_other_numbers():
    old = Outcomes(pl.DataFrame({"order": [0.1, 0.2, 0.3, 0.4], "truth": [0, 1, 1, 0], "predicted": [0, 1, 0, 0]}), ["a", "c"])
    new = Outcomes(
        pl.DataFrame({"order": [0.4, 0.3, 0.2, 0.1, 0.9], "truth": [0, 2, 2, 0, 1], "predicted": [0, 2, 2, 0, 1]}), ["a", "b", "c"]
    )
    found = compare(old, new, "accuracy")
    assert (found.rows, found.other_truth) == (4, 0)
    assert (found.comparison.champion, found.comparison.challenger) == (0.75, 1.0)


def test_rows_whose_truth_changed_are_left_out_and_counted():
    old = pl.DataFrame({"order": [0.1, 0.2, 0.3], "truth": [0, 1, 1], "predicted": [0, 1, 1]})
    new = old.with_columns(truth=pl.Series([0, 1, 0]))
    found = compare(Outcomes(old, ["a", "b"]), Outcomes(new, ["a", "b"]), "accuracy")
    assert (found.rows, found.other_truth) == (2, 1)


def test_nothing_in_common():
    old = pl.DataFrame({"order": [0.1, 0.2], "truth": [0, 1], "predicted": [0, 1]})
    found = compare(Outcomes(old, ["a", "b"]), Outcomes(old.with_columns(order=pl.col("order") + 0.5), ["a", "b"]), "accuracy")
    assert (found.comparison, found.rows) == (None, 0)
