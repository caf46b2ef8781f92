"""Whether the values of a file are written as those before it: asked of each of many little files, so it has to be cheap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.contract.conform import origins
from flows.contract.conventions import ISO
from flows.contract.convert import has_value, read
from flows.contract.reading import Convention, settled
from flows.project import Column, Dataset

if TYPE_CHECKING:
    import polars as pl

DECIDED = {"number": {"decimal"}, "boolean": set[str](), "integer": set[str](), "date": {"format", ISO}, "datetime": {"format", ISO}}
"""What is kept of a column once its values have shown how they are written; of some types nothing has to be."""
DIGITS = r"^-?[0-9]+$"


def familiar(dataset: Dataset, kept: Mapping[str, Convention], sample: pl.DataFrame) -> bool:
    """Every column is there, every value can be read as is kept, and what is kept leaves nothing open: a closer look would find no
    more."""
    return not strangers(dataset, kept, sample).any()


def strangers(dataset: Dataset, kept: Mapping[str, Convention], rows: pl.DataFrame) -> pl.Series:
    """For each row whether it alone would not be familiar: some rows of a file are familiar if none of them is a stranger."""
    import polars as pl

    none = pl.Series([False]).new_from_index(0, rows.height)
    there = origins(dataset, rows.columns)
    if len(there) < len(dataset.columns):
        return ~none
    found = none
    for name, own in there.items():
        column = dataset.columns[name]
        if column.type == "string" or rows.schema[own] != pl.String:
            continue
        unread = _unread(rows[own], column, kept.get(name, {}))
        if unread is None:
            return ~none
        found = found | unread if unread.any() else found
    return found


def _unread(values: pl.Series, column: Column, kept: Convention) -> pl.Series | None:
    """Whether a closer look at the value is needed; None if at all of them."""
    import polars as pl

    needed = DECIDED.get(column.type)
    if needed is None or (needed and not needed & set(kept)):
        return None
    reading = settled(column, kept)
    unread = read(values, reading).is_null() & values.is_not_null()
    if unread.any():
        unread &= values.alias("v").to_frame().select(has_value(pl.col("v"), pl.String(), reading)).to_series().fill_null(False)
    if column.type == "integer":
        unread |= ~values.str.contains(DIGITS).fill_null(True)
    return unread
