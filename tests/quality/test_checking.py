"""What socle validate says of suites, with lines, before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError
from flows.quality import answers, load_suites
from flows.quality.checking import suite_checker
from flows.quality.row_names import names_in_condition
from flows.validation import Problem
from tests.conftest import REPOSITORY

COLUMNS = {"id": "string", "texte": "string", "thème du texte": "string", "montant": "integer"}
BETWEEN, NULL, REGEX = "expect_column_values_to_be_between", "expect_column_values_to_not_be_null", "expect_column_values_to_match_regex"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers are kept here between the tests."""
    return tmp_path_factory.mktemp("state")


def check(folder: Path, state: Path, *entries: object) -> list[Problem]:
    """Each expectation on a line of its own, from line 2; parameters on that same line."""
    file = folder / "suite.json"
    file.write_text('{"expectations": [\n' + ",\n".join(json.dumps(e, ensure_ascii=False) for e in entries) + "\n]}", encoding="utf-8")
    return suite_checker(state)(folder, file, COLUMNS)


def one(kind: str, **arguments: object) -> dict[str, object]:
    return {"type": kind, "kwargs": arguments}


GOOD = one(NULL, column="id")


@pytest.mark.parametrize(
    ("entry", "said", "hint"),
    [
        (one(NULL + "s", column="id"), "unknown expectation", NULL),
        (one(NULL, column="texe"), "no column 'texe'", "'texte'"),
        (one(NULL, colum="id"), "unknown parameter 'colum'", "'column'"),
        (one(NULL, column="id", zzzzz=1), "unknown parameter 'zzzzz'", "it has column, mostly"),
        (one(NULL), "the parameter 'column' is missing", ""),
        (one(BETWEEN, column="montant", min_value={"$PARAMETER": "least"}), "the parameter 'least' has no value", "suite_parameters"),
        (one(BETWEEN, column="id"), "cannot both be None", ""),
        (one("expect_table_row_count_to_be_between"), "anything is between nothing", ""),
        (one(REGEX, column="id"), "the parameter 'regex' is missing", ""),
        (one(BETWEEN, column="id", min_value="x"), "min_value: 'x' is wrong", ""),
        (one(BETWEEN, column="id", min_value=1, mostly=2), "mostly: 2 is wrong", ""),
        (one(BETWEEN, column="id", min_value=5, max_value=1), "nothing can be between them", ""),
        (one(BETWEEN, column="id", min_value="2025-02-01", max_value="2025-01-01"), "nothing can be between them", ""),
        (one("expect_column_values_to_be_in_set", column="id", value_set="a"), "value_set: 'a' is wrong", ""),
        (one(REGEX, column="id", regex="("), "is no regular expression", ""),
        (one("expect_column_values_to_match_regex_list", column="id", regex_list=["a", "["]), "is no regular expression", ""),
        (one("expect_column_values_to_match_json_schema", column="id", json_schema={"type": "nimporte"}), "is no JSON Schema", ""),
        (one(NULL, column="id", row_condition="montant >", condition_parser="pandas"), "row_condition cannot be read", ""),
        (one(NULL, column="id", row_condition="montent > 0", condition_parser="pandas"), "no column 'montent'", "'montant'"),
        (one(NULL, column="id", row_condition="montant > 0"), "needs a condition_parser", "pandas"),
        (one(NULL, column="id", row_condition={"type": "nullity"}), '"column" is an object', ""),
        (one(NULL, column="id", row_condition='col("x").notnull()', condition_parser="great_expectations"), "no column 'x'", ""),
        (one("expect_column_mean_to_be_between", column="texte", min_value=0), "cannot be evaluated, since 'texte' is string", ""),
        (one(BETWEEN, column="texte", min_value=0), "cannot be evaluated, since 'texte' is string", ""),
        (one("expect_column_values_to_be_siren", column="montant"), "cannot be evaluated, since 'montant' is integer", ""),
        (one("expect_column_values_to_match_like_pattern", column="id", like_pattern="a%"), "for databases only", ""),
        (one("expect_column_values_to_be_in_set", column="montant", value_set=["1", "2"]), "value_set holds texts", "without the quotes"),
        (one("expect_column_values_to_be_in_set", column="id", value_set=[1, 2]), "value_set holds no texts", "in quotes"),
        ({**GOOD, "severity": "grave"}, "severity is critical", ""),
        ({**GOOD, "kwargs": {"column": "texte"}, "severitee": "warning"}, "unknown key 'severitee'", "'severity'"),
        (GOOD, "asked twice", "line 2"),
        (one("expect_row_count_to_stay_close_to_previous", max_drp=0.1), "max_drp", ""),
        (one("expect_row_count_to_stay_close_to_previous", max_drop=10), "max_drop is a share", ""),
        (one("expect_column_values_to_be_siren", column="id", espaces=True), "unknown parameter 'espaces'", ""),
        (one("expect_column_values_to_be_of_table_schema_type", column="id", field={"type": "entier"}), "'entier' is not a type", ""),
        (
            one(
                "expect_column_values_to_meet_table_schema_constraint",
                column="id",
                field={"type": "integer"},
                constraint="minimum",
                limit="x",
            ),
            "'x' is not of type integer",
            "",
        ),
    ],
)
def test_one_mistake(tmp_path, state, entry, said, hint):
    problems = check(tmp_path, state, GOOD, entry)
    about = [p for p in problems if said in p.message]
    assert about and all(p.line == 3 and not p.note for p in problems), problems
    assert any(hint in p.hint for p in about)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (one(REGEX, column="id", regex="^(?!x)a"), "a look-around, which Polars cannot run"),
        (one(REGEX, column="id", regex=r"(a)\1"), "a back-reference, which Polars cannot run"),
        (one("expect_column_values_to_not_match_regex_list", column="id", regex_list=["a", "(?<=a)b"]), "regex_list has a look-around"),
        (one(BETWEEN, column="montant", min_value="10"), "'10' is read as 10"),
    ],
)
def test_what_works_but_should_be_known_is_a_note(tmp_path, state, entry, said):
    [note] = check(tmp_path, state, GOOD, entry)
    assert note.note and note.line == 3 and said in note.message and ": note: " in str(note)


