"""Figures that are rounded to the safe side, and readable."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.quality.suggest.figures import SHARES, about, above, below, number, percent, share_below


@given(st.floats(1e-6, 1e12))
def test_above_and_below_enclose_and_have_one_digit(value):
    for found in (above(value), below(value)):
        assert f"{found:.0e}"[0] in "125"
    assert below(value) <= value * 1.000001 and above(value) >= value * 0.999999
    assert above(value) <= 2.6 * value and below(value) >= value / 2.6
    assert above(-value) == -below(value)


def test_nothing_and_infinity():
    assert above(0) == below(0) == above(float("inf")) == above(float("nan")) == 0
    assert (above(200), above(201), below(0.03)) == (200, 500, 0.02)


@pytest.mark.parametrize(
    ("share", "values", "mostly"),
    [
        (1, 100, 0.95),
        (1, 1_000, 0.995),
        (1, 100_000, 0.999),
        (1, 0, None),
        (1, 5, None),
        (0.87, 12_000, 0.8),
        (0.5, 10_000, None),
        (0.52, 20_000, 0.5),
        (0.3, 10**9, None),
    ],
)
def test_what_mostly_may_be(share, values, mostly):
    assert share_below(share, values) == mostly


def test_it_is_met_by_more_values_like_these():
    seeded, failed, tried = random.Random(5), 0, 0
    for _ in range(400):
        true, size = seeded.uniform(0.5, 1), seeded.choice((100, 500, 3000))
        seen, again = (sum(seeded.random() < true for _ in range(size)) / size for _ in range(2))
        mostly = share_below(seen, size)
        if mostly is not None:
            assert mostly in SHARES and mostly < 1
            tried, failed = tried + 1, failed + (again < mostly)
    assert tried > 300 and failed <= 4


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.99, "99 %"),
        (0.999, "99,9 %"),
        (1, "100 %"),
        (0, "0 %"),
        (0.9996, "99,96 %"),
        (0.99999, "plus de 99,99 %"),
        (5, "500 %"),
        (0.004, "0,4 %"),
    ],
)
def test_percent(share, text):
    assert percent(share) == text


def test_numbers_as_people_write_them():
    assert (number(11650), number(0.25), number(-3)) == ("11\u202f650", "0,25", "-3")
    assert (about(11_650), about(99), about(0), about(104)) == ("12\u202f000", "99", "0", "100")
