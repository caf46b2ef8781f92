"""The types that a column may be declared as, in Polars and Arrow, and records as frames of text."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError, SourceRefused
from flows.project import Dataset

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

FILE, ROW = "__file", "__row"
"""Where a row came from: file name, and its number in that file, from 1. Carried until the commit."""


def polars_type(kind: str) -> pl.DataType:
    import polars as pl

    return {
        "string": pl.String(),
        "integer": pl.Int64(),
        "number": pl.Float64(),
        "boolean": pl.Boolean(),
        "date": pl.Date(),
        "datetime": pl.Datetime("us", "UTC"),
    }[kind]


def arrow_schema(dataset: Dataset, extra: dict[str, str] | None = None) -> pa.Schema:
    """The table's schema. `extra`: further columns (evolve) with their types."""
    import polars as pl

    kinds = {name: column.type for name, column in dataset.columns.items()} | (extra or {})
    return pl.DataFrame(schema={n: polars_type(k) for n, k in kinds.items()}).to_arrow().schema


def as_text(value: Any) -> str | None:
    """One value of a record as text, the way `convert` reads it back."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def frame_of_records(records: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as text columns; a key that a row does not have is null there."""
    import polars as pl

    names = list(dict.fromkeys(name for record in records for name in record))
    if odd := [n for n in names if not isinstance(n, str)]:
        raise ConfigurationError(f"the name of a column has to be text, not {odd[0]!r}", where="the transform's rows")
    try:
        return pl.DataFrame({n: [as_text(r.get(n)) for r in records] for n in names}, schema=dict.fromkeys(names, pl.String))
    except UnicodeEncodeError as error:
        raise SourceRefused(f"a text holds half a character (a lone surrogate, {error.object[error.start]!a})") from None
