from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ConfigurationError
from flows.lake.references import Reference, parse

names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
selectors = st.one_of(
    st.just({}),
    st.integers(min_value=0, max_value=10**9 - 1).map(lambda n: {"version": n}),
    st.sampled_from(["champion", "candidate"]).map(lambda a: {"alias": a}),
)


@given(names, names, selectors)
def test_what_a_reference_prints_is_read_back_as_itself(project: str, name: str, selector: dict) -> None:
    reference = Reference(project, name, **selector)
    assert parse(str(reference)) == reference
    assert parse(str(reference).removeprefix(f"{project}/"), project) == reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("droit/articles", Reference("droit", "articles")),
        ("droit/articles@latest", Reference("droit", "articles")),
        ("articles", Reference("essai", "articles")),
        ("articles@12", Reference("essai", "articles", version=12)),
        ("droit/partie@champion", Reference("droit", "partie", alias="champion")),
        ("partie@candidate", Reference("essai", "partie", alias="candidate")),
    ],
)
def test_forms_of_a_reference(text: str, expected: Reference) -> None:
    assert parse(text, "essai") == expected


def test_a_named_project_wins_over_the_current_one() -> None:
    assert parse("droit/articles", "essai").project == "droit"


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "@", "@3", "a/", "/a", "a/b/c", "a@", "a@@3", "a@3@4", "a@-1", "a@1.0", "a@Champion", "a@challenger"),
        *("Essai/a", "essai/Demandes", "1a", "-a", "a_b", "é", "a b", " a", "a ", "../a", "a/..", "a@²", "a@٣"),
        *("a\n", "essai/a\n", "a@3\n", "\na", "a\x00", "a@champion\n"),
    ],
)
def test_what_is_not_a_reference_is_refused_with_the_text_and_a_hint(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "essai")
    assert repr(text) in caught.value.message
    assert caught.value.hint


@given(st.text(max_size=30))
def test_any_text_is_a_reference_or_a_configuration_error(text: str) -> None:
    try:
        reference = parse(text, "essai")
    except ConfigurationError:
        return
    assert parse(str(reference)) == reference


def test_a_version_of_thousands_of_digits_is_refused_like_any_other_mistake() -> None:
    with pytest.raises(ConfigurationError):
        parse("essai/a@" + "9" * 5000)


def test_without_any_project_the_error_says_what_to_write() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("articles@3")
    assert "project/articles@3" in caught.value.hint