@pytest.mark.parametrize(
    "entry",
    [
        one(
            BETWEEN,
            column="montant",
            min_value=0,
            mostly=0.999,
            row_condition='`thème du texte` == "paie" and id > 1',
            condition_parser="pandas",
        ),
        one(NULL, column="texte", row_condition={"type": "comparison", "column": {"name": "id"}, "operator": "IN", "parameter": ["a"]}),
        one(NULL, column="texte", row_condition='col("id") == "a"', condition_parser="great_expectations"),
        one(REGEX, column="id", regex=r"^\d{5}$"),
        one("expect_column_values_to_be_siret", column="id"),
        one("expect_table_columns_to_be_among", column_set=["id"]),
        one("expect_column_values_to_match_json_schema", column="id", json_schema={"type": "object"}),
        one("expect_column_mean_to_be_between", column="montant", min_value=0, row_condition="id == 'x'", condition_parser="pandas"),
        one("expect_column_values_to_be_in_set", column="montant", value_set=[1, 2]),
        one("expect_compound_columns_to_be_unique", column_list=["id", "montant"]),
        one("expect_column_distribution_to_stay_close_to_previous", threshold=0.2),
        {**GOOD, "kwargs": {"column": "texte"}, "severity": "info", "description": "x", "meta": {"type": "y"}, "notes": "z", "id": "1"},
    ],
)
def test_what_is_right(tmp_path, state, entry):
    assert check(tmp_path, state, GOOD, entry) == []


@pytest.mark.parametrize("bounds", [{"min_value": "2024-13-01"}, {"max_value": "x"}])
def test_a_wrong_bound_is_not_a_missing_one_as_well(tmp_path, state, bounds):
    [found] = check(tmp_path, state, one(BETWEEN, column="id", **bounds))
    assert "is wrong" in found.message


def test_the_line_is_that_of_the_parameter(tmp_path, state):
    file = tmp_path / "suite.json"
    entries = [
        one(BETWEEN, column="id", min_value=1, field="x"),
        one("expect_column_values_to_match_regex_list", column="id", regex_list=["a", "["]),
    ]
    file.write_text(json.dumps({"meta": {"type": "x"}, "expectations": entries}, indent=1))
    lines = file.read_text().split("\n")
    found = suite_checker(state)(tmp_path, file, COLUMNS)
    assert [lines[p.line - 1].strip().strip(",") for p in found] == ['"field": "x"', '"["']


