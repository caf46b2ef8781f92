"""Steps of a run, as they happen: terminals draw bars from them, Prefect logs them, summaries list how long each took.

with progress.step("Reading articles", unit="rows", total=None) as advance:
    advance(20_000)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

Advance = Callable[[float], None]


class Listener(Protocol):
    def started(self, name: str, unit: str, total: float | None) -> None: ...

    def advanced(self, name: str, amount: float) -> None: ...

    def ended(self, name: str, seconds: float, failed: bool) -> None: ...


@dataclass
class Timings:
    """Remembers how long each step took, and passes everything on."""

    onward: Listener | None = None
    steps: list[tuple[str, float]] = field(default_factory=list)

    def started(self, name: str, unit: str, total: float | None) -> None:
        if self.onward:
            self.onward.started(name, unit, total)

    def advanced(self, name: str, amount: float) -> None:
        if self.onward:
            self.onward.advanced(name, amount)

    def ended(self, name: str, seconds: float, failed: bool) -> None:
        self.steps.append((name, seconds))
        if self.onward:
            self.onward.ended(name, seconds, failed)


_listener: ContextVar[Listener | None] = ContextVar("socle_progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def current() -> Listener | None:
    return _listener.get()


@contextmanager
def step(name: str, unit: str = "", total: float | None = None) -> Iterator[Advance]:
    listener = _listener.get()
    if listener is None:
        yield lambda amount: None
        return
    listener.started(name, unit, total)
    start, failed = time.monotonic(), True
    try:
        yield lambda amount: listener.advanced(name, amount)
        failed = False
    finally:
        listener.ended(name, time.monotonic() - start, failed)
