"""What may be shown of a value: enough to see what it was, never whose."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.privacy import mask, mask_value, masker
from flows.privacy.kinds import KINDS


@pytest.mark.parametrize(
    ("value", "kinds", "shown"),
    [
        ("jean.dupont@orange.fr", ["email"], "j***@***.fr"),
        ("Jeanne Dupont <j.dupont@orange.fr>", ["email"], "[nom] <j***@***.fr>"),
        ("06 12 34 56 78", ["phone"], "06 ** ** ** **"),
        ("2 95 10 99 126 111 93", ["nir"], "2 ** ** ** *** *** **"),
        ("FR7630006000011234567890189", ["iban"], "FR*************************"),
        ("12/03/1965", ["birth_date"], "**/**/****"),
        ("DUPONT Jeanne", ["name"], "D*** J***"),
        ("12 rue des Lilas", ["address"], "** r*** d*** L***"),
        ("AB-123-CD", ["plate"], "**-***-**"),
        ("rien à voir", [], "rien à voir"),
        ("M. Dupont a appelé", [], "M. [nom] a appelé"),
    ],
)
def test_mask_value(value: str, kinds: list[str], shown: str) -> None:
    assert mask_value(value, kinds) == shown


def test_a_text_keeps_its_words() -> None:
    text = "Bonjour, M. Jean Dupont, joignable au 06 12 34 56 78 ou jean.dupont@orange.fr. M. Dupont attend."
    assert mask(text) == "Bonjour, M. [nom], joignable au [téléphone] ou [e-mail]. M. [nom] attend."


def test_a_kind_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="tel"):
        mask_value("x", ["tel"])


def test_values_of_columns_that_are_known() -> None:
    shown = masker({"nom": ["name"]})
    assert shown("nom", "Zyxwv") == "Z***" and shown("ville", "Lyon") == "Lyon"


@settings(max_examples=100, deadline=None)
@given(st.text("abcéÀZ09 .-@'", min_size=1, max_size=60), st.sampled_from([k for k in KINDS if k in ("name", "address")]))
def test_no_word_of_a_name_is_left(value: str, kind: str) -> None:
    words = [w for w in value.replace("@", " ").split() if len(w) > 2 and w.isalpha()]
    assert not any(w in mask_value(value, [kind]) for w in words)
