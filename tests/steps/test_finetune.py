"""From a dataset version to a champion: what is trained, what is only decided, and what a killed run leaves."""

from __future__ import annotations

import json

import pytest

from flows.errors import Conflict
from flows.lake.models import Models
from flows.steps import finetune, open_run
from flows.training import baseline
from tests.conftest import csv_text, rows

pytestmark = pytest.mark.usefixtures("unchecked")

TWO = "candidates: [{kind: tfidf, ngram_max: 1}, {kind: tfidf, ngram_max: 2}]"


@pytest.fixture
def versions(root):
    def numbers():
        with open_run("essai") as run:
            return Models(run.lake, "essai", "theme").numbers()

    return numbers


@pytest.fixture
def trainings(monkeypatch):
    """Settings of every candidate that is really trained."""
    seen, own = [], baseline.train

    def counted(job, **more):
        seen.append(job.candidate)
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", counted)
    return seen


def test_a_first_run_trains_decides_and_promotes(load, train, versions):
    load()
    outcome = train()
    assert (outcome.action, outcome.trained, versions()) == ("trained", [1], [1])
    assert outcome.state.aliases == {"candidate": 1, "champion": 1}
    assert outcome.decision.promoted and outcome.decision.why == "chosen_is_best"
    version = outcome.versions[0]
    assert version.dataset["reference"] == "essai/demandes@1"
    assert sum(version.dataset["rows"].values()) == 90
    assert {"README.md", "metrics.json", "model.safetensors", "socle.json"} <= set(version.files)
    assert version.metrics["validation"]["macro_f1"]["value"] > 0.6


def test_the_second_run_does_nothing(load, train, trainings, versions):
    load()
    first, again = train(), train()
    assert (again.action, again.decision, again.state) == ("nothing", None, first.state)
    assert len(trainings) == 1 and versions() == [1]
    assert [v.number for v in again.versions] == [1]


def test_only_the_changed_candidate_trains(load, train, edit, trainings, versions):
    edit("candidates: [tfidf]", TWO)
    load()
    train()
    edit("ngram_max: 2}", "ngram_max: 3}")
    outcome = train()
    assert [s.ngram_max for s in trainings] == [1, 2, 3]
    assert outcome.trained == [3] and [v.number for v in outcome.versions] == [1, 3]
    edit("ngram_max: 3}", "ngram_max: 2}")
    back = train()
    assert (back.action, back.trained, [v.number for v in back.versions]) == ("decided", [], [1, 2])


def test_a_changed_promotion_rule_decides_without_training(load, train, edit, trainings, versions):
    load()
    first = train()
    edit("at_least: 0.3", "at_least: 1.0")
    second = train()
    assert (second.action, second.trained, versions()) == ("decided", [], [1])
    assert second.state.number == first.state.number + 1
    assert second.state.aliases["champion"] == 1, "a stricter rule does not take the champion away"
    assert train().action == "nothing"
    assert len(trainings) == 1


def test_below_the_minimum_there_is_a_candidate_and_no_champion(load, train, edit, data):
    data(csv_text([(f"d{i}", f"mot{i} autre{i * 7 % 5}", ["paie", "congé"][i * i % 3 % 2]) for i in range(120)]))
    edit("at_least: 0.3", "at_least: 0.99")
    load()
    outcome = train()
    assert outcome.decision.why == "below_minimum"
    assert outcome.state.aliases == {"candidate": 1}


def test_the_champion_of_older_data_is_compared_on_the_test_rows_of_today(load, train, data, root):
    load()
    first = train()
    # The words of two themes change places: the champion in place is wrong on most rows of today.
    data(csv_text([(i, t, {"paie": "congé", "congé": "paie"}.get(name, name)) for i, t, name in rows(240)]))
    load()
    second = train()
    assert second.decision.champion.version == 1
    assert second.decision.champion.test < 0.6 < first.versions[0].metrics["test"]["macro_f1"]["value"]
    assert second.state.aliases["champion"] == 2


def test_a_worse_challenger_does_not_replace_the_champion(load, train, edit):
    edit("at_least: 0.3", "at_least: 0.0")
    load()
    train()
    edit("candidates: [tfidf]", "candidates: [{kind: tfidf, max_features: 1}]")
    outcome = train()
    assert outcome.decision.why == "champion_is_better"
    assert outcome.state.aliases == {"candidate": 2, "champion": 1}
    assert outcome.decision.champion.test > outcome.decision.chosen.test


def test_a_champion_that_does_not_know_a_new_label_can_be_compared(load, train, data):
    load()
    train()
    new = [(f"n{i}", f"retraite pension trimestre {i}", "retraite") for i in range(60)]
    data(csv_text(rows(90) + new))
    load()
    outcome = train()
    assert outcome.versions[0].labels == ["congé", "contrat", "paie", "retraite"]
    assert outcome.decision.champion.test < outcome.decision.chosen.test
    assert outcome.state.aliases["champion"] == 2


def test_a_run_killed_between_two_candidates_goes_on_from_there(load, train, edit, trainings, versions, monkeypatch):
    edit("candidates: [tfidf]", TWO)
    load()
    own = baseline.train

    def killed(job, **more):
        if job.candidate.ngram_max == 2:
            raise KeyboardInterrupt
        return own(job, **more)

    with monkeypatch.context() as patched:
        patched.setattr(baseline, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            train()
    assert versions() == [1]
    outcome = train()
    assert [s.ngram_max for s in trainings] == [1, 2]
    assert outcome.trained == [2] and [v.number for v in outcome.versions] == [1, 2]
    assert set(outcome.state.aliases) == {"champion", "candidate"}


def test_a_run_killed_before_the_decision_only_decides(load, train, trainings, monkeypatch):
    load()

    def killed(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Models, "move", killed)
        with pytest.raises(KeyboardInterrupt):
            train()
    outcome = train()
    assert (outcome.action, len(trainings)) == ("decided", 1)
    assert outcome.state.aliases == {"candidate": 1, "champion": 1}


def test_aliases_that_somebody_moved_meanwhile_are_not_overwritten(load, train, edit, monkeypatch):
    load()
    train()
    edit("candidates: [tfidf]", "candidates: [{kind: tfidf, max_features: 1}]")
    train()
    edit("max_features: 1}", "max_features: 2}")
    own = finetune.promote_best

    def after_somebody(run, plan, *arguments):
        store = Models(run.lake, "essai", "theme")
        store.move({"champion": 2}, expected=store.state(), who="quelqu'un", run="", reason="à la main")
        return own(run, plan, *arguments)

    monkeypatch.setattr(finetune, "promote_best", after_somebody)
    with pytest.raises(Conflict, match="quelqu'un"):
        train()


def test_rows_without_label_or_text_are_counted_and_left_out(load, train, data, suite):
    suite(("expect_table_row_count_to_be_between", {"min_value": 1}))
    data(csv_text([*rows(90), ("x1", "sans thème", ""), ("x2", "", "paie"), ("x3", "", "")]))
    load()
    version = train().versions[0]
    assert version.dataset["left_out"] == {"without_label": 2, "without_text": 1}
    assert sum(version.dataset["rows"].values()) == 90


def test_the_files_say_what_the_manifest_says(load, train):
    load()
    version = train().versions[0]
    with open_run("essai") as run:
        store = Models(run.lake, "essai", "theme")
        metrics = json.loads(store.read_file(version, "metrics.json"))
        card = store.read_file(version, "README.md").decode()
    assert metrics == version.metrics
    assert "essai/demandes@1" in card and version.dataset["load_id"] in card
