"""What a Table Schema asks that Great Expectations has no expectation for. Importing this registers them.

Values may be texts, as read from a file, or typed, as in a dataset: see reading.py.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Literal

import polars as pl
from great_expectations.compatibility import pydantic
from great_expectations.expectations.expectation import (
    BatchExpectation,
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    MulticolumnMapExpectation,
)

from flows.errors import ConfigurationError
from flows.quality.map_expectations import IgnoredPairs, IgnoredRows, register
from flows.quality.table_schema.constraints import bound, compare, meets
from flows.quality.table_schema.descriptor import BOUNDS, CONSTRAINTS, Field, field_of
from flows.quality.table_schema.reading import read

SEPARATOR = "\x1f"  # of the parts of a key
OF_ONE_VALUE = tuple(c for c in CONSTRAINTS if c not in ("required", "unique"))


def of_type(values: pl.Expr, *, field: dict[str, Any]) -> pl.Expr:
    """True where a value is one of the field's type. `field`: a descriptor of the standard, of which what decides the reading counts."""
    column = field_in(field)
    return values.map_batches(lambda s: read(s, column).is_not_null(), return_dtype=pl.Boolean, is_elementwise=True)


def meeting(values: pl.Expr, *, field: dict[str, Any], constraint: str, limit: Any) -> pl.Expr:
    """True where a value meets the constraint, or is none of the field's type, which is for `of_type` to say."""
    column = field_in(field)
    return values.map_batches(lambda s: meets(s, column, constraint, limit), return_dtype=pl.Boolean, is_elementwise=True)


def comparing(a: pl.Expr, b: pl.Expr, *, field_A: dict[str, Any], field_B: dict[str, Any], operator: str) -> pl.Expr:
    """True where the values of two columns compare so, or one of them is none of its field's type."""
    fields = (field_in(field_A), field_in(field_B))

    def compared(both: pl.Series) -> pl.Series:
        return compare(both.struct.field("a"), both.struct.field("b"), fields, operator)

    return pl.struct(a.alias("a"), b.alias("b")).map_batches(compared, return_dtype=pl.Boolean, is_elementwise=True)


def referring_to(columns: dict[str, pl.Expr], *, referring: list[str], referred: list[str]) -> pl.Expr:
    """True where the columns `referring` are, together, what `referred` is in some row, or are not all filled. The values that are referred
    to are held in memory, each once."""
    own, other = (pl.concat_str([columns[name].cast(pl.String) for name in names], separator=SEPARATOR) for names in (referring, referred))
    return own.is_in(other.drop_nulls().unique().implode()).fill_null(True)


def field_in(content: dict[str, Any]) -> Field:
    """What a `field` argument says: a descriptor without its name. Raises: ConfigurationError."""
    return field_of({"name": "-", **content})


def described(value: dict[str, Any]) -> dict[str, Any]:
    """The `field` argument of an expectation. Raises: ValueError if it is no descriptor."""
    try:
        field_in(value)
    except ConfigurationError as error:
        raise ValueError(error.message) from None
    return value


class ExpectColumnValuesToBeOfTableSchemaType(ColumnMapExpectation):
    """Expect values to be of a type of Table Schema, written as the field says.

    `field`: its descriptor, such as {"type": "date", "format": "%d/%m/%Y"} or {"type": "number", "decimalChar": ","}.
    """

    field: dict[str, Any]
    map_metric = "column_values.of_table_schema_type"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être du type que le schéma déclare"

    _is_a_field = pydantic.validator("field", allow_reuse=True)(described)


class ExpectColumnValuesToMeetTableSchemaConstraint(ColumnMapExpectation):
    """Expect values that are of the field's type to meet one constraint of Table Schema, such as `minimum` with `limit` 0."""

    field: dict[str, Any]
    constraint: str
    limit: Any
    map_metric = "column_values.meeting_table_schema_constraint"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent respecter la contrainte « {constraint} » du schéma"

    _is_a_field = pydantic.validator("field", allow_reuse=True)(described)

    @pydantic.validator("constraint")
    def _is_a_constraint(cls, value: str) -> str:
        if value not in OF_ONE_VALUE:
            raise ValueError(f"is one of {', '.join(OF_ONE_VALUE)}")
        return value

    @pydantic.validator("limit", always=True)
    def _is_a_limit(cls, value: Any, values: dict[str, Any]) -> Any:
        if value is None:
            raise ValueError("is missing")
        if "field" in values and "constraint" in values:
            try:
                checked_limit(field_in(values["field"]), values["constraint"], value)
            except ConfigurationError as error:
                raise ValueError(error.message) from None
        return value


