"""Formats of French administrations, each with the expectation that checks it (flows/quality/french)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from flows.contract.identifiers import words_of
from flows.quality.suggest.profile import Column

if TYPE_CHECKING:
    import polars as pl

SURE = 0.99  # share of the values that meet it
DIFFERENT = 30  # values that a format has to be seen in
TRIED = 2_000  # different values that are looked at first: most columns are of no format at all


@dataclass(frozen=True)
class Format:
    type: str
    plural: str
    """In French, after « sont »."""
    arguments: dict[str, Any]
    mostly: float
    share: float
    """Of the values, in that part of the rows where the fewest meet it."""


@dataclass(frozen=True)
class _Known:
    type: str
    plural: str
    names: tuple[str, ...]
    """Words of the names of columns that hold it."""
    only_named: bool = False
    """So short, or so wide, that chance alone may meet it: the name has to say so as well."""
    arguments: dict[str, Any] = field(default_factory=dict)
    check: str = ""
    """Function of flows/quality/french; "": it has the name of the format."""


KNOWN = {
    "siren": _Known("expect_column_values_to_be_siren", "des SIREN", ("siren",)),
    "siret": _Known("expect_column_values_to_be_siret", "des SIRET", ("siret",)),
    "nir": _Known("expect_column_values_to_be_nir", "des NIR", ("nir", "secu")),
    "iban": _Known("expect_column_values_to_be_iban", "des IBAN", ("iban",)),
    "finess": _Known("expect_column_values_to_be_finess", "des numéros FINESS", ("finess",)),
    "uai": _Known("expect_column_values_to_be_uai", "des codes UAI d'établissements scolaires", ("uai", "rne")),
    "rna": _Known("expect_column_values_to_be_rna", "des numéros RNA d'associations", ("rna", "waldec")),
    "rome": _Known("expect_column_values_to_be_rome", "des codes ROME", ("rome",)),
    "naf": _Known("expect_column_values_to_be_naf", "des codes NAF", ("naf", "ape")),
    "postal_code": _Known("expect_column_values_to_be_postal_code", "des codes postaux", ("postal", "cp")),
    "cedex": _Known(
        "expect_column_values_to_be_postal_code", "des codes postaux, CEDEX compris", ("postal", "cp"), True, {"cedex": True}, "postal_code"
    ),
    "point": _Known(
        "expect_column_values_to_be_points_in_france", "des points en France (latitude, longitude)", ("geo",), check="is_point_in_france"
    ),
    "commune": _Known("expect_column_values_to_be_commune", "des codes Insee de communes", ("commune", "insee", "cog", "depcom")),
    "email": _Known("expect_column_values_to_be_email", "des adresses électroniques", ("mail", "email", "courriel")),
    "phone": _Known("expect_column_values_to_be_french_phone", "des numéros de téléphone français", ("tel", "telephone", "phone")),
    "french_date": _Known("expect_column_values_to_be_french_date", "des dates écrites jj/mm/aaaa", ("date",)),
    "department": _Known("expect_column_values_to_be_department", "des codes de départements", ("dep", "dept", "departement"), True),
    "idcc": _Known("expect_column_values_to_be_idcc", "des codes IDCC de conventions collectives", ("idcc",), True),
}


def format_of(column: Column) -> Format | None:
    """The first that nearly all values meet, those that the column's name announces before the others; None if there are few different
    values, or none fits."""
    different = column.values.drop_nulls().unique()
    if len(different) < DIFFERENT:
        return None
    named = set(words_of(column.name))
    announced = [name for name, known in KNOWN.items() if named & set(known.names)]
    others = [name for name, known in KNOWN.items() if name not in announced and not known.only_named]
    tests = _tests()
    for name in [*announced, *others]:
        if _share(tests[name], different.head(TRIED)) < SURE - 0.04:
            continue
        meets = _meets(tests[name], column.values)
        share, mostly = column.share(meets), column.mostly(meets)
        if share >= SURE and mostly is not None:
            return Format(KNOWN[name].type, KNOWN[name].plural, KNOWN[name].arguments, mostly, share)
    return None


def _share(test: Callable[[pl.Expr], pl.Expr], values: pl.Series) -> float:
    return int(_meets(test, values).sum()) / len(values)


def _meets(test: Callable[[pl.Expr], pl.Expr], values: pl.Series) -> pl.Series:
    import polars as pl

    return values.alias("v").to_frame().select(test(pl.col("v")).fill_null(False)).to_series()


def _tests() -> dict[str, Callable[[pl.Expr], pl.Expr]]:
    from flows.quality.french import codes, codes_contact, codes_date, codes_iban, codes_listed, places

    functions = {k: f for module in (codes, codes_contact, codes_date, codes_iban, codes_listed, places) for k, f in vars(module).items()}
    return {name: partial(functions[known.check or name], **known.arguments) for name, known in KNOWN.items()}
