"""What a version holds, column by column: exact counts of all rows, and an even sample that everything else is looked for in.

Two streamed passes. What is held is the sample: at most SAMPLE rows, of texts their first CHARS characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.quality.suggest.figures import share_below

if TYPE_CHECKING:
    import polars as pl

SAMPLE = 50_000  # rows
CHARS = 500  # of a text
BLOCKS = 4  # of rows that follow each other: what holds in all of them does not depend on where one looks
IN_BLOCK = 25  # values that a block must have to count


@dataclass(frozen=True)
class Column:
    name: str
    kind: pl.DataType
    rows: int
    missing: int
    """Null or NaN, of all rows."""
    low: Any
    high: Any
    """Smallest and largest value of all rows; None where there is no order."""
    values: pl.Series
    """Of the sample, in the order of the rows, with nulls."""
    lengths: pl.Series | None
    """Characters of each text of the sample, whole."""

    @property
    def filled(self) -> int:
        return self.rows - self.missing

    @property
    def seen(self) -> int:
        """Values in the sample."""
        return len(self.values) - self.values.null_count()

    def share(self, meets: pl.Series) -> float:
        """Of the values (nulls aside) in that block of rows where the fewest meet it."""
        return min(self._shares(self._of_values(meets)), default=0.0)

    def mostly(self, meets: pl.Series) -> float | None:
        """`mostly` for a condition that these values of the sample meet; None if under half of them surely do."""
        return self._mostly(self._of_values(meets))

    def mostly_filled(self) -> float | None:
        return self._mostly(self.values.is_not_null())

    def _of_values(self, meets: pl.Series) -> pl.Series:
        return meets.filter(self.values.is_not_null()).fill_null(False)

    def _mostly(self, meets: pl.Series) -> float | None:
        """Blocks that differ say how far the next one may be: as far below the lowest as that is below the highest."""
        shares = self._shares(meets)
        return share_below(max(0.0, 2 * min(shares) - max(shares)), len(meets)) if shares else None

    def _shares(self, meets: pl.Series) -> list[float]:
        return [int(b.sum()) / len(b) for b in self.blocks(meets)]

    def blocks(self, values: pl.Series) -> list[pl.Series]:
        """Parts of rows that follow each other, nulls aside; one if there are few."""
        size = -(-len(values) // BLOCKS)
        if size < IN_BLOCK:
            return [values] if len(values) else []
        return [values.slice(start, size) for start in range(0, len(values), size) if len(values) - start >= IN_BLOCK]


@dataclass(frozen=True)
class Profile:
    rows: int
    columns: dict[str, Column]


def profile(rows: pl.LazyFrame) -> Profile:
    """Columns that begin with two underscores are Socle's own and are left out."""
    import polars as pl

    schema = {c: k for c, k in rows.collect_schema().items() if not c.startswith("__")}
    asked = [pl.len().alias("__rows")]
    for place, (column, kind) in enumerate(schema.items()):
        value = _without_nan(column, kind)
        asked.append(value.null_count().alias(f"{place} missing"))
        if kind.is_numeric() or kind.is_temporal():
            asked += [value.min().alias(f"{place} low"), value.max().alias(f"{place} high")]
    row = rows.select(asked).collect(engine="streaming").row(0, named=True)
    every = max(1, -(-row["__rows"] // SAMPLE))
    taken = [_copied(pl.col(c).str.slice(0, CHARS)) if k == pl.String else _without_nan(c, k) for c, k in schema.items()]
    lengths = [pl.col(c).str.len_chars().alias(f"__chars {c}") for c, k in schema.items() if k == pl.String]
    numbered = rows.with_row_index("__n").filter(pl.col("__n") % every == 0)
    sample = numbered.select("__n", *taken, *lengths).collect(engine="streaming").sort("__n")
    columns = {
        c: Column(
            name=c,
            kind=kind,
            rows=row["__rows"],
            missing=row[f"{place} missing"],
            low=row.get(f"{place} low"),
            high=row.get(f"{place} high"),
            values=sample[c],
            lengths=sample[f"__chars {c}"] if kind == pl.String else None,
        )
        for place, (c, kind) in enumerate(schema.items())
    }
    return Profile(row["__rows"], columns)


def _without_nan(column: str, kind: pl.DataType) -> pl.Expr:
    import polars as pl

    return pl.col(column).fill_nan(None) if kind.is_float() else pl.col(column)


def _copied(text: pl.Expr) -> pl.Expr:
    """The same texts with bytes of their own: a filtered column otherwise keeps the bytes of all rows in memory."""
    import polars as pl

    return text + pl.lit("")
