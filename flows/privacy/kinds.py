"""The kinds of personal data, their names for people, and how sure a rule is of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Certainty = Literal["certain", "possible"]
"""certain: a checksum, a numbering plan or the words around it say so. possible: it looks like it, a person has to tell."""


@dataclass(frozen=True)
class Kind:
    name: str
    french: str
    cheap: bool = True
    """Looked for in every row; the others in a sample (find.py)."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("nir", "numéro de sécurité sociale"),
        Kind("iban", "IBAN"),
        Kind("card", "numéro de carte bancaire"),
        Kind("tax_number", "numéro fiscal"),
        Kind("email", "adresse électronique"),
        Kind("phone", "numéro de téléphone"),
        Kind("birth_date", "date de naissance"),
        Kind("name", "nom de personne", cheap=False),
        Kind("address", "adresse postale", cheap=False),
        Kind("plate", "plaque d'immatriculation"),
        Kind("ip", "adresse IP"),
    )
}
CHEAP = tuple(name for name, kind in KINDS.items() if kind.cheap)


@dataclass(frozen=True)
class Entity:
    """Something personal in a text, from `start` to before `end` (characters). It holds no text, so that it can be shown."""

    kind: str
    start: int
    end: int
    certainty: Certainty
    why: str
    """In French."""
    bare: bool = False
    """Digits alone, that could be any identifier: how many of the column's numbers are so decides (find.py)."""
