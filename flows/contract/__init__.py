"""A dataset's declared columns and types: what a batch must look like, and what drift is.

Values arrive as text (CSV, JSON records) or typed (Parquet). They are converted to the declared types; a row with a value that
cannot be converted is refused, with the rules that refused it, and keeps its original values.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError, SourceRefused
from flows.project import Dataset

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

FILE, ROW = "__file", "__row"
"""Where a row came from: file name, and its number in that file, from 1. Carried until the commit."""

DATETIME_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")


@dataclass(frozen=True)
class Drift:
    """How the columns of one file differ from the declared ones."""

    missing: list[str]
    new: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.new)

    def __str__(self) -> str:
        import difflib

        parts = []
        for name in self.missing:
            near = difflib.get_close_matches(name, self.new, n=1, cutoff=0.6)
            parts.append(f"the column {name!r} is missing" + (f" (renamed to {near[0]!r}?)" if near else ""))
        parts += [f"the column {name!r} is not declared" for name in self.new]
        return ", ".join(parts)


def drift(dataset: Dataset, found: set[str]) -> Drift:
    data = {c for c in found if not c.startswith("__")}
    return Drift([c for c in dataset.columns if c not in data], sorted(data - set(dataset.columns)))


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


def conform(batch: pl.DataFrame, dataset: Dataset, extra: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split a batch into rows in the declared types, and refused rows.

    `batch` has FILE and ROW beside its own columns; `extra` are new columns that are let in as text (evolve).
    Returns: (kept: FILE, ROW and typed columns; refused: file, row_number, rules, row).
    """
    import polars as pl

    kinds = {name: column.type for name, column in dataset.columns.items()} | dict.fromkeys(extra, "string")
    typed, rules = [], []
    for name, kind in kinds.items():
        if name not in batch.columns:
            typed.append(pl.lit(None, dtype=polars_type(kind)).alias(name))
            continue
        value = convert(pl.col(name), batch.schema[name], kind)
        typed.append(value.alias(name))
        rules.append(_rule(_present(name, batch) & value.is_null(), f"type:{name}:{kind}"))
    for name in required_columns(dataset):
        absent = ~_present(name, batch) if name in batch.columns else pl.lit(True)
        rules.append(_rule(absent, f"required:{name}"))
    broken = batch.select(__rules=pl.concat_list(rules).list.drop_nulls() if rules else pl.lit([], dtype=pl.List(pl.String)))
    wrong = broken["__rules"].list.len() > 0
    kept = batch.with_columns(typed).select(FILE, ROW, *kinds).filter(~wrong)
    return kept, refused_rows(batch.filter(wrong), broken["__rules"].filter(wrong))


def refused_rows(rows: pl.DataFrame, rules: pl.Series) -> pl.DataFrame:
    """Rows (with FILE and ROW) in the shape of the quarantine table: file, row_number, rules, row."""
    import polars as pl

    own = [_json_value(c, rows.schema[c]) for c in rows.columns if not c.startswith("__")]
    return rows.select(
        pl.col(FILE).alias("file"),
        pl.col(ROW).cast(pl.Int64).alias("row_number"),
        rules.alias("rules").cast(pl.List(pl.String)),
        pl.struct(own).struct.json_encode().alias("row") if own else pl.lit("{}").alias("row"),
    )


def _json_value(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as JSON can hold it: bytes in hexadecimal, durations as integers in their unit."""
    import polars as pl

    if kind == pl.Binary:
        return pl.col(name).bin.encode("hex")
    return pl.col(name).cast(pl.Int64) if isinstance(kind, pl.Duration) else pl.col(name)


def required_columns(dataset: Dataset) -> list[str]:
    """Key columns are always required: a row without a key has no identity."""
    return [n for n, c in dataset.columns.items() if c.required or n in dataset.key]


def convert(value: pl.Expr, found: pl.DataType, kind: str) -> pl.Expr:
    """The value in the declared type; null where it does not fit (never a changed value)."""
    import polars as pl

    target = polars_type(kind)
    if found != pl.String:
        return _convert_typed(value, found, kind)
    text = value.str.strip_chars()
    if kind == "string":
        return value
    if kind == "boolean":
        return text.str.to_lowercase().replace_strict(
            {"true": True, "false": False, "1": True, "0": False}, default=None, return_dtype=pl.Boolean
        )
    if kind == "date":
        return text.str.to_date("%Y-%m-%d", strict=False)
    if kind == "datetime":
        read = [text.str.to_datetime(f, strict=False, time_unit="us") for f in DATETIME_FORMATS[1:]]
        aware = text.str.to_datetime(DATETIME_FORMATS[0], strict=False, time_unit="us", time_zone="UTC")
        return pl.coalesce([aware, *(r.dt.replace_time_zone("UTC") for r in read)])
    number = text.cast(target, strict=False)
    return pl.when(number.is_finite()).then(number) if kind == "number" else number


def _convert_typed(value: pl.Expr, found: pl.DataType, kind: str) -> pl.Expr:
    """From another type, only where nothing of the value is lost: it must come back when it is converted back."""
    import polars as pl

    target, time_kinds = polars_type(kind), (pl.Date, pl.Datetime)
    same_kind = {
        "integer": found.is_numeric(),
        "number": found.is_numeric(),
        "boolean": found == pl.Boolean,
        "date": isinstance(found, time_kinds),
        "datetime": isinstance(found, time_kinds),
    }
    if found == pl.Null:
        return value.cast(target, strict=False)
    if kind == "string":
        has_text = found.is_numeric() or found in (pl.Boolean, pl.Categorical, pl.Enum) or isinstance(found, (*time_kinds, pl.Time))
        return value.cast(target, strict=False) if has_text else pl.lit(None, dtype=target)
    if not same_kind[kind]:
        return pl.lit(None, dtype=target)
    if isinstance(found, pl.Datetime) and found.time_zone is None:
        value, found = value.dt.replace_time_zone("UTC"), pl.Datetime(found.time_unit, "UTC")
    made = value.cast(target, strict=False)
    return pl.when(made.cast(found, strict=False) == value).then(made)


def _present(name: str, batch: pl.DataFrame) -> pl.Expr:
    """There is a value; for text of another declared type an empty field is no value."""
    import polars as pl

    value = pl.col(name)
    if batch.schema[name] == pl.String:
        return value.is_not_null() & (value.str.strip_chars() != "")
    return value.is_not_null()


def _rule(broken: pl.Expr, name: str) -> pl.Expr:
    import polars as pl

    return pl.when(broken).then(pl.lit(name))
