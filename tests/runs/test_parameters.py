"""Parameters as a run checks them."""

from __future__ import annotations

import inspect
from typing import Annotated

import pytest
from pydantic import Field

from flows.errors import ConfigurationError
from flows.runs.parameters import FRENCH, MISSING, checker, nothing_required

CHECK = checker(
    {
        "project": str,
        "reason": Annotated[str, Field(min_length=5, max_length=9)],
        "days": Annotated[int, Field(ge=1, le=30)],
        "return": None,
    },
    {"days": 7},
)


def test_good_values_come_back_with_their_defaults() -> None:
    assert CHECK({"project": "essai", "reason": "assez"}) == {"project": "essai", "reason": "assez", "days": 7}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reason": "x"}, "« Pourquoi » : 5 caractères au moins."),
        ({"reason": "x" * 10}, "« Pourquoi » : 9 caractères au plus."),
        ({"reason": None}, "« Pourquoi » : il faut un texte."),
        ({"days": 0}, "« days » : au moins 1."),
        ({"days": 31}, "« days » : au plus 30."),
        ({"days": "beaucoup"}, "« days » : il faut un nombre entier."),
        ({"code": "import os"}, "« code » : ce paramètre n'existe pas."),
    ],
)
def test_a_bad_value_is_refused_in_french(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        CHECK({"project": "essai", "reason": "assez"} | given)
    assert refused.value.french == words


def test_every_bad_value_is_named_and_none_is_repeated() -> None:
    with pytest.raises(ConfigurationError) as refused:
        CHECK({"reason": "mdp!"})
    assert "Projet" in refused.value.french and "Pourquoi" in refused.value.french
    assert "mdp" not in str(refused.value) + refused.value.french


def test_the_sentences_are_complete() -> None:
    assert all(text.strip() == text and not text.endswith(".") for text in FRENCH.values())


def test_a_run_that_was_not_given_what_it_needs_begins_all_the_same() -> None:
    def flow(project: str, reason: str, days: int = 7) -> None: ...

    bound = nothing_required(inspect.signature(flow)).bind("essai")
    bound.apply_defaults()
    assert bound.arguments == {"project": "essai", "reason": MISSING, "days": 7}
