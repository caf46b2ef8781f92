"""What tests of the contract share."""

from __future__ import annotations

from typing import Any

import polars as pl

from flows import contract
from flows.project import Column, Dataset


def column(kind: str, **declared: Any) -> Column:
    return Column.model_validate({"type": kind, **declared})


def dataset(columns: dict[str, Any], **more: Any) -> Dataset:
    head = {"title": "t", "source": {"type": "file", "path": "x"}, "personal_data": "none"}
    return Dataset.model_validate(head | {"columns": columns, **more})


def convert(texts: list[str | None], declared: Column, **convention: Any) -> list[Any]:
    frame = pl.DataFrame({"v": pl.Series(texts, dtype=pl.String)})
    return frame.select(contract.convert(pl.col("v"), pl.String(), declared, convention)).to_series().to_list()


def sample(**columns: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
