"""Conditions asked about plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl


def met(condition: Callable[..., pl.Expr], values: Sequence[Any], **arguments: Any) -> list[bool | None]:
    """Values as one column."""
    return pl.DataFrame({"value": values}).select(condition(pl.col("value"), **arguments).alias("met"))["met"].to_list()


def one(condition: Callable[..., pl.Expr], value: Any, **arguments: Any) -> bool | None:
    return met(condition, [value], **arguments)[0]