class ExpectColumnPairValuesToCompareAsTableSchema(ColumnPairMapExpectation):
    """Expect values of column_A to stand so to those of column_B: `operator` <, <=, ==, >= or >; dates as dates, numbers as numbers."""

    field_A: dict[str, Any]
    field_B: dict[str, Any]
    operator: Literal["<", "<=", "==", ">=", ">"]
    ignore_row_if: IgnoredPairs = "either_value_is_missing"
    map_metric = "column_pair_values.comparing_as_table_schema"
    sentence: ClassVar[str] = "Les valeurs de {la column_A} et de {la column_B} doivent se comparer comme le schéma le dit"

    _is_a_field = pydantic.validator("field_A", "field_B", allow_reuse=True)(described)


class ExpectMulticolumnValuesToReferToRows(MulticolumnMapExpectation):
    """Expect a foreign key of a table to itself to hold: what the columns `referring` are together, `referred` are in some row.
    `column_list`: all of them, each once."""

    referring: list[str]
    referred: list[str]
    ignore_row_if: IgnoredRows = "never"
    map_metric = "multicolumn_values.referring_to_rows"
    sentence: ClassVar[str] = "Les valeurs de {les referring} doivent se trouver, dans une ligne, parmi celles de {les referred}"

    @pydantic.validator("referred")
    def _are_as_many(cls, value: list[str], values: dict[str, Any]) -> list[str]:
        named, referring = values.get("column_list") or [], values.get("referring") or []
        if len(value) != len(referring) or not {*value, *referring} <= {*named}:
            raise ValueError("has as many columns as referring, all of them of column_list")
        return value


register(ExpectColumnValuesToBeOfTableSchemaType, of_type)
register(ExpectColumnValuesToMeetTableSchemaConstraint, meeting)
register(ExpectColumnPairValuesToCompareAsTableSchema, comparing)
register(ExpectMulticolumnValuesToReferToRows, referring_to, across_rows=True)


class _ColumnsExpectation(BatchExpectation):
    """About which columns there are."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.columns",)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "table")

    def _found(self, columns: list[str]) -> list[str]:
        """The columns that should not be as they are."""
        raise NotImplementedError

    def _validate(self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None) -> dict[str, Any]:
        found = self._found([c for c in metrics["table.columns"] if not str(c).startswith("__")])
        return {"success": not found, "result": {"observed_value": found}}


class ExpectTableColumnsToBeAmong(_ColumnsExpectation):
    """Expect no other columns than these; some may be absent. The observed value is the others."""

    column_set: list[str]
    sentence: ClassVar[str] = "Il ne doit pas y avoir d'autre colonne que celles du schéma"
    success_keys: ClassVar[tuple[str, ...]] = ("column_set",)

    def _found(self, columns: list[str]) -> list[str]:
        return [c for c in columns if c not in self.column_set]


class ExpectTableColumnsToBeInOrder(_ColumnsExpectation):
    """Expect those of these columns that are there to be in this order. The observed value is those that stand before one they follow."""

    column_list: list[str]
    sentence: ClassVar[str] = "Les colonnes doivent être dans l'ordre du schéma"
    success_keys: ClassVar[tuple[str, ...]] = ("column_list",)

    def _found(self, columns: list[str]) -> list[str]:
        places = [(self.column_list.index(c), c) for c in columns if c in self.column_list]
        return [name for (place, name), (following, _) in pairwise(places) if place > following]


def checked_limit(field: Field, constraint: str, limit: Any) -> None:
    """Raises: ConfigurationError for a limit that means nothing for the field."""
    if constraint == "enum" and not isinstance(limit, list):
        raise ConfigurationError(f"enum is a list, not {limit!r}")
    for value in limit if constraint == "enum" else [limit] if constraint in BOUNDS else []:
        bound(field, value)
