"""Other runs that commit while a load is under way: nothing is lost, nothing is there twice, nothing goes in unchecked."""

from __future__ import annotations

import pytest

from flows.lake.datasets import Dataset
from flows.steps import ingest as steps
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import csv_text, rows

pytestmark = pytest.mark.usefixtures("unchecked")

COUNT = "expect_table_row_count_to_be_between"


def _meanwhile(monkeypatch, step: str, act):
    """Let `act` happen, once, just before a step of the load."""
    own, done = getattr(steps, step), []

    def first(*arguments):
        if not done:
            done.append(True)
            act()
        return own(*arguments)

    monkeypatch.setattr(steps, step, first)


@pytest.mark.parametrize("step", ["receive", "parse", "audit", "publish"])
def test_two_runs_that_append_the_same_file_append_it_once(append, load, served, history, monkeypatch, step):
    _meanwhile(monkeypatch, step, load)
    outcome = load()
    assert len(served()) == 90
    assert len(history()) == 1
    assert outcome.version.number == history()[0]


@pytest.mark.parametrize("step", ["parse", "audit", "publish"])
def test_a_writer_that_takes_some_of_the_files_first_leaves_the_rest(append, data, load, served, monkeypatch, step):
    def with_one_file():
        path = data(csv_text(rows(10, start=90)), "suite.csv")
        path.rename(path.with_suffix(".away"))
        load()
        path.with_suffix(".away").rename(path)

    data(csv_text(rows(10, start=90)), "suite.csv")
    _meanwhile(monkeypatch, step, with_one_file)
    load()
    assert len(served()) == 100


@pytest.mark.parametrize("step", ["audit", "publish"])
def test_a_conflict_audits_again_with_the_rows_of_the_other_writer(append, load, data, edit, served, root, monkeypatch, step):
    edit("on_failure: block", "on_failure: quarantine")
    data(csv_text([("a", "un", "paie")]))
    load()
    folder = root / "projects" / "essai" / "data"

    def another_file():
        (folder / "mine.csv").rename(root / "mine.csv")
        data(csv_text([("b", "de l'autre", "paie")]), "other.csv")
        load()
        (root / "mine.csv").rename(folder / "mine.csv")

    data(csv_text([("b", "de moi", "paie"), ("c", "trois", "paie")]), "mine.csv")
    _meanwhile(monkeypatch, step, another_file)
    outcome = load()
    assert [(r["id"], r["texte"]) for r in served()] == [("a", "un"), ("b", "de l'autre"), ("c", "trois")]
    assert outcome.report.rows["refused"] == 1


def test_table_checks_see_rows_that_another_writer_committed_meanwhile(append, load, data, suite, served, root, monkeypatch):
    suite((COUNT, {"max_value": 92}))
    load()
    folder = root / "projects" / "essai" / "data"

    def two_more():
        (folder / "mine.csv").rename(root / "mine.csv")
        data(csv_text(rows(2, start=200)), "other.csv")
        assert load().action == "loaded"
        (root / "mine.csv").rename(folder / "mine.csv")

    data(csv_text(rows(2, start=300)), "mine.csv")
    _meanwhile(monkeypatch, "publish", two_more)
    outcome = load()
    assert outcome.refused and len(served()) == 92


def test_maintenance_commits_are_no_versions(append, load, data, history, served):
    load()
    data(csv_text(rows(5, start=90)), "suite.csv")
    load()
    before = history()
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "demandes").open()
        table.optimize.compact()
        assert load_dataset(run, "demandes").action == "nothing"
    assert history() == before
    data(csv_text(rows(5, start=95)), "encore.csv")
    load()
    assert len(served()) == 100
