"""Interleaved repetitions and medians: neighbours and clock speed then weigh on every contender alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def interleaved(contenders: dict[str, Callable[[], float | None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round. A contender may return the seconds that count; otherwise all of its time does."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            start = time.perf_counter()
            own = contenders[name]()
            seconds[name].append(own if own is not None else time.perf_counter() - start)
    return seconds


def show(seconds: dict[str, list[float]], reference: str, unit: float = 1.0, what: str = "s") -> None:
    """Median, spread, and the ratio of each median to the reference's; `unit` / seconds is shown when `what` is a rate."""
    base = statistics.median(seconds[reference])
    for name, values in seconds.items():
        middle = statistics.median(values)
        shown = [unit / v if what != "s" else v for v in (middle, max(values), min(values))]
        spread = f"{min(shown[1:]):.2f}–{max(shown[1:]):.2f}"
        print(f"   {name:<44} {shown[0]:>9.2f} {what} ({spread})   time x{middle / base:.2f} of {reference}")
