"""All proposals of a dataset as one suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flows.quality.suggest import table
from flows.quality.suggest.entries import About, subject
from flows.quality.suggest.numbers import moments, numbers, orders, places
from flows.quality.suggest.profile import Column, Profile, profile
from flows.quality.suggest.texts import texts
from flows.quality.suggest.trial import Dropped, held

if TYPE_CHECKING:
    import polars as pl

DATES = 6  # columns of dates whose order is looked at, each with each


@dataclass(frozen=True)
class Suggestion:
    suite: dict[str, Any]
    """As it stands in a file under expectations/."""
    rows: int
    versions: int
    """That it was tried on, with this one."""
    dropped: list[Dropped] = field(default_factory=list)
    """What was thought of and did not hold."""


def suggest(rows: pl.LazyFrame, earlier: Sequence[pl.LazyFrame], about: About, name: str, *, memory_mb: int = 256) -> Suggestion:
    """`earlier`: other versions of the dataset, the oldest first. `name` of the suite: its path under expectations/ without `.json`.
    `memory_mb`: what trying a suite may take, as of a check."""
    found = profile(rows)
    proposed = [e for e in _proposals(found, about, rows, earlier) if subject(e) not in about.existing]
    kept, dropped = held(proposed, [*earlier, rows], memory_mb)
    meta = {"socle": f"Proposé d'après {found.rows} lignes et {len(earlier) + 1} version(s) ; à relire avant de s'y fier."}
    return Suggestion({"name": name, "meta": meta, "expectations": kept}, found.rows, len(earlier) + 1, dropped)


def _proposals(found: Profile, about: About, rows: pl.LazyFrame, earlier: Sequence[pl.LazyFrame]) -> Iterator[dict[str, Any]]:
    yield from table.rows_of(found, [table.height(v) for v in earlier])
    yield from table.keys(found, about)
    for column in found.columns.values():
        yield from table.filled(column, about)
        yield from _of_values(column, about)
    yield from _orders(found)
    yield from places(list(found.columns.values()))
    yield from table.changes(found, about, [*earlier, rows])


def _of_values(column: Column, about: About) -> Iterator[dict[str, Any]]:
    import polars as pl

    if column.kind == pl.String:
        yield from texts(column, about)
    elif column.kind.is_numeric():
        yield from numbers(column)
    elif column.kind in (pl.Date, pl.Datetime):
        yield from moments(column)


def _orders(found: Profile) -> Iterator[dict[str, Any]]:
    import polars as pl

    for kind in (pl.Date, pl.Datetime):
        yield from orders([c for c in found.columns.values() if c.kind == kind][:DATES])
