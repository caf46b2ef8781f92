"""Which columns of digits are identifiers: they are kept as text, so that no leading zero is lost and nobody adds them up."""

from __future__ import annotations

import re
import unicodedata

from flows.contract.evidence import Texts

_WORDS = (
    "id ident identifiant identifier uid uuid code codes cod cd num numero no ref reference matricule siret siren nic insee cog postal "
    "postcode zip cp dep dept departement tel telephone phone fax mobile portable rna uai finess ape naf rome ogr iban bic nir ean isbn "
    "cedex dossier immatriculation agrement cle key idcc rpps adeli tva"
)
WORDS = frozenset(_WORDS.split())
LEADING_ZERO = r"^0\d"
LONG = 8  # digits: numbers that all have as many, or more, are hardly ever amounts


def words_of(name: str) -> list[str]:
    """In small letters, without accents; `codePostal` is two."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", plain.replace("N°", "numero ").replace("n°", "numero ")).lower())


def identifier(name: str, texts: Texts) -> str | None:
    """Why a column of digits is one, in one sentence; None if it is not."""
    zeros = texts.matching(LEADING_ZERO)
    if zeros.any():
        return f"{texts.count(zeros)} of {texts.total} values begin with a zero"
    digits = texts.matching(r"^\d+$")
    if not digits.all():
        return None
    if named := [w for w in words_of(name) if w in WORDS]:
        return f"the name has {named[0]!r} in it"
    lengths = set(texts.values.str.len_bytes())
    if len(texts.values) > 1 and len(lengths) == 1 and (length := lengths.pop()) >= LONG:
        kind = {9: " (SIREN)", 14: " (SIRET)"}.get(length, "") if _pass_luhn(texts) else ""
        return f"all values have {length} digits{kind}"
    return None


def _pass_luhn(texts: Texts) -> bool:
    return all(_luhn(text) for text in texts.values.head(50))


def _luhn(text: str) -> bool:
    doubled = [int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(text))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0
