"""Interleaved repetitions: in each round every contender runs once, so neighbours and clock speed weigh on all of them alike.

CPU seconds (children included) are shown beside wall seconds: on a shared machine they move far less.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple


class Sample(NamedTuple):
    wall: float
    cpu: float


def interleaved(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[Sample]]:
    """Wall and CPU seconds of each contender in each round."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            start, busy = time.perf_counter(), _cpu()
            contenders[name]()
            samples[name].append(Sample(time.perf_counter() - start, _cpu() - busy))
    return samples


def show(samples: dict[str, list[Sample]], reference: str, units: float = 1.0, what: str = "s") -> None:
    """Median and spread of the wall time (of `units` / wall time when `what` is a rate), and the median over the rounds of the
    ratio to the reference in the same round."""
    for name, runs in samples.items():
        shown = sorted(units / s.wall if what != "s" else s.wall for s in runs)
        pairs = list(zip(runs, samples[reference], strict=True))
        wall, cpu = (statistics.median(own[i] / base[i] for own, base in pairs) for i in (0, 1))
        spread = f"{shown[0]:.2f}–{shown[-1]:.2f}"
        print(f"   {name:<38} {statistics.median(shown):>8.2f} {what} ({spread})  time x{wall:.2f}  CPU x{cpu:.2f}")
    print(f"   (ratios to: {reference})")


def _cpu() -> float:
    return sum(os.times()[:4])


def in_its_own_process(name: str, module: str, *arguments: str) -> dict[str, float] | None:
    """What `python -m module` prints on its last line, as JSON. None if a library that it needs is not installed."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        return found
    if "ModuleNotFoundError" in done.stderr:
        print(f"   {name}: {done.stderr.strip().splitlines()[-1]}")
        return None
    raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
