"""What values have to meet. A text that is no value of the field's type meets every constraint but the pattern: the type itself
already says so, and once is enough."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt
from typing import Any

import polars as pl

from flows.errors import ConfigurationError
from flows.quality.table_schema.descriptor import BOUNDS, Field
from flows.quality.table_schema.reading import as_text, by_distinct, read

COMPARED: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, "==": eq, ">=": ge, ">": gt}


def meets(values: pl.Series, field: Field, constraint: str, limit: Any) -> pl.Series:
    """Booleans, null for a null. `constraint`: of descriptor.CONSTRAINTS, but not required and unique, which are no matter of one value.

    Raises: ConfigurationError for a limit that is no value of the field's type.
    """
    if values.dtype == pl.Null:
        return values.cast(pl.Boolean)
    if constraint == "pattern":
        return _matches(values, limit)
    made = read(values, field)
    if constraint in BOUNDS:
        held = _within(made, constraint, bound(field, limit))
    elif constraint == "enum":
        held = _among(made, field, limit)
    else:
        count = _lengths(made, field)
        held = count >= limit if constraint == "minLength" else count <= limit
    return pl.select(pl.when(values.is_null()).then(None).otherwise(held.fill_null(True))).to_series()


def bound(field: Field, limit: Any) -> pl.Series:
    """The value of a limit, in a series of one. Numbers of JSON are themselves, texts are read as the column's, or as the type's
    default. Raises: ConfigurationError if it is no value of the type."""
    plain = isinstance(limit, int | float) and not isinstance(limit, bool)
    if plain and field.type in ("integer", "number", "year", "any"):
        return pl.Series([limit], dtype=pl.Float64 if isinstance(limit, float) else pl.Int128)
    text = limit if isinstance(limit, str) else json.dumps(limit, ensure_ascii=False)
    for way in (field, Field(field.name, field.type)):
        made = read(pl.Series([text], dtype=pl.String), way)
        if made.null_count() == 0:
            return made
    raise ConfigurationError(f"{limit!r} is not of type {field.type}")


def _within(made: pl.Series, constraint: str, limit: pl.Series) -> pl.Series:
    if made.dtype == pl.String and limit.dtype.is_numeric():
        made = made.cast(pl.Float64, strict=False)
    if made.dtype.is_numeric() and limit.dtype.is_numeric() and made.dtype != limit.dtype:
        made, limit = made.cast(pl.Float64), limit.cast(pl.Float64)
    if constraint == "minimum":
        held = made >= limit
    elif constraint == "maximum":
        held = made <= limit
    else:
        held = made > limit if constraint == "exclusiveMinimum" else made < limit
    return held & ~made.is_nan() if made.dtype.is_float() else held  # NaN is within no bounds


def compare(a: pl.Series, b: pl.Series, fields: tuple[Field, Field], operator: str) -> pl.Series:
    """Booleans: whether values of two columns stand so to each other; true where either is none of its field's type.

    Numbers are compared with numbers, texts too if both are numbers, as Validata has it; what is of one type with its own; anything
    else as text.
    """
    left, right = read(a, fields[0]), read(b, fields[1])
    if left.dtype == pl.String and right.dtype == pl.String:
        numbers = [each.cast(pl.Float64, strict=False) for each in (left, right)]
        compared_as_numbers: pl.Series = COMPARED[operator](*numbers)
        return compared_as_numbers.zip_with(compared_as_numbers.is_not_null(), COMPARED[operator](left, right)).fill_null(True)
    if left.dtype.is_numeric() and right.dtype.is_numeric():
        left, right = left.cast(pl.Float64), right.cast(pl.Float64)
    elif left.dtype != right.dtype:
        left, right = as_text(left), as_text(right)
    compared: pl.Series = COMPARED[operator](left, right)
    return compared.fill_null(True)


def _among(made: pl.Series, field: Field, allowed: list[Any]) -> pl.Series:
    limits = [bound(field, value) for value in allowed]
    if made.dtype.is_numeric():
        made, limits = made.cast(pl.Float64), [one.cast(pl.Float64) for one in limits]
    return made.is_in(pl.concat(limits).cast(made.dtype).implode())


def _lengths(made: pl.Series, field: Field) -> pl.Series:
    if field.type in ("array", "list", "object"):
        return by_distinct(made, lambda text: len(json.loads(text)), pl.Int64)
    return as_text(made).str.len_chars().cast(pl.Int64)


def _matches(values: pl.Series, pattern: str) -> pl.Series:
    """The whole text, as the standard has it."""
    regex = re.compile(pattern)
    texts = values if values.dtype == pl.String else as_text(values)
    return by_distinct(texts, lambda text: regex.fullmatch(text) is not None, pl.Boolean)
