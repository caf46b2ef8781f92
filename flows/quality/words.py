"""Figures, dates and values as French readers write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
LISTED = 8  # values of a set that are named


def moment(iso: str) -> str:
    """An ISO time as people write it: 24/11/2026 à 01:17 UTC."""
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%d/%m/%Y à %H:%M} UTC" if iso else ""


def number(value: Any, digits: int = 3) -> str:
    """A figure the French way: thin spaces between thousands, a decimal comma, rounded."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(number(each, digits) for each in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value) if len(str(value)) < 200 else str(value)[:199] + "…"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}".rstrip("0").rstrip(".")
    return text.replace(",", "\u202f").replace(".", ",")


def counted(count: int, words: str) -> str:
    """`3, "ligne écartée"` -> `3 lignes écartées`. In French, nought and one are singular."""
    return f"{number(count)} " + (" ".join(f"{word}s" for word in words.split()) if count > 1 else words)


def percent(share: float) -> str:
    """`0.999` -> `99,9 %`."""
    return f"{number(100 * float(share), 3)} %"


def share(part: float) -> str:
    """A share that was found, rounded: `0.03226` -> `3,2 %`; smaller ones keep more digits."""
    return f"{number(100 * float(part), 1 if part >= 0.01 else 3)} %"


def value(one: Any) -> str:
    """A value of a suite: figures and days the French way, other things as they are."""
    if isinstance(one, bool):
        return "vrai" if one else "faux"
    if isinstance(one, int | float):
        return number(one, 6)
    if found := DAY.fullmatch(str(one)):
        return f"{found[3]}/{found[2]}/{found[1]}"
    return str(one)


def quoted(one: Any) -> str:
    return value(one) if isinstance(one, bool | int | float) else f"« {value(one)} »"


def listed(values: Iterable[Any]) -> str:
    """`« a », « b »`; of many, the first ones and how many there are."""
    each = [" et ".join(map(quoted, one)) if isinstance(one, list | tuple) else quoted(one) for one in values]
    more = f" … ({len(each)} en tout)" if len(each) > LISTED else ""
    return ", ".join(each[:LISTED]) + more
