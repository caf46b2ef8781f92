"""Dates as French people write them."""

from __future__ import annotations

from datetime import date

import polars as pl

from flows.errors import ConfigurationError


def french_date(values: pl.Expr, *, min_value: str | None = None, max_value: str | None = None) -> pl.Expr:
    """A day that there is, written dd/mm/yyyy (`29/02/2024`, not `29/02/2023` nor `1/2/24`).

    `min_value`, `max_value`: the first and the last day that are right, written 2024-02-29.
    Source: the Gregorian calendar.
    Raises: ConfigurationError for a bound that is no date.
    """
    day = values.str.to_date("%d/%m/%Y", strict=False)
    right = values.str.contains(r"^[0-9]{2}/[0-9]{2}/[0-9]{4}$") & day.is_not_null() & (day.dt.year() > 0)
    if min_value is not None:
        right &= day >= _bound("min_value", min_value)
    if max_value is not None:
        right &= day <= _bound("max_value", max_value)
    return right


def _bound(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name}: {text!r} is no date", hint="write it 2024-02-29") from None
