"""IBAN, phones, e-mail addresses, dates."""

from __future__ import annotations

import random
import string

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban as standard

from flows.errors import ConfigurationError
from flows.quality.french.codes_contact import PACIFIC, REGIONS, email, phone
from flows.quality.french.codes_date import french_date
from flows.quality.french.codes_iban import iban
from tests.quality.french.meets import meets, met

FRENCH = "FR7630006000011234567890189"
ABROAD = [
    "DE89370400440532013000",
    "GR1601101050000010547023795",
    "GB82WEST12345698765432",
    "BE31435411161155",
    "MC5811222000010123456789030",
]


def test_iban():
    assert meets(iban, FRENCH, "FR76 3000 6000 0112 3456 7890 189", "FR1420041010050500013M02606", *ABROAD) == [True] * 8
    assert meets(iban, FRENCH[:-1] + "8", FRENCH.lower(), "", "XX00", "FR76", FRENCH + "1", "FR76-3000", None) == [False] * 8


def test_iban_of_a_bank_that_no_list_has():
    assert not standard.is_valid("BE68539007547034")
    assert meets(iban, "BE68539007547034", "BE68 5390 0754 7034", "BE69539007547034", "BE6853900754703") == [True, True, False, False]


def test_iban_of_france_only():
    assert meets(iban, FRENCH, *ABROAD, french=True) == [True] + [False] * 5


def test_iban_without_spaces():
    assert not met(iban, "FR76 3000 6000 0112 3456 7890 189", spaces=False)


def test_iban_with_a_wrong_rib_inside():
    """Its own key is right, that of the account is not."""
    account = "30006000011234567890188"
    value = f"FR{standard.calc_check_digits('FR00' + account)}{account}"
    assert standard.is_valid(value) and not met(iban, value)


LETTERS = {letter: str(1 + (place + (place > 17)) % 9) for place, letter in enumerate(string.ascii_uppercase)}
"""Of accounts in a RIB: A to I, J to R, S to Z are 1 to 9, 1 to 9, 2 to 9."""


@settings(max_examples=60, deadline=None)
@given(head=st.from_regex(r"[0-9]{10}", fullmatch=True), account=st.from_regex(r"[0-9A-Z]{11}", fullmatch=True), data=st.data())
def test_iban_of_any_account(head, account, data):
    digits = "".join(LETTERS.get(c, c) for c in head + account)
    bban = f"{head}{account}{97 - int(digits) * 100 % 97:02}"
    value = f"FR{standard.calc_check_digits('FR00' + bban)}{bban}"
    place = data.draw(st.integers(2, 26))
    other = data.draw(st.sampled_from([c for c in "0123456789" if c != value[place] and c != LETTERS.get(value[place])]))
    assert standard.is_valid(value)
    assert meets(iban, value, value[:place] + other + value[place + 1 :]) == [True, False]


@settings(max_examples=60, deadline=None)
@given(value=st.sampled_from([FRENCH, "FR1420041010050500013M02606", *ABROAD[:3]]), data=st.data())
def test_no_digit_of_an_iban_can_change(value, data):
    place = data.draw(st.sampled_from([i for i, c in enumerate(value) if c.isdigit()]))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != value[place]]))
    assert meets(iban, value, value[:place] + other + value[place + 1 :]) == [True, False]


@pytest.mark.parametrize(
    "value",
    [
        "0140205050",
        "01 40 20 50 50",
        "06.12.34.56.78",
        "01-40-20-50-50",
        "+33 1 40 20 50 50",
        "+33 (0)1 40 20 50 50",
        "0033140205050",
        "0262 48 00 00",
        "+262 262 48 00 00",
        "+687 25 60 00",
        "08 00 10 20 30",
    ],
)
def test_phone_is_met(value):
    assert met(phone, value)


@pytest.mark.parametrize(
    "value",
    [
        "15",
        "3919",
        "0000000000",
        "140205050",
        "01402050500",
        "+4915112345678",
        "01--40205050",
        "0140205050 ou 0140205051",
        "٠١٤٠٢٠٥٠٥٠",
        "",
    ],
)
def test_phone_is_not_met(value):
    assert not met(phone, value)


def test_phone_by_line():
    assert meets(phone, "0612345678", "0692123456", "0140205050", line="mobile") == [True, True, False]
    assert meets(phone, "0612345678", "0262123456", "0140205050", line="fixed") == [False, True, True]
    with pytest.raises(ConfigurationError, match="satellite"):
        met(phone, "0140205050", line="satellite")


def test_phone_without_separators():
    assert meets(phone, "01 40 20 50 50", "0140205050", separators=False) == [False, True]


def test_phone_agrees_with_phonenumbers():
    chance, codes = random.Random(7), sorted({phonenumbers.country_code_for_region(r) for r in (*REGIONS, *PACIFIC)})
    at_home = [f"0{chance.randrange(1, 10)}{chance.randrange(10**8):08}" for _ in range(1_500)]
    abroad = [f"+{chance.choice(codes)}{chance.randrange(10 ** chance.choice([6, 8, 9]))}" for _ in range(1_500)]
    answers = meets(phone, *at_home, *abroad)
    assert answers == [*(any(_valid(v, r) for r in REGIONS) for v in at_home), *(_valid(v, None) for v in abroad)]
    assert 500 < sum(answers) < len(answers)


def _valid(value: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value, region))
    except phonenumbers.NumberParseException:
        return False


def test_email():
    assert meets(email, "contact@example.gouv.fr", "o'neil+liste@c.co", "a@xn--bcher-kva.example", "A.B@C.FR") == [True] * 4
    refused = [
        "a@b",
        "a..b@c.fr",
        ".a@c.fr",
        "a@c.fr ",
        "é@c.fr",
        "a@-c.fr",
        "a@c.f",
        "Jean <a@c.fr>",
        "a@1.2.3.4",
        "a@c.fr\n",
        "a@b@c.fr",
        "@c.fr",
    ]
    assert meets(email, *refused) == [False] * len(refused)
    assert meets(email, "a" * 64 + "@c.fr", "a" * 65 + "@c.fr", "a@" + "b." * 126 + "fr", "a@" + "b" * 64 + ".fr") == [
        True,
        False,
        False,
        False,
    ]


def test_french_date():
    assert meets(french_date, "29/02/2024", "31/12/1999", "01/01/0001") == [True] * 3
    refused = [
        "29/02/2023",
        "31/04/2024",
        "00/01/2020",
        "01/13/2020",
        "1/2/2024",
        "01/02/24",
        "2024-02-29",
        "01/01/0000",
        "01/01/2020 ",
        "",
        None,
    ]
    assert meets(french_date, *refused) == [False] * len(refused)


def test_french_date_between():
    values = ("31/12/1949", "01/01/1950", "31/12/2030", "01/01/2031")
    assert meets(french_date, *values, min_value="1950-01-01", max_value="2030-12-31") == [False, True, True, False]
    with pytest.raises(ConfigurationError, match="max_value"):
        met(french_date, "01/01/2020", max_value="31/12/2030")
