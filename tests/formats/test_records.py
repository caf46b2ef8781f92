"""JSON and JSON Lines, record by record."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.errors import ConfigurationError, SocleError, SourceRefused
from flows.project.formats import JsonFormat, JsonLinesFormat
from tests.formats.reading import read

LINES = JsonLinesFormat(type="jsonl")


def at(records: str = "") -> JsonFormat:
    return JsonFormat(type="json", records=records)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("records") / "source"


def records(path, data, declared, max_record_mb=10):
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return list(read(path, path.name, declared, 1000, max_record_mb))


def test_a_list_gives_its_items(file):
    assert records(file, [{"a": 1}, {"a": "deux"}], at()) == [{"a": 1}, {"a": "deux"}]


@pytest.mark.parametrize("before", [b"", b"\n  \t", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_what_may_stand_before_a_list(file, before):
    assert records(file, before + b'[{"a": 1}]', at()) == [{"a": 1}]
    assert records(file, before + b'{"a": 1}', at()) == [{"a": 1}]


def test_an_object_is_one_record(file):
    tree = {"children": [{"a": 1}, {"a": 2}], "titre": "Code"}
    assert records(file, tree, at()) == [tree]


@pytest.mark.parametrize(
    ("path", "found"),
    [("children.item", [{"a": 1}, {"a": 2}]), ("children.item.b.item", [{"c": 3}]), ("autre", [{"d": 4}])],
)
def test_records_at_a_path(file, path, found):
    tree = {"children": [{"a": 1}, {"a": 2}], "autre": {"d": 4}}
    if "b" in path:
        tree = {"children": [{"b": []}, {"b": [{"c": 3}]}]}
    assert records(file, tree, at(path)) == found


def test_a_path_that_leads_nowhere_is_a_configuration_error(file):
    with pytest.raises(ConfigurationError, match=r"children\.item") as caught:
        records(file, {"enfants": [{"a": 1}]}, at("children.item"))
    assert file.name in caught.value.message


def test_a_single_document_over_the_limit_is_refused_before_it_is_read(file):
    with pytest.raises(ConfigurationError, match="SOCLE_MAX_RECORD_MB"):
        records(file, {"texte": "x" * 1_200_000}, at(), max_record_mb=1)
    assert len(records(file, [{"texte": "x" * 1_200_000}], at(), max_record_mb=1)) == 1, "a list is streamed"


def test_records_before_the_damage_come_first_and_the_place_is_told(file):
    file.write_bytes(b'[{"a": 1}, {"a": 2}, {"a":')
    found, reader = [], read(file, "articles.json", at(), 10, 10)
    with pytest.raises(SourceRefused, match=r"articles\.json is not whole") as caught:
        found.extend(reader)
    assert "after record 2" in caught.value.where


@pytest.mark.parametrize("data", [b"", b" ", b"[", b'[{"a": 1}', b'{"a": ', b"[{'a': 1}]", b"\xff\xfe[", b'[{"a": "\xff"}]', b"[{}] suite"])
def test_what_is_not_json_is_refused(file, data):
    with pytest.raises(SourceRefused):
        records(file, data, at())


@pytest.mark.parametrize(
    ("data", "kind"), [(b"[1]", "int"), (b'["a"]', "str"), (b"[null]", "NoneType"), (b"[[{}]]", "list"), (b"3", "int")]
)
def test_an_item_that_is_no_object_is_refused_with_its_place(file, data, kind):
    with pytest.raises(SourceRefused, match=f"record 1 is {kind}"):
        records(file, data, at())


def test_nesting_has_a_limit(file):
    with pytest.raises(SourceRefused, match="deep"):
        records(file, b"[" * 100_000, at())
    brackets = [{"texte": "[" * 5000}, {"texte": "{[" * 5000}]
    assert records(file, brackets, at()) == brackets, "brackets in texts are no nesting"


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 10**17, 0.1, 1e-7, -2.5])
def test_numbers_stay_exact(file, number):
    [record] = records(file, [{"n": number}], at())
    assert record["n"] == number and type(record["n"]) is type(number)


def test_lines(file):
    data = b'{"a": 1}\n\n  \n{"a": "deux\\n"}\r\n{"a": null}'
    assert records(file, data, LINES) == [{"a": 1}, {"a": "deux\n"}, {"a": None}]


def test_a_byte_order_mark_before_lines(file):
    assert records(file, b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n', LINES) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("line", [b"{", b"'a'", b"\xff", b'{"a": 1} {"b": 2}', b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}"])
def test_a_bad_line_is_named_by_its_number(file, line):
    with pytest.raises(SourceRefused, match="line 3"):
        records(file, b'{"a": 1}\n\n' + line + b"\n", LINES)


@pytest.mark.parametrize("line", [b"1", b"null", b"[]", b'"x"'])
def test_a_line_that_is_no_object(file, line):
    with pytest.raises(SourceRefused, match=r"line 2 is \w+, not an object"):
        records(file, b"{}\n" + line, LINES)


texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(1 - 2**63, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(texts, values, max_size=4), max_size=4), st.sampled_from([None, 1]))
def test_what_pythons_json_writes_comes_back_equal(file, written, indent):
    for ascii_only in (True, False):
        assert records(file, json.dumps(written, indent=indent, ensure_ascii=ascii_only).encode(), at()) == written
        lines = "\n".join(json.dumps(r, ensure_ascii=ascii_only) for r in written)
        assert records(file, lines.encode(), LINES) == written


pieces = st.lists(
    st.sampled_from(
        [b"[", b"]", b"{", b"}", b'"', b":", b",", b"1", b"-", b"e9", b"null", b"\\u", b"\\ud800", b"\n", b"\xff", b"\x00", b"9" * 30]
    )
)


@given(st.one_of(st.binary(max_size=100), pieces.map(b"".join)), st.sampled_from([LINES, at(), at("item"), at("a.item")]))
@example(b'{"a": 1e999}', LINES)
@example(b'[{"a": 1e999}]', at())
@example(b'[{"a": ' + b"9" * 30 + b"}]", at())
@example(b'{"a": NaN}', LINES)
@example(b'{"a": {}}', at("a.item"))
def test_any_bytes_give_records_or_a_clear_error(file, data, declared):
    try:
        found = records(file, data, declared)
    except SocleError as error:
        assert file.name in str(error)
    else:
        assert all(isinstance(r, dict) for r in found)
