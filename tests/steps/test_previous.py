"""A load beside the version that is served: what has changed too much is refused or told, and never quarantined away."""

from __future__ import annotations

import json

import pytest

from flows.quality.docs import render
from flows.quality.previous import DISTRIBUTION, NONE, NULL_SHARE, PREVIOUS, ROW_COUNT
from flows.quality.suites import load_suites
from flows.steps import open_run
from flows.steps.check import check_dataset
from flows.validation import ABOUT_PREVIOUS, check_suite
from tests.conftest import REPOSITORY, csv_text, rows

DROP = (ROW_COUNT, {"max_drop": 0.2})


def test_the_first_load_passes_and_a_drop_is_refused(load, data, history, suite):
    suite(DROP)
    first = load()
    assert first.report.verdict == "passed" and first.report.results[0].observed == NONE
    data(csv_text(rows(60)))
    outcome = load()
    assert outcome.refused and history() == [1]
    assert outcome.report.results[0].examples == ["60 lignes au lieu de 90 (−33 %)"]
    assert "60 lignes au lieu de 90" in render(outcome.report, "Demandes")
    data(csv_text(rows(80)))
    assert load().action == "loaded"
    data(csv_text(rows(65)))
    assert load().action == "loaded", "compared with the 80 rows of the version before, not with the first"


@pytest.mark.parametrize("on_failure", ["block", "quarantine"])
def test_a_drop_is_never_quarantined_away(load, data, edit, history, suite, quarantined, on_failure):
    edit("on_failure: block", f"on_failure: {on_failure}")
    suite(DROP, ("expect_column_values_to_not_be_null", {"column": "texte"}))
    load()
    data(csv_text([*rows(60), ("x1", "", "paie")]))
    outcome = load()
    assert outcome.refused and history() == [1]
    assert quarantined(outcome.report)[61] == {"expect_column_values_to_not_be_null:texte"}


def test_the_rows_that_are_set_aside_count_as_gone(load, data, edit, history, suite):
    """100 rows come in place of 90, and half of them are refused: the table would have 50."""
    edit("on_failure: block", "on_failure: quarantine")
    suite(DROP, ("expect_column_values_to_not_be_null", {"column": "texte"}))
    load()
    data(csv_text([*rows(50), *((f"x{i}", "", "paie") for i in range(50))]))
    outcome = load()
    assert outcome.refused and history() == [1]
    assert outcome.report.results[-1].examples == ["50 lignes au lieu de 90 (−44 %)"]


def test_what_is_appended_is_compared_as_the_whole_table(load, data, edit, append, suite, history):
    suite((ROW_COUNT, {"max_drop": 0, "max_growth": 0.2}))
    load()
    data(csv_text(rows(10, start=500)), "mardi.csv")
    assert load().report.results[0].observed == pytest.approx(10 / 90, abs=1e-4)
    data(csv_text(rows(200, start=1000)), "mercredi.csv")
    assert load().refused and history() == [2, 1]


def test_a_shift_is_told_and_names_no_value_of_persons(load, data, edit, suite):
    suite((DISTRIBUTION, {"column": "theme"}, "warning"), (NULL_SHARE, {"column": "theme"}, "warning"))
    load()
    data(csv_text([(i, t, "paie") for i, t, _ in rows(90)]))
    outcome = load()
    assert outcome.action == "loaded"
    shift = outcome.report.results[0]
    assert not shift.success and "« paie » : 100 % au lieu de 33 %" in shift.examples
    edit("personal_data: none", "personal_data: personal")
    data(csv_text([(i, t, "") for i, t, _ in rows(90)]))
    shift, missing = load().report.results
    assert not shift.success and shift.examples == []
    assert missing.examples == ["100 % de valeurs vides au lieu de 0 %"], "a figure of nobody stays readable"


def test_a_published_version_is_compared_with_the_one_before_it(load, data, suite):
    suite(DROP)
    load()
    data(csv_text(rows(89)))
    load()
    suite((ROW_COUNT, {"max_drop": 0}))
    with open_run("essai") as run:
        _, second = check_dataset(run, "demandes", 2)
        _, first = check_dataset(run, "demandes", 1)
    assert (second.verdict, second.results[0].examples) == ("warned", ["89 lignes au lieu de 90 (−1,1 %)"])
    assert first.verdict == "passed" and first.results[0].observed == NONE


def test_validate_knows_them(tmp_path):
    assert set(PREVIOUS) == ABOUT_PREVIOUS
    file = tmp_path / "s.json"
    file.write_text(
        json.dumps({"expectations": [{"type": DISTRIBUTION, "kwargs": {"column": "autre"}}, {"type": NULL_SHARE, "kwargs": {}}]})
    )
    [problem] = check_suite(tmp_path, file, ["theme"])
    assert "autre" in problem.message


def test_the_common_suite_is_met_by_the_same_rows_again_and_not_by_half_of_them(load, data, edit, root):
    [common] = load_suites(REPOSITORY, ["commun/evolution.json"])
    assert {e["type"] for e in common.expectations} == set(PREVIOUS)
    (root / "expectations" / "demandes.json").write_text(json.dumps({"expectations": common.expectations}), encoding="utf-8")
    load()
    data(csv_text(rows(92)))
    assert load().report.verdict == "passed"
    data(csv_text(rows(40)))
    assert load().report.verdict == "refused"


def test_the_rows_that_a_refused_load_is_refused_for_are_no_drop(load, data, history, suite):
    suite(DROP, ("expect_column_values_to_not_be_null", {"column": "texte"}))
    load()
    data(csv_text([*rows(50), *((f"x{i}", "", "paie") for i in range(50))]))
    outcome = load()
    assert outcome.refused and history() == [1]
    assert outcome.report.results[-1].success and outcome.report.results[-1].observed == pytest.approx(10 / 90, abs=1e-4)
