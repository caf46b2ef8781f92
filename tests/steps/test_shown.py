"""No value that is about a person leaves a load unmasked, wherever results are shown."""

from __future__ import annotations

import logging

import pytest

from flows.settings import load_settings
from flows.steps import open_run
from tests.conftest import csv_text

NIRS = ["1 85 05 78 006 084 91", "2 69 05 49 588 157 80", "2 95 10 99 126 111 93"]
PEOPLE = [
    ("Zorglub Qwertz", "jean.dupont@orange.fr", "06 12 34 56 78"),
    ("Jeanne Durand", "zorglub.qwertz@free.fr", "07 81 23 45 67"),
    ("Marie Lefebvre", "marie.lefebvre@gmail.com", "06 98 76 54 32"),
]
LINES = [(f"d{i:05}", f"{n} {m} {t}", PEOPLE[i % 3][0]) for i, ((_, m, t), n) in enumerate(zip(PEOPLE * 3, NIRS * 3, strict=True))]
SECRETS = [
    *(part for n in NIRS for part in (n, n.replace(" ", ""), n[6:])),
    *(word for name, _, _ in PEOPLE for word in name.split()),
    *(m for _, m, _ in PEOPLE),
    *(m.split("@")[0] for _, m, _ in PEOPLE),
    *(t for _, _, t in PEOPLE),
]
ALL_FAIL = [
    ("expect_column_values_to_be_in_set", {"column": "texte", "value_set": ["x"]}),
    ("expect_column_values_to_match_regex", {"column": "theme", "regex": "^[0-9]$"}),
    ("expect_column_values_to_match_regex", {"column": "theme", "regex": "^[a-z]$"}, "warning"),
    ("expect_column_distinct_values_to_be_in_set", {"column": "theme", "value_set": ["x"]}, "warning"),
    ("expect_column_most_common_value_to_be_in_set", {"column": "theme", "value_set": ["x"]}, "info"),
    ("expect_column_max_to_be_between", {"column": "texte", "max_value": "0"}, "warning"),
    ("expect_column_value_z_scores_to_be_less_than", {"column": "texte", "threshold": 1, "double_sided": False}, "warning"),
    ("expect_column_mean_to_be_between", {"column": "texte", "max_value": 0}, "warning"),
    ("expect_column_pair_values_to_be_equal", {"column_A": "texte", "column_B": "theme"}, "warning"),
    ("expect_compound_columns_to_be_unique", {"column_list": ["theme", "theme"]}, "warning"),
    ("expect_column_values_to_be_unique", {"column": "theme"}, "warning"),
]


@pytest.fixture
def said(root, load, caplog, capsys):
    """Load, and everything that anybody can read of it."""
    from flows.cli import display
    from flows.lake import Lake, keys
    from flows.monitor.lake import LakeView
    from flows.steps.pipeline import RunResult
    from flows.steps.reports import kept_trend
    from flows.texts import checks, summary

    def shown() -> tuple[object, str]:
        caplog.set_level(logging.DEBUG)
        outcome = load()
        with open_run("essai") as run:
            objects = run.lake.bucket("essai")
            texts = [o.key for o in objects.list("checks/")]
            texts += [objects.get(k).decode() for k in texts]
            assert any(k == keys.check_docs("demandes", outcome.report.load_id) for k in texts)
            result = RunResult("essai", run.project.title, run.id, [outcome])
            texts += [*summary.run_text(run, result), summary.what_went_wrong(result), repr(result.error()), str(outcome.reasons)]
            texts += [str(checks.table(outcome.report, kept_trend(run, "demandes", outcome.report.load_id)))]
            display.summary(result, run.lake, run.project, 1.0)
            display.as_json(result)
            settings = load_settings()
            texts.append(repr(LakeView(settings.root, Lake(settings)).collect().__dict__))
        texts += [caplog.text, *capsys.readouterr()]
        return outcome, "\n".join(texts)

    return shown


@pytest.mark.parametrize("on_failure", ["block", "quarantine", "warn"])
@pytest.mark.parametrize("personal_data", ["none", "pseudonymised", "personal", "sensitive"])
def test_no_value_about_a_person_is_shown_anywhere(said, data, edit, suite, personal_data, on_failure):
    edit("personal_data: none", f"personal_data: {personal_data}")
    edit("on_failure: block", f"on_failure: {on_failure}")
    suite(*ALL_FAIL)
    data(csv_text(LINES))
    outcome, text = said()
    assert [s for s in SECRETS if s in text] == []
    examples = [e for r in outcome.report.results for e in r.examples]
    if personal_data == "sensitive":
        assert not examples
    elif on_failure == "warn":
        assert any("***" in e for e in examples), "masked, and shown"
    if personal_data == "none" and on_failure == "warn":
        assert outcome.refused and outcome.report.personal_data and "Données personnelles" in text
