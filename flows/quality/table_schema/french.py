"""What French schemas ask beside the standard: `custom_checks` of Validata, and `frFormat` of schema.data.gouv.fr.

Each becomes an expectation that Great Expectations, or the French expectations of this package, have; what has none is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from flows.quality.table_schema.descriptor import Schema

POINTS = ("points_in_france", "une longitude et une latitude en France")
FORMATS = {
    "siren": ("siren", "un numéro SIREN"),
    "siret": ("siret", "un numéro SIRET"),
    "rna": ("rna", "un numéro RNA"),
    "uai": ("uai", "un code UAI"),
    "nir": ("nir", "un numéro de sécurité sociale"),
    "finess": ("finess", "un numéro FINESS"),
    "iban": ("iban", "un IBAN"),
    "codecommuneinsee": ("commune", "un code de commune"),
    "codecommune": ("commune", "un code de commune"),
    "codedepartement": ("department", "un code de département"),
    "codepostal": ("postal_code", "un code postal"),
    "numerodepartement": ("department", "un code de département"),
    "coordonneesgpsfrancaises": POINTS,
    "codenaf": ("naf", "un code NAF"),
    "coderome": ("rome", "un code ROME"),
    "codeidcc": ("idcc", "un code IDCC"),
    "phonenumber": ("french_phone", "un numéro de téléphone français"),
    "telephone": ("french_phone", "un numéro de téléphone français"),
    "telfr": ("french_phone", "un numéro de téléphone français"),
}
"""A French format, without case and marks -> (end of the name of the expectation that checks it, in words)."""
CHECKS = {
    "french-siren-value": "siren",
    "french-siret-value": "siret",
    "phone-number-value": "phonenumber",
    "french-gps-coordinates": "coordonneesgpsfrancaises",
}
OPERATORS = {"<": "est avant", "<=": "n'est pas après", "==": "est égal à", ">=": "n'est pas avant", ">": "est après"}
Entry = tuple[str, dict[str, Any], str, str]
"""(type, arguments, description, rule of the schema)."""


def french_entries(schema: Schema, known: Collection[str], not_checked: list[str]) -> Iterator[Entry]:
    """What there is no expectation for is added to `not_checked`. `known`: types of expectations that are registered."""
    names = [f.name for f in schema.fields]
    seen = set[tuple[str, str]]()
    for field in schema.fields:
        if field.french_format:
            yield from _of_format(field.name, field.french_format, f"fields.{field.name}.frFormat", known, not_checked, seen)
    for check in schema.custom_checks:
        name, given = check["name"].replace("_", "-").lower(), check.get("params")
        given = given if isinstance(given, dict) else {}
        rule, columns = f"custom_checks.{name}", _columns(given)
        if absent := [c for c in columns if c not in names]:
            not_checked.append(f"custom check {name}: there is no field {absent[0]!r}")
        elif name in CHECKS and columns:
            yield from _of_format(columns[0], CHECKS[name], rule, known, not_checked, seen)
        elif name == "cohesive-columns-value" and len(columns) > 1:
            yield from _cohesive(columns, rule)
        elif name == "one-of-required" and len(columns) == 2:
            yield from _one_of(columns, rule)
        elif name == "compare-columns-value" and len(columns) == 2 and given.get("op") in (*OPERATORS, "="):
            yield _compared(schema, columns, str(given["op"]), rule)
        elif name == "year-interval-value" and columns:
            yield _years(columns[0], bool(given.get("allow-year-only") in (True, "true", "yes")), rule)
        else:
            not_checked.append(f"custom check {name}{' on ' + ', '.join(map(repr, columns)) if columns else ''}")


def _of_format(
    column: str, name: str, rule: str, known: Collection[str], not_checked: list[str], seen: set[tuple[str, str]]
) -> Iterator[Entry]:
    plain = "".join(c for c in name.lower() if c.isalnum())
    end, words = FORMATS.get(plain, ("", ""))
    kind = f"expect_column_values_to_be_{end}"
    if kind not in known:
        not_checked.append(f"French format {name!r} of {column!r}")
    elif (column, kind) not in seen:
        seen.add((column, kind))
        order = {"order": "lon,lat"} if end == POINTS[0] else {}  # as a geopoint
        yield kind, {"column": column, **order}, f"« {column} » : chaque valeur est {words}.", rule


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


def _compared(schema: Schema, columns: list[str], operator: str, rule: str) -> Entry:
    readings = {f.name: f.reading for f in schema.fields}
    a, b, operator = columns[0], columns[1], "==" if operator == "=" else operator
    arguments = {"column_A": a, "column_B": b, "field_A": readings[a], "field_B": readings[b], "operator": operator}
    return "expect_column_pair_values_to_compare_as_table_schema", arguments, f"« {a} » {OPERATORS[operator]} « {b} ».", rule


def _years(column: str, alone: bool, rule: str) -> Entry:
    regex = r"^\d{4}(/\d{4})?$" if alone else r"^\d{4}/\d{4}$"
    text = f"« {column} » : deux années, comme 2020/2021{', ou une seule' if alone else ''}."
    return "expect_column_values_to_match_regex", {"column": column, "regex": regex}, text, rule
