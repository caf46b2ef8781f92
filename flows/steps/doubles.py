"""Two rows of one key in one load, and appended rows whose key is in the table already: found with flat memory, however many rows.

Keys are written to the disk in slices of a hash of them, in one pass: equal keys meet in one slice, and a slice fits into memory.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.steps.parts import POSITION, Part, rows_of, scan
from flows.steps.refused import take_out

if TYPE_CHECKING:
    import polars as pl

SLICE_ROWS = 1_000_000
SLICE = "__slice"
FILE_BYTES = 1 << 30  # of a slice in memory: one file, as a rule
TWICE, KNOWN = "twice in this load", "already in the table"


def refuse_doubles(parts: list[Part], key: list[str], there: pl.LazyFrame | None, folder: Path) -> tuple[list[Part], list[Path]]:
    """The first row of a key stays, later ones are refused; so are those whose key is in `there`, the rows of the table.

    Returns: (parts without the refused rows, files of refused rows).
    """
    return take_out(parts, find_doubles(parts, key, there), folder, "doubles")


def find_doubles(parts: Sequence[Part], key: list[str], there: pl.LazyFrame | None) -> pl.DataFrame:
    """POSITION (among the rows of all parts, from 0) of each refused row, and its `rules`."""
    import polars as pl

    slices = -(-rows_of(parts) // SLICE_ROWS)
    rows = scan(parts).select(key).with_row_index(POSITION)
    found = []
    with tempfile.TemporaryDirectory(dir=parts[0].path.parent if parts else None) as folder:
        others = itertools.repeat(None) if there is None else _sliced(there.select(key), key, slices, Path(folder, "there"))
        for own, known in zip(_sliced(rows, key, slices, Path(folder, "own")), others, strict=False):
            found.append(_doubles_in(own.collect().sort(POSITION), key, known))
    return pl.concat(found).sort(POSITION) if found else pl.DataFrame(schema={POSITION: pl.UInt32, "rules": pl.List(pl.String)})


def _sliced(rows: pl.LazyFrame, key: list[str], slices: int, folder: Path) -> Iterator[pl.LazyFrame]:
    """Rows by a hash of their key, written to the disk in one pass: equal keys are in one slice."""
    import polars as pl

    if slices <= 1:
        yield from [rows] * slices
        return
    number = (_whole(key).hash(seed=1) % slices).alias(SLICE)
    target = pl.PartitionBy(folder, key=SLICE, include_key=False, approximate_bytes_per_file=FILE_BYTES)
    rows.with_columns(number).sink_parquet(target, compression="lz4", mkdir=True, engine="streaming")
    for each in range(slices):
        files = sorted((folder / f"{SLICE}={each}").glob("*.parquet"))
        yield pl.scan_parquet(files) if files else rows.clear()


def _doubles_in(own: pl.DataFrame, key: list[str], there: pl.LazyFrame | None) -> pl.DataFrame:
    import polars as pl

    double = ~own.select(_whole(key).is_first_distinct()).to_series()
    known = pl.Series([False]).new_from_index(0, own.height)
    if there is not None and own.height:
        present = there.unique().with_columns(__there=pl.lit(True)).collect()
        known = own.join(present, on=key, how="left", maintain_order="left")["__there"].fill_null(False)
    flagged = own.select(POSITION).with_columns(double=double, known=known).filter(pl.col("double") | pl.col("known"))
    return flagged.select(POSITION, _rules(key))


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
