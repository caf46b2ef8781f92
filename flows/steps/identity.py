"""One person in a dataset: the columns that say who it is and their values, found in rows whatever type they were read with.

Values are compared as the dataset's contract reads them: `007` is 7 in a column of integers, and itself in one of text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows import contract
from flows.errors import ConfigurationError
from flows.lake.contents import Needle
from flows.lake.erasures import Erasures
from flows.project import Dataset

if TYPE_CHECKING:
    import polars as pl

DISTINCT = 6  # characters: a value so long is hardly anything else when it is found in a text


@dataclass(frozen=True, repr=False)
class Person:
    """`repr` is left out on purpose: values never reach a log."""

    declared: Dataset
    columns: list[str]
    values: list[str]
    """As the contract reads them."""

    @property
    def needle(self) -> Needle:
        return Needle(self.values)

    @property
    def is_distinct(self) -> bool:
        return any(len(value) >= DISTINCT for value in self.values)

    def matches(self, schema: Mapping[str, Any]) -> pl.Expr | None:
        """Which rows are this person's; None if the rows lack a column to tell."""
        import polars as pl

        if not set(self.columns) <= set(schema):
            return None
        same = [canonical(c, schema[c], self.declared) == v for c, v in zip(self.columns, self.values, strict=True)]
        return pl.all_horizontal(same).fill_null(False)

    def in_rows(self, rows: pl.LazyFrame) -> int:
        """How many rows are this person's."""
        match = self.matches(rows.collect_schema())
        return 0 if match is None else int(rows.select(match.sum()).collect().item() or 0)

    def in_records(self, texts: Iterable[str]) -> list[bool]:
        """The same for rows as JSON, as the quarantine has them. One that lacks the columns is looked through as text."""
        return [self._in_record(text) for text in texts]

    def _in_record(self, text: str) -> bool:
        import polars as pl

        record = json.loads(text)
        if not set(self.columns) <= set(record):
            return self.is_distinct and self.needle.in_text(text)
        plain = [contract.as_text(record[c]) for c in self.columns]
        if any(value is None for value in plain):
            return False
        frame = pl.DataFrame({c: [v] for c, v in zip(self.columns, plain, strict=True)}, schema=dict.fromkeys(self.columns, pl.String))
        return self.in_rows(frame.lazy()) > 0


def person(declared: Dataset, given: Mapping[str, str]) -> Person:
    """Raises: ConfigurationError for columns that the dataset does not have, or a value that cannot be one of them."""
    import polars as pl

    columns = sorted(given)
    if unknown := [c for c in columns if c not in declared.columns]:
        there = ", ".join(declared.key or declared.columns)
        raise ConfigurationError(f"--key: the dataset has no column {', '.join(unknown)}", where=f"its key: {there}")
    frame = pl.DataFrame({c: [given[c]] for c in columns}, schema=dict.fromkeys(columns, pl.String))
    values = frame.select(canonical(c, pl.String(), declared) for c in columns).row(0)
    if empty := [c for c, v in zip(columns, values, strict=True) if not v]:
        raise ConfigurationError(f"--key: {', '.join(empty)} has no value", hint="--key column=value")
    return Person(declared, columns, [str(v) for v in values])


def canonical(column: str, found: Any, declared: Dataset) -> pl.Expr:
    """A column's values as text: as its declared type reads them, else as they are."""
    import polars as pl

    as_declared = declared.columns.get(column, contract.TEXT)
    plain = pl.col(column).cast(pl.String, strict=False)
    return pl.coalesce(contract.convert(pl.col(column), found, as_declared).cast(pl.String), plain).str.strip_chars().alias(column)


class LeftOut:
    """Those who were erased from a dataset, as a filter of the rows that a source brings again."""

    def __init__(self, erasures: Erasures, declared: Dataset) -> None:
        self.erasures, self.declared = erasures, declared
        self.subjects = erasures.subjects() if erasures.any() else {}

    def __bool__(self) -> bool:
        return bool(self.subjects)

    def without(self, batch: pl.DataFrame) -> pl.DataFrame:
        """The rows of everybody else."""
        import polars as pl

        for columns, digests in self.subjects.items():
            if not set(columns) <= set(batch.columns):
                continue
            who = batch.select(canonical(c, batch.schema[c], self.declared) for c in columns)
            known = [None not in row and self.erasures.digest(columns, row) in digests for row in who.iter_rows()]
            batch = batch.filter(~pl.Series(known, dtype=pl.Boolean))
        return batch
