"""IBAN: the key of ISO 13616 as Polars expressions; what other countries ask of the rest is python-stdnum's, once a distinct value."""

from __future__ import annotations

import string

import polars as pl

CHUNK = 16  # digits: 97 followed by as many is still an Int64
LONGEST = 68  # digits of an IBAN of 34 characters that are all letters
DIGITS_OF = {letter: str(10 + place) for place, letter in enumerate(string.ascii_uppercase)}
"""ISO 13616: A is 10, Z is 35."""
RIB_DIGIT_OF = dict(zip(string.ascii_uppercase, "12345678912345678923456789", strict=True))
"""Of the letters in a French account number: S is 2, as the standard of the CFONB on the RIB has it."""
FRENCH = r"^FR[0-9]{12}[0-9A-Z]{11}[0-9]{2}$"


def iban(values: pl.Expr, *, french: bool = False, spaces: bool = True) -> pl.Expr:
    """International bank account number: country, key by 97, and what the country asks of the rest (`FR7630006000011234567890189`).

    Of French ones, the key of the RIB inside is looked at, too. `french`: only those of France. `spaces`: also as printed, in fours.
    Source: ISO 13616-1 and the registry of SWIFT, as python-stdnum has it; for the RIB, the CFONB's brochure “Relevé d'identité bancaire”.
    """
    if spaces:
        plain = values.str.replace_all("[\u00a0\u202f]", " ")
        packed = plain.str.replace_all(" ", "", literal=True)
        values = pl.when(plain.str.contains(r"^(?:[A-Z0-9]{4} )+[A-Z0-9]{1,4}$")).then(packed).otherwise(values)
    of_france = values.str.contains(FRENCH) & (_mod97(values.str.slice(4) + values.str.slice(0, 4)) == 1) & _rib(values.str.slice(4))
    if french:
        return of_france
    return of_france | values.map_batches(_foreign, return_dtype=pl.Boolean, is_elementwise=True)


def _mod97(values: pl.Expr) -> pl.Expr:
    """Of texts of digits and capital letters: the rest by 97 of the number that they are once each letter is two digits."""
    digits = values.str.replace_many(DIGITS_OF).str.zfill(-(-LONGEST // CHUNK) * CHUNK)
    rest = pl.lit(0, dtype=pl.Int64)
    for start in range(0, LONGEST, CHUNK):
        rest = (rest * 10**CHUNK + digits.str.slice(start, CHUNK).cast(pl.Int64, strict=False)) % 97
    return rest


def _rib(values: pl.Expr) -> pl.Expr:
    """Bank, branch, account and key are together a multiple of 97."""
    digits = values.str.replace_many(RIB_DIGIT_OF)
    head, tail = (digits.str.slice(start, length).cast(pl.Int64, strict=False) for start, length in ((0, 16), (16, 7)))
    return (head % 97 * 10**7 + tail) % 97 == 0


def _foreign(values: pl.Series) -> pl.Series:
    """Those that are not French. The French ones are false."""
    from stdnum import iban as standard

    each = values.filter(values.str.contains(r"^(?:[A-EG-Z][A-Z]|F[A-QS-Z])[0-9]{2}[A-Z0-9]{11,30}$")).unique()
    return values.is_in([value for value in each if standard.is_valid(value)])
