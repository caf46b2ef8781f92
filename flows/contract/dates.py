"""Text -> dates and moments. A format is written with the directives of Python's strptime, and fits as it is written: the year of
`01/02/24` is not 24, `31/02/2024` is no date, and nothing is rounded.

Months may have French names (`%B`, `%b`). A moment without a zone is kept as it is written, as UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from flows.contract.reading import Reading
from flows.project.columns import TOKEN

if TYPE_CHECKING:
    import polars as pl

MONTHS = (
    "janv(?:ier|\\.)?|jan\\.?",
    "f[ée]vr(?:ier|\\.)?|f[ée]v\\.?",
    "mars|mar\\.?",
    "avr(?:il|\\.)?",
    "mai",
    "juin",
    "juil(?:let|\\.)?",
    "ao[ûu]t|ao[ûu]\\.?",
    "sept(?:embre|\\.)?|sep\\.?",
    "oct(?:obre|\\.)?",
    "nov(?:embre|\\.)?",
    "d[ée]c(?:embre|\\.)?",
)
NAMED_MONTH = "|".join(MONTHS)
PARTS = {
    "%d": ("(?:0?[1-9]|[12][0-9]|3[01])", "%d"),
    "%m": ("(?:0?[1-9]|1[0-2])", "%m"),
    "%Y": ("[0-9]{4}", "%Y"),
    "%y": ("[0-9]{2}", "%y"),
    "%H": ("(?:[01]?[0-9]|2[0-3])", "%H"),
    "%M": ("[0-5][0-9]", "%M"),
    "%S": ("[0-5][0-9]", "%S"),
    ".%f": ("\\.[0-9]{1,6}0*", "%.f"),
    "%z": ("(?:Z|[+-][0-9]{2}:?[0-9]{2})", "%#z"),
    "%B": (f"(?:{NAMED_MONTH})", "%m"),
    "%b": (f"(?:{NAMED_MONTH})", "%m"),
}
"""Directive -> what it matches, and what Polars calls it."""
MIDNIGHT = r"[T ]00:00(?::00(?:\.0+)?)?$"
ISO_DATE = "%Y-%m-%d"
ISO_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6}0*)?)?"
    r"(?: ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?$"
)
ISO_QUICK = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True)
class Format:
    """A declared format, as a pattern that the whole text has to match and as Polars' own format."""

    written: str
    regex: str
    polars: str

    @property
    def has_time(self) -> bool:
        return "%H" in self.written

    @property
    def names_month(self) -> bool:
        return "%B" in self.written or "%b" in self.written


@lru_cache
def compiled(written: str) -> Format:
    """project/columns.py has looked at what is declared."""
    regex, polars = "", ""
    for token in TOKEN.findall(written):
        part, own = PARTS.get(token) or (re.escape(token), token)
        regex, polars = regex + part, polars + own
    form = Format(written, f"^{regex}$", polars)
    return replace(form, regex=f"(?i)^{regex}$".replace("^(?:0?[1-9]", "^(?:1er|0?[1-9]")) if form.names_month else form


# ---- quick: the format that the first value has, for texts as long as it --------------------------------------------


def quick_date(text: pl.Series, reading: Reading, first: str) -> pl.Series | None:
    """None: the first value is not written in a way that is read quickly."""
    for form in _formats(reading, (ISO_DATE,)):
        if not form.names_month and not form.has_time and re.match(form.regex, first):
            return _only_safe(text, text.str.to_date(form.polars, strict=False), first)
    return None


def quick_moment(text: pl.Series, reading: Reading, first: str) -> pl.Series | None:
    for form in _formats(reading, ISO_QUICK):
        if not form.names_month and form.has_time and re.match(form.regex, first):
            # with the very shape of the zone Polars is six times as fast
            zone = "Z" if first.endswith("Z") else "%:z" if first[-3:-2] == ":" else "%z"
            return _only_safe(text, _moment(text, replace(form, polars=form.polars.replace("%#z", zone))), first)
    return None


