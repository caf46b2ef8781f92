"""IBAN: the keys of French ones in Polars; those of other countries by python-stdnum, once a distinct value."""

from __future__ import annotations

import string

import polars as pl

CHUNK = 16  # digits: 97 followed by as many is still an Int64
LONGEST = 42  # digits of a French IBAN whose account is all letters
DIGITS_OF = {letter: str(10 + place) for place, letter in enumerate(string.ascii_uppercase)}
"""ISO 13616: A is 10, Z is 35."""
RIB_DIGIT_OF = dict(zip(string.ascii_uppercase, "12345678912345678923456789", strict=True))
"""Of the letters in a French account number: S is 2, as the standard of the CFONB on the RIB has it."""
FRENCH = r"^FR[0-9]{12}[0-9A-Z]{11}[0-9]{2}$"
ABROAD = r"^(?:[A-EG-Z][A-Z]|F[A-QS-Z])[0-9]{2}[A-Z0-9]{11,30}$"


def iban(values: pl.Expr, *, french: bool = False, spaces: bool = True) -> pl.Expr:
    """International bank account number: country, key by 97, and the length and shape of the country's (`FR7630006000011234567890189`).

    Of French ones, the key of the RIB inside is looked at, too. `french`: only those of France. `spaces`: also as printed, in fours.
    Lists of a country's banks do not count: those of python-stdnum refuse Belgian numbers of banks that it has not.
    Source: ISO 13616-1 and the registry of SWIFT, as python-stdnum has it; for the RIB, the CFONB's brochure “Relevé d'identité bancaire”.
    """
    if spaces:
        plain = values.str.replace_all("[\u00a0\u202f]", " ")
        packed = plain.str.replace_all(" ", "", literal=True)
        values = pl.when(plain.str.contains(r"^(?:[A-Z0-9]{4} )+[A-Z0-9]{1,4}$")).then(packed).otherwise(values)
    return values.map_batches(_french if french else _any, return_dtype=pl.Boolean, is_elementwise=True)


def _any(values: pl.Series) -> pl.Series:
    from stdnum import iban as standard

    each = values.filter(values.str.contains(ABROAD)).unique()
    return _french(values) | values.is_in([value for value in each if standard.is_valid(value, check_country=False)])


def _french(values: pl.Series) -> pl.Series:
    """Those that are French and right. Hardly any account has letters in it: what these cost is paid for them alone."""
    shaped = values.str.contains(FRENCH).fill_null(False)
    lettered = shaped & values.str.contains(r"^..[0-9]*[A-Z]").fill_null(False)
    met = pl.Series("met", [False]).new_from_index(0, len(values))
    for rows, right in ((shaped & ~lettered, _keys_of_digits), (lettered, _keys_of_letters)):
        if rows.any():
            chosen = values.filter(rows).alias("v").to_frame().select(right(pl.col("v"))).to_series()
            met = met.scatter(rows.arg_true(), chosen)
    return met


def _keys_of_digits(values: pl.Expr) -> pl.Expr:
    """The digits are those of both keys: where the RIB is a multiple of 97, the key of the IBAN is 76."""
    return (_rest_of_rib(values.str.slice(4)) == 0) & (values.str.slice(2, 2) == "76")


def _keys_of_letters(values: pl.Expr) -> pl.Expr:
    moved = (values.str.slice(4) + values.str.slice(0, 4)).str.replace_many(DIGITS_OF).str.zfill(-(-LONGEST // CHUNK) * CHUNK)
    rest = pl.lit(0, dtype=pl.Int64)
    for start in range(0, LONGEST, CHUNK):
        rest = (rest * 10**CHUNK + moved.str.slice(start, CHUNK).cast(pl.Int64, strict=False)) % 97
    return (rest == 1) & (_rest_of_rib(values.str.slice(4).str.replace_many(RIB_DIGIT_OF)) == 0)


def _rest_of_rib(digits: pl.Expr) -> pl.Expr:
    """By 97, of bank, branch, account and key together, which are 23 digits."""
    head, tail = (digits.str.slice(start, length).cast(pl.Int64, strict=False) for start, length in ((0, 16), (16, 7)))
    return (head % 97 * 10**7 + tail) % 97
