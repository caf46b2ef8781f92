"""Lines of values in any JSON text."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from flows.json_lines import Lines

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=20,
)


def places(value: object, path: tuple = ()):
    yield path
    for key, inside in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inside, (*path, key))


@given(values, st.sampled_from([None, 0, 1, 3]))
def test_every_value_is_on_the_line_where_it_begins(value, indent):
    """Of a text that is laid out by json.dumps: a value's line is the number of line breaks before its own text."""
    text = json.dumps(value, indent=indent)
    lines, rows = Lines(text), text.split("\n")
    for path in places(value):
        line = lines.of(path)
        assert 1 <= line <= len(rows)
        if path and isinstance(path[-1], str) and indent is not None and len(path) <= 8:
            assert json.dumps(path[-1]) in rows[line - 1]


def test_what_is_not_there_is_on_the_line_of_what_is_around_it():
    text = '{\n "a": [\n  1,\n  {"b": 2,\n "c": 3}\n ]\n}'
    lines = Lines(text)
    wanted = {("a",): 2, ("a", 0): 3, ("a", 1): 4, ("a", 1, "c"): 5, ("a", 1, "absent"): 4, ("a", 9): 2, ("x",): 1, (): 1}
    assert {path: lines.of(path) for path in wanted} == wanted


def test_of_a_key_that_is_there_twice_the_last_counts():
    assert Lines('{"a": 1,\n"a": 2}').of(("a",)) == 2


def test_strings_that_look_like_structure():
    assert Lines('{"a": "}],\\"{",\n"b": "\\\\",\n"c": 1}').of(("c",)) == 3
