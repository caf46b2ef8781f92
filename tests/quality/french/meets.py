"""What a check says of single values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl


def meets(check: Callable[..., pl.Expr], *values: str | None, **arguments: Any) -> list[bool]:
    """One answer a value, as a streamed query gives it; null is false."""
    rows = pl.LazyFrame({"v": list(values)}, schema={"v": pl.String})
    return rows.select(check(pl.col("v"), **arguments).fill_null(False).alias("met")).collect(engine="streaming")["met"].to_list()


def met(check: Callable[..., pl.Expr], value: str | None, **arguments: Any) -> bool:
    return meets(check, value, **arguments)[0]
