"""block, quarantine, warn: what is refused, what is set aside, and what readers see then."""

from __future__ import annotations

import pytest

from flows.quality.trends import answer
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


def test_all_rules_of_more_rows_than_great_expectations_lists(load, data, edit, quarantined, suite):
    edit("on_failure: block", "on_failure: quarantine")
    among = ("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["paie"]})
    long = ("expect_column_value_lengths_to_be_between", {"column": "texte", "min_value": 3})
    suite(among, long)
    data(csv_text([("ok", "long", "paie"), *((f"d{n}", "x", "autre" if n % 2 else "paie") for n in range(1_500))]))
    found = quarantined(load().report)
    rules = {"expect_column_values_to_be_in_set:theme", "expect_column_value_lengths_to_be_between:texte"}
    assert len(found) == 1_500
    assert all(found[n + 2] == (rules if n % 2 else {"expect_column_value_lengths_to_be_between:texte"}) for n in range(1_500))


def test_two_expectations_of_one_type_on_one_column_are_told_apart(load, data, edit, quarantined, suite):
    from flows.quality.docs import rule

    edit("on_failure: block", "on_failure: quarantine")
    kind = "expect_column_values_to_match_regex"
    suite((kind, {"column": "texte", "regex": "^a"}), (kind, {"column": "texte", "regex": "z$"}), (kind, {"column": "id", "regex": "."}))
    data(csv_text([("1", "a z", "paie"), ("2", "a", "paie"), ("3", "z", "paie"), ("4", "x", "paie")]))
    report = load().report
    first, second, other = (r.rule for r in report.results)
    assert quarantined(report) == {2: {second}, 3: {first}, 4: {first, second}} and other == f"{kind}:id"
    assert report.refused_by_rule == {first: 2, second: 2}
    assert "^a" in rule(first, report.results) and "z$" in rule(second, report.results)


def test_what_took_rows_out_says_how_many_and_shows_examples_of_them(load, data, edit, suite):
    edit("on_failure: block", "on_failure: quarantine")
    suite(("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["paie"]}))
    data(csv_text([("a", "un", "paie"), ("b", "deux", "autre chose"), ("c", "trois", "paie"), ("d", "quatre", "paie")]))
    (result,) = load().report.results
    assert (result.success, result.refused, result.unexpected, result.examples) == (True, 1, 0, ["autre chose"])
    assert answer(result).share == 0.25, "the trend counts them"


def test_what_took_rows_out_is_counted_among_all_rows_whatever_other_rules_took_out(load, data, edit, suite):
    edit("on_failure: block", "on_failure: quarantine")
    among = ("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["paie"]})
    length = ("expect_column_value_lengths_to_be_between", {"column": "texte", "min_value": 3})
    suite(among, length)
    data(csv_text([("a", "un", "paie"), ("b", "un", "x"), ("c", "trois", "x"), ("d", "un", "paie"), ("e", "cinq", "paie")]))
    results = load().report.results
    assert [(r.checked_rows, r.refused, r.refused_of) for r in results] == [(1, 2, 5), (1, 3, 5)]
    assert [answer(r).share for r in results] == [0.4, 0.6]


def test_a_table_that_is_right_only_without_the_refused_rows_is_published_and_it_is_said(load, data, edit, served, suite):
    edit("on_failure: block", "on_failure: quarantine")
    suite(NOT_NULL, (COUNT, {"max_value": 8}))
    data(csv_text(BROKEN))  # 9 rows; 8 without the one that has no text
    outcome = load()
    assert outcome.report.verdict == "quarantined" and len(served()) == 8
    assert outcome.report.findings == ["Satisfait seulement sans les lignes écartées : Le nombre de lignes doit être inférieur ou égal à 8"]


@pytest.mark.parametrize(("severity", "verdict"), [("critical", "refused"), ("warning", "passed"), ("info", "passed")])
def test_severity_decides_for_table_expectations_too(load, data, suite, severity, verdict):
    suite((COUNT, {"max_value": 3}, severity))
    data(csv_text(BROKEN))
    assert load().report.verdict == verdict