def test_a_suite_that_is_no_utf8_text(tmp_path, state):
    (tmp_path / "suite.json").write_bytes('{"expectations": [],\n"name": "é"}'.encode("latin-1"))
    [problem] = suite_checker(state)(tmp_path, tmp_path / "suite.json", COLUMNS)
    assert problem.line == 2 and "not UTF-8" in problem.message
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_suites(tmp_path, [str(tmp_path / "suite.json")])


def test_answers_are_kept_and_nothing_is_asked_again(tmp_path, monkeypatch):
    first = check(tmp_path, tmp_path, GOOD, one(BETWEEN, column="id"))
    monkeypatch.setattr(answers, "_ask", lambda kind, arguments: pytest.fail("asked again"))
    assert check(tmp_path, tmp_path, GOOD, one(BETWEEN, column="id")) == first != []


def test_answers_that_cannot_be_read_or_kept_are_asked_again(tmp_path):
    wanted = check(tmp_path, tmp_path, one(BETWEEN, column="id"))
    [file] = (tmp_path / "expectations").glob("*.json")
    for content in ("", "[]", '{"a": 5}', "{"):
        file.write_text(content)
        assert check(tmp_path, tmp_path, one(BETWEEN, column="id")) == wanted
    (tmp_path / "file").write_text("")
    assert check(tmp_path, tmp_path / "file", one(BETWEEN, column="id")) == wanted


def test_suites_of_this_repository_have_no_problem(tmp_path, state):
    """Columns are another test's matter: validate checks each suite for its datasets."""
    for file in sorted((REPOSITORY / "expectations").rglob("*.json")):
        entries = json.loads(file.read_text(encoding="utf-8"))["expectations"]
        found = [p for p in check(tmp_path, state, *entries) if "no column" not in p.message and not p.note]
        assert found == [], file


# ---- row conditions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "parser", "names"),
    [
        ("a > 1", "pandas", ["a"]),
        ("`le nom` == 'x' & b < 2 and a in [1, 2]", "pandas", ["le nom", "b", "a"]),
        ("a.notnull() or not b", "pandas", ["a", "b"]),
        ("a.str.len() > 2", "pandas", ["a"]),
        ('col("a") != "x"', "great_expectations", ["a"]),
        ("col('a').notnull()", "great_expectations", ["a"]),
        ({"type": "or", "conditions": [{"type": "nullity", "column": {"name": "a"}, "is_null": True}]}, None, ["a"]),
        ({"type": "pass_through", "pass_through_filter": "a > 1"}, None, ["a"]),
    ],
)
def test_columns_that_a_condition_names(condition, parser, names):
    assert names_in_condition(condition, parser) == names


@pytest.mark.parametrize(
    ("condition", "parser"),
    [
        ("a >", "pandas"),
        ("a = 1", "pandas"),
        ("", "pandas"),
        ("1", "pandas"),
        (5, "pandas"),
        ("a > 1", "spark"),
        ("a > 1", "great_expectations"),
        ({}, None),
        ({"type": "or", "conditions": []}, None),
        ({"type": "comparison", "column": {"name": "a"}, "operator": "=", "parameter": 1}, None),
        ({"type": "nullity", "column": {"name": "a"}, "is_null": "oui"}, None),
        ({"type": "nullity", "column": "a", "is_null": True}, None),
    ],
)
def test_conditions_that_cannot_be_read(condition, parser):
    with pytest.raises(ValueError, match=r".+"):
        names_in_condition(condition, parser)


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_a_condition_or_is_refused(text):
    try:
        assert all(isinstance(name, str) for name in names_in_condition(text, "pandas"))
    except ValueError as error:
        assert str(error)


def test_parameters_with_a_value_are_right(tmp_path, state):
    asked = [one(BETWEEN, column="montant", min_value={"$PARAMETER": p}) for p in ("least", "least * 2")]
    (tmp_path / "suite.json").write_text(json.dumps({"expectations": asked, "suite_parameters": {"least": 2}}), encoding="utf-8")
    assert suite_checker(state)(tmp_path, tmp_path / "suite.json", COLUMNS) == []
