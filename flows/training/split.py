"""Which side a row is on: training, validation or test. Frozen: a row never changes side between versions of its dataset."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from flows.errors import ConfigurationError
from flows.project import Split

if TYPE_CHECKING:
    import polars as pl

SPLIT_SALT = "socle-split-1"
SAMPLE_SALT = "socle-sample-1"
SIDES = ("train", "validation", "test")
EARLIER = "earlier_row_of_entity"
UNDATED = "without_time"


def unit_hash(salt: str, key: list[object]) -> float:
    """A number in [0, 1), the same everywhere for the same key."""
    text = json.dumps([salt, *key], ensure_ascii=False, default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def side_of(key: list[object], split: Split) -> str:
    place = unit_hash(SPLIT_SALT, key)
    if place < split.test:
        return "test"
    return "validation" if place < split.test + split.validation else "train"


def sides(rows: pl.DataFrame, key: list[str], split: Split) -> tuple[pl.Series, pl.Series]:
    """(the side of each row, why a row is on none: a word or null).

    Raises: ConfigurationError if the bounds of a split by time are not of the column's type.
    """
    import polars as pl

    by = [split.group] if split.by == "group" and split.group else key
    hashed = pl.Series("side", [side_of(list(k), split) for k in rows.select(by).iter_rows()], dtype=pl.String)
    if split.by != "time":
        return hashed, pl.Series("why", [None] * len(rows), dtype=pl.String)
    assert split.column is not None
    return _by_time(rows, hashed, split, split.column)


def _by_time(rows: pl.DataFrame, hashed: pl.Series, split: Split, column: str) -> tuple[pl.Series, pl.Series]:
    import polars as pl

    dates, dated = rows.schema[column].is_temporal(), not isinstance(split.test_from, int)
    if dates != dated or not (dates or rows.schema[column].is_integer()):
        raise ConfigurationError(
            f"split: {split.test_from} cannot be compared with the column {column!r}, which is {rows.schema[column]}",
            where="split.test_from",
            hint="a year for a column of integers, a date for one of dates",
        )
    when = pl.col(column)
    late = pl.when(when >= pl.lit(split.test_from)).then(pl.lit("test"))
    if split.validation_from is not None:
        side = late.when(when >= pl.lit(split.validation_from)).then(pl.lit("validation")).otherwise(pl.lit("train"))
    else:  # a share of the earlier rows, by hash: of the entity, if there is one
        entity = [split.group] if split.group else None
        if entity:
            hashed = pl.Series("side", [side_of(list(k), split) for k in rows.select(entity).iter_rows()], dtype=pl.String)
        share = pl.Series("share", hashed == "validation")
        side = late.when(pl.lit(share)).then(pl.lit("validation")).otherwise(pl.lit("train"))
    found = rows.select(side=side, why=pl.when(when.is_null()).then(pl.lit(UNDATED)))
    if split.group:
        found = found.with_columns(entity=rows[split.group])
        last = {"train": 0, "validation": 1, "test": 2}
        found = found.with_columns(place=pl.col("side").replace_strict(last, return_dtype=pl.Int8))
        latest = pl.col("place").filter(pl.col("why").is_null()).max().over("entity")
        earlier = pl.col("why").is_null() & pl.col("entity").is_not_null() & (pl.col("place") < latest)
        found = found.with_columns(why=pl.when(earlier).then(pl.lit(EARLIER)).otherwise(pl.col("why")))
    return found["side"], found["why"]