def _only_safe(text: pl.Series, made: pl.Series, first: str) -> pl.Series:
    """Polars is lenient (`24-02-29` is the year 24 to it); with the length of a value that fits and a year of four digits it is right.
    A leap second would become the next minute."""
    import polars as pl

    low, high = (pl.lit(day).cast(made.dtype) for day in (date(1000, 1, 1), date(9999, 12, 31)))
    blanks = r"[\s+]"  # stand for a 0 to Polars: 2024- 1- 5, +2024-1-05
    as_many = pl.col("text").str.count_matches(blanks) == len(re.findall(blanks, first))
    safe = (pl.col("text").str.len_bytes() == len(first.encode())) & as_many & pl.col("made").is_between(low, high)
    if made.dtype != pl.Date:
        safe &= ~pl.col("text").str.contains(":60", literal=True)
    frame = pl.DataFrame({"text": text, "made": made}).with_columns(safe.alias("safe"))
    return made if frame["safe"].all() else frame.select(pl.when("safe").then("made")).to_series()


def strict_form(reading: Reading) -> Format | None:
    """The first format, if Polars reads it alone."""
    form = _formats(reading, (ISO_DATE,))[0]
    return None if form.names_month or form.has_time else form


def strict_date(text: pl.Expr, form: Format) -> pl.Expr:
    """Fails for what does not match; nothing is expected of a library's leniency."""
    import polars as pl

    other = pl.when(text != "").then(pl.lit("-"))
    return pl.when(text.str.contains(form.regex)).then(text).otherwise(other).str.to_date(form.polars, cache=False)


# ---- patient: what fits is matched first ----------------------------------------------------------------------------


def patient_date(text: pl.Series, reading: Reading) -> pl.Series:
    """Midnight after a date is no time: spreadsheets and databases write dates so."""
    import polars as pl

    text = text.str.replace(MIDNIGHT, "")
    made = pl.Series([None], dtype=pl.Date).new_from_index(0, len(text))
    for form in _formats(reading, (ISO_DATE,)):
        if not form.has_time:
            made = made.fill_null(_fitting(text, form).str.to_date(form.polars, strict=False))
    return made


def patient_moment(text: pl.Series, reading: Reading) -> pl.Series:
    import polars as pl

    made = pl.Series([None], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(text))
    for form in _formats(reading, ()):
        made = made.fill_null(_moment(_fitting(text, form), form))
    return made.fill_null(_iso_moment(text)) if reading.iso else made


def _iso_moment(text: pl.Series) -> pl.Series:
    """Every form of ISO 8601 made into one."""
    own = _matching(text, ISO_MOMENT).str.replace(r"^(.{10}) ", "${1}T").str.replace(" ", "", literal=True)
    own = own.str.replace(r"^(.{10})$", "${1}T00:00").str.replace(r"^(.{10}T.{5})(Z|[+-]|$)", "${1}:00${2}")
    own = own.str.replace(r"^(.{19}[0-9.]*)Z?$", "${1}+00:00").str.replace(r"([+-][0-9]{2})$", "${1}:00")
    return own.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC")


def _moment(text: pl.Series, form: Format) -> pl.Series:
    import polars as pl

    if "%:z" in form.polars or "%z" in form.polars or "%#z" in form.polars:
        return text.str.to_datetime(form.polars, strict=False, time_unit="us", time_zone="UTC")
    if not form.has_time:
        return text.str.to_date(form.polars, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return text.str.to_datetime(form.polars, strict=False, time_unit="us").dt.replace_time_zone("UTC")


def _fitting(text: pl.Series, form: Format) -> pl.Series:
    """What fits the format, with names of months as their numbers."""
    text = _matching(text, form.regex)
    if form.names_month:
        text = text.str.replace(r"^1(?i)er\b", "1")
        for number, names in enumerate(MONTHS, 1):
            text = text.str.replace(f"(?i)(?:{names})", f"{number:02}")
    return text


def _matching(text: pl.Series, regex: str) -> pl.Series:
    """Null elsewhere."""
    import polars as pl

    return text.alias("v").to_frame().select(pl.when(pl.col("v").str.contains(regex)).then("v")).to_series()


def _formats(reading: Reading, iso: tuple[str, ...]) -> list[Format]:
    return [compiled(f) for f in (*reading.formats, *(iso if reading.iso else ()))]
