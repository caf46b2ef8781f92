"""What a run would do, and the reasons that it gives: the name of the part that changed, and no other."""

from __future__ import annotations

import pytest

from flows.errors import ConfigurationError, NotFound
from flows.steps import open_run
from flows.steps.plan import plan_dataset, plan_model, plan_project
from tests.conftest import csv_text, rows


def plan():
    with open_run("essai") as run:
        return plan_dataset(run, "demandes")


def model_plan():
    with open_run("essai") as run:
        return plan_model(run, "theme")


def test_first_time(root):
    found = plan()
    assert (found.action, found.reasons) == ("load", ["there is no version yet"])
    with open_run("essai") as run:
        [model] = plan_project(run).models
    assert (model.action, model.reasons) == ("wait", ["after demandes"])


def test_planning_writes_nothing(root, load):
    load()
    lake = root / ".socle" / "lake"
    before = {p: p.stat().st_mtime_ns for p in lake.rglob("*") if p.is_file()}
    with open_run("essai") as run:
        plan_project(run)
    assert {p: p.stat().st_mtime_ns for p in lake.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ("{type: csv}", "{type: csv, encoding: latin-1}", ["format changed"]),
        ("theme: string}", "theme: {type: string, required: true}}", ["columns changed"]),
        ("key: [id]", "key: [id, theme]", ["columns changed"]),
        ("on_failure: block", "on_failure: warn", ["on_failure changed"]),
        ("path: data/*.csv", "path: data/demandes.csv", ["source changed"]),
        ("personal_data: none", "personal_data: personal", ["on_failure changed"]),
    ],
)
def test_a_changed_setting_is_named(load, edit, old, new, reasons):
    load()
    edit(old, new)
    assert (plan().action, plan().reasons) == ("load", reasons)


def test_a_changed_source_is_named(load, data):
    load()
    data(csv_text(rows(89)))
    assert (plan().action, plan().reasons) == ("load", ["raw changed"])


def test_a_changed_suite_is_named(load, suite):
    load()
    suite(("expect_column_values_to_not_be_null", {"column": "theme"}))
    assert plan().reasons == ["expectations demandes.json changed"]


def test_a_changed_transform_is_named(load, edit, root):
    file = root / "projects" / "essai" / "transform.py"
    file.write_text("def demandes(batch):\n    return batch\n")
    edit("key: [id]", "transform: transform.py:demandes\n    key: [id]")
    load()
    assert plan().action == "nothing"
    file.write_text("def demandes(batch):\n    return batch.head(10)\n")
    assert (plan().action, plan().reasons) == ("load", ["transform changed"])


def test_two_changes_are_both_named(load, edit, data):
    load()
    data(csv_text(rows(89)))
    edit("on_failure: block", "on_failure: warn")
    assert plan().reasons == ["raw changed", "on_failure changed"]


@pytest.mark.parametrize("old", ["title: Demandes reçues", "ministry: Ministère d'essai", "team: Équipe"])
def test_words_for_people_change_nothing(load, train, edit, old):
    load()
    train()
    edit(old, old + " autre")
    with open_run("essai") as run:
        assert plan_project(run).is_empty


def test_new_files_of_an_appended_table(append, load, data):
    load()
    data(csv_text(rows(3, start=90)), "suite.csv")
    found = plan()
    assert (found.action, found.reasons) == ("load", ["new source files"])
    assert [f.name for f in found.files] == ["data/suite.csv"]


def test_a_refusal_is_planned_as_refused(load, data, suite):
    suite(("expect_column_values_to_not_be_null", {"column": "texte"}))
    data("id,texte,theme\na,,paie\n")
    reasons = load().reasons
    found = plan()
    assert (found.action, found.reasons, found.current) == ("refused", reasons, None)


def test_reasons_of_a_model(load, train, edit, data):
    load()
    assert (model_plan().action, model_plan().reasons) == ("train", ["tfidf: never trained"])
    train()
    assert (model_plan().action, model_plan().reasons) == ("nothing", [])
    edit("candidates: [tfidf]", "candidates: [{kind: tfidf, c: 3.0}]")
    assert model_plan().reasons == ["tfidf: candidate changed"]
    edit("candidates: [{kind: tfidf, c: 3.0}]", "candidates: [tfidf]")
    edit("test: 0.2", "test: 0.25")
    assert model_plan().reasons == ["tfidf: model changed"]
    edit("test: 0.25", "test: 0.2")
    data(csv_text(rows(120)))
    load()
    assert model_plan().reasons == ["tfidf: dataset changed"]


def test_a_changed_promotion_rule_is_decided_and_not_trained(load, train, edit):
    load()
    train()
    edit("at_least: 0.3", "at_least: 0.4")
    found = model_plan()
    assert found.action == "decide"
    assert all(c.version is not None for c in found.candidates)


def test_a_model_waits_for_a_dataset_that_is_about_to_change(load, train, data):
    load()
    train()
    data(csv_text(rows(60)))
    with open_run("essai") as run:
        [model] = plan_project(run).models
    assert (model.action, model.reasons) == ("wait", ["after demandes"])


@pytest.mark.parametrize("ask", [plan_dataset, plan_model])
def test_an_unknown_name_says_what_there_is(root, ask):
    with open_run("essai") as run, pytest.raises(ConfigurationError, match=r"demandes|theme") as caught:
        ask(run, "inconnu")
    assert caught.value.exit_code == 2 and not isinstance(caught.value, NotFound)
