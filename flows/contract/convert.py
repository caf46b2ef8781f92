"""One column's values in its declared type; null where they do not fit, and never a changed value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flows.contract import dates, numbers
from flows.contract.reading import Convention, Reading, settled
from flows.contract.types import as_text, polars_type
from flows.project import Column

if TYPE_CHECKING:
    import polars as pl

Strict = Callable[["pl.Expr"], "pl.Expr"]


def convert(value: pl.Expr, found: pl.DataType, column: Column, convention: Convention | None = None) -> pl.Expr:
    """`found`: the type that the value has. `convention`: how this column's texts are written, as it was found."""
    import polars as pl

    if found != pl.String:
        return _convert_typed(value, found, column.type)
    reading = settled(column, convention)
    if reading.kind == "string":
        return _without_missing(value, reading)
    return value.map_batches(lambda s: read(s, reading), return_dtype=polars_type(reading.kind), is_elementwise=True)


def strict(column: Column, convention: Convention | None = None) -> tuple[pl.DataType | None, Strict | None]:
    """How a reader may take the column at once, with the result that `convert` gives.

    Returns: (type with which Polars' CSV reader may parse the column itself, else None: it is read as text; what then makes of
    it the values, else None: they are what was read). Both raise a PolarsError where a value does not fit: `convert` says then
    which rows.
    """
    reading, target = settled(column, convention), polars_type(column.type)
    plain = not (reading.missing or reading.unit)
    if reading.kind == "string":
        return (target, None) if plain else (None, lambda value: _without_missing(value, reading))
    if reading.kind == "integer" and plain:
        return target, None
    if reading.kind == "number" and plain and reading.decimal in (None, "."):
        return target, numbers.strict_number
    if reading.kind == "date" and plain and (form := dates.strict_form(reading)):
        return None, lambda value: dates.strict_date(value, form)
    words = reading.true + reading.false
    if reading.kind == "boolean" and plain and "true" in reading.true and "false" in reading.false and "" not in words:
        return target, None
    return None, lambda value: value.map_batches(lambda s: _read_all(s, reading), return_dtype=target, is_elementwise=True)


def has_decimal_comma(column: Column, convention: Convention | None = None) -> bool:
    return settled(column, convention).decimal == ","


def read(text: pl.Series, reading: Reading) -> pl.Series:
    """What Polars reads itself first, and what is left patiently. Empty texts are no values."""
    import polars as pl

    v, frame = pl.col("v"), text.alias("v").to_frame()
    if reading.missing:
        frame = frame.select(_without_missing(v, reading))
    quick = _quick(frame["v"], reading)
    left = quick.is_null() if "" in reading.true + reading.false else quick.is_null() & frame["v"].is_not_null()
    if not left.any():
        return quick.alias(text.name)
    frame = frame.select(v.fill_null("")) if "" in reading.true + reading.false else frame
    rest = frame.with_columns(left.alias("left")).select(pl.when("left").then(v.str.strip_chars()).alias("v"))["v"]
    return quick.fill_null(_patient(rest, reading)).alias(text.name)


def has_value(value: pl.Expr, found: pl.DataType, reading: Reading) -> pl.Expr:
    """There is something to read. An empty text is nothing, unless it is one of the words for yes or no."""
    import polars as pl

    if found != pl.String or "" in reading.true + reading.false:
        return value.is_not_null()
    text = value.str.strip_chars()
    absent = (text == "") | text.is_in(list(reading.missing)) if reading.missing else text == ""
    return value.is_not_null() & ~absent


def _read_all(text: pl.Series, reading: Reading) -> pl.Series:
    """Raises: ComputeError, as Polars does, if a value does not fit."""
    import polars as pl

    made = read(text, reading)
    unread = made.is_null() & text.is_not_null()
    if unread.any() and text.filter(unread).alias("v").to_frame().select(has_value(pl.col("v"), pl.String(), reading).any()).item():
        raise pl.exceptions.ComputeError(f"a value does not fit the type {reading.kind}")
    return made


def _quick(text: pl.Series, reading: Reading) -> pl.Series:
    import polars as pl

    if reading.kind == "integer":
        return numbers.quick_integer(text)
    if reading.kind == "number":
        return numbers.quick_number(text, reading)
    if reading.kind == "boolean":
        return _boolean(text, *(_spelt(words) for words in (reading.true, reading.false)))
    quick = dates.quick_date if reading.kind == "date" else dates.quick_moment
    first = next((v for v in text.drop_nulls().head(100) if v), "")
    made = quick(text, reading, first)
    return made if made is not None else pl.Series([None], dtype=polars_type(reading.kind)).new_from_index(0, len(text))


def _patient(text: pl.Series, reading: Reading) -> pl.Series:
    if reading.kind == "integer":
        return numbers.patient_integer(text, reading)
    if reading.kind == "number":
        return numbers.patient_number(text, reading)
    if reading.kind == "boolean":
        return _boolean(text.str.to_lowercase(), list(reading.true), list(reading.false))
    return dates.patient_date(text, reading) if reading.kind == "date" else dates.patient_moment(text, reading)


def _boolean(text: pl.Series, true: list[str], false: list[str]) -> pl.Series:
    import polars as pl

    v = pl.col("v")
    return text.alias("v").to_frame().select(pl.when(v.is_in(true)).then(True).when(v.is_in(false)).then(False)).to_series()


def _spelt(words: tuple[str, ...]) -> list[str]:
    """As they are mostly written."""
    return list(dict.fromkeys(w for word in words for w in (word, word.capitalize(), word.upper())))


def _without_missing(value: pl.Expr, reading: Reading) -> pl.Expr:
    import polars as pl

    if not reading.missing:
        return value
    return pl.when(~value.str.strip_chars().is_in(list(reading.missing))).then(value)


def _convert_typed(value: pl.Expr, found: pl.DataType, kind: str) -> pl.Expr:
    """From another type, only where nothing of the value is lost: it must come back when it is converted back."""
    import polars as pl

    target, time_kinds = polars_type(kind), (pl.Date, pl.Datetime)
    same_kind = {
        "integer": found.is_numeric(),
        "number": found.is_numeric(),
        "boolean": found == pl.Boolean or found.is_integer(),  # 0 and 1, as MySQL and SQLite have them
        "date": isinstance(found, time_kinds),
        "datetime": isinstance(found, time_kinds),
    }
    if found == pl.Null:
        return value.cast(target, strict=False)
    if kind == "string" and isinstance(found, (pl.List, pl.Array, pl.Struct, pl.Binary)):
        write = _utf8 if found == pl.Binary else as_text  # lists and objects as the values of JSON records
        return value.map_batches(
            lambda s: pl.Series(s.name, map(write, s.to_list()), dtype=target), return_dtype=target, is_elementwise=True
        )
    if kind == "string":
        has_text = found.is_numeric() or found in (pl.Boolean, pl.Categorical, pl.Enum) or isinstance(found, (*time_kinds, pl.Time))
        return value.cast(target, strict=False) if has_text else pl.lit(None, dtype=target)
    if not same_kind[kind]:
        return pl.lit(None, dtype=target)
    if isinstance(found, pl.Datetime) and found.time_zone is None:
        value, found = value.dt.replace_time_zone("UTC"), pl.Datetime(found.time_unit, "UTC")
    made = value.cast(target, strict=False)
    return pl.when(made.cast(found, strict=False) == value).then(made)


def _utf8(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None
