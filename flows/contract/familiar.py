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
    there = origins(dataset, sample.columns)
    if len(there) < len(dataset.columns):
        return False
    for name, own in there.items():
        column = dataset.columns[name]
        if column.type != "string" and not _is_read(sample[own], column, kept.get(name, {})):
            return False
    return True


def _is_read(values: pl.Series, column: Column, kept: Convention) -> bool:
    import polars as pl

    if values.dtype != pl.String:
        return True
    needed = DECIDED.get(column.type)
    if needed is None or (needed and not needed & set(kept)):
        return False
    if column.type == "integer" and not values.str.contains(DIGITS).all():
        return False
    reading = settled(column, kept)
    unread = read(values, reading).is_null() & values.is_not_null()
    if not unread.any():
        return True
    return not values.filter(unread).alias("v").to_frame().select(has_value(pl.col("v"), pl.String(), reading).any()).item()
