"""Loading a dataset: what runs again and what does not, in each mode."""

from __future__ import annotations

import pytest

from tests.conftest import csv_text, rows

NOT_NULL = ("expect_column_values_to_not_be_null", {"column": "texte"})
COUNT = "expect_table_row_count_to_be_between"


def test_first_load_makes_a_version_with_every_row(load, served):
    outcome = load()
    assert (outcome.action, outcome.version.number, outcome.previous) == ("loaded", 1, None)
    assert [tuple(r.values()) for r in served()] == rows(90)
    assert outcome.report.rows == {"read": 90, "kept": 90, "refused": 0, "total": 90}


def test_unchanged_does_nothing(load, history):
    load()
    again = load()
    assert (again.action, again.reasons, again.version.number) == ("nothing", [], 1)
    assert history() == [1]


def test_one_changed_byte_makes_a_version_and_the_old_one_stays_readable(load, served, data):
    first = load()
    path = data(csv_text(rows(90)).replace("question 7 ", "question 8 ", 1))
    assert path.stat().st_size == len(csv_text(rows(90)).encode())
    second = load()
    assert second.action == "loaded" and second.version.number > first.version.number
    assert second.previous.number == first.version.number
    assert served()[7]["texte"].startswith("question 8 ")
    assert served(first.version.number)[7]["texte"].startswith("question 7 ")


def test_replace_forgets_what_the_source_no_longer_has(load, served, data):
    load()
    data(csv_text(rows(30)))
    load()
    assert len(served()) == 30


def test_a_changed_suite_rebuilds_a_replaced_table(load, suite, history):
    load()
    suite(NOT_NULL)
    outcome = load()
    assert outcome.action == "loaded"
    assert len(history()) == 2


def test_titles_and_layout_of_a_suite_change_nothing(load, edit, root):
    load()
    edit("title: Demandes reçues", "title: Autre titre")
    path = root / "expectations" / "demandes.json"
    path.write_text(path.read_text().replace(", ", " ,\n  "), encoding="utf-8")
    assert load().action == "nothing"


def test_append_reads_new_files_only(append, load, data, served):
    load()
    data(csv_text(rows(10, start=90)), "suite.csv")
    second = load()
    assert second.report.rows == {"read": 10, "kept": 10, "refused": 0, "total": 100}
    assert len(served()) == 100
    assert load().action == "nothing"


def test_a_file_is_never_appended_twice_under_another_name(append, load, data, served, root):
    load()
    data((root / "projects/essai/data/demandes.csv").read_bytes(), "copie.csv")
    assert load().action == "nothing"
    data(None)
    assert load().action == "nothing"
    assert len(served()) == 90


@pytest.mark.parametrize("change", ["suite", "columns"])
def test_a_changed_setting_never_appends_again(append, load, edit, suite, served, history, change):
    load()
    if change == "suite":
        suite(NOT_NULL)
    else:
        edit("theme: string}", "theme: {type: string, required: true}}")
    assert load().action in ("checked", "nothing")
    assert history() == [1]
    assert len(served()) == 90


def test_a_changed_suite_checks_an_appended_table_again_and_flags_it(append, load, suite, history):
    load()
    suite((COUNT, {"min_value": 1000}))
    outcome = load()
    assert (outcome.action, outcome.report.verdict, outcome.report.version) == ("checked", "warned", 1)
    assert outcome.report.results[0].observed == 90
    assert load().action == "nothing", "once per suite"
    assert history() == [1]


def test_rows_whose_key_is_in_the_table_are_refused(append, load, data, edit, quarantined, served):
    edit("on_failure: block", "on_failure: quarantine")
    load()
    data(csv_text(rows(4, start=88)), "suite.csv")
    outcome = load()
    assert outcome.report.rows == {"read": 4, "kept": 2, "refused": 2, "total": 92}
    assert quarantined(outcome.report) == {1: {"key:id:already in the table"}, 2: {"key:id:already in the table"}}
    assert len(served()) == 92


def test_append_without_a_key_takes_equal_rows(append, load, data, edit, served, root):
    edit("    key: [id]\n", "")
    text = (root / "projects/essai/project.yaml").read_text().split("models:")[0]
    (root / "projects/essai/project.yaml").write_text(text)
    load()
    data(csv_text(rows(90)) + "\n", "copie.csv")  # another file with the same rows
    load()
    assert len(served()) == 180


def test_upsert_changes_known_rows_and_adds_new_ones(edit, load, data, served):
    edit("key: [id]", "key: [id]\n    mode: upsert")
    load()
    data("id,texte,theme\nd00003,corrigé,paie\nd99999,nouveau,congé\n", "suite.csv")
    outcome = load()
    found = {r["id"]: r["texte"] for r in served()}
    assert len(found) == len(served()) == 91
    assert (found["d00003"], found["d99999"]) == ("corrigé", "nouveau")
    assert outcome.report.rows["total"] == 91
    assert load().action == "nothing"


def test_upsert_follows_a_source_that_goes_back(edit, load, data, served):
    edit("key: [id]", "key: [id]\n    mode: upsert")
    for text in ("avant", "après", "avant"):
        data(f"id,texte,theme\na,{text},paie\n")
        load()
        assert [r["texte"] for r in served()] == [text]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_rows_added_later_take_a_newly_declared_column(load, edit, data, served, mode):
    edit("key: [id]", f"key: [id]\n    mode: {mode}")
    load()
    data("id,texte,theme,lieu\nz1,bonjour,paie,Brest\n", "suite.csv")
    data(None)
    edit("theme: string}", "theme: string, lieu: string}")
    outcome = load()
    assert outcome.action == "loaded"
    assert [r["lieu"] for r in served() if r["id"] in ("z1", "d00000")] == [None, "Brest"]
