"""Errors as project teams read them."""

from __future__ import annotations

import pytest

from flows import errors
from flows.texts.explain import EXPLANATIONS, explain, paragraphs, sentence

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.SocleError)]


@pytest.mark.parametrize("kind", [*KINDS, ValueError, MemoryError])
def test_every_error_has_a_french_sentence_and_something_to_do(kind: type[Exception]) -> None:
    text = sentence(kind("english text"))
    assert text.endswith(".") and len(text) > 40 and "english" not in text


def test_the_nearest_kind_explains() -> None:
    def place(kind: type[BaseException]) -> int:
        return next(i for i, (k, _) in enumerate(EXPLANATIONS) if k is kind)

    for kind, _ in EXPLANATIONS:
        for other, _ in EXPLANATIONS:
            assert not (issubclass(kind, other) and kind is not other and place(other) < place(kind)), f"{other} hides {kind}"


def test_an_error_that_knows_french_says_it() -> None:
    error = errors.NotFound("there is no version 9", french="La version 9 n'existe pas.")
    assert explain(error).what == "La version 9 n'existe pas."
    assert "there is no version 9" in paragraphs("demandes", error)


def test_the_text_of_an_unforeseen_error_is_not_shown() -> None:
    text = paragraphs("essai", ValueError("1 78 05 75 123 456 78 is not a number"))
    assert "ValueError" in text and "123 456" not in text
