"""Words with tags, and spans of characters, are two ways of saying the same; what is odd is repaired by a rule that is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from flows.models.spans import in_characters, joined, of_tags, of_word_tags, word_at, words

BIO = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=12)


@pytest.mark.parametrize(
    ("tags", "spans", "repaired"),
    [
        ("O B-PER I-PER O", [(1, 3, "PER")], 0),
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")], 0),
        ("O I-PER I-PER", [(1, 3, "PER")], 1),
        ("B-PER I-LOC I-LOC", [(0, 1, "PER"), (1, 3, "LOC")], 1),
        ("PER PER O LOC", [(0, 2, "PER"), (3, 4, "LOC")], 0),
        ("B-PER I-PER E-PER S-LOC S-LOC", [(0, 3, "PER"), (3, 4, "LOC"), (4, 5, "LOC")], 0),
        ("B-LEGAL-PRO I-LEGAL-PRO", [(0, 2, "LEGAL-PRO")], 0),
        ("O O", [], 0),
    ],
)
def test_tags(tags, spans, repaired):
    assert of_tags(tags.split()) == (spans, repaired)


def test_no_tags():
    assert of_tags([]) == ([], 0)


@given(BIO)
def test_the_same_entities_as_seqeval(tags):
    assert of_tags(tags)[0] == [(start, end + 1, label) for label, start, end in get_entities(tags)]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["Le", "3", "mai", ",", "il", "vint", "."], "Le 3 mai, il vint."),
        (["(", "no", "12", "/", "95", ")"], "(no 12/95)"),
        (["d", "'", "appel"], "d'appel"),
        (["l’", "Homme", ";", "Jean", "-", "Luc"], "l’Homme ; Jean-Luc"),
        ([], ""),
    ],
)
def test_words_are_joined_as_one_would_write_them(tokens, text):
    assert joined(tokens)[0] == text


@given(st.lists(st.text("aé1.,('-/ ", min_size=1, max_size=4), max_size=8))
def test_every_word_stands_where_it_is_said(tokens):
    text, places = joined(tokens)
    assert [text[s:e] for s, e in places] == tokens


def test_spans_in_characters():
    _, places = joined(["M", ".", "Anna", "Martin", ","])
    assert in_characters([(2, 4, "PER")], places) == [(3, 14, "PER")]


@given(st.text(max_size=30))
def test_each_character_is_of_the_word_that_holds_it(text):
    places = words(text)
    for position, character in enumerate(text):
        number = word_at(places, position)
        assert (number is None) == character.isspace() or not character.isprintable() or number is not None
        if number is not None:
            assert places[number][0] <= position < places[number][1]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("B-A I-A O", [(0, 4, "A")]),
        ("O I-A I-A", [(2, 6, "A")]),
        ("B-A I-B I-B", [(0, 6, "B")]),
        ("B-A I-B O", [(0, 4, "A")]),
        ("B-A B-A O", [(0, 1, "A"), (2, 4, "A")]),
        ("O O O", []),
    ],
)
def test_what_a_model_says_is_repaired(tags, spans):
    assert of_word_tags(tags.split(), [(0, 1), (2, 4), (5, 6)]) == spans
