"""Two rows of one key in one load, and appended rows whose key is in the table already: found with flat memory, however many rows.

Keys are looked at in slices of a hash of them: a slice holds the rows of all files whose hash falls into it, so that equal keys meet
in one slice and a slice fits into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.steps.parts import POSITION, Part, scan
from flows.steps.refused import take_out

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

SLICE_ROWS = 1_000_000
TWICE, KNOWN = "twice in this load", "already in the table"


def refuse_doubles(parts: list[Part], key: list[str], there: pl.LazyFrame | None, folder: Path) -> tuple[list[Part], list[Path]]:
    """The first row of a key stays, later ones are refused; so are those whose key is in `there`, the rows of the table.

    Returns: (parts without the refused rows, files of refused rows).
    """
    return take_out(parts, find_doubles(parts, key, there), folder, "doubles")


def find_doubles(parts: Sequence[Part], key: list[str], there: pl.LazyFrame | None) -> pl.DataFrame:
    """POSITION (among the rows of all parts, from 0) of each refused row, and its `rules`."""
    import polars as pl

    total = sum(part.rows for part in parts)
    slices = -(-total // SLICE_ROWS)
    rows = scan(parts).select(key).with_row_index(POSITION)
    found = []
    for number in range(slices):
        own = _slice(rows, key, number, slices).collect(engine="streaming").sort(POSITION)
        double = ~own.select(_whole(key).is_first_distinct()).to_series()
        known = pl.Series([False]).new_from_index(0, own.height)
        if there is not None and own.height:
            present = _slice(there.select(key), key, number, slices).unique().with_columns(__there=pl.lit(True)).collect()
            known = own.join(present, on=key, how="left", maintain_order="left")["__there"].fill_null(False)
        flagged = own.select(POSITION).with_columns(double=double, known=known).filter(pl.col("double") | pl.col("known"))
        found.append(flagged.select(POSITION, _rules(key)))
    return pl.concat(found).sort(POSITION) if found else pl.DataFrame(schema={POSITION: pl.UInt32, "rules": pl.List(pl.String)})


def _slice(rows: pl.LazyFrame, key: list[str], number: int, slices: int) -> pl.LazyFrame:

    return rows if slices == 1 else rows.filter(_whole(key).hash(seed=1) % slices == number)


def _whole(key: list[str]) -> pl.Expr:
    import polars as pl

    return pl.col(key[0]) if len(key) == 1 else pl.struct(key)


def _rules(key: list[str]) -> pl.Expr:
    import polars as pl

    name = ",".join(key)
    return (
        pl.concat_list(
            pl.when("double").then(pl.lit(f"key:{name}:{TWICE}")),
            pl.when("known").then(pl.lit(f"key:{name}:{KNOWN}")),
        )
        .list.drop_nulls()
        .alias("rules")
    )
