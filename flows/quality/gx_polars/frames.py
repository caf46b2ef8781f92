"""Rows as the pandas frame that Great Expectations' own code gets."""

from __future__ import annotations

from typing import Any

import polars as pl

NULLABLE: dict[Any, str] = {
    kind: f"{kind.__name__}Dtype" for kind in (pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt64, pl.UInt32, pl.UInt16, pl.UInt8)
}
"""Integers, and the names of the types of pandas that hold them beside missing values."""


def to_pandas(rows: pl.LazyFrame, floating: frozenset[str] = frozenset()) -> Any:
    """Integers with nulls stay integers (pandas' Int64 and the like) except in the columns `floating`; days are date objects; moments have
    no zone: it is what Great Expectations makes of "2024-01-31" and "2024-01-31T00:00" in the arguments of an expectation."""
    import pandas as pd
    import pyarrow as pa

    naive = rows.with_columns(pl.col(pl.Datetime("us", "UTC")).dt.replace_time_zone(None)).collect()
    nullable = {c for c in naive.columns if naive[c].dtype in NULLABLE and naive[c].null_count()} - floating
    frame = naive.to_arrow().to_pandas(date_as_object=True, types_mapper={pa.large_string(): pd.StringDtype(na_value=float("nan"))}.get)
    for column in nullable:
        kind = getattr(pd, NULLABLE[naive[column].dtype])()
        frame[column] = naive[column].to_arrow().to_pandas(types_mapper=lambda _, kind=kind: kind)
    return frame
