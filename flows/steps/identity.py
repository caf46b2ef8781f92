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

        there = contract.origins(self.declared, schema)  # a file may have other names than the dataset
        if not set(self.columns) <= set(there):
            return None
        who = zip(self.columns, self.values, strict=True)
        same = [canonical(c, schema[there[c]], self.declared, there[c]) == v for c, v in who]
        return pl.all_horizontal(same).fill_null(False)

    def in_rows(self, rows: pl.LazyFrame) -> int:
        """How many rows are this person's."""
        match = self.matches(rows.collect_schema())
        return 0 if match is None else int(rows.select(match.sum()).collect().item() or 0)

    def in_refused(self, lines: pl.DataFrame) -> list[bool]:
        """The same for lines of the quarantine: `row` as JSON, and `raw`, the text of the record in its file. What lacks the columns is
        looked through as text."""
        raws = lines["raw"] if "raw" in lines.columns else [None] * lines.height
        return [self._in_line(row or "{}", raw or "") for row, raw in zip(lines["row"], raws, strict=True)]

    def in_records(self, rows: Iterable[str]) -> list[bool]:
        """The same without the text."""
        return [self._in_line(row, "") for row in rows]

    def in_cells(self, cells: Mapping[str, str | None]) -> bool | None:
        """The same for one row of text cells; None if it lacks the columns."""
        import polars as pl

        there = contract.origins(self.declared, cells)
        if not set(self.columns) <= set(there):
            return None
        plain = {there[c]: cells[there[c]] for c in self.columns}
        if any(value is None for value in plain.values()):
            return False
        return self.in_rows(pl.DataFrame({c: [v] for c, v in plain.items()}, schema=dict.fromkeys(plain, pl.String)).lazy()) > 0

    def _in_line(self, row: str, raw: str) -> bool:
        cells = {name: contract.as_text(value) for name, value in json.loads(row).items()}
        if (found := self.in_cells(cells)) is not None:
            return found
        return self.is_distinct and (self.needle.in_text(row) or self.needle.in_text(raw))


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


def canonical(column: str, found: Any, declared: Dataset, there: str = "") -> pl.Expr:
    """A column's values as text: as its declared type reads them, else as they are. `there`: its name in these rows."""
    import polars as pl

    as_declared, value = declared.columns.get(column, contract.TEXT), pl.col(there or column)
    plain = value.cast(pl.String, strict=False)
    return pl.coalesce(contract.convert(value, found, as_declared).cast(pl.String), plain).str.strip_chars().alias(column)


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
            there = contract.origins(self.declared, batch.columns)
            if not set(columns) <= set(there):
                continue
            who = batch.select(canonical(c, batch.schema[there[c]], self.declared, there[c]) for c in columns)
            known = [None not in row and self.erasures.digest(columns, row) in digests for row in who.iter_rows()]
            batch = batch.filter(~pl.Series(known, dtype=pl.Boolean))
        return batch
