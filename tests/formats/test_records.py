"""JSON and JSON Lines, record by record."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.errors import ConfigurationError, SocleError, SourceRefused
from flows.formats import BadRow, decide, incompatible
from flows.project.formats import JsonFormat, JsonLinesFormat
from flows.settings import Settings
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


@pytest.mark.parametrize(
    "line", [b"{", b"'a'", b"\xff", b'{"a": 1} {"b": 2}', b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}", b'{"a": "\\ud800"}']
)
def test_a_bad_line_is_no_row_and_named_by_its_number_and_place(file, line):
    first, bad, last = records(file, b'{"a": 1}\n\n' + line + b'\n{"a": 2}', LINES)
    assert (first, last) == ({"a": 1}, {"a": 2}), "the lines around it are read"
    assert (bad.row_number, bad.line, bad.offset) == (2, 3, 10)
    assert bad.rule.startswith("jsonl:") and line[:1].decode("utf-8", "backslashreplace") in bad.raw


@pytest.mark.parametrize("line", [b"1", b"null", b"[]", b'"x"'])
def test_a_line_that_is_no_object(file, line):
    bad = records(file, b"{}\n" + line, LINES)[1]
    assert bad.rule.startswith("jsonl:record:") and bad.raw == line.decode() and bad.line == 2


@pytest.mark.parametrize("data", [b"x\n", b"{}\nx\ny\n", b"{}\n" * 10 + b"no;json\n" * 300, b'[{"a": 1},\n{"a": 2}]\n'])
def test_a_file_of_which_most_lines_are_bad_is_refused(file, data):
    with pytest.raises(SourceRefused, match="is not JSON Lines"):
        records(file, data, LINES)


def test_a_line_has_a_largest_size(file):
    with pytest.raises(SourceRefused, match="SOCLE_MAX_RECORD_MB"):
        records(file, b'{"a": 1}\n{"a": "' + b"x" * 2_000_000 + b'"}', LINES, max_record_mb=1)


# ---- where records are in a document ------------------------------------------------------------------------------


def decided(file, data, declared=None):
    file.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return decide(file, file.name, declared or JsonFormat(type="json"), Settings(root=file.parent))


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ([{"a": 1}], "item"),
        ([], "item"),
        ({"a": 1, "b": [1, 2]}, ""),
        ({"results": [{"a": 1}, {"a": 2}]}, "results.item"),
        ({"meta": {"links": [{"rel": "next"}]}, "data": {"rows": [{"a": i, "b": i} for i in range(50)]}}, "data.rows.item"),
        ({"data": [{"id": 1, "parts": [{"x": i} for i in range(50)]}, {"id": 2, "parts": []}]}, "data.item"),
    ],
)
def test_where_records_are_is_found(file, data, where):
    decision = decided(file, data)
    assert decision.format.records == where and decision.reasons["records"] and not decision.findings


def test_two_lists_alike_are_reported(file):
    decision = decided(file, {"communes": [{"c": 1}, {"c": 2}, {"c": 3}], "regions": [{"r": 1}, {"r": 2}]})
    assert decision.format.records == "communes.item"
    [finding] = decision.findings
    assert finding.kind == "ambiguous" and "regions.item (2)" in finding.text and "regions" in finding.french


def test_what_is_declared_is_not_looked_for(file):
    assert decided(file, {"a": [{"b": 1}]}, at("")).format.records == ""


def test_a_list_without_records_is_no_error_but_a_missing_one_is(file):
    assert records(file, {"results": []}, at("results.item")) == []
    with pytest.raises(ConfigurationError):
        records(file, {"other": []}, at("results.item"))


def test_a_later_file_without_the_list_cannot_be_read_as_before(file):
    file.write_bytes(b'{"donnees": []}')
    why = incompatible(file, "x.json", at("results.item"), Settings(root=file.parent))
    assert why and "results.item" in why
    file.write_bytes(b'{"results": []}')
    assert incompatible(file, "x.json", at("results.item"), Settings(root=file.parent)) is None


def test_an_item_that_is_no_object_after_the_first_is_no_row(file):
    first, bad, last = records(file, b'[{"a": 1}, null, {"a": 2}]', at())
    assert (first, last) == ({"a": 1}, {"a": 2})
    assert bad.rule == "json:record:NoneType, not an object" and bad.row_number == 2 and bad.raw == "null"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_unicode_encodings_with_a_mark(file, encoding):
    data = '[{"ville": "Nîmes"}]'.encode(encoding)
    if encoding == "utf-16-le":
        data = b"\xff\xfe" + data
    assert records(file, data, at()) == [{"ville": "Nîmes"}]


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
        assert all(isinstance(r, dict | BadRow) for r in found)


# ---- what is said of a document -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "data"),
    [(JsonFormat(type="json"), b'[{"b": {"a": 1, "a": 2}}]'), (LINES, b'{"b": 1}\n{"a": {"a": 1}}\n{"a": 1, "a": 2}\n')],
)
def test_a_key_that_an_object_has_twice_is_reported(file, declared, data):
    file.write_bytes(data)
    [finding] = decide(file, "x", declared, Settings(root=file.parent)).findings
    assert finding.kind == "ambiguous" and "('a')" in finding.text
    file.write_bytes(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}')
    assert not decide(file, "x", declared, Settings(root=file.parent)).findings


def test_an_error_shows_no_piece_of_the_file(file):
    for data in (b'[{"nom": "Martin", "x": NaN}]', '[{"nom": "Gérard"}]'.encode("latin-1"), b'[{"nom": "Martin"}] Durand'):
        with pytest.raises(SourceRefused) as refused:
            records(file, data, at("item"))
        assert not any(name in str(refused.value) for name in ("Martin", "rard", "Durand")), str(refused.value)


@pytest.mark.parametrize("number", ["12345678901234567890", "1e400"])
def test_a_number_that_is_too_large_is_said_to_be_so(file, number):
    with pytest.raises(SourceRefused, match="too large for 64 bits") as refused:
        records(file, f'[{{"a": {number}}}]'.encode(), at("item"))
    assert "quotes" in refused.value.hint and "trop grand" in refused.value.french
