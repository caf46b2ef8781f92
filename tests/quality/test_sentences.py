"""Every expectation that a suite can name has a French sentence, whatever its arguments are."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest

from flows.quality.results import CheckResult
from flows.quality.sentences import SENTENCES, own_sentence, sentence

COLUMN = {"column": "âge"}
ARGUMENTS = {
    "column": "âge",
    "column_A": "début",
    "column_B": "fin",
    "column_list": ["un", "deux"],
    "column_set": ["un", "deux"],
    "column_index": 0,
    "min_value": 1,
    "max_value": 3.5,
    "value": 12345,
    "value_set": ["a", 2],
    "value_pairs_set": [["a", "b"], ["c", "d"]],
    "regex": r"^\d{5}$",
    "regex_list": ["^a{1}", "b$"],
    "like_pattern": "a%",
    "like_pattern_list": ["a%", "b_"],
    "match_on": "all",
    "strftime_format": "%d/%m/%Y",
    "json_schema": {"type": "object"},
    "type_": "str",
    "type_list": ["str", "int"],
    "threshold": 3,
    "double_sided": True,
    "method": "iqr",
    "multiplier": 1.5,
    "strictly": True,
    "or_equal": True,
    "sum_total": 100,
    "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[1, None]]},
    "partition_object": {"values": ["a"], "weights": [1.0]},
    "other_table_name": "autre",
    "exact_match": False,
    "ties_okay": True,
    "base_query": "SELECT 1",
    "comparison_query": "SELECT 2",
    "comparison_data_source_name": "x",
    "unexpected_rows_query": "SELECT * FROM {batch} WHERE x",
    "max_drop": 0.1,
}


def _registered() -> list[str]:
    import great_expectations  # noqa: F401 - fills the registry
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    return sorted(set(list_registered_expectation_implementations()) | set(SENTENCES))


@pytest.mark.parametrize("kind", _registered())
def test_every_expectation_has_its_sentence(kind):
    template = SENTENCES.get(kind) or own_sentence(kind)
    assert template, f"{kind} has no French sentence: quality/sentences.py, or `sentence` of its class"
    for arguments in (ARGUMENTS, dict.fromkeys(ARGUMENTS), COLUMN, {}):
        said = sentence(kind, arguments, own_sentence(kind))
        assert said[0].isupper() and said != template.format_map(dict.fromkeys(re.findall(r"\{(.+?)\}", template), "")) + "None"
        assert not re.search(r"\bNone\b|expect_|\bcolumn\b|_value|\{\w+ ?\w*\}(?<!\{batch\})(?<!\{5\})(?<!\{1\})", said), said


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("expect_column_values_to_not_be_null", COLUMN, "La colonne « âge » ne doit pas être vide"),
        (
            "expect_column_values_to_not_be_null",
            COLUMN | {"mostly": 0.999},
            "La colonne « âge » ne doit pas être vide, pour au moins 99,9 % des lignes",
        ),
        (
            "expect_column_values_to_be_between",
            COLUMN | {"min_value": 0},
            "Les valeurs de la colonne « âge » doivent être supérieures ou égales à 0",
        ),
        (
            "expect_column_values_to_be_between",
            COLUMN | {"min_value": "1973-01-01", "max_value": "2100-01-01"},
            "Les valeurs de la colonne « âge » doivent être comprises entre 01/01/1973 et 01/01/2100",
        ),
        (
            "expect_column_values_to_be_between",
            COLUMN | {"max_value": 18, "strict_max": True},
            "Les valeurs de la colonne « âge » doivent être strictement inférieures à 18",
        ),
        (
            "expect_column_max_to_be_between",
            COLUMN | {"min_value": 0, "max_value": 1, "strict_min": True},
            "La plus grande valeur de la colonne « âge » doit être comprise entre 0 et 1 (borne basse exclue)",
        ),
        ("expect_table_row_count_to_be_between", {"min_value": 9000}, "Le nombre de lignes doit être supérieur ou égal à 9\u202f000"),
        (
            "expect_column_value_lengths_to_be_between",
            COLUMN,
            "Les valeurs de la colonne « âge » doivent avoir le nombre prévu de caractères",
        ),
        (
            "expect_column_proportion_of_non_null_values_to_be_between",
            COLUMN | {"min_value": 0.955},
            "La part de valeurs renseignées de la colonne « âge » doit être supérieure ou égale à 95,5 %",
        ),
        (
            "expect_column_distinct_values_to_equal_set",
            COLUMN | {"value_set": list("abcdefghij")},
            "La colonne « âge » doit prendre exactement les valeurs prévues : "
            "« a », « b », « c », « d », « e », « f », « g », « h » … (10 en tout)",
        ),
        (
            "expect_column_values_to_match_regex",
            COLUMN | {"regex": "^{2}$"},
            "Les valeurs de la colonne « âge » doivent avoir la forme ^{2}$",
        ),
        ("expect_zorglub", COLUMN, "Contrôle « expect_zorglub » de la colonne « âge »"),
    ],
)
def test_what_they_say(kind, arguments, said):
    assert sentence(kind, arguments) == said


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("age > 18", "age > 18"),
        ({"type": "comparison", "column": {"name": "pays"}, "operator": "==", "parameter": "FR"}, "« pays » vaut « FR »"),
        ({"type": "comparison", "column": {"name": "n"}, "operator": "NOT_IN", "parameter": [1, 2]}, "« n » n'est pas parmi 1, 2"),
        ({"type": "nullity", "column": {"name": "n"}, "is_null": False}, "« n » n'est pas vide"),
        (
            {
                "type": "and",
                "conditions": [
                    {"type": "nullity", "column": {"name": "n"}, "is_null": True},
                    {
                        "type": "or",
                        "conditions": [
                            {"type": "comparison", "column": {"name": "a"}, "operator": ">=", "parameter": 1.5},
                            {"type": "pass_through", "pass_through_filter": "b < 2"},
                        ],
                    },
                ],
            },
            "« n » est vide et (« a » ≥ 1,5 ou b < 2)",
        ),
    ],
)
def test_row_conditions(condition, said):
    whole = sentence("expect_column_values_to_be_unique", COLUMN | {"row_condition": condition, "mostly": 0.9})
    assert whole == f"La colonne « âge » ne doit pas avoir de doublon, pour au moins 90 % des lignes où {said}"


def test_row_conditions_are_those_that_great_expectations_writes():
    from great_expectations.expectations.row_conditions import Column

    condition = ((Column("pays") == "FR") | Column("n").is_null()) & (Column("m") != 3)
    said = sentence("expect_column_values_to_be_null", COLUMN | {"row_condition": condition.dict()})
    assert said == "La colonne « âge » doit être vide, pour les lignes où (« pays » vaut « FR » ou « n » est vide) et « m » ne vaut pas 3"


def test_a_class_of_ones_own_brings_its_sentence(monkeypatch):
    from great_expectations.expectations.core import ExpectColumnValuesToBeUnique
    from great_expectations.expectations.registry import _registered_expectations

    class ExpectColumnValuesToBeZorglub(ExpectColumnValuesToBeUnique):
        sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des zorglubs de {le nombre prévu de minimum} ans"

    try:
        kind = "expect_column_values_to_be_zorglub"
        assert own_sentence(kind) == ExpectColumnValuesToBeZorglub.sentence
        result = CheckResult("s", kind, COLUMN | {"minimum": 3}, "critical", "row", True, sentence=own_sentence(kind))
        from flows.quality.docs import sentence as shown

        assert shown(result) == "Les valeurs de la colonne « âge » doivent être des zorglubs de 3 ans"
    finally:
        _registered_expectations.pop(kind, None)
    assert own_sentence("expect_nothing_at_all") == ""
    assert sentence("x", {}, "Une accolade { seule") == "Une accolade { seule"
