"""Schemas as people write them: what is an error, and what is passed over with a note."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError
from flows.quality.table_schema import is_table_schema, load_schema, suite_of


def schema_file(folder: Path, content: object) -> Path:
    file = folder / "schema.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def loaded(folder: Path, *fields: object, **more: object):
    return load_schema(schema_file(folder, {"fields": list(fields), **more}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ([], 'a list "fields"'),
        ({"fields": {}}, 'a list "fields"'),
        ({"resources": []}, "data package"),
        ({"fields": []}, "fields is empty"),
        ({"fields": ["a"]}, "field 1: an object with a name"),
        ({"fields": [{"type": "string"}]}, "field 1: an object with a name"),
        ({"fields": [{"name": "a"}, {"name": "a"}]}, "declared twice"),
        ({"fields": [{"name": "a", "type": "integr"}]}, "did you mean 'integer'"),
        ({"fields": [{"name": "a", "type": "date", "format": "jour"}]}, "no format of date"),
        ({"fields": [{"name": "a", "format": 5}]}, "format is text"),
        ({"fields": [{"name": "a", "constraints": []}]}, "constraints is an object"),
        ({"fields": [{"name": "a", "constraints": {"required": "oui"}}]}, "required is true or false"),
        ({"fields": [{"name": "a", "constraints": {"minLength": -1}}]}, "minLength"),
        ({"fields": [{"name": "a", "constraints": {"enum": []}}]}, "enum is a list"),
        ({"fields": [{"name": "a", "constraints": {"pattern": "("}}]}, "no regular expression"),
        ({"fields": [{"name": "a", "type": "number", "decimalChar": ""}]}, "decimalChar"),
        ({"fields": [{"name": "a", "type": "boolean", "trueValues": "oui"}]}, "trueValues"),
        ({"fields": [{"name": "a", "type": "array", "arrayItem": {"type": "entier"}}]}, "'a[]': 'entier' is not a type"),
        ({"fields": [{"name": "a"}], "primaryKey": "b"}, "primaryKey: there is no field 'b'"),
        ({"fields": [{"name": "a"}], "foreignKeys": ["a"]}, "foreignKeys"),
        ({"fields": [{"name": "a"}], "foreignKeys": [{"fields": "a"}]}, '"fields" and "reference"'),
        ({"fields": [{"name": "a"}], "foreignKeys": [{"fields": "a", "reference": {"fields": "b"}}]}, "reference: there is no field 'b'"),
        ({"fields": [{"name": "a", "customCheck": 5}]}, "customCheck is the name of a check"),
        ({"fields": [{"name": "a", "categories": []}]}, "categories is a list"),
        ({"fields": [{"name": "a"}], "missingValues": "NA"}, "missingValues: a list"),
        ({"fields": [{"name": "a"}], "fieldsMatch": "sometimes"}, "fieldsMatch"),
        ({"fields": [{"name": "a"}], "custom_checks": ["x"]}, "custom_checks"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, content, said):
    with pytest.raises(ConfigurationError) as caught:
        load_schema(schema_file(tmp_path, content))
    assert said in caught.value.message and "schema.json" in caught.value.where


def test_all_problems_are_told_at_once(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, {"name": "a", "type": "x"}, {"name": "b", "constraints": 5})
    assert "2 problem(s)" in caught.value.message and "'a'" in caught.value.message and "'b'" in caught.value.message


def test_a_file_that_is_not_there_or_is_no_text(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_schema(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes('{"fields": [{"name": "é"}]}'.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_schema(tmp_path / "latin.json")


@pytest.mark.parametrize(
    ("field", "note"),
    [
        ({"contraints": {"required": True}}, 'did you mean "constraints"'),
        ({"pattern": "^a"}, 'its place is under "constraints"'),
        ({"required": True}, 'its place is under "constraints"'),
        ({"constraints": {"maxlength": 5}}, "did you mean 'maxLength'"),
        ({"constraints": {"minimum": 5}}, "minimum means nothing for string"),
        ({"type": "integer", "constraints": {"maxLength": 5}}, "maxLength means nothing for integer"),
        ({"format": "mail"}, "did you mean 'email'"),
        ({"type": "date", "format": "JJ/MM/AAAA"}, "is read as '%d/%m/%Y'"),
    ],
)
def test_what_is_passed_over_is_said(tmp_path, field, note):
    [said] = loaded(tmp_path, {"name": "a", **field}).notes
    assert note in said and "'a'" in said


@pytest.mark.parametrize(
    "field", [{"format": "fmt:email"}, {"type": None}, {"rdfType": "x", "title": "A"}, {"constraints": None}, {"example": 5}]
)
def test_what_needs_no_note(tmp_path, field):
    assert loaded(tmp_path, {"name": "a", **field}).notes == []


def test_a_byte_order_mark_and_the_parts_of_a_schema(tmp_path):
    content = {
        "fields": [{"name": "a"}, {"name": "b"}],
        "primaryKey": ["a", "b"],
        "missingValues": ["", {"value": "NA", "label": "absent"}],
    }
    schema = load_schema(schema_file(tmp_path, "\ufeff" + json.dumps(content)))
    assert (schema.primary_key, schema.missing_values) == (["a", "b"], ["", "NA"])


def test_categories_and_checks_of_a_field(tmp_path):
    checks = [{"name": "code-commune-insee", "cog": "2024"}, "siret"]
    fields = [{"name": name, "customCheck": check} for name, check in zip("ab", checks, strict=True)]
    schema = loaded(
        tmp_path, *fields, {"name": "c", "categories": ["x", {"value": "y", "label": "Y"}]}, custom_checks=[{"name": "siren", "params": {}}]
    )
    assert schema.custom_checks == [
        {"name": "siren", "params": {}},
        {"name": "code-commune-insee", "params": {"cog": "2024", "column": "a"}},
        {"name": "siret", "params": {"column": "b"}},
    ]
    assert schema.fields[2].constraints == {"enum": ["x", "y"]}


def test_which_files_are_schemas():
    assert is_table_schema({"fields": []}) and not is_table_schema({"expectations": [], "fields": []}) and not is_table_schema([])


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(max_size=5),
        st.sampled_from(["integer", "date", "%d", "any"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
PLACES = ["type", "format", "constraints", "missingValues", "trueValues", "decimalChar", "bareNumber", "arrayItem", "example", "frFormat"]
CONSTRAINTS = ["required", "unique", "enum", "pattern", "minimum", "maximum", "minLength"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    st.sampled_from(PLACES), json_values, st.sampled_from(CONSTRAINTS), json_values, st.sampled_from(["string", "integer", "date", "array"])
)
def test_anything_anywhere_gives_a_suite_or_a_clear_error(tmp_path, place, value, constraint, limit, kind):
    field = {"name": "a", "type": kind, "constraints": {constraint: limit}, place: value}
    try:
        suite = suite_of(loaded(tmp_path, field, primaryKey="a"))
    except ConfigurationError as error:
        assert error.message
    else:
        assert json.loads(json.dumps(suite)) == suite
