"""Rows as the pandas frame that Great Expectations' own code gets."""

from __future__ import annotations

from typing import Any

import polars as pl


def to_pandas(rows: pl.LazyFrame, floating: frozenset[str] = frozenset()) -> Any:
    """Integers with nulls stay integers (pandas' Int64) except in the columns `floating`; days are date objects; moments have no zone: it
    is what Great Expectations makes of "2024-01-31" and "2024-01-31T00:00" in the arguments of an expectation."""
    import pandas as pd
    import pyarrow as pa

    naive = rows.with_columns(pl.col(pl.Datetime("us", "UTC")).dt.replace_time_zone(None)).collect()
    nullable = {c for c in naive.columns if naive[c].dtype == pl.Int64 and naive[c].null_count()} - floating
    frame = naive.to_arrow().to_pandas(date_as_object=True, types_mapper={pa.large_string(): pd.StringDtype(na_value=float("nan"))}.get)
    for column in nullable:
        frame[column] = naive[column].to_arrow().to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame
