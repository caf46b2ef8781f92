"""What Validata's custom checks ask that neither Great Expectations nor the French expectations have. Importing this registers them.

Source: the documentation of Validata, https://gitlab.com/validata-table/validata-table (checks of schema.data.gouv.fr).
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, ClassVar

import polars as pl
from great_expectations.compatibility import pydantic
from great_expectations.expectations.expectation import ColumnMapExpectation, MulticolumnMapExpectation

from flows.quality.french.codes_contact import phone
from flows.quality.french.places import is_point_in_france
from flows.quality.map_expectations import IgnoredRows, register
from flows.quality.table_schema.expectations import described, field_in
from flows.quality.table_schema.reading import by_distinct, read

RELATIVE = 1e-9
"""What a sum of decimals may be off, as a share of it: 0.1 + 0.2 is not 0.3 in binary."""


def phone_number(values: pl.Expr) -> pl.Expr:
    """A French number, a short one (115, 3949), or one of another country with its code, as libphonenumber knows them."""
    french = phone(values)
    return french | pl.when(~french).then(values).map_batches(_elsewhere, return_dtype=pl.Boolean, is_elementwise=True)


def _elsewhere(values: pl.Series) -> pl.Series:
    return by_distinct(values, _is_short_or_foreign, pl.Boolean)


def _is_short_or_foreign(text: str) -> bool:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, "FR")
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number) or phonenumbers.is_valid_short_number(number)


def opening_hours(values: pl.Expr) -> pl.Expr:
    """Opening hours as OpenStreetMap has them: `Mo-Fr 08:30-18:00; PH off`. Source: https://wiki.openstreetmap.org/wiki/Key:opening_hours"""
    return values.map_batches(_openings, return_dtype=pl.Boolean, is_elementwise=True)


def _openings(values: pl.Series) -> pl.Series:
    from opening_hours import validate

    return by_distinct(values, validate, pl.Boolean)


def year_interval(values: pl.Expr, *, alone: bool = False) -> pl.Expr:
    """`2020/2021`: two years, the second after the first. `alone`: also a single year."""
    years = values.str.extract_groups(r"^([0-9]{4})/([0-9]{4})$").struct
    rising = years.field("1").cast(pl.Int32) < years.field("2").cast(pl.Int32)
    return (rising.fill_null(False) | values.str.contains(r"^[0-9]{4}$")) if alone else rising


def geopoint_in_france(values: pl.Expr, *, field: dict[str, Any]) -> pl.Expr:
    """A geopoint of any format lies in France. True where a value is none, which is for the type to say."""
    column = field_in(field)
    points = values.map_batches(lambda s: read(s, column), return_dtype=pl.String, is_elementwise=True)
    return points.is_null() | is_point_in_france(points, order="lon,lat")


def summing(columns: dict[str, pl.Expr], *, fields: list[dict[str, Any]]) -> pl.Expr:
    """The first column is the sum of the others. True where one of them is no number, which is for its type to say."""
    total, *parts = (_number(values, content) for values, content in zip(columns.values(), fields, strict=True))
    off = (total - reduce(add, parts)).abs()
    return (off <= RELATIVE * pl.max_horizontal(total.abs(), pl.lit(1.0))).fill_null(True)


def _number(values: pl.Expr, content: dict[str, Any]) -> pl.Expr:
    column = field_in(content)
    return values.map_batches(lambda s: read(s, column).cast(pl.Float64, strict=False), return_dtype=pl.Float64, is_elementwise=True)


class ExpectColumnValuesToBePhoneNumber(ColumnMapExpectation):
    """Expect phone numbers of France, short ones too, or of another country with its code."""

    map_metric: ClassVar[str] = "column_values.phone_number"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros de téléphone, français ou avec l'indicatif du pays"


class ExpectColumnValuesToBeOpeningHours(ColumnMapExpectation):
    """Expect opening hours as OpenStreetMap has them, such as Mo-Fr 08:30-18:00; PH off."""

    map_metric: ClassVar[str] = "column_values.opening_hours"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des horaires d'ouverture au format d'OpenStreetMap"


class ExpectColumnValuesToBeYearInterval(ColumnMapExpectation):
    """Expect two years, the second after the first, as 2020/2021. `alone`: a single year is right, too."""

    alone: bool = False
    map_metric: ClassVar[str] = "column_values.year_interval"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être deux années qui se suivent dans l'ordre, comme 2020/2021"


class ExpectColumnValuesToBeGeopointInFrance(ColumnMapExpectation):
    """Expect geopoints of Table Schema, written as `field` says, to lie in France, overseas included."""

    field: dict[str, Any]
    map_metric: ClassVar[str] = "column_values.geopoint_in_france"
    sentence: ClassVar[str] = "Les points de {la column} doivent se trouver en France"

    _is_a_field = pydantic.validator("field", allow_reuse=True)(described)


class ExpectMulticolumnValuesToSumAsTableSchema(MulticolumnMapExpectation):
    """Expect the first column of `column_list` to be the sum of the others. `fields`: how each is written, in the same order."""

    fields: list[dict[str, Any]]
    ignore_row_if: IgnoredRows = "any_value_is_missing"
    map_metric: ClassVar[str] = "multicolumn_values.summing_as_table_schema"
    sentence: ClassVar[str] = "La première des colonnes ({les column_list}) doit être la somme des autres"

    @pydantic.validator("fields")
    def _are_fields(cls, value: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
        columns = values.get("column_list") or []
        if columns and len(columns) != len(value):
            raise ValueError(f"{len(value)} descriptor(s) for {len(columns)} column(s) of column_list")
        return [described(each) for each in value]


register(ExpectColumnValuesToBePhoneNumber, phone_number)
register(ExpectColumnValuesToBeOpeningHours, opening_hours)
register(ExpectColumnValuesToBeYearInterval, year_interval)
register(ExpectColumnValuesToBeGeopointInFrance, geopoint_in_france)
register(ExpectMulticolumnValuesToSumAsTableSchema, summing)
