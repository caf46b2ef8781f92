"""Which texts are codes, and of what shape: kinds of characters, never the digits of the sample."""

from __future__ import annotations

import random
import re

import polars as pl
import pytest

from flows.quality.suggest.shapes import shape_of

SEEDED = random.Random(11)


def texts(make, count=1500):
    return pl.Series([make() for _ in range(count)])


def digits(count):
    return "".join(SEEDED.choice("0123456789") for _ in range(count))


def capital():
    return SEEDED.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@pytest.mark.parametrize(
    ("make", "regex", "words"),
    [
        (lambda: digits(9), "^[0-9]{9}$", "9 chiffres"),
        (lambda: f"{digits(2)}-{digits(6)}-{digits(1)}", "^[0-9]{2}-[0-9]{6}-[0-9]$", "2 chiffres, « - », 6 chiffres, « - », 1 chiffre"),
        (lambda: f"{digits(2)}.{digits(2)}{capital()}", r"^[0-9]{2}\.[0-9]{2}[A-Z]$", "2 chiffres, « . », 2 chiffres, 1 majuscule"),
        (lambda: f"DEM-{digits(5)}", "^DEM-[0-9]{5}$", "« DEM- », 5 chiffres"),
        (
            lambda: SEEDED.choice((digits(5), "2A" + digits(3), "2B" + digits(3))),
            "^[0-9][0-9A-Z][0-9]{3}$",
            "1 chiffre, 1 caractère, 3 chiffres",
        ),
        (lambda: SEEDED.choice((digits(5), digits(7))), "^([0-9]{5}|[0-9]{7})$", "5 chiffres ou 7 chiffres"),
        (lambda: str(SEEDED.randrange(10 ** SEEDED.randrange(1, 8))), "^[0-9]+$", "seulement des chiffres"),
        (lambda: str(SEEDED.randrange(10, 1000)), "^[0-9]+$", "seulement des chiffres"),
        (lambda: SEEDED.choice("ABCDEFGHIJKLMNOPQRSTU"), "^[A-Z]$", "1 majuscule"),
    ],
)
def test_codes(make, regex, words):
    found = shape_of(texts(make))
    assert found is not None and (found.regex, found.words) == (regex, words)
    assert all(re.search(found.regex, make()) for _ in range(50)), "the next ones have it, too"


@pytest.mark.parametrize(
    "make",
    [
        lambda: " ".join(SEEDED.choice(("le", "demandeur", "une", "pièce")) for _ in range(SEEDED.randrange(3, 9))),
        lambda: SEEDED.choice(("Paris", "Lyon", "Lille", "Brest", "Agen")),
        lambda: SEEDED.choice(("oui", "non")),
        lambda: "PRINCIPALE",
        lambda: SEEDED.choice(("SAVOIRS THEORIQUES", "SAVOIRS D ACTIONS")),
        lambda: digits(SEEDED.randrange(1, 30)) + "é",
        lambda: "".join(SEEDED.choice("abcdef 0123456789.-_/") for _ in range(SEEDED.randrange(2, 40))),
    ],
)
def test_what_is_no_code(make):
    assert shape_of(texts(make)) is None


def test_a_few_exceptions_do_not_hide_a_shape_and_many_do():
    codes = texts(lambda: digits(14))
    assert shape_of(pl.concat([codes, pl.Series(["A12345678901"] * 5)])).regex == "^[0-9]{14}$"
    assert shape_of(pl.concat([codes, pl.Series(["pas de numéro"] * 500)])) is None


def test_a_letter_of_few_codes_is_not_taken_for_a_part_of_the_shape():
    assert shape_of(texts(lambda: f"K{digits(4)}", 300)).regex == "^[A-Z][0-9]{4}$"
    assert shape_of(texts(lambda: f"1{digits(4)}")).regex == "^[0-9]{5}$", "nor is a digit, ever"
