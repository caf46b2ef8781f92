"""A suite proposed from the lake: written, accepted, and met by the version that it was made from."""

from __future__ import annotations

import json
import random

import pytest

from flows.cli import app
from flows.errors import NotFound
from flows.lake.references import parse
from flows.steps import open_run
from flows.steps.check import check_dataset
from flows.steps.suggest import suggest_suite
from tests.conftest import csv_text, rows

MANY = 1200


@pytest.fixture
def loaded(load, data, suite):
    suite()
    data(csv_text(rows(MANY)))
    load()


def suggested(reference="essai/demandes", versions=5):
    with open_run("essai") as run:
        return suggest_suite(run, parse(reference), versions)


def types(found):
    return {(e["type"], e["kwargs"].get("column")) for e in found.suite["expectations"]}


def test_accepted_it_is_met_by_the_version_it_was_made_from(loaded, load, data, edit, root, invoke):
    result = invoke("expectations", "suggest", "essai/demandes", "--accept")
    place = root / "expectations" / "essai" / "demandes-suggestions.json"
    assert result.exit_code == 0 and place.is_file()
    assert "essai/demandes-suggestions.json" in result.output and "projects/essai/project.yaml" in result.output
    edit("expectations: [demandes.json]", "expectations: [demandes.json, essai/demandes-suggestions.json]")
    with open_run("essai") as run:
        _, report = check_dataset(run, "demandes")
    proposed = json.loads(place.read_text(encoding="utf-8"))["expectations"]
    assert report.verdict == "passed" and report.failed == [] and len(report.results) == len(proposed) > 8
    data(csv_text([(i, t, "paie") for i, t, _ in rows(MANY)]))
    assert [r.type for r in load().report.failed] == ["expect_column_distribution_to_stay_close_to_previous"]


def test_the_version_that_is_named_and_the_ones_before_it(loaded, load, data):
    data(csv_text([(i, t, random.Random(1).choice("abc") + t[-5:]) for i, t, _ in rows(MANY)]))
    load()
    version, found = suggested("essai/demandes@1")
    assert version.number == 1 and found.versions == 1
    assert ("expect_column_values_to_be_in_set", "theme") in types(found)
    version, found = suggested()
    assert version.number == 2 and found.versions == 2
    assert suggested(versions=1)[1].versions == 1
    with pytest.raises(NotFound):
        suggested("essai/demandes@9")


def test_what_the_project_declares(loaded):
    _, found = suggested()
    critical = [(e["type"], e["kwargs"]) for e in found.suite["expectations"] if e["severity"] == "critical"]
    column = {"column": "id"}
    assert critical == [("expect_column_values_to_not_be_null", column), ("expect_column_values_to_be_unique", column)]


def test_what_the_dataset_expects_already_is_not_proposed_again(loaded, suite):
    assert ("expect_column_values_to_be_in_set", "theme") in types(suggested()[1])
    suite(("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["paie"]}))
    assert ("expect_column_values_to_be_in_set", "theme") not in types(suggested()[1])


def test_no_values_of_persons(loaded, load, data, edit):
    names = ("Jeanne Martin", "Paul Durand", "Fatima Benali")
    edit("personal_data: none", "personal_data: personal")
    edit("theme: string}", "theme: {type: string, source: nom}}")
    data(csv_text([(i, t, names[n % 3]) for n, (i, t, _) in enumerate(rows(MANY))], header="id,texte,nom"))
    load()
    _, found = suggested(versions=1)
    text = json.dumps(found.suite, ensure_ascii=False)
    assert not any(name in text for name in names) and ("expect_column_values_to_not_be_null", "theme") in types(found)


def test_the_command(loaded, root, tmp_path, invoke):
    result = invoke("expectations", "suggest", "essai/demandes")
    suite = json.loads(result.stdout)
    assert result.exit_code == 0 and suite["name"] == "essai/demandes-suggestions" and suite["expectations"]
    place = tmp_path / "proposee.json"
    assert invoke("expectations", "suggest", "essai/demandes", "--output", str(place)).exit_code == 0
    assert json.loads(place.read_text(encoding="utf-8")) == suite
    before = place.read_bytes()
    again = invoke("expectations", "suggest", "essai/demandes", "--output", str(place))
    assert isinstance(again.exception, Exception) and "exists already" in str(again.exception) and place.read_bytes() == before
    shown = json.loads(invoke("expectations", "suggest", "essai/demandes@1", "--json").stdout)
    assert shown["version"] == "essai/demandes@1" and shown["suite"] == suite and shown["versions"] == 1


@pytest.fixture
def invoke(root):
    from typer.testing import CliRunner

    return lambda *arguments: CliRunner().invoke(app, list(arguments))
