"""The types that a column may be declared as, in Polars and Arrow, and records as frames of text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError, SourceRefused
from flows.project import Dataset
from flows.project.columns import is_pattern

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


def require_names(columns: Iterable[str], where: str) -> None:
    """Raises: SourceRefused for a column whose name is a pattern to Polars, which would take it for others."""
    if patterns := [c for c in columns if is_pattern(c)]:
        raise SourceRefused(
            f"{patterns[0]!r} is no name of a column",
            where=where,
            hint="have it renamed at its source, or rename it in a transform of records",
            french=f"« {patterns[0]} » n'est pas un nom de colonne possible : faites-la renommer.",
        )


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
        return json.dumps(value, ensure_ascii=False, default=_in_json)
    return str(value)


def _in_json(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(as_text(value))


def frame_of_records(records: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as text columns; a key that a row does not have is null there."""
    import polars as pl

    names = list(dict.fromkeys(name for record in records for name in record))
    if odd := [n for n in names if not isinstance(n, str)]:
        raise ConfigurationError(f"the name of a column has to be text, not {odd[0]!r}", where="the transform's rows")
    try:
        return pl.DataFrame({n: [as_text(r.get(n)) for r in records] for n in names}, schema=dict.fromkeys(names, pl.String))
    except RecursionError:
        raise SourceRefused(
            "a value is nested too deep to be kept",
            where=f"one of {len(records)} records with the columns {', '.join(names)[:200]}",
            french="Une valeur est imbriquée trop profondément pour être gardée.",
        ) from None
    except UnicodeEncodeError as error:
        raise SourceRefused(f"a text holds half a character (a lone surrogate, {error.object[error.start]!a})") from None
