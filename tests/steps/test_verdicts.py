"""block, quarantine, warn: what is refused, what is set aside, and what readers see then."""

from __future__ import annotations

import pytest

from tests.conftest import csv_text, rows

NOT_NULL = ("expect_column_values_to_not_be_null", {"column": "texte"})
UNIQUE = ("expect_column_values_to_be_unique", {"column": "texte"})
COUNT = "expect_table_row_count_to_be_between"
BROKEN = [*rows(6), ("d00006", "", "paie"), ("d00007", "même", "paie"), ("d00008", "même", "paie")]


def test_block_refuses_everything_and_the_previous_version_is_served(load, data, served, history, quarantined, suite):
    suite(NOT_NULL)
    first = load()
    data(csv_text(BROKEN))
    outcome = load()
    assert outcome.refused and outcome.version.number == first.version.number
    assert outcome.report.verdict == "refused"
    assert outcome.report.rows["read"] == outcome.report.rows["kept"] + outcome.report.rows["refused"] == 9
    assert quarantined(outcome.report) == {7: {"expect_column_values_to_not_be_null:texte"}}
    assert history() == [1] and len(served()) == 90


def test_a_refused_load_repeats_its_refusal_until_something_changes(load, data, history, suite):
    suite(NOT_NULL)
    load()
    data(csv_text(BROKEN))
    first, again = load(), load()
    assert again.refused and again.reasons == first.reasons and again.version.number == 1
    assert again.report.load_id == first.report.load_id
    data(csv_text(BROKEN).replace("d00006,,", "d00006,rempli,"))
    assert load().action == "loaded"
    assert len(history()) == 2


def test_quarantine_sets_aside_the_rows_and_publishes_the_rest(load, data, edit, served, quarantined, suite):
    edit("on_failure: block", "on_failure: quarantine")
    suite(NOT_NULL, UNIQUE, (COUNT, {"min_value": 5}))
    data(csv_text(BROKEN))
    outcome = load()
    assert outcome.report.verdict == "quarantined"
    assert outcome.report.rows == {"read": 9, "kept": 6, "refused": 3, "total": 6}
    unique = "expect_column_values_to_be_unique:texte"
    assert quarantined(outcome.report) == {7: {"expect_column_values_to_not_be_null:texte"}, 8: {unique}, 9: {unique}}
    assert outcome.report.refused_by_rule == {"expect_column_values_to_not_be_null:texte": 1, unique: 2}
    assert [r["id"] for r in served()] == [r[0] for r in rows(6)]


def test_the_quarantine_holds_every_rule_of_every_row(load, data, edit, quarantined, suite):
    edit("on_failure: block", "on_failure: quarantine")
    short = ("expect_column_value_lengths_to_be_between", {"column": "texte", "min_value": 3})
    among = ("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["paie", "congé"]})
    warned = ("expect_column_values_to_not_match_regex", {"column": "texte", "regex": "^o"}, "warning")
    suite(short, among, warned)
    data(csv_text([("a", "long texte", "paie"), ("b", "xx", "autre"), ("c", "long", "autre"), ("d", "yy", "paie"), ("e", "oui", "paie")]))
    outcome = load()
    length, value = "expect_column_value_lengths_to_be_between:texte", "expect_column_values_to_be_in_set:theme"
    assert quarantined(outcome.report) == {2: {length, value}, 3: {value}, 4: {length}}
    assert outcome.report.refused_by_rule == {length: 2, value: 2}
    assert outcome.report.rows["kept"] == 2, "a warning takes no row out"


def test_a_failure_of_the_whole_table_is_never_quarantined_away(load, data, edit, history, suite):
    edit("on_failure: block", "on_failure: quarantine")
    suite(NOT_NULL, (COUNT, {"min_value": 9}))
    load()
    data(csv_text(BROKEN))  # 9 rows; the one without a text goes, 8 are left
    outcome = load()
    assert outcome.refused and history() == [1]
    assert any(COUNT in reason for reason in outcome.reasons)


def test_warn_publishes_every_row_and_says_so(load, data, edit, served, suite):
    edit("on_failure: block", "on_failure: warn")
    suite(NOT_NULL)
    data(csv_text(BROKEN))
    outcome = load()
    assert (outcome.action, outcome.report.verdict) == ("loaded", "warned")
    assert len(served()) == 9
    assert any("texte" in reason for reason in outcome.report.reasons)


@pytest.mark.parametrize("on_failure", ["block", "quarantine", "warn"])
def test_a_warning_alone_never_stops_a_load(load, data, edit, served, suite, on_failure):
    edit("on_failure: block", f"on_failure: {on_failure}")
    suite((*NOT_NULL, "warning"))
    data(csv_text(BROKEN))
    outcome = load()
    assert (outcome.action, outcome.report.verdict) == ("loaded", "passed")
    assert len(outcome.report.failed) == 1 and len(served()) == 9


def test_a_row_of_another_type_is_set_aside_under_its_number(load, data, edit, quarantined):
    edit("on_failure: block", "on_failure: quarantine")
    edit("theme: string}", "theme: integer}")
    data("id,texte,theme\na,un,1\nb,deux,2.5\n,trois,3\nd,quatre,quatre\n")
    outcome = load()
    assert quarantined(outcome.report) == {2: {"type:theme:integer"}, 3: {"required:id"}, 4: {"type:theme:integer"}}
    assert outcome.report.rows == {"read": 4, "kept": 1, "refused": 3, "total": 1}


def test_duplicate_keys_are_refused_after_the_first(load, data, edit, served, quarantined):
    edit("on_failure: block", "on_failure: quarantine")
    data(csv_text([("a", "un", "paie"), ("b", "deux", "paie"), ("a", "trois", "paie")]))
    outcome = load()
    assert quarantined(outcome.report) == {3: {"key:id:twice in this load"}}
    assert [(r["id"], r["texte"]) for r in served()] == [("a", "un"), ("b", "deux")]


def test_duplicate_keys_block_a_load(load, data, history):
    data(csv_text([("a", "un", "paie"), ("a", "deux", "paie")]))
    assert load().refused
    assert history() == []


def test_examples_of_personal_data_are_not_kept(load, data, edit, suite):
    edit("personal_data: none", "personal_data: personal")
    suite(("expect_column_values_to_be_in_set", {"column": "texte", "value_set": ["x"]}))
    data(csv_text([("a", "Jeanne Dupont", "paie")]))
    outcome = load()
    assert outcome.refused
    assert "Dupont" not in outcome.report.to_json().decode()
