"""Going back: which version is served then, what the next run does, and how to undo it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flows.errors import NotFound
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.lake.references import parse
from flows.steps import open_run
from flows.steps.rollback import RollbackOutcome, rollback
from tests.conftest import csv_text, rows

Back = Callable[..., RollbackOutcome]


@pytest.fixture
def back(root) -> Back:
    def run(reference: str, reason: str = "la source s'est trompée") -> RollbackOutcome:
        with open_run("essai") as opened:
            return rollback(opened, parse(reference, "essai"), reason)

    return run


@pytest.fixture
def three(load, data, unchecked) -> list[int]:
    """Versions with 10, 20 and 30 rows."""
    made = []
    for count in (10, 20, 30):
        data(csv_text(rows(count)))
        made.append(load().version.number)
    return made


def test_the_version_before_is_served_again_and_nothing_is_lost(three, back, served, history):
    outcome = back("demandes")
    assert (outcome.before, outcome.restored, outcome.after) == (3, 2, 4)
    assert [tuple(r.values()) for r in served()] == rows(20)
    assert history() == [4, 3, 2, 1]
    assert len(served(3)) == 30


def test_again_goes_one_further_back_and_then_no_further(three, back, served):
    back("demandes")
    assert back("demandes").restored == 1
    assert len(served()) == 10
    with pytest.raises(NotFound) as none:
        back("demandes")
    assert "antérieure" in none.value.french


def test_what_the_source_gave_last_is_not_loaded_again(three, back, load, served, data):
    back("demandes")
    again = load()
    assert (again.action, again.version.number) == ("nothing", 4)
    assert len(served()) == 20
    data(csv_text(rows(40)))
    assert load().action == "loaded"
    assert len(served()) == 40


def test_a_changed_rule_loads_what_was_held_back(three, back, load, served, suite):
    back("demandes")
    suite(("expect_column_values_to_not_be_null", {"column": "texte"}))
    assert load().action == "loaded"
    assert len(served()) == 30


def test_two_steps_back_hold_the_same_load_back(three, back, load, served):
    back("demandes")
    back("demandes@1")
    assert load().action == "nothing"
    assert len(served()) == 10


def test_a_rollback_is_undone_by_the_version_that_it_replaced(three, back, load, served):
    outcome = back("demandes")
    assert back(f"demandes@{outcome.before}").after == 5
    assert len(served()) == 30
    assert load().action == "nothing"


def test_to_what_is_served_already_changes_nothing(three, back, history):
    assert not back("demandes@3").changed
    back("demandes@1")
    assert not back("demandes@1").changed
    assert history() == [4, 3, 2, 1]


def test_the_columns_of_that_time_come_back(load, back, served, data, edit, unchecked):
    data(csv_text(rows(10)))
    load()
    edit("theme: string", "theme: string, origine: string")
    data("id,texte,theme,origine\n1,un texte,paie,courriel\n")
    load()
    back("demandes")
    assert set(served()[0]) == {"id", "texte", "theme"}


def test_rows_that_were_appended_are_not_appended_again(load, back, served, data, append, unchecked):
    data(csv_text(rows(10)))
    load()
    data(csv_text(rows(20)[10:]))
    load()
    back("demandes")
    assert len(served()) == 10
    assert load().action == "nothing"
    data(csv_text(rows(30)[20:]))
    load()
    assert len(served()) == 20, "the rows that were undone stay undone"


def test_rows_that_were_merged_are_not_merged_again(load, back, served, data, edit, unchecked):
    edit("key: [id]", "key: [id]\n    mode: upsert")
    data(csv_text(rows(10)))
    load()
    data(csv_text(rows(5)).replace("question", "demande"))
    load()
    back("demandes")
    assert load().action == "nothing"
    assert all(r["texte"].startswith("question") for r in served())


def test_the_history_says_who_went_back_to_what_and_why(three, back, root):
    back("demandes@1", "colonnes décalées")
    with open_run("essai") as run:
        latest = Dataset(run.lake, "essai", "demandes").latest()
    assert latest.load.rollback == {"to": 1, "instead_of": 3, "reason": "colonnes décalées"}
    assert latest.load.rows["total"] == 10


def test_a_writer_that_comes_between_is_not_overwritten(three, back, load, data, served, monkeypatch):
    real = Dataset.restore

    def late(table: Dataset, *arguments):
        monkeypatch.setattr(Dataset, "restore", real)
        data(csv_text(rows(50)))
        load()
        return real(table, *arguments)

    monkeypatch.setattr(Dataset, "restore", late)
    with pytest.raises(Exception, match="first"):
        back("demandes")
    assert len(served()) == 50


def test_models_made_from_the_earlier_rows_are_found_again(load, train, back, data, unchecked):
    data(csv_text(rows(60)))
    load()
    first = train().versions[0].number
    data(csv_text(rows(90)))
    load()
    train()
    back("demandes")
    outcome = train()
    assert outcome.trained == [] and outcome.versions[0].number == first


# ---- models --------------------------------------------------------------------------------------------------------


def champion(store: Models) -> int:
    return store.state().aliases["champion"]


@pytest.fixture
def store(root, load, train, data, unchecked):
    """Three versions; each of them was champion in its turn."""
    for count in (60, 75, 90):
        data(csv_text(rows(count)))
        load()
        train()
    with open_run("essai") as run:
        found = Models(run.lake, "essai", "theme")
        for number in (1, 2, 3):
            found.move({"champion": number}, expected=found.state(), who="moi", run="", reason="essai")
        yield found


def test_the_champion_before_is_champion_again(store, back):
    assert (back("theme").after, champion(store)) == (2, 2)
    assert (back("theme").after, champion(store)) == (1, 1)


def test_to_a_version_that_is_named(store, back):
    outcome = back("theme@1", "résultats étranges")
    assert (outcome.before, outcome.after) == (3, 1)
    assert store.state().reason == "résultats étranges"
    assert not back("theme@1").changed


def test_a_champion_that_was_put_back_stays_until_there_is_something_new(store, back, train):
    back("theme")
    assert train().action == "nothing"
    assert champion(store) == 2


@pytest.mark.parametrize("reference", ["demandes@99", "theme@99", "inconnu", "demandes@champion", "theme@candidate"])
def test_what_is_not_there_is_refused(three, back, reference):
    with pytest.raises(NotFound):
        back(reference)
