"""Numbers with a key: published examples, python-stdnum on random ones, and no digit that could be changed unnoticed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.fr import nir as standard_nir
from stdnum.fr import siren as standard_siren
from stdnum.fr import siret as standard_siret

from flows.quality.french.codes import finess, nir, rna, siren, siret, uai
from tests.quality.french.meets import meets, met

GENERATED = 3_000


def _digits(count: int, chance: random.Random) -> str:
    return f"{chance.randrange(10**count):0{count}}"


@pytest.mark.parametrize("value", ["732829320", "552100554", "356000000", "024049124"])
def test_siren_is_met(value):
    assert met(siren, value)


@pytest.mark.parametrize(
    "value",
    [
        "732829321",
        "000000000",
        "73282932",
        "7328293200",
        "732 829 320",
        "73282932A",
        "732829320\n",
        " 732829320",
        "",
        "٧٣٢٨٢٩٣٢٠",
        "+32829320",
        None,
    ],
)
def test_siren_is_not_met(value):
    assert not met(siren, value)


def test_siren_as_printed():
    assert meets(siren, "732 829 320", "732\u00a0829\u202f320", "732829320", "7328 29 320", spaces=True) == [True, True, True, False]


def test_siren_and_siret_agree_with_stdnum():
    chance = random.Random(5)
    sirens = [_digits(9, chance) for _ in range(GENERATED)]
    sirets = [s + _digits(5, chance) for s in sirens] + ["356000000" + _digits(5, chance) for _ in range(GENERATED)]
    sirets += [s + _digits(5, chance) for s in sirens if standard_siren.is_valid(s) for _ in range(10)]
    assert meets(siren, *sirens) == [standard_siren.is_valid(s) for s in sirens]
    answers = meets(siret, *sirets)
    assert answers == [standard_siret.is_valid(s) for s in sirets]
    assert 100 < sum(answers) < len(answers)


def test_siret_of_la_poste():
    """The head office has a key of Luhn and no sum of five; the others the other way round."""
    assert meets(siret, "35600000000048", "35600000049837", "35600000009075", "35600000049838") == [True, True, True, False]


def test_siret_asks_for_the_siren_inside():
    start = next(s for s in ("12345678" + str(d) for d in range(10)) if not standard_siren.is_valid(s)) + "0001"
    whole = start + luhn.calc_check_digit(start)
    assert luhn.is_valid(whole) and not met(siret, whole)


@pytest.mark.parametrize("value", ["MONACOCONFO001", "732829320 00074", "7328293200007", "00000000000000"])
def test_siret_is_not_met(value):
    assert not met(siret, value)


def test_siret_as_printed():
    assert meets(siret, "732 829 320 00074", spaces=True) == [True]


@pytest.mark.parametrize("value", ["295109912611193", "253072B07300470", "253072A07300443"])
def test_nir_is_met(value):
    assert met(nir, value)


@pytest.mark.parametrize(
    "value", ["295109912611199", "253072C07300443", "253072a07300443", "2951099126111", "2 95 10 99 126 111 93", "195139912611157"]
)
def test_nir_is_not_met(value):
    assert not met(nir, value)


def test_nir_as_printed():
    assert meets(nir, "2 95 10 99 126 111 93", "2 53 07 2B 073 004 70", spaces=True) == [True, True]


def _nir(body: str) -> str:
    return body + standard_nir.calc_check_digits(body)


def test_nir_of_who_is_being_registered():
    values = [_nir("7951099126111"), _nir("5951099126111")]
    assert meets(nir, *values) == [True, False]
    assert meets(nir, *values, provisional=False) == [False, False]


def test_nir_of_an_unknown_month_and_of_nowhere():
    assert meets(nir, _nir("1952099126111"), _nir("1951499126111"), _nir("1950100126111"), _nir("1950175000111")) == [
        True,
        False,
        False,
        False,
    ]


def test_nir_agrees_with_stdnum():
    chance = random.Random(6)
    places = [f"{d:02}" for d in range(1, 100)] + ["2A", "2B"]
    bodies = [
        f"{chance.choice('12')}{chance.randrange(100):02}{chance.randrange(1, 13):02}{chance.choice(places)}"
        f"{chance.randrange(1, 1000):03}{chance.randrange(1, 1000):03}"
        for _ in range(GENERATED)
    ]
    values = [_nir(b) if chance.random() < 0.5 else f"{b}{chance.randrange(1, 98):02}" for b in bodies]
    answers = meets(nir, *values)
    assert answers == [standard_nir.is_valid(v) for v in values]
    assert GENERATED / 3 < sum(answers) < GENERATED


@settings(max_examples=60, deadline=None)
@given(body=st.from_regex(r"[12][0-9]{2}(0[1-9]|1[0-2])(7[0-9]|2[AB])(0[1-9][0-9])(0[1-9][0-9])", fullmatch=True), data=st.data())
def test_no_digit_of_a_nir_can_change(body, data):
    value = _nir(body)
    place = data.draw(st.sampled_from([i for i, c in enumerate(value) if c.isdigit()]))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != value[place]]))
    assert meets(nir, value, value[:place] + other + value[place + 1 :]) == [True, False]


@settings(max_examples=60, deadline=None)
@given(start=st.integers(1, 99_999_999), data=st.data())
def test_no_digit_of_a_siren_can_change(start, data):
    value = f"{start:08}" + luhn.calc_check_digit(f"{start:08}")
    place = data.draw(st.integers(0, 8))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != value[place]]))
    assert meets(siren, value, value[:place] + other + value[place + 1 :]) == [True, False]


def test_rna():
    assert meets(rna, "W751515517", "W2A1000123", "W9R2000456") == [True] * 3
    assert meets(rna, "w751515517", "W75151551", "751515517", "W7515155177", "W751000000", "WA51515517") == [False] * 6


def test_finess():
    """Those of Corsica are of the hospitals of Ajaccio and Bastia."""
    assert meets(finess, "750712184", "970100228", "2A0000014", "2B0000020") == [True] * 4
    assert meets(finess, "750712185", "2A0000020", "2C0000014", "75071218", "000000000", "2a0000014") == [False] * 6


def test_uai():
    """Two lycées of Paris; the letters I, O and Q never end a number."""
    assert meets(uai, "0750655E", "0750654D") == [True] * 2
    assert meets(uai, "0750655F", "0750655e", "750655E", "07506550", "0000000A") == [False] * 5
    assert sum(meets(uai, *(f"0750655{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))) == 1
