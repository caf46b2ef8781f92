"""Entities of a text as spans: from words with tags, and from a model's scores of words.

A span is (start, end, label), its end not included: in characters, or in words where that is said.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

Span = tuple[int, int, str]
OUTSIDE = "O"
WORD = re.compile(r"\w+|[^\w\s]")
"""A run of letters and digits, or one sign: what is never cut in two."""
TAG = re.compile(r"([BIELSUM])-(.+)")
BEGINS, SINGLE = ("B", "S", "U"), ("S", "U")
CLOSED_LEFT = (",", ".", ")", "]", "}", "…", "'", "’")
"""No space before these; after those of OPEN_RIGHT, none follows; beside GLUE, none at all."""
OPEN_RIGHT = ("(", "[", "{", "'", "’")
GLUE = ("/", "-")


def joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text that these words are of, as one would write it, and where each word stands in it (characters).

    A space between words, none before `,.)]` or after `([` and apostrophes: a model should learn from what it will read.
    """
    text, places = "", list[tuple[int, int]]()
    for token in tokens:
        apart = bool(text) and not (token.startswith((*CLOSED_LEFT, *GLUE)) or text.endswith((*OPEN_RIGHT, *GLUE)))
        text += " " if apart else ""
        places.append((len(text), len(text) + len(token)))
        text += token
    return text, places


def of_tags(tags: Sequence[str]) -> tuple[list[Span], int]:
    """(spans in words, how many tags had to be repaired).

    BIO, IOB and BIOES are read, and plain labels: equal ones side by side are one entity. An I- that follows nothing of its label begins
    an entity; it is repaired, and counted.
    """
    spans, open_label, begun, repaired = list[Span](), "", 0, 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        match = TAG.fullmatch(tag)
        prefix, label = (match[1], match[2]) if match else ("I", "" if tag in (OUTSIDE, "") else tag)
        if match and prefix not in BEGINS and label != open_label:
            repaired += 1
        if open_label and (label != open_label or prefix in BEGINS):
            spans.append((begun, place, open_label))
            open_label = ""
        if label and not open_label:
            open_label, begun = label, place
        if label and prefix in (*SINGLE, "E", "L"):
            spans.append((begun, place + 1, label))
            open_label = ""
    return spans, repaired


def in_characters(spans: Iterable[Span], places: Sequence[tuple[int, int]]) -> list[Span]:
    """Spans in words -> in characters, of words that stand at `places`."""
    return [(places[first][0], places[after - 1][1], label) for first, after, label in spans]


def words(text: str) -> list[tuple[int, int]]:
    """Where the words and signs of a text stand."""
    return [match.span() for match in WORD.finditer(text)]


def word_at(places: Sequence[tuple[int, int]], position: int) -> int | None:
    """The number of the word that holds this character; None between words."""
    number = bisect_right(places, (position, len(places) and places[-1][1] + 1)) - 1
    return number if number >= 0 and position < places[number][1] else None


def of_word_tags(tags: Sequence[str], places: Sequence[tuple[int, int]]) -> list[Span]:
    """Spans in characters of what a model says of each word, with B-, I- and O; odd sequences are repaired.

    An I- goes on with the entity before it, whatever its label; an entity has the label that most of its words have, at equal numbers
    the first. An I- after O begins an entity.
    """
    entities: list[list[int]] = []
    for number, tag in enumerate(tags):
        if tag == OUTSIDE:
            continue
        if tag.startswith("I-") and entities and entities[-1][-1] == number - 1:
            entities[-1].append(number)
        else:
            entities.append([number])
    spans = []
    for numbers in entities:
        labels = Counter(tags[n][2:] for n in numbers)
        spans.append((places[numbers[0]][0], places[numbers[-1]][1], labels.most_common(1)[0][0]))
    return spans
