"""Figures that a person can read and keep: rounded down or up to what is easily said, and written the French way."""

from __future__ import annotations

import math

SHARES = (0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
"""What `mostly` may be. Never 1: that no exception was seen does not mean that there is none."""
STEPS = (1, 2, 5)


def share_below(share: float, values: int) -> float | None:
    """The largest of SHARES that is surely met by more values like these; None under a half.

    `share` of `values` meet it. Three standard deviations and the rule of three (no exception among n: fewer than 3 / n, at 95 %) are
    taken off.
    """
    if not values:
        return None
    sure = share - 3 * math.sqrt(max(0.0, share * (1 - share)) / values) - 3 / values
    return next((s for s in SHARES if s <= sure), None)


def above(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten; a whole number as int."""
    return _stepped(value, up=True)


def below(value: float) -> float:
    """The last 1, 2 or 5 times a power of ten; 0 for 0."""
    return _stepped(value, up=False)


def _stepped(value: float, *, up: bool) -> float:
    if not value or not math.isfinite(value):
        return 0
    if value < 0:
        return -_stepped(-value, up=not up)
    power = 10.0 ** math.floor(math.log10(value))
    steps = [s * power for s in (*STEPS, 10)]
    found = next(s for s in steps if s >= value * (1 - 1e-9)) if up else [s for s in steps if s <= value * (1 + 1e-9)][-1]
    return round(found) if found >= 1 else float(f"{found:.1g}")


def percent(share: float) -> str:
    """`0.99` -> `99 %`; as many decimals as it takes not to say 100 % or 0 % of what is not."""
    for digits in (0, 1, 2):
        text = f"{100 * share:.{digits}f}"
        if share in (0, 1) or float(text) not in (0, 100):
            break
    else:
        return "moins de 0,01 %" if share < 0.5 else "plus de 99,99 %"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %".replace(".", ",")


def about(count: float) -> str:
    """A number to two digits: `11650` -> `12 000`. Small whole ones stay."""
    if abs(count) < 100 and count == int(count):
        return f"{count:.0f}"
    power = 10 ** (math.floor(math.log10(abs(count))) - 1) if count else 1
    return number(round(count / power) * power)


def number(value: float) -> str:
    """`11650.5` -> `11 650,5`."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:,.6g}".replace(",", "\u202f").replace(".", ",")
