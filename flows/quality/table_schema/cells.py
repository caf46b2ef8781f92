"""A file's columns as a suite of a Table Schema looks at them: missing values are nulls, and cells that a format has typed are written
as the schema says.

Workbooks and JSON hold a day as a day, not as text: the format that a schema gives for texts is no matter there.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from flows.quality.table_schema.descriptor import FALSE, TRUE, Field, field_of
from flows.quality.table_schema.reading import as_text, by_distinct, read

TYPED = ("date", "datetime", "time", "number", "integer", "boolean")
"""Types that cells have of their own."""
COMPARED = (*TYPED, "year")
"""Types of which one value may be written in several ways."""
MOMENTS = {"date": (r"T00:00:00(?:\.0+)?$", ""), "datetime": (r"^(\d{4}-\d{2}-\d{2})$", "${1}T00:00:00")}
"""A day and its first moment are the same to a workbook: type -> (regular expression, what is put in its place)."""


def under_their_names(rows: pl.LazyFrame, about: dict[str, Any]) -> tuple[pl.LazyFrame, list[str]]:
    """Columns whose names have spaces around, as the fields that they are; and notes. `about`: `meta.table_schema` of a suite."""
    there, fields = rows.collect_schema().names(), about.get("fields", {})
    names = {c: c.strip() for c in there if c not in fields and c.strip() in fields and c.strip() not in there}
    names = {c: name for c, name in names.items() if list(names.values()).count(name) == 1}
    return rows.rename(names), [f"the name of the column {c!r} is read as {name!r}" for c, name in names.items()]


def prepared(rows: pl.LazyFrame, about: dict[str, Any], *, typed_cells: bool) -> pl.LazyFrame:
    """`about`: `meta.table_schema` of a suite; `typed_cells`: whether texts in default form stand for typed cells (not in CSV)."""
    there, unique = rows.collect_schema(), about.get("unique", [])
    made = []
    for name, content in about.get("fields", {}).items():
        if name in there:
            field, kind = field_of({"name": name, **content}), there[name]
            values = pl.col(name)
            if kind != pl.String and (field.type in ("string", "any") or kind == pl.Null):
                values = values.map_batches(as_text if kind != pl.Null else _nothing, return_dtype=pl.String, is_elementwise=True)
                kind = pl.String()
            if kind == pl.String:
                values = _missing(values, field, typed_cells)
                made.append((_one_text_a_value(values, field) if name in unique else values).alias(name))
    return rows.with_columns(made)


def _nothing(values: pl.Series) -> pl.Series:
    return values.cast(pl.String)


def _missing(values: pl.Expr, field: Field, typed_cells: bool) -> pl.Expr:
    if field.missing_values:
        values = pl.when(~values.is_in(pl.Series(field.missing_values, dtype=pl.String).implode())).then(values)
    if typed_cells and field.type in TYPED:
        values = values.str.replace(*MOMENTS[field.type]) if field.type in MOMENTS else values
        values = values.map_batches(lambda s: as_declared(s, field), return_dtype=pl.String, is_elementwise=True)
    return values


def _one_text_a_value(values: pl.Expr, field: Field) -> pl.Expr:
    """`1` for the `01` of an integer: equal values are equal texts. What is no value stays as it is."""

    def one(texts: pl.Series) -> pl.Series:
        made = read(texts, field)
        written = as_declared(as_text(made), field)
        return texts.zip_with(read(written, field).is_null(), written)

    return values.map_batches(one, return_dtype=pl.String, is_elementwise=True) if field.type in COMPARED else values


def as_declared(values: pl.Series, field: Field) -> pl.Series:
    """Texts in the type's default form, written as the field declares; others as they are."""
    plain = Field(field.name, field.type)
    other = read(values, field).is_null() & read(values, plain).is_not_null() & values.is_not_null()
    if not other.any():
        return values
    return values.zip_with(~other, by_distinct(values, lambda text: _written(text, field, plain), pl.String))


def _written(text: str, field: Field, plain: Field) -> str:
    value = read(pl.Series([text]), plain)[0]
    if field.type in ("date", "datetime", "time") and "%" in field.format and value is not None:
        return str(value.strftime(field.format))
    if field.type == "number":
        return text.replace(".", field.options.get("decimalChar", "."))
    if field.type == "boolean" and value is not None:
        words = field.options.get("trueValues", TRUE) if value else field.options.get("falseValues", FALSE)
        return words[0] if words else text
    return text
