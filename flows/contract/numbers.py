"""Text -> numbers: `1 234,56`, `-12.5`, `−3`. A text that is a number in no way, or only in another way, gives null.

The quick expressions are what Polars reads itself; the patient ones know signs, groups of digits and units, and are only asked
about what the quick ones left.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from flows.contract.reading import Reading

if TYPE_CHECKING:
    import polars as pl

EXACT = 2**53  # whole numbers beyond it may change when they become Float64
SPACES = " \u00a0\u202f\u2009"
APOSTROPHES = "'’"
MINUS = "[\u2212\u2013]"  # the minus sign, and what word processors make of it
SIGN = "[+\u2212\u2013-]"


def quick_integer(text: pl.Series) -> pl.Series:
    import polars as pl

    return text.cast(pl.Int64, strict=False)


def quick_number(text: pl.Series, reading: Reading) -> pl.Series:
    import polars as pl

    if reading.decimal == ",":
        if (points := text.str.contains(".", literal=True)).any():
            text = _only(text, ~points)
        text = text.str.replace(",", ".", literal=True)
    number = text.cast(pl.Float64, strict=False)
    sure = number.abs() < EXACT  # NaN is not less than anything to Polars, nor is what is infinite
    return number if sure.all() else _only(number, sure)


def strict_number(number: pl.Expr) -> pl.Expr:
    """Fails for what is infinite, not a number, or so large that it may have been rounded (2**52 here): Polars refuses to make an
    integer of it."""
    import polars as pl

    return pl.when((number * 2048).cast(pl.Int64).is_not_null()).then(number)


def patient_integer(text: pl.Series, reading: Reading) -> pl.Series:
    """`12.0` is 12 as well: spreadsheets and programs write whole numbers so. `1.000` is not: it may be a thousand."""
    import polars as pl

    digits = _plain(_only(text, text.str.contains(pattern(reading, whole=True))), reading)
    return digits.str.replace(r"\.0{1,2}$", "").cast(pl.Int64, strict=False)


def patient_number(text: pl.Series, reading: Reading) -> pl.Series:
    import polars as pl

    digits = _plain(_only(text, text.str.contains(pattern(reading))), reading)
    number = digits.cast(pl.Float64, strict=False)
    sure = number.abs() < EXACT
    if sure.all():
        return number
    whole = digits.str.contains(r"^[+-]?[0-9]+$")
    same = (digits.cast(pl.Int128, strict=False) == number.cast(pl.Int128, strict=False)).fill_null(False)
    return _only(number, number.is_finite() & (sure | ~whole | same))


def _only(values: pl.Series, where: pl.Series) -> pl.Series:
    """Null elsewhere."""
    import polars as pl

    return pl.DataFrame({"v": values, "w": where}).select(pl.when("w").then("v").alias(values.name)).to_series()


@lru_cache
def pattern(reading: Reading, *, whole: bool = False) -> str:
    """What a number looks like; the same in Rust and in Python. `whole`: an integer."""
    point = re.escape(reading.decimal or ".")
    space = f"[{SPACES}]"
    separators = [space, f"[{APOSTROPHES}]", *([re.escape(reading.thousands)] if reading.thousands else [])]
    groups = "|".join(f"[1-9][0-9]{{0,2}}(?:{s}[0-9]{{3}})+" for s in separators)
    unit = f"(?:{space}?{re.escape(reading.unit)})?" if reading.unit else ""
    if whole:
        return f"^{SIGN}?{space}?(?:[0-9]+|{groups})(?:{point}0{{1,2}})?{unit}$"
    body = f"(?:(?:[0-9]+|{groups})(?:{point}[0-9]*)?|{point}[0-9]+)"
    return f"^{SIGN}?{space}?{body}(?:[eE][+-]?[0-9]+)?{unit}$"


def _plain(text: pl.Series, reading: Reading) -> pl.Series:
    """As programs write it. `text` fits the pattern, so that what is taken out here is known to mean nothing."""
    if reading.unit:
        text = text.str.strip_suffix(reading.unit)
    text = text.str.replace(f"^{MINUS}", "-")
    for mark in (*SPACES, *APOSTROPHES, *([reading.thousands] if reading.thousands else [])):
        if text.str.contains(mark, literal=True).any():
            text = text.str.replace_all(mark, "", literal=True)
    return text.str.replace(",", ".", literal=True) if reading.decimal == "," else text
