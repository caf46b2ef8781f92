"""Phone numbers and e-mail addresses, whole cells of them. What is found inside texts, and whose it is, is flows/privacy's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import polars as pl

from flows.errors import ConfigurationError

Line = Literal["any", "mobile", "fixed"]
REGIONS = ("FR", "GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF")
"""Where numbers are of ten digits that begin with 0, each country code with its own plan."""
PACIFIC = ("NC", "PF", "WF")
"""Where they have six or eight digits and are told from others by their country code only."""
KINDS: dict[Line, tuple[str, ...]] = {
    "fixed": ("fixed_line",),
    "mobile": ("mobile",),
    "any": ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan", "voicemail"),
}
"""What libphonenumber calls them."""
SEPARATORS = "[ .\\-/\u00a0\u202f]"
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"^{ATOM}(?:\.{ATOM})*@(?:{LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]{{2,59}})$"


def phone(values: pl.Expr, *, line: Line = "any", separators: bool = True) -> pl.Expr:
    """A number of France, overseas included, that Arcep's plan has assigned: `0140205050`, `01 40 20 50 50`, `+33 1 40 20 50 50`,
    `0033140205050`, `0262 48 00 00`, `+262 262 48 00 00`, `+687 25 60 00`.

    Short numbers (15, 3919) are none. `line`: `mobile` or `fixed`, where overseas plans tell. `separators`: spaces, points, hyphens and
    slashes between digits are allowed.
    Source: the numbering plan of Arcep, as phonenumbers (libphonenumber) has it.
    Raises: ConfigurationError for another `line`.
    """
    if line not in ("any", "mobile", "fixed"):
        raise ConfigurationError(f"line: {line!r} is not any, mobile or fixed")
    if separators:
        spaced = rf"^(?:\+|00)?[0-9]{{1,4}}(?:{SEPARATORS}?(?:\(0\){SEPARATORS}?)?[0-9]+)+$"
        plain = values.str.replace(r"\(0\)", "").str.replace_all(SEPARATORS, "")
        values = pl.when(values.str.contains(spaced)).then(plain).otherwise(values)
    return values.str.contains(_plan(line))


@lru_cache(maxsize=8)
def _plan(line: Line) -> str:
    """One regular expression of all numbers, from the patterns of libphonenumber: Python a value would take hours on millions."""
    import phonenumbers

    forms, at_home = [], []
    for region in (*REGIONS, *PACIFIC):
        metadata: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
        patterns = [kind.national_number_pattern for kind in _kinds(metadata, line) if kind and kind.national_number_pattern]
        if not patterns:
            continue
        own = "(?:" + "|".join(patterns) + ")"
        forms.append(rf"(?:\+|00){metadata.country_code}{own}")
        if region in REGIONS:
            at_home.append(own)
    whole = "^(?:" + "|".join([*forms, rf"0(?:{'|'.join(at_home)})"]) + ")$"
    return whole.replace(r"\d", "[0-9]")  # \d is every digit of Unicode


def _kinds(metadata: Any, line: Line) -> list[Any]:
    return [getattr(metadata, name) for name in KINDS[line]]


def email(values: pl.Expr) -> pl.Expr:
    """One address, in ASCII, with a domain of at least two parts (`contact@example.gouv.fr`): no name around it, no quotes, no literal IP.

    Source: RFC 5321 (lengths of 64, 63 and 254) and RFC 5322 (dot-atom); the WHATWG's HTML standard has nearly the same for forms.
    """
    return values.str.contains(EMAIL) & (values.str.len_bytes() <= 254) & values.str.contains(r"^[^@]{1,64}@")
