"""Looks at a model's data by training on parts of it: nothing is committed, the test side decides nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from flows.errors import ConfigurationError, NotFound
from flows.lake.models import Models
from flows.steps import open_run, studies
from flows.training import baseline
from tests.conftest import csv_text, rows
from tests.training import tiny

pytestmark = pytest.mark.usefixtures("unchecked")
MISLABELLED = {"d00004": ("paie", "contrat"), "d00030": ("congé", "paie"), "d00077": ("contrat", "congé")}


@pytest.fixture
def study(root):
    def done(what, *arguments):
        with open_run("essai") as run:
            return getattr(studies, what)(run, "theme", *arguments)

    return done


@pytest.fixture
def mislabelled(data, load):
    """Three of 240 rows have another label than their words say."""
    lines = rows(240)
    assert all(lines[int(key[1:])][2] == right for key, (right, _) in MISLABELLED.items())
    data(csv_text([(key, text, MISLABELLED[key][1] if key in MISLABELLED else theme) for key, text, theme in lines]))
    load()


def test_a_learning_curve_rises_and_commits_nothing(data, load, study, monkeypatch):
    trained, own = [], baseline.train

    def counted(job, **more):
        trained.append(set(job.examples.read("train")["order"]))
        assert not job.examples.path("test").exists()
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", counted)
    data(csv_text(rows(90)))
    load()
    found = study("learning_curve")
    assert [p["rows"] for p in found.points] == [len(t) for t in trained] and found.points[-1]["rows"] == found.rows
    assert all(small < large for small, large in pairwise(trained)), "a larger part has the rows of a smaller one"
    values = [p["value"] for p in found.points]
    assert values[0] < values[-1] and found.gain == pytest.approx(values[-1] - values[-2])
    assert all(p["low"] <= p["value"] <= p["high"] for p in found.points)
    assert (found.dataset, found.candidate, found.metric) == ("essai/demandes@1", "tfidf", "macro_f1")
    with open_run("essai") as run:
        assert Models(run.lake, "essai", "theme").numbers() == []


def test_a_part_with_one_label_has_no_score(data, load, study):
    lines = [(key, text, "paie" if number % 60 else "congé") for number, (key, text, _) in enumerate(rows(120))]
    data(csv_text(lines))
    load()
    found = study("learning_curve")
    assert found.points[0] | {"share": 0} == {"rows": found.points[0]["rows"], "share": 0, "value": None, "low": None, "high": None}
    assert found.points[-1]["value"] is not None


def test_another_candidate_can_be_asked_about_and_is_not_searched(load, edit, study, monkeypatch):
    seen, own = [], baseline.train

    def counted(job, **more):
        seen.append((job.candidate.ngram_max, job.candidate.c))
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", counted)
    edit("candidates: [tfidf]", "candidates: [tfidf, {kind: tfidf, ngram_max: 1, c: 2.0}]\n    search: {trials: 3, c: [1.0, 9.0]}")
    load()
    found = study("learning_curve", "tfidf (2)")
    assert found.candidate == "tfidf (2)" and set(seen) == {(1, 2.0)} and len(seen) == len(found.points)


def test_a_candidate_with_a_base_model_keeps_to_its_rows(root, load, edit, study):
    tiny.make(root / "tiny")
    candidate = "{base_model: 'path:tiny', max_rows: 40, epochs: 1, max_length: 16, batch_size: 8}"
    edit("candidates: [tfidf]", f"candidates: [tfidf, {candidate}]")
    load()
    with open_run("essai") as run:
        found = studies.learning_curve(run, "theme", "tiny")
        assert not list((run.work / "curve").iterdir()), "each part and its model go when they are scored"
    assert [p["rows"] for p in found.points] == [4, 10, 20, 40] and found.rows == 40
    assert all(0 <= p["value"] <= 1 for p in found.points)


def test_labels_that_look_wrong_are_named_by_the_key_of_their_row(mislabelled, study):
    found = study("label_problems")
    assert found.rows == 240 and {s.key["id"] for s in found.suspects} == set(MISLABELLED)
    for suspect in found.suspects:
        right, given = MISLABELLED[suspect.key["id"]]
        assert (suspect.given, suspect.suggested) == (given, right) and 0 < suspect.margin <= 1
        assert suspect.text.startswith(f"question {int(suspect.key['id'][1:])} sur")
    assert [s.margin for s in found.suspects] == sorted((s.margin for s in found.suspects), reverse=True)
    assert sum(p["rows"] for p in found.pairs) == 3


def test_texts_about_persons_are_not_shown(edit, mislabelled, study):
    edit("personal_data: none", "personal_data: personal")
    assert [s.text for s in study("label_problems").suspects] == [None] * 3


def test_what_cannot_be_looked_at_is_said(load, edit, study):
    with pytest.raises(NotFound, match="no version yet"):
        study("learning_curve")
    load()
    with pytest.raises(ConfigurationError) as error:
        study("learning_curve", "tfdif")
    assert error.value.where == "candidates there: tfidf"
    edit("label: theme", "label: theme\n    answer: several")
    with pytest.raises(ConfigurationError, match="where a row has one of several"):
        study("label_problems")
