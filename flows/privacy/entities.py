"""What is personal in one text: every rule, and of those that overlap one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

from flows.privacy.addresses import addresses
from flows.privacy.emails import emails
from flows.privacy.kinds import CHEAP, KINDS, Entity
from flows.privacy.names import names
from flows.privacy.numbers import numbers


class Model(Protocol):
    """What a token-classification model offers (model.py)."""

    def entities(self, texts: Sequence[str]) -> list[list[Entity]]: ...


def entities(text: str, *, cheap: bool = False, model: Model | None = None) -> list[Entity]:
    """In the order of the text, none over another. `cheap`: without names and addresses."""
    found = [*emails(text), *numbers(text)]
    if not cheap:
        found += [*addresses(text), *names(text)]
    if model is not None:
        found += model.entities([text])[0]
    return settle(found)


def costly(text: str, more: Sequence[Entity] = ()) -> list[Entity]:
    """Of what entities() finds, names and addresses alone, and `more` (what a model found). The other rules are asked only where there is
    something: what they find may lie over it."""
    found = [*addresses(text), *names(text), *more]
    if not found:
        return []
    return [e for e in settle([*emails(text), *numbers(text), *found]) if e.kind not in CHEAP]


def settle(found: Sequence[Entity]) -> list[Entity]:
    """Of entities that overlap, a certain one before a possible one, then the longest; a name inside an address is its street."""
    order = {kind: place for place, kind in enumerate((*CHEAP, "address", "name"))}
    kept: list[Entity] = []
    starts: list[int] = []
    for one in sorted(found, key=lambda e: (e.certainty != "certain", e.start - e.end, order[e.kind])):
        place = bisect_right(starts, one.start)  # none of those kept overlap, so only its neighbours can overlap it
        if (place == 0 or kept[place - 1].end <= one.start) and (place == len(kept) or one.end <= kept[place].start):
            kept.insert(place, one)
            starts.insert(place, one.start)
    return kept


def contains_personal_data(text: str, *, certain_only: bool = False) -> list[str]:
    """Kinds found in `text`, in the order of KINDS."""
    found = {e.kind for e in entities(text) if e.certainty == "certain" or not certain_only}
    return [kind for kind in KINDS if kind in found]
