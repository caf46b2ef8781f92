"""What French schemas ask beside the standard: `custom_checks` of Validata, and `frFormat` of schema.data.gouv.fr.

Each becomes an expectation that Great Expectations, or the French expectations of this package, have; what has none is said.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from flows.quality.table_schema.descriptor import TEMPORAL, Field, Schema

Format = tuple[str, str, dict[str, Any]]
"""(end of the name of the expectation, in words, arguments)."""
SPACED = {"spaces": True}
SIREN, SIRET = ("siren", "un numéro SIREN", SPACED), ("siret", "un numéro SIRET", SPACED)
COMMUNE, POSTAL_CODE = ("commune", "un code de commune", {"former": True}), ("postal_code", "un code postal", {"cedex": True})
DEPARTMENT: Format = ("department", "un code de département", {})
POINT: Format = ("points_in_france", "une longitude et une latitude en France", {})
PHONE: Format = ("phone_number", "un numéro de téléphone", {})
FORMATS: dict[str, Format] = {
    "siren": SIREN,
    "siret": SIRET,
    "rna": ("rna", "un numéro RNA", {}),
    "coderna": ("rna", "un numéro RNA", {}),
    "uai": ("uai", "un code UAI", {}),
    "nir": ("nir", "un numéro de sécurité sociale", SPACED),
    "finess": ("finess", "un numéro FINESS", {}),
    "iban": ("iban", "un IBAN", {}),
    "codecommuneinsee": COMMUNE,
    "codecommune": COMMUNE,
    "codedepartement": DEPARTMENT,
    "numerodepartement": DEPARTMENT,
    "codepostal": POSTAL_CODE,
    "coordonneesgpsfrancaises": POINT,
    "frenchgpscoordinates": POINT,
    "codenaf": ("naf", "un code NAF", {}),
    "coderome": ("rome", "un code ROME", {}),
    "codeidcc": ("idcc", "un code IDCC", {}),
    "phonenumber": PHONE,
    "telephone": PHONE,
    "openinghours": ("opening_hours", "un horaire d'ouverture d'OpenStreetMap, comme Mo-Fr 08:30-18:00", {}),
    "telfr": ("french_phone", "un numéro de téléphone français", {}),
}
"""A French format, without case and marks -> what checks it. As in Validata, a number may be printed with spaces, and a commune may be of
an earlier year; a postal code may be a CEDEX one, which no open list has."""
REGIONS = ("01", "02", "03", "04", "06", "11", "24", "27", "28", "32", "44", "52", "53", "75", "76", "84", "93", "94")
"""Source: Insee, Code officiel géographique, since 2016."""
ACTS = (
    "Commande publique",
    "Urbanisme",
    "Domaine et patrimoine",
    "Fonction publique",
    "Institutions et vie politique",
    "Libertés publiques et pouvoirs de police",
    "Finances locales",
    "Domaines de compétences par thèmes",
    "Autres domaines de compétences",
)
"""Source: nomenclature of the protocol ACTES (ministère de l'Intérieur), first level."""
OPERATORS = {"<": "est inférieur à", "<=": "est au plus égal à", "==": "est égal à", ">=": "est au moins égal à", ">": "est supérieur à"}
IN_TIME = {"<": "est avant", "<=": "n'est pas après", ">=": "n'est pas avant", ">": "est après"}
ABSENT_IS_EMPTY = ("custom_checks.one-of-required", "custom_checks.cohesive-columns-value")
"""Rules for which a column that a file has not is one that is empty everywhere."""
Entry = tuple[str, dict[str, Any], str, str]
"""(type, arguments, description, rule of the schema)."""


def french_entries(schema: Schema, known: Collection[str], not_checked: list[str]) -> Iterator[Entry]:
    """What there is no expectation for is added to `not_checked`. `known`: types of expectations that are registered."""
    fields = {f.name: f for f in schema.fields}
    asked = set[str]()
    for field in schema.fields:
        if field.french_format:
            yield from _once(asked, _of_format(field, field.french_format, f"fields.{field.name}.frFormat", known, not_checked))
    for check in schema.custom_checks:
        name, given = check["name"].replace("_", "-").lower(), check.get("params")
        given = given if isinstance(given, dict) else {}
        columns = _columns(given)
        if absent := [c for c in columns if c not in fields]:
            not_checked.append(f"custom check {name}: there is no field {absent[0]!r}")
        else:
            yield from _once(asked, _of_check(name, given, [fields[c] for c in columns], known, not_checked))


def _once(asked: set[str], entries: Iterable[Entry]) -> Iterator[Entry]:
    """Without what another format or check of the schema asks already."""
    for entry in entries:
        if (mark := json.dumps(entry[:2], sort_keys=True)) not in asked:
            asked.add(mark)
            yield entry


def _of_check(name: str, given: dict[str, Any], fields: list[Field], known: Collection[str], not_checked: list[str]) -> Iterator[Entry]:
    rule, columns = f"custom_checks.{name}", [f.name for f in fields]
    if name == "cohesive-columns-value" and len(columns) > 1:
        yield from _cohesive(columns, rule)
    elif name == "one-of-required" and len(columns) == 2:
        yield from _one_of(columns, rule)
    elif name == "compare-columns-value" and len(columns) == 2 and given.get("op") in (*OPERATORS, "="):
        yield _compared(fields, str(given["op"]), rule)
    elif name == "sum-columns-value" and len(columns) > 1:
        yield _sum(fields, rule)
    elif name == "year-interval-value" and len(columns) == 1:
        yield _years(columns[0], given.get("allow-year-only") in (True, "true", "yes"), rule)
    elif len(columns) == 1 and _plain(name) in (*FORMATS, "coderegion", "nomenclatureacte"):
        yield from _of_format(fields[0], name, rule, known, not_checked)
    else:
        not_checked.append(f"custom check {name}{' on ' + ', '.join(map(repr, columns)) if columns else ''}")


def _plain(name: str) -> str:
    """A format's name without case and marks; `french-siret-value` and `nomenclature-actes-value` are the earlier names of checks."""
    letters = "".join(c for c in name.lower().removesuffix("-value") if c.isalnum())
    return {"frenchsiren": "siren", "frenchsiret": "siret", "nomenclatureactes": "nomenclatureacte"}.get(letters, letters)


def _of_format(field: Field, name: str, rule: str, known: Collection[str], not_checked: list[str]) -> Iterator[Entry]:
    plain, column, arguments = _plain(name), field.name, {"column": field.name}
    if plain == "coderegion":
        text = f"« {column} » : chaque valeur est un code de région."
        yield "expect_column_values_to_be_in_set", {**arguments, "value_set": list(REGIONS)}, text, rule
        return
    if plain == "nomenclatureacte":
        text = f"« {column} » : une matière de la nomenclature ACTES, comme Commande publique/Délégation."
        yield "expect_column_values_to_match_regex", {**arguments, "regex": acts_regex()}, text, rule
        return
    end, words, more = FORMATS.get(plain, ("", "", {}))
    if end == POINT[0]:
        end, more = ("geopoint_in_france", {"field": field.reading}) if field.type == "geopoint" else (end, {"order": "lon,lat"})
    kind = f"expect_column_values_to_be_{end}"
    if kind in known:
        yield kind, {**arguments, **more}, f"« {column} » : chaque valeur est {words}.", rule
    else:
        not_checked.append(f"French format {name!r} of {column!r}")


def acts_regex() -> str:
    """A subject of ACTES, then a slash and what is below it; with or without accents, in any case, and no space after a slash."""
    accents = str.maketrans({"é": "[eé]", "è": "[eè]"})
    return f"(?i)^(?:{'|'.join(ACTS).lower().translate(accents)})(?:/(?:[^ /][^/]*)?)+$"


def _columns(given: dict[str, Any]) -> list[str]:
    """Columns that a check names, in any of the ways that Validata has had."""
    named = [given.get(k) for k in ("column", "column1", "column2")]
    others = given.get("othercolumns") or given.get("otherColumns") or given.get("other_columns") or given.get("columns") or []
    return [c for c in [*named, *(others if isinstance(others, list) else [others])] if isinstance(c, str) and c]


def _when(column: str, *, empty: bool) -> dict[str, Any]:
    return {"type": "nullity", "column": {"name": column}, "is_null": empty}


def _cohesive(columns: list[str], rule: str) -> Iterator[Entry]:
    """All empty or all filled: where one is filled, so is the next, round to the first."""
    for one, following in zip(columns, [*columns[1:], columns[0]], strict=True):
        arguments = {"column": following, "row_condition": _when(one, empty=False)}
        text = f"« {following} » est rempli quand « {one} » l'est : {', '.join(columns)} sont tous vides ou tous remplis."
        yield "expect_column_values_to_not_be_null", arguments, text, rule


def _one_of(columns: list[str], rule: str) -> Iterator[Entry]:
    one, other = columns
    arguments = {"column": one, "row_condition": _when(other, empty=True)}
    yield "expect_column_values_to_not_be_null", arguments, f"« {one} » ou « {other} » est rempli.", rule


def _compared(fields: list[Field], operator: str, rule: str) -> Entry:
    (a, b), operator = fields, "==" if operator == "=" else operator
    arguments = {"column_A": a.name, "column_B": b.name, "field_A": a.reading, "field_B": b.reading, "operator": operator}
    words = OPERATORS | (IN_TIME if a.type in TEMPORAL else {})
    text = f"« {a.name} » {words[operator]} « {b.name} »."
    return "expect_column_pair_values_to_compare_as_table_schema", arguments, text, rule


def _sum(fields: list[Field], rule: str) -> Entry:
    total, *parts = (f"« {f.name} »" for f in fields)
    arguments = {"column_list": [f.name for f in fields], "fields": [f.reading for f in fields]}
    return "expect_multicolumn_values_to_sum_as_table_schema", arguments, f"{total} est la somme de {', '.join(parts)}.", rule


def _years(column: str, alone: bool, rule: str) -> Entry:
    text = f"« {column} » : deux années dans l'ordre, comme 2020/2021{', ou une seule' if alone else ''}."
    return "expect_column_values_to_be_year_interval", {"column": column, "alone": alone}, text, rule
