"""The custom checks of Validata, each on what it takes and what it refuses. What Validata 0.12 says of the same is the same, but where a
comment says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.settings import load_settings
from flows.steps.suite_trial import try_suite

TEXTS = [{"name": name} for name in "abc"]
WHOLE = [{"name": name, "type": "integer"} for name in "abc"]
DECIMAL = [{"name": name, "type": "number", "decimalChar": ","} for name in "abc"]
POINT = [{"name": "a", "type": "geopoint"}, *TEXTS[1:]]
SPACED_OUT = "732 829 320"


def verdict(folder: Path, fields: list[dict[str, Any]], lines: list[str], **more: Any) -> bool:
    (folder / "schema.json").write_text(json.dumps({"fields": fields, **more}), encoding="utf-8")
    (folder / "d.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    [trial] = try_suite(folder / "schema.json", folder / "d.csv", load_settings())
    assert not [n for n in trial.notes if "not checked" in n] and not [r.error for r in trial.results if r.error]
    return not trial.refused


OF_ONE_VALUE = [
    ("french-siret-value", ["73282932000074", f"{SPACED_OUT} 00074"], ["73282932000075", "732829320"]),
    ("siren", ["732829320", SPACED_OUT], ["732829321", "x"]),
    (
        "phone-number-value",
        ["01 40 20 50 50", "0140205050", "+33 1 40 20 50 50", "(+33) 1 40 20 50 50", "3949", "115", "+32 2 555 12 12", "+590 590 82 00 00"],
        ["0140", "abc", "01 40 20 50 50 / 01 40 20 50 51"],
    ),
    (
        "nomenclature-actes-value",
        [
            "Commande publique/x",
            "COMMANDE publique/x",
            "Libertes publiques et pouvoirs de police/x/y",
            "Domaines de compétences par thèmes/x",
        ],
        ["Commande publique", "Commande publique / x", "Commande publique/ x", "Autre/x"],
    ),
    ("nomenclature-acte", ["Urbanisme/x"], ["Urbanisme"]),
    ("opening-hours-value", ["Mo-Fr 08:30-20:00", "24/7", "Mo 10:00-12:00,14:00-18:00"], ["lundi 8h-12h", "9h-17h"]),
    ("year-interval-value", ["2019/2020", "2019/2024"], ["2020/2019", "2020/2020", "2020", "x"]),
    ("code-region", ["11", "04"], ["99", "4"]),
    ("numero-departement", ["2A", "974"], ["99", "1"]),
    ("code-commune-insee", ["75056", "2A004"], ["99999"]),
    ("code-postal", ["33000", "75775"], ["00000", "330"]),  # 75775 is a CEDEX, which Validata's list has not
]


@pytest.mark.parametrize(("check", "good", "bad"), OF_ONE_VALUE, ids=[c for c, _, _ in OF_ONE_VALUE])
@pytest.mark.parametrize("of_field", [False, True])
def test_checks_of_one_value(tmp_path, check, good, bad, of_field):
    """Asked at the end of a schema, or by a field's `customCheck`."""
    fields = [{"name": "a", **({"customCheck": {"name": check, "cog": "2024"}} if of_field else {})}, {"name": "b"}]
    more = {} if of_field else {"custom_checks": [{"name": check, "params": {"column": "a"}}]}
    assert verdict(tmp_path, fields, ["a;b", *(f"{v};1" for v in good), ";1"], **more)
    for value in bad:
        assert not verdict(tmp_path, fields, ["a;b", f"{value};1"], **more), value


OF_ROWS = [
    ("year-interval-value", {"column": "a", "allow-year-only": "yes"}, TEXTS, "2020;1;1", True),
    ("year-interval-value", {"column": "a", "allow-year-only": "yes"}, TEXTS, "2020/2018;1;1", False),
    ("year-interval-value", {"column": "a", "allow-year-only": "no"}, TEXTS, "2020;1;1", False),
    ("sum-columns-value", {"column": "a", "columns": ["b", "c"]}, WHOLE, "3;1;2", True),
    ("sum-columns-value", {"column": "a", "columns": ["b", "c"]}, WHOLE, "4;1;2", False),
    ("sum-columns-value", {"column": "a", "columns": ["b", "c"]}, WHOLE, "4;;2", True),
    ("sum-columns-value", {"column": "a", "columns": ["b", "c"]}, DECIMAL, "0,3;0,1;0,2", True),
    ("sum-columns-value", {"column": "a", "columns": ["b", "c"]}, DECIMAL, "0,31;0,1;0,2", False),
    ("compare-columns-value", {"column": "a", "op": ">", "column2": "b"}, TEXTS, "10;9;1", True),
    ("compare-columns-value", {"column": "a", "op": "<=", "column2": "b"}, TEXTS, "2020-01-02;2020-01-01;1", False),
    ("compare-columns-value", {"column": "a", "op": "<=", "column2": "b"}, TEXTS, ";2020-01-01;1", True),
    ("french-gps-coordinates", {"column": "a"}, POINT, "2.35,48.85;1;1", True),
    ("french-gps-coordinates", {"column": "a"}, POINT, "48.85,2.35;1;1", False),
    ("french-gps-coordinates", {"column": "a"}, [{**POINT[0], "format": "array"}, *TEXTS[1:]], "[2.35,48.85];1;1", True),
    ("french-gps-coordinates", {"column": "a"}, [{**POINT[0], "format": "object"}, *TEXTS[1:]], '{"lon":2.35,"lat":48.85};1;1', True),
    ("french-gps-coordinates", {"column": "a"}, [{**POINT[0], "format": "object"}, *TEXTS[1:]], '{"lon":48.85,"lat":2.35};1;1', False),
]


@pytest.mark.parametrize(("check", "given", "fields", "row", "valid"), OF_ROWS)
def test_checks_of_rows(tmp_path, check, given, fields, row, valid):
    assert verdict(tmp_path, fields, ["a;b;c", row], custom_checks=[{"name": check, "params": given}]) is valid


ONE_OF = {"name": "one-of-required", "params": {"column1": "a", "column2": "b"}}
COHESIVE = {"name": "cohesive-columns-value", "params": {"column": "a", "othercolumns": ["b"]}}
ABSENT = [
    (ONE_OF, ["a;b;c", "1;;1", ";1;1"], True),
    (ONE_OF, ["a;b;c", ";;1"], False),
    (ONE_OF, ["a;c", "1;1"], True),
    (ONE_OF, ["a;c", ";1"], False),
    (ONE_OF, ["c", "1"], False),
    (COHESIVE, ["a;b;c", "1;1;1", ";;1"], True),
    (COHESIVE, ["a;b;c", ";1;1"], False),
    (COHESIVE, ["a;c", "1;1"], False),
    (COHESIVE, ["a;c", ";1"], True),  # Validata refuses the column itself; here an empty column and none are the same
    (COHESIVE, ["c", "1"], True),
]


@pytest.mark.parametrize(("check", "lines", "valid"), ABSENT)
def test_a_column_that_is_absent_is_an_empty_one(tmp_path, check, lines, valid):
    assert verdict(tmp_path, TEXTS, lines, custom_checks=[check]) is valid
