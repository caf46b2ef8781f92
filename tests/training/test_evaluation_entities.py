"""Scores of entities against seqeval's, and overlaps against a maximum matching."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from flows.errors import Refused
from flows.training.evaluation.entities import evaluate, overlaps

LABELS = ("LOC", "PER")
TAGS = ["O", *(f"{prefix}-{label}" for label in LABELS for prefix in "BI")]


def spans(tags: list[str]) -> list[tuple[int, int, str]]:
    """Of tags in which each I- follows a B- or I- of its label."""
    found: list[tuple[int, int, str]] = []
    for i, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append((i, i + 1, tag[2:]))
        elif tag.startswith("I-"):
            found[-1] = (found[-1][0], i + 1, tag[2:])
    return found


def repaired(tags: list[str]) -> list[str]:
    out: list[str] = []
    for tag in tags:
        alone = tag.startswith("I-") and (not out or out[-1][1:] != tag[1:])
        out.append("B" + tag[1:] if alone else tag)
    return out


sentences = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(sentences)
def test_strict_scores_are_those_of_seqeval(documents):
    truth, predicted = ([repaired([pair[side] for pair in d]) for d in documents] for side in (0, 1))
    found = evaluate([spans(t) for t in truth], [spans(t) for t in predicted])
    if not any(spans(t) for t in truth + predicted):
        assert found["f1"]["value"] is None and found["entities"] == 0
        return
    expected = classification_report(truth, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    for name, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        value = found[name]["value"]
        assert (value or 0.0) == pytest.approx(expected["micro avg"][theirs])
    assert found["macro_f1"]["value"] == pytest.approx(expected["macro avg"]["f1-score"])
    for entry in found["per_label"]:
        assert (entry["f1"] or 0.0) == pytest.approx(expected[entry["label"]]["f1-score"])
        assert entry["rows"] == expected[entry["label"]]["support"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def apart(points: list[int]) -> list[tuple[int, int]]:
    """Spans that do not overlap, from sorted distinct points."""
    ordered = sorted(set(points))
    return list(zip(ordered[::2], ordered[1::2], strict=False))


ends = st.lists(st.integers(0, 40), max_size=24)


@settings(deadline=None)
@given(ends, ends)
def test_overlaps_are_a_maximum_matching(left, right):
    a, b = apart(left), apart(right)
    pairs = np.array([[s < f and t < e for t, f in b] for s, e in a]).reshape(len(a), len(b))
    expected = int((maximum_bipartite_matching(csr_matrix(pairs)) >= 0).sum()) if pairs.any() else 0
    assert overlaps(a, b) == overlaps(b, a) == expected


def test_a_name_found_in_part_counts_in_part_and_not_strictly():
    """« Jeanne Dupont », of which « Dupont » is found; a place found as a person counts for nothing."""
    truth = [[(0, 13, "PER"), (20, 25, "LOC")], [(3, 8, "PER")]]
    predicted = [[(7, 13, "PER"), (20, 25, "PER")], [(3, 8, "PER")]]
    found = evaluate(truth, predicted)
    assert (found["precision"]["value"], found["recall"]["value"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (found["partial_precision"]["value"], found["partial_recall"]["value"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    person = found["per_label"][1]
    assert (
        person["label"] == "PER"
        and person["rows"] == 2
        and person["f1"] == pytest.approx(0.4)
        and person["partial_f1"] == pytest.approx(0.8)
    )
    assert found["rows"] == 2 and found["entities"] == 3


def test_one_long_span_does_not_count_for_every_entity_in_it():
    found = evaluate([[(0, 3, "PER"), (4, 7, "PER")]], [[(0, 7, "PER")]])
    assert found["partial_precision"]["value"] == 1 and found["partial_recall"]["value"] == 0.5


def test_documents_are_drawn_whole():
    """Ten documents of a hundred entities, all right or all wrong, say as much as ten rows, and a thousand documents of one more."""
    few = evaluate([[(i, i + 1, "A") for i in range(100)]] * 10, [[(i, i + 1, "A") for i in range(100)]] * 8 + [[]] * 2)["recall"]
    many = evaluate([[(0, 1, "A")]] * 1000, [[(0, 1, "A")]] * 800 + [[]] * 200)["recall"]
    assert few["value"] == many["value"] == 0.8
    assert few["high"] - few["low"] > 5 * (many["high"] - many["low"])


def test_a_label_that_never_occurs_has_no_score_and_does_not_lower_the_mean():
    found = evaluate([[(0, 1, "A")]], [[(0, 1, "A")]], labels=["A", "B"])
    assert found["macro_f1"]["value"] == 1 and found["per_label"][1]["f1"] is None and found["per_label"][1]["rows"] == 0


def test_documents_without_entities():
    found = evaluate([[], []], [[], []])
    assert found["rows"] == 2 and found["f1"] == {"value": None, "low": None, "high": None} and found["per_label"] == []


@pytest.mark.parametrize("span", [(3, 3, "A"), (5, 2, "A"), (-1, 2, "A"), (0, 1, "B")])
def test_spans_that_are_none_are_said(span):
    with pytest.raises(ValueError, match="no span of text"):
        evaluate([[span]], [[]], labels=["A"])


def test_no_documents():
    with pytest.raises(Refused, match="no documents"):
        evaluate([], [])
    with pytest.raises(ValueError, match="1 documents of truth and 2"):
        evaluate([[]], [[], []])
