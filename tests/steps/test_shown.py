"""No value that is about a person leaves a load unmasked, wherever results are shown."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from flows.quality.results import CheckResult
from flows.settings import load_settings
from flows.steps import open_run
from flows.steps.shown import Shown
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


def test_a_version_that_is_published_is_flagged_and_never_taken_back(load, data, edit, suite, served):
    from flows.steps.check import check_dataset

    edit("personal_data: none", "personal_data: personal")
    suite()
    data(csv_text(LINES))
    assert load().report.verdict == "passed"
    edit("personal_data: personal", "personal_data: none")
    with open_run("essai") as run:
        _, report = check_dataset(run, "demandes")
    assert report.verdict == "warned" and report.personal_data and len(report.reasons) == len(report.personal_data)
    assert len(served()) == len(LINES)
    assert [s for s in SECRETS if s in report.to_json().decode()] == []


def test_rows_that_are_set_aside_do_not_refuse_the_others_and_their_examples_are_masked(load, data, edit, suite, served):
    edit("on_failure: block", "on_failure: quarantine")
    suite(("expect_column_values_to_not_match_regex", {"column": "texte", "regex": "@"}))
    data(csv_text([*LINES, ("ok", "question sur la paie", "paie")]))
    outcome = load()
    assert outcome.report.verdict == "quarantined" and [r["id"] for r in served()] == ["ok"]
    assert outcome.report.results[0].examples and [s for s in SECRETS if s in outcome.report.to_json().decode()] == []


# ---- what may be shown of a value ----------------------------------------------------------------------------------


def result(**changes) -> CheckResult:
    fields = {"suite": "s", "type": "expect_column_values_to_be_in_set", "arguments": {"column": "nom"}, "severity": "critical"}
    return CheckResult(**fields | {"level": "row", "success": False} | changes)


def shown(personal_data: str = "none", **kinds: list[str]) -> Shown:
    return Shown(kinds, {"nom", "ville"}, personal_data)


@pytest.mark.parametrize(
    ("how", "value", "masked"),
    [
        (shown(), "Zorglub", "Zorglub"),
        (shown(), "jean.dupont@orange.fr", "[e-mail]"),
        (shown(nom=["name"]), "Zorglub", "Z***"),
        (shown(nom=["email", "name"]), "Zorglub <z.q@free.fr>", "Z*** <z***@***.fr>"),
        (shown(nom=["name", "phone"]), "Zorglub 06 12 34 56 78", "Z******** ** ** ** ** **"),
        (shown("personal"), "Zorglub 12", "Z*** **"),
        (shown("pseudonymised", ville=["phone"]), "Zorglub", "Z***"),
        (shown("personal"), "2024-01-31", "****-**-**"),
    ],
)
def test_values(how, value, masked):
    assert how.result(result(examples=[value])).examples == [masked]


def test_an_address_at_the_end_of_a_long_value_is_masked_before_it_is_cut(load, data, suite):
    suite(("expect_column_values_to_be_in_set", {"column": "texte", "value_set": ["x"]}, "warning"))
    for length in range(90, 121):
        cut = shown().result(result(examples=["x" * length + " jean.dupont@orange.fr " + "y" * 200])).examples[0]
        assert len(cut) <= 120 and "dupont" not in cut
    data(csv_text([("a", "x" * 105 + " contact secretariat.dupont@orange.fr", "paie")]))
    assert "dupont" not in load().report.to_json().decode()


def test_values_of_several_columns_are_masked_by_the_kinds_of_all():
    pair = result(type="expect_column_pair_values_to_be_equal", arguments={"column_A": "nom", "column_B": "ville"})
    how = shown(nom=["name"], ville=["nir"])
    assert how.result(replace(pair, examples=["('Zorglub', '2 69 05 49 588 157 80')"])).examples == [
        "('Z*********', '* ** ** ** *** *** **')"
    ]
    whole_row = result(type="unexpected_rows_expectation", arguments={})
    assert "Zorglub" not in str(how.result(replace(whole_row, examples=["{'nom': 'Zorglub'}"])))


@pytest.mark.parametrize(
    ("kind", "observed", "personal_data", "masked"),
    [
        ("expect_column_max_to_be_between", 269054958815780, "none", "2**************"),
        ("expect_column_mean_to_be_between", 40.5, "none", 40.5),
        ("expect_column_unique_value_count_to_be_between", 12, "personal", 12),
        ("expect_column_most_common_value_to_be_in_set", ["Zorglub"], "personal", ["Z***"]),
        ("expect_column_distinct_values_to_be_in_set", ["Zorglub"], "sensitive", None),
        ("expect_column_max_to_be_between", "Zorglub", "pseudonymised", "Z***"),
    ],
)
def test_observed_values(kind, observed, personal_data, masked):
    kinds = {"nom": ["nir"]} if isinstance(observed, int) and observed > 99 else {}
    assert Shown(kinds, {"nom"}, personal_data).result(result(type=kind, observed=observed)).observed == masked


def test_long_lists_of_observed_values_are_cut_and_names_of_columns_stay():
    many = shown().result(result(type="expect_column_distinct_values_to_be_in_set", observed=list(range(500)))).observed
    assert len(many) == 51 and many[-1] == "… 500"
    table = result(type="expect_table_columns_to_match_set", arguments={}, observed=["nom", "ville"])
    assert shown("personal").result(table).observed == ["nom", "ville"]


def test_texts_that_quote_values():
    how = shown("personal")
    assert how.text("could not convert string to float: 'Zorglub'") == "could not convert string to float: 'Z***'"
    assert how.text("« nom » vaut « Zorglub » : 'str'") == "« nom » vaut « Z*** » : 'str'"
    assert shown().text("« nom » vaut « Zorglub »") == "« nom » vaut « Zorglub »", "declared and found to hold nobody"
    assert "dupont" not in shown().text("x jean.dupont@orange.fr")
