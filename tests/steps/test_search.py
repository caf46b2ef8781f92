"""A model whose project file says `search`: one version, made again when the search changes."""

from __future__ import annotations

import pytest

from flows.errors import Refused
from flows.lake.models import Models
from flows.steps import open_run
from flows.training import baseline

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def searching(edit):
    edit("candidates: [tfidf]", "candidates: [{kind: tfidf, c: 1.0e-4}]\n    search: {trials: 4, c: [1.0e-4, 100.0]}")


def test_one_version_is_committed_that_of_the_best_trial(load, train, searching, tried):
    load()
    outcome = train()
    assert len(tried) == 4, "the best one is not trained again"
    version = outcome.versions[0]
    record = version.training["search"]
    assert outcome.trained == [1] and version.candidate["c"] == record["settings"]["c"] == tried[record["best"] - 1]
    assert [t["settings"]["c"] for t in record["trials"]] == tried and tried[0] == 1e-4
    assert record["trials"][record["best"] - 1]["validation"] == version.metrics["validation"]["macro_f1"]["value"]
    assert record["trials"][0]["validation"] < version.metrics["validation"]["macro_f1"]["value"]
    with open_run("essai") as run:
        store = Models(run.lake, "essai", "theme")
        assert store.numbers() == [1]
        card = store.read_file(version, "README.md").decode()
        assert not [o.key for o in run.lake.bucket("essai").list("models/theme/checkpoints/")]
    assert "Réglages cherchés par 4 essai(s) sur 4" in card and "searched in 4 trial(s) of 4" in card


def test_a_changed_search_trains_again_and_a_title_does_not(load, train, edit, searching, tried):
    load()
    train()
    assert train().action == "nothing"
    edit("title: Thème", "title: Le thème")
    assert train().action == "nothing" and len(tried) == 4
    edit("trials: 4", "trials: 3")
    outcome = train()
    assert outcome.reasons == ["tfidf: search changed"] and len(tried) == 7


def test_the_other_candidates_are_not_touched_by_a_search(load, train, edit, tried):
    edit("candidates: [tfidf]", "candidates: [{kind: tfidf, c: 5.0}, {kind: tfidf, c: 7.0}]")
    load()
    train()
    edit("promote:", "search: {trials: 2, c: [1.0, 10.0]}\n    promote:")
    outcome = train()
    assert [v.number for v in outcome.versions] == [1, 3] and tried[:3] == [5.0, 7.0, 7.0] and len(tried) == 4
    assert "search" not in outcome.versions[0].training


def test_a_search_without_a_model_commits_nothing(load, train, searching, monkeypatch):
    load()

    def fails(job, **_):
        raise Refused("no word")

    monkeypatch.setattr(baseline, "train", fails)
    with pytest.raises(Refused, match="all 4 trials"):
        train()
    with open_run("essai") as run:
        assert Models(run.lake, "essai", "theme").numbers() == []
