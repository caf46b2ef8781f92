"""Great Expectations' expectations of codes and numbers. Importing this registers them; flows/quality/expectations.py does.

What each checks is a pure function of codes*.py, which has its source; here are their names, arguments and defaults.
"""

from __future__ import annotations

from datetime import date
from functools import wraps
from typing import Any, ClassVar, Literal

import polars as pl
from great_expectations.compatibility import pydantic
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation

from flows.errors import ConfigurationError
from flows.quality.french import codes, codes_contact, codes_date, codes_iban, codes_listed
from flows.quality.map_expectations import Check, IgnoredPairs, register

Nomenclature = Literal["rev2", "2025"]


class ExpectColumnValuesToBeSiren(ColumnMapExpectation):
    """Expect SIREN numbers: nine digits with the key of Luhn. `spaces`: also as printed (732 829 320)."""

    spaces: bool = False
    map_metric: ClassVar[str] = "column_values.siren"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros SIREN (neuf chiffres, clé exacte)"


class ExpectColumnValuesToBeSiret(ColumnMapExpectation):
    """Expect SIRET numbers: fourteen digits with the key of Luhn, or La Poste's own. `spaces`: also as printed (732 829 320 00074)."""

    spaces: bool = False
    map_metric: ClassVar[str] = "column_values.siret"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros SIRET (quatorze chiffres, clé exacte)"


class ExpectColumnValuesToBeNir(ColumnMapExpectation):
    """Expect numbers of social security with their key, Corsica included. `spaces`: also as printed. `provisional`: also those that begin
    with 3, 4, 7 or 8."""

    spaces: bool = False
    provisional: bool = True
    map_metric: ClassVar[str] = "column_values.nir"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros de sécurité sociale, avec leur clé"


class ExpectColumnValuesToBeRna(ColumnMapExpectation):
    """Expect numbers of associations (RNA): W and nine characters."""

    map_metric: ClassVar[str] = "column_values.rna"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros d'association (RNA)"


class ExpectColumnValuesToBeFiness(ColumnMapExpectation):
    """Expect FINESS numbers of health and social establishments: nine characters with a key of Luhn."""

    map_metric: ClassVar[str] = "column_values.finess"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros FINESS"


class ExpectColumnValuesToBeUai(ColumnMapExpectation):
    """Expect UAI numbers of schools: seven digits and the letter that they give."""

    map_metric: ClassVar[str] = "column_values.uai"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros UAI d'établissement scolaire"


class ExpectColumnValuesToBeIban(ColumnMapExpectation):
    """Expect IBAN. `french`: of France only. `spaces`: also as printed, in fours."""

    french: bool = False
    spaces: bool = True
    map_metric: ClassVar[str] = "column_values.iban"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des IBAN"


class ExpectColumnValuesToBeFrenchPhone(ColumnMapExpectation):
    """Expect phone numbers of France, overseas included. `line`: any, mobile or fixed. `separators`: spaces, points, hyphens and slashes
    are right."""

    line: Literal["any", "mobile", "fixed"] = "any"
    separators: bool = True
    map_metric: ClassVar[str] = "column_values.french_phone"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des numéros de téléphone français attribuables"


class ExpectColumnValuesToBeEmail(ColumnMapExpectation):
    """Expect e-mail addresses, one a cell."""

    map_metric: ClassVar[str] = "column_values.email"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des adresses électroniques"


class ExpectColumnValuesToBeFrenchDate(ColumnMapExpectation):
    """Expect days that there are, written dd/mm/yyyy. `min_value`, `max_value`: the first and the last that are right, written
    2024-02-29."""

    min_value: str | None = None
    max_value: str | None = None
    map_metric: ClassVar[str] = "column_values.french_date"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des dates qui existent, écrites jj/mm/aaaa"

    @pydantic.validator("min_value", "max_value")
    def _is_a_day(cls, value: str | None) -> str | None:
        if value is not None:
            date.fromisoformat(value)
        return value


class ExpectColumnValuesToBeCommune(ColumnMapExpectation):
    """Expect Insee codes of communes. `former`: also of merged ones. `arrondissements`: also those of Paris, Lyon and Marseille.
    `also`: further codes that are right."""

    former: bool = False
    arrondissements: bool = True
    also: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.commune"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des codes Insee de communes"


