"""Which versions a piece of work read and wrote, noted by the lake itself, so that no step has to remember to say it.

with noting() as touched:
    ...
touched.wrote   # ["essai/demandes@3"]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Touched:
    """References in the order in which they came up, each once."""

    read: list[str] = field(default_factory=list)
    wrote: list[str] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    """`project/model@alias` -> number of the version that it was pointed at."""
    expired: list[str] = field(default_factory=list)
    deleted: int = 0
    """Objects."""

    @property
    def anything(self) -> bool:
        return bool(self.read or self.wrote or self.moved or self.expired or self.deleted)


_touched: ContextVar[Touched | None] = ContextVar("socle_touched", default=None)


@contextmanager
def noting() -> Iterator[Touched]:
    """Threads and tasks that start inside note to the same place."""
    touched = Touched()
    token = _touched.set(touched)
    try:
        yield touched
    finally:
        _touched.reset(token)


def note_read(reference: str) -> None:
    if (touched := _touched.get()) is not None and reference not in touched.read:
        touched.read.append(reference)


def note_wrote(reference: str) -> None:
    if (touched := _touched.get()) is not None and reference not in touched.wrote:
        touched.wrote.append(reference)


def note_moved(model: str, aliases: dict[str, int]) -> None:
    if (touched := _touched.get()) is not None:
        touched.moved |= {f"{model}@{alias}": number for alias, number in aliases.items()}


def note_expired(reference: str) -> None:
    if (touched := _touched.get()) is not None and reference not in touched.expired:
        touched.expired.append(reference)


def note_deleted() -> None:
    if (touched := _touched.get()) is not None:
        touched.deleted += 1
