"""Suites made from schemas, and what they say of rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.errors import ConfigurationError
from flows.quality import Suite, table_schema
from flows.quality.expectations import evaluate, select
from flows.quality.table_schema import load_schema, suite_of
from flows.quality.table_schema.suite import whole
from flows.settings import load_settings
from flows.steps.suite_trial import try_suite
from flows.validation import expectation_types
from tests.conftest import REPOSITORY

PAIRS = REPOSITORY.parent / "shared" / "data" / "schemas"


def made(folder: Path, *fields: Any, known: Any = (), **more: Any) -> dict[str, Any]:
    file = folder / "schema.json"
    file.write_text(json.dumps({"fields": list(fields), **more}), encoding="utf-8")
    return suite_of(load_schema(file), known)


def failed(suite: dict[str, Any], rows: pl.DataFrame) -> dict[str, int | None]:
    """Rule of the schema -> how many rows do not meet it."""
    table_schema.register()
    found = {}
    for selection in select([Suite("essai", suite["expectations"], "")]):
        for (_, entry), each in zip(selection.entries, evaluate(rows.lazy(), selection, show_values=True), strict=True):
            assert not each.result.error
            if not each.result.success:
                found[f"{entry['severity']} {entry['meta']['table_schema']}"] = each.result.unexpected
    return found


FIELDS = [
    {"name": "id", "type": "integer", "constraints": {"required": True, "minimum": 1}},
    {"name": "jour", "type": "date", "format": "%d/%m/%Y", "constraints": {"minimum": "01/01/2020", "unique": True}},
    {"name": "prix", "type": "number", "decimalChar": ",", "constraints": {"enum": ["1,5", 2]}},
    {"name": "gratuit", "type": "boolean", "trueValues": ["oui"], "falseValues": ["non"]},
    {"name": "code", "constraints": {"pattern": "a|b+", "minLength": 1, "maxLength": 2}},
    {"name": "liste", "type": "array", "constraints": {"maxLength": 1}},
]
GOOD = {
    "id": ["1", "2"],
    "jour": ["01/01/2020", None],
    "prix": ["1,50", "2"],
    "gratuit": ["oui", "non"],
    "code": ["a", "bb"],
    "liste": ["[1]", None],
}
BAD = {
    "id": ["0", None],
    "jour": ["31/12/2019", "x"],
    "prix": ["1,5", "3"],
    "gratuit": ["oui", "1"],
    "code": ["ax", "bbb"],
    "liste": ["[1,2]", "{"],
}


def test_texts_are_checked_against_types_and_constraints(tmp_path):
    suite = made(tmp_path, *FIELDS, primaryKey="id")
    assert failed(suite, pl.DataFrame(GOOD)) == {}
    assert failed(suite, pl.DataFrame(BAD)) == {
        "critical fields.id.required": 1,
        "critical fields.id.minimum": 1,
        "critical fields.jour.type": 1,
        "critical fields.jour.minimum": 1,
        "critical fields.prix.enum": 1,
        "critical fields.gratuit.type": 1,
        "critical fields.code.length": 1,
        "critical fields.code.pattern": 1,
        "critical fields.liste.type": 1,
        "critical fields.liste.maxLength": 1,
    }


def test_the_same_suite_holds_on_typed_columns(tmp_path):
    from datetime import date

    suite = made(tmp_path, *FIELDS, primaryKey="id")
    typed = {
        "id": [1, 2],
        "jour": [date(2020, 1, 1), None],
        "prix": [1.5, 2.0],
        "gratuit": [True, False],
        "code": ["a", "bb"],
        "liste": [[1], None],
    }
    assert failed(suite, pl.DataFrame(typed)) == {}
    wrong = typed | {"id": [0, 0], "jour": [date(2019, 1, 1), None], "prix": [3.0, None]}
    found = failed(suite, pl.DataFrame(wrong))
    assert found == {
        "critical fields.id.minimum": 2,
        "critical primaryKey": 2,
        "critical fields.jour.minimum": 1,
        "critical fields.prix.enum": 1,
    }


def test_keys_of_several_columns(tmp_path):
    suite = made(tmp_path, {"name": "a"}, {"name": "b"}, primaryKey=["a", "b"], uniqueKeys=[["b"]])
    assert failed(suite, pl.DataFrame({"a": ["1", "1"], "b": ["1", "2"]})) == {}
    assert failed(suite, pl.DataFrame({"a": ["1", "1"], "b": ["1", "1"]})) == {"critical primaryKey": 2, "critical uniqueKeys": 2}


def test_a_foreign_key_of_a_table_to_itself(tmp_path):
    fields = [{"name": "id", "type": "integer"}, {"name": "parent", "type": "integer"}, {"name": "pays"}]
    simple = {"fields": "parent", "reference": {"resource": "", "fields": "id"}}
    together = {"fields": ["pays", "parent"], "reference": {"fields": ["pays", "id"]}}
    rows = {"id": ["1", "2", "3"], "parent": [None, "1", "9"], "pays": ["fr", "fr", "fr"]}
    for key in (simple, together):
        suite = made(tmp_path, *fields, foreignKeys=[key])
        assert failed(suite, pl.DataFrame(rows)) == {"critical foreignKeys": 1}
        assert failed(suite, pl.DataFrame(rows | {"parent": [None, "1", "2"]})) == {}
    assert failed(suite, pl.DataFrame(rows | {"parent": [None, "1", "2"], "pays": ["fr", "be", "fr"]})) == {"critical foreignKeys": 2}
    with pytest.raises(ConfigurationError, match=r"1 field.s. refer to 2"):
        made(tmp_path, *fields, foreignKeys=[{"fields": "parent", "reference": {"fields": ["pays", "id"]}}])


def test_values_of_a_key_are_compared_as_values(tmp_path):
    """Not as texts: 01 and 1 of an integer are one."""
    (tmp_path / "d.csv").write_text("n;jour;x;code\n1;01/02/2020;1,5;01\n01;1/2/2020;1,50;1\n")
    fields = [
        {"name": "n", "type": "integer", "constraints": {"unique": True}},
        {"name": "jour", "type": "date", "format": "%d/%m/%Y", "constraints": {"unique": True}},
        {"name": "x", "type": "number", "decimalChar": ",", "constraints": {"unique": True}},
        {"name": "code", "constraints": {"unique": True}},
    ]
    made(tmp_path, *fields)
    [trial] = try_suite(tmp_path / "schema.json", tmp_path / "d.csv", load_settings())
    assert {r.text.split(" »")[0] for r in trial.failed} == {"« n", "« jour", "« x"}
    assert [r.unexpected for r in trial.failed] == [2, 2, 2]


def test_names_of_columns_may_have_spaces_around(tmp_path):
    (tmp_path / "d.csv").write_text(" a ;b\n1;2\n")
    made(tmp_path, {"name": "a", "constraints": {"required": True}}, {"name": "b"})
    [trial] = try_suite(tmp_path / "schema.json", tmp_path / "d.csv", load_settings())
    assert trial.verdict == "passed" and "the name of the column ' a ' is read as 'a'" in trial.notes


HEADERS = [
    (None, ["a", "b"], {}),
    (None, ["b", "a"], {"info fields"}),
    (None, ["a"], {"warning fields"}),
    (None, ["a", "b", "c"], {"warning fields"}),
    ("exact", ["b", "a"], {"critical fields"}),
    ("exact", ["a", "b", "c"], {"critical fields"}),
    ("equal", ["b", "a"], {}),
    ("equal", ["a"], {"critical fields"}),
    ("subset", ["a", "b", "c"], {}),
    ("subset", ["a"], {"critical fields"}),
    ("superset", ["a"], {}),
    ("superset", ["a", "c"], {"critical fields"}),
    ("partial", ["a", "c"], {}),
]


@pytest.mark.parametrize(("match", "columns", "wanted"), HEADERS)
def test_headers(tmp_path, match, columns, wanted):
    more = {"fieldsMatch": match} if match else {}
    suite = made(tmp_path, {"name": "a", "constraints": {"required": True}}, {"name": "b"}, **more)
    rows = pl.DataFrame({c: ["1"] for c in columns})
    assert set(failed({"expectations": [e for e in suite["expectations"] if e["kwargs"].get("column") in (None, *columns)]}, rows)) == set(
        wanted
    )


def test_a_required_column_that_is_not_there(tmp_path):
    (tmp_path / "d.csv").write_text("b\n1\n")
    made(tmp_path, {"name": "a", "constraints": {"required": True}}, {"name": "b"})
    [trial] = try_suite(tmp_path / "schema.json", tmp_path / "d.csv", load_settings())
    assert trial.refused and [r.type for r in trial.failed if r.severity == "critical"] == ["expect_column_to_exist"]


@pytest.mark.parametrize(
    ("pattern", "regex"),
    [
        ("a|b", "^(?:a|b)$"),
        ("^a$", "^a$"),
        ("^a$|^b$", "^(?:^a$|^b$)$"),
        ("^(a|b)$", "^(a|b)$"),
        (r"^a\$", r"^(?:^a\$)$"),
        ("^[|]$", "^[|]$"),
        ("(?i)^a$", "(?i)^a$"),
        ("(?i)a|b", "(?i)^(?:a|b)$"),
    ],
)
def test_a_pattern_is_of_the_whole_text(pattern, regex):
    assert whole(pattern) == regex


def test_french_formats_and_checks(tmp_path):
    checks = [
        {"name": "french-siret-value", "params": {"column": "siret"}},
        {"name": "cohesive-columns-value", "params": {"column": "a", "othercolumns": ["b"]}},
        {"name": "one-of-required", "params": {"column1": "b", "column2": "siret"}},
        {"name": "year_interval_value", "params": {"column": "a", "allow-year-only": True}},
        {"name": "horoscope-value", "params": {"column": "a"}},
        {"name": "french-siren-value", "params": {"column": "absente"}},
    ]
    fields = [{"name": "siret", "frFormat": "siret"}, {"name": "a"}, {"name": "b", "frFormat": {"name": "inconnu"}}]
    suite = made(tmp_path, *fields, custom_checks=checks, known=expectation_types())
    rows = {"siret": ["79248336400024", "80295478500028", None], "a": ["2020", "2020/2021", "20"], "b": ["1", None, None]}
    assert failed(suite, pl.DataFrame(rows)) == {
        "critical fields.siret.frFormat": 1,
        "critical custom_checks.cohesive-columns-value": 2,
        "critical custom_checks.one-of-required": 1,
        "critical custom_checks.year-interval-value": 1,
    }
    said = " ".join(suite["meta"]["table_schema"]["not_checked"])
    assert "horoscope-value" in said and "'inconnu'" in said and "'absente'" in said and "french-siret" not in said


def test_columns_are_compared_as_what_they_are(tmp_path):
    fields = [
        {"name": "debut", "type": "date", "format": "%d/%m/%Y"},
        {"name": "fin", "type": "date"},
        {"name": "a", "type": "number"},
        {"name": "b", "type": "integer"},
    ]
    checks = [
        {"name": "compare-columns-value", "params": {"column": "debut", "op": "<=", "column2": "fin"}},
        {"name": "compare-columns-value", "params": {"column": "a", "op": "=", "column2": "b"}},
        {"name": "compare-columns-value", "params": {"column": "a", "op": "~", "column2": "b"}},
    ]
    suite = made(tmp_path, *fields, custom_checks=checks)
    good = {
        "debut": ["09/01/2020", None, "x"],
        "fin": ["2020-01-10", "2020-01-01", "2020-01-01"],
        "a": ["9.0", "10", None],
        "b": ["9", "10", "1"],
    }
    assert failed(suite, pl.DataFrame(good)) == {"critical fields.debut.type": 1}
    found = failed(suite, pl.DataFrame(good | {"debut": ["11/01/2020", "1/1/2020", None], "a": ["10", "10", None]}))
    assert found == {"critical custom_checks.compare-columns-value": 1}
    assert suite["meta"]["table_schema"]["not_checked"] == ["custom check compare-columns-value on 'a', 'b'"]


def test_what_a_suite_cannot_check_is_said(tmp_path):
    suite = made(tmp_path, {"name": "a"}, foreignKeys=[{"fields": "a", "reference": {"resource": "b", "fields": "c"}}])
    assert suite["meta"]["table_schema"]["not_checked"] == ["foreign key on a: a suite sees one table"]


def test_limits_that_no_value_can_have(tmp_path):
    with pytest.raises(ConfigurationError, match="'a': minimum: 'x' is not of type integer"):
        made(tmp_path, {"name": "a", "type": "integer", "constraints": {"minimum": "x"}})
    with pytest.raises(ConfigurationError, match="'a': enum"):
        made(tmp_path, {"name": "a", "type": "integer", "constraints": {"enum": ["x"]}})
    suite = made(tmp_path, {"name": "a", "type": "integer", "constraints": {"enum": ["x", 1]}})
    assert [e["kwargs"]["limit"] for e in suite["expectations"] if "limit" in e["kwargs"]] == [[1]]
    assert "no value can be it" in suite["meta"]["table_schema"]["not_checked"][0]


def test_every_expectation_of_a_suite_is_one_that_may_be_named(tmp_path):
    suite = made(tmp_path, *FIELDS, {"name": "siret", "frFormat": "siret"}, primaryKey=["id", "code"], known=expectation_types())
    assert {e["type"] for e in suite["expectations"]} <= expectation_types()


# ---- files that their authors judged -------------------------------------------------------------------------------------


@pytest.mark.skipif(not PAIRS.is_dir(), reason="needs the shared data")
def test_verdicts_are_those_of_the_authors():
    """Of one pair of each repository and verdict; benchmarks/table_schema.py tries all."""
    with (PAIRS / "index.csv").open(encoding="utf-8") as lines:
        pairs = {(row["depot"], row["verdict_auteur"]): row for row in csv.DictReader(lines)}
    wrong = []
    for (_, verdict), row in pairs.items():
        trials = try_suite(PAIRS / row["schema"], PAIRS / row["exemple"], load_settings())
        if any(t.refused for t in trials) != (verdict == "invalide"):
            wrong.append((row["cas"], [r.text for t in trials for r in t.failed]))
    assert len(pairs) > 10 and wrong == []