class ExpectColumnValuesToBeDepartment(ColumnMapExpectation):
    """Expect codes of departments. `collectivities`: also those of overseas collectivities. `former`: also 20. `also`: further codes."""

    collectivities: bool = True
    former: bool = False
    also: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.department"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des codes de départements"


class ExpectColumnValuesToBePostalCode(ColumnMapExpectation):
    """Expect postal codes that there are. `cedex`: also those that may be CEDEX codes. `also`: further codes."""

    cedex: bool = False
    also: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.postal_code"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des codes postaux qui existent"


class ExpectColumnValuesToBeNaf(ColumnMapExpectation):
    """Expect codes of activities (NAF, APE). `nomenclature`: rev2, 2025, or a list of both. `dot`: with or without it only. `also`: further
    codes."""

    nomenclature: Nomenclature | tuple[Nomenclature, ...] = "rev2"
    dot: bool | None = None
    also: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.naf"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des codes d'activité de la nomenclature (NAF, APE)"


class ExpectColumnValuesToBeRome(ColumnMapExpectation):
    """Expect ROME codes of occupations. `exact`: false also accepts newer codes of a domain that the list has. `also`: further codes."""

    exact: bool = True
    also: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.rome"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des codes de métiers du ROME"


class ExpectColumnValuesToBeIdcc(ColumnMapExpectation):
    """Expect identifiers of collective agreements. `former`: also replaced ones. `padded`: false also accepts 16 for 0016. `also`: further
    codes."""

    former: bool = False
    padded: bool = True
    also: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.idcc"
    sentence: ClassVar[str] = "Les valeurs de {la column} doivent être des identifiants de conventions collectives (IDCC)"


class ExpectColumnPairValuesToBePostalCodeAndCommune(ColumnPairMapExpectation):
    """Expect the commune of column_B (Insee code) to have the postal code of column_A. `former`: merged communes have those of the one that
    they are a part of. `cedex`: a code that no commune has is right in its department."""

    former: bool = True
    cedex: bool = False
    ignore_row_if: IgnoredPairs = "either_value_is_missing"
    map_metric: ClassVar[str] = "column_pair_values.postal_code_and_commune"
    sentence: ClassVar[str] = "Le code postal de {la column_A} doit être l'un de ceux de la commune de {la column_B}"


CHECKS: dict[Any, Check] = {
    ExpectColumnValuesToBeSiren: codes.siren,
    ExpectColumnValuesToBeSiret: codes.siret,
    ExpectColumnValuesToBeNir: codes.nir,
    ExpectColumnValuesToBeRna: codes.rna,
    ExpectColumnValuesToBeFiness: codes.finess,
    ExpectColumnValuesToBeUai: codes.uai,
    ExpectColumnValuesToBeIban: codes_iban.iban,
    ExpectColumnValuesToBeFrenchPhone: codes_contact.phone,
    ExpectColumnValuesToBeEmail: codes_contact.email,
    ExpectColumnValuesToBeFrenchDate: codes_date.french_date,
    ExpectColumnValuesToBeCommune: codes_listed.commune,
    ExpectColumnValuesToBeDepartment: codes_listed.department,
    ExpectColumnValuesToBePostalCode: codes_listed.postal_code,
    ExpectColumnValuesToBeNaf: codes_listed.naf,
    ExpectColumnValuesToBeRome: codes_listed.rome,
    ExpectColumnValuesToBeIdcc: codes_listed.idcc,
    ExpectColumnPairValuesToBePostalCodeAndCommune: codes_listed.postal_code_in_commune,
}


def _register() -> None:
    for expectation, check in CHECKS.items():
        register(expectation, _on_texts(check), accepts=_must_be_text)


def _on_texts(check: Check) -> Check:
    @wraps(check)
    def meets(*columns: pl.Expr, **given: Any) -> pl.Expr:
        return check(*(column.cast(pl.String) for column in columns), **given)

    return meets


def _must_be_text(column: str, kind: pl.DataType) -> None:
    if not isinstance(kind, pl.String | pl.Null | pl.Categorical | pl.Enum):
        raise ConfigurationError(
            f"the column {column!r} is of type {kind}, and codes are text: as a number, one has lost its leading zeros",
            hint="declare the column as string",
        )


_register()
