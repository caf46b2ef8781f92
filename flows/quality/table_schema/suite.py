"""A Table Schema -> a suite, as JSON. Great Expectations' own expectations wherever they mean the same on texts; ours elsewhere.

The suite checks texts, as a file holds them: the type of a column is then an expectation, too. It also holds on a dataset whose
columns are typed. What a suite cannot check (foreign keys, unknown extensions) is listed in its `meta`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from flows.errors import ConfigurationError
from flows.quality.table_schema.constraints import bound
from flows.quality.table_schema.descriptor import BOUNDS, Field, Schema
from flows.quality.table_schema.french import Entry, french_entries

SHOWN = 8  # values of a list that a description names
TYPES = {
    "integer": "un nombre entier",
    "number": "un nombre",
    "boolean": "vrai ou faux",
    "date": "une date",
    "time": "une heure",
    "datetime": "une date et une heure",
    "year": "une année",
    "yearmonth": "un mois",
    "duration": "une durée",
    "geopoint": "une longitude et une latitude",
    "geojson": "du GeoJSON",
    "object": "un objet JSON",
    "array": "une liste JSON",
    "list": "une liste",
}
WRITTEN = {
    "date": "AAAA-MM-JJ",
    "time": "HH:MM:SS",
    "datetime": "AAAA-MM-JJTHH:MM:SSZ",
    "year": "AAAA",
    "yearmonth": "AAAA-MM",
    "duration": "ISO 8601, comme P1Y6M",
    "geopoint": "longitude, latitude",
}
PARTS = {"%d": "JJ", "%m": "MM", "%Y": "AAAA", "%y": "AA", "%H": "HH", "%M": "MM", "%S": "SS"}
STRINGS = {
    "email": "une adresse électronique",
    "uri": "une adresse (URI), comme https://exemple.fr",
    "uuid": "un UUID",
    "binary": "du texte en base64",
    "wkt": "une géométrie en WKT",
}
LIMITS = {
    "minimum": "est au moins",
    "maximum": "est au plus",
    "exclusiveMinimum": "est supérieure à",
    "exclusiveMaximum": "est inférieure à",
}


def suite_of(schema: Schema, known: Collection[str] = ()) -> dict[str, Any]:
    """`known`: the types of expectations that are registered, for French formats.

    Raises: ConfigurationError for a limit that is no value of its field's type.
    """
    not_checked = [f"foreign key on {', '.join(k.fields)}: a suite sees one table" for k in schema.foreign_keys if k.referred is None]
    rows = [
        *(e for f in schema.fields for e in _field(f, schema, not_checked)),
        *_keys(schema),
        *french_entries(schema, known, not_checked),
    ]
    entries = [*_header(schema), *((*entry, "critical") for entry in rows)]
    required = _required(schema)
    about = {
        "name": schema.name,
        "title": schema.title,
        "version": schema.version,
        "optional": [f.name for f in schema.fields if f.name not in required],
        "fields": {f.name: _kept(f, schema) for f in schema.fields},
        "unique": _in_keys(schema),
        "not_checked": not_checked,
    }
    return {
        "name": schema.name or schema.title or "table-schema",
        "meta": {"table_schema": about},
        "expectations": [
            {"type": kind, "kwargs": arguments, "severity": severity, "description": text, "meta": {"table_schema": rule}}
            for kind, arguments, text, rule, severity in entries
        ],
    }


def _kept(field: Field, schema: Schema) -> dict[str, Any]:
    """How a file's column is read before the suite is tried on it."""
    return {**field.reading, "missingValues": schema.missing_values if field.missing_values is None else field.missing_values}


def _in_keys(schema: Schema) -> list[str]:
    """Columns of which values are compared with each other: as values, `01` and `1` of an integer are the same. With a pattern, which is
    about what is written, they stay as they are."""
    among = {*schema.primary_key, *(c for key in schema.unique_keys for c in key)}
    among |= {c for key in schema.foreign_keys for c in (*key.fields, *(key.referred or []))}
    return [f.name for f in schema.fields if (f.constraints.get("unique") or f.name in among) and "pattern" not in f.constraints]


# ---- which columns there are --------------------------------------------------------------------------------------------


def _required(schema: Schema) -> list[str]:
    """By the standard, a primary key is required, too."""
    return [f.name for f in schema.fields if f.required or f.name in schema.primary_key]


def _header(schema: Schema) -> Iterator[tuple[str, dict[str, Any], str, str, str]]:
    """Without `fieldsMatch`, as Validata: only a missing column that is required is an error; others, and order, are warnings."""
    names, match = [f.name for f in schema.fields], schema.fields_match
    whole = "critical" if match in ("exact", "equal", "subset") else "warning"
    closed = "critical" if match in ("exact", "equal", "superset") else "warning"
    if whole == "warning":
        for name in _required(schema):
            yield "expect_column_to_exist", {"column": name}, f"La colonne « {name} », obligatoire, est là.", f"fields.{name}", "critical"
    arguments = {"column_set": names, "exact_match": False}
    if match not in ("superset", "partial"):
        yield "expect_table_columns_to_match_set", arguments, "Toutes les colonnes du schéma sont là.", "fields", whole
    if match not in ("subset", "partial"):
        yield (
            "expect_table_columns_to_be_among",
            {"column_set": names},
            "Il n'y a pas d'autre colonne que celles du schéma.",
            "fields",
            closed,
        )
    if match in (None, "exact"):
        severity = "critical" if match else "info"
        yield "expect_table_columns_to_be_in_order", {"column_list": names}, "Les colonnes sont dans l'ordre du schéma.", "fields", severity


# ---- one column -------------------------------------------------------------------------------------------------------


def _field(field: Field, schema: Schema, not_checked: list[str]) -> Iterator[Entry]:
    name, rule = field.name, f"fields.{field.name}"
    if name in _required(schema):
        yield "expect_column_values_to_not_be_null", {"column": name}, f"« {name} » est toujours rempli.", f"{rule}.required"
    if not (field.type == "any" or (field.type == "string" and field.format == "default")):
        arguments = {"column": name, "field": field.reading}
        yield (
            "expect_column_values_to_be_of_table_schema_type",
            arguments,
            f"« {name} » : chaque valeur est {_type(field)}.",
            f"{rule}.type",
        )
    if field.type == "string":
        yield from _string(field, rule)
    else:
        yield from _other(field, rule, not_checked)
    if field.constraints.get("unique") and schema.primary_key != [name]:
        yield _unique(name, f"{rule}.unique")


def _type(field: Field) -> str:
    """In words."""
    if field.type == "string":
        return STRINGS[field.format]
    written = WRITTEN.get(field.type, "") if field.format == "default" else re.sub("%[dmYyHMS]", lambda m: PARTS[m[0]], field.format)
    if field.type == "boolean" and ({"trueValues", "falseValues"} & set(field.options)):
        written = _several([*field.options.get("trueValues", []), *field.options.get("falseValues", [])])
    if field.type == "number" and "decimalChar" in field.options:
        written = f"« {field.options['decimalChar']} » avant les décimales"
    return TYPES[field.type] + (f" ({written})" if written else "")


def _string(field: Field, rule: str) -> Iterator[Entry]:
    name, limits = field.name, field.constraints
    low, high = limits.get("minLength"), limits.get("maxLength")
    if low is not None or high is not None:
        arguments = {"column": name} | {k: v for k, v in (("min_value", low), ("max_value", high)) if v is not None}
        yield "expect_column_value_lengths_to_be_between", arguments, _length(name, low, high, "caractère(s)"), f"{rule}.length"
    if "pattern" in limits:
        arguments = {"column": name, "regex": whole(limits["pattern"])}
        example = f", comme {field.example}" if field.example and len(field.example) < 60 else ""
        yield "expect_column_values_to_match_regex", arguments, f"« {name} » a la forme attendue{example}.", f"{rule}.pattern"
    if "enum" in limits:
        allowed = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in limits["enum"]]
        yield "expect_column_values_to_be_in_set", {"column": name, "value_set": allowed}, _enum(name, allowed), f"{rule}.enum"


def _other(field: Field, rule: str, not_checked: list[str]) -> Iterator[Entry]:
    """Constraints on what the texts stand for."""
    for constraint, declared in field.constraints.items():
        if constraint in ("required", "unique"):
            continue
        limit = _readable(field, declared, not_checked) if constraint == "enum" else declared
        if constraint in BOUNDS:
            _bound(field, constraint, limit)
        arguments = {"column": field.name, "field": field.reading, "constraint": constraint, "limit": limit}
        text = _in_words(field.name, constraint, limit)
        yield "expect_column_values_to_meet_table_schema_constraint", arguments, text, f"{rule}.{constraint}"


def _bound(field: Field, constraint: str, limit: Any) -> None:
    try:
        bound(field, limit)
    except ConfigurationError as error:
        raise ConfigurationError(f"field {field.name!r}: {constraint}: {error.message}", hint="correct the schema") from None


def _readable(field: Field, allowed: list[Any], not_checked: list[str]) -> list[Any]:
    """Values of a list that are of the field's type: no value can be one of the others."""
    kept = []
    for value in allowed:
        try:
            bound(field, value)
            kept.append(value)
        except ConfigurationError as error:
            not_checked.append(f"field {field.name!r}: enum: {error.message}, so no value can be it")
    if not kept:
        _bound(field, "enum", allowed[0])
    return kept


def _in_words(name: str, constraint: str, limit: Any) -> str:
    if constraint == "enum":
        return _enum(name, [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in limit])
    if constraint in LIMITS:
        return f"« {name} » : la valeur {LIMITS[constraint]} {limit}."
    if constraint == "pattern":
        return f"« {name} » a la forme attendue."
    return _length(name, limit, None, "élément(s)") if constraint == "minLength" else _length(name, None, limit, "élément(s)")


def _length(name: str, low: Any, high: Any, of_what: str) -> str:
    if low is not None and high is not None:
        return f"« {name} » a {low} {of_what}." if low == high else f"« {name} » a de {low} à {high} {of_what}."
    return f"« {name} » a au moins {low} {of_what}." if high is None else f"« {name} » a au plus {high} {of_what}."


def _enum(name: str, allowed: list[str]) -> str:
    return f"« {name} » : chaque valeur est de la liste {_several(allowed)}."


def _several(values: list[str]) -> str:
    return ", ".join(values[:SHOWN]) + (f" … ({len(values)} en tout)" if len(values) > SHOWN else "")


def whole(pattern: str) -> str:
    """A pattern that the whole text has to match, as the standard has it; a search would accept a part of it."""
    if flags := re.match(r"\(\?[aiLmsux]+\)", pattern):  # they stand at the beginning, or Python cannot read it
        return flags[0] + whole(pattern[flags.end() :])
    anchored = pattern.startswith("^") and re.search(r"(?<!\\)\$$", pattern)
    if anchored and "|" not in re.sub(r"\\.|\[[^\]]*\]", "", _outside(pattern)):
        return pattern
    return f"^(?:{pattern})$"


def _outside(pattern: str) -> str:
    """What is in no parentheses."""
    kept, depth = "", 0
    for character in re.sub(r"\\.|\[(?:\\.|[^\]])*\]", "", pattern):
        depth += {"(": 1, ")": -1}.get(character, 0)
        kept += character if depth == 0 else ""
    return kept


# ---- keys -------------------------------------------------------------------------------------------------------------


def _unique(name: str, rule: str) -> Entry:
    return "expect_column_values_to_be_unique", {"column": name}, f"« {name} » ne se répète pas.", rule


def _keys(schema: Schema) -> Iterator[Entry]:
    for rule, columns in [("primaryKey", schema.primary_key), *(("uniqueKeys", k) for k in schema.unique_keys)]:
        if len(columns) == 1:
            yield _unique(columns[0], rule)
        elif columns:
            text = f"{', '.join(f'« {c} »' for c in columns)} : ensemble, ces colonnes ne se répètent pas."
            yield "expect_compound_columns_to_be_unique", {"column_list": columns}, text, rule
    for key in schema.foreign_keys:
        if key.fields and key.referred:
            named = [", ".join(f"« {c} »" for c in each) for each in (key.fields, key.referred)]
            arguments = {"column_list": list(dict.fromkeys((*key.fields, *key.referred)))}
            arguments |= {"referring": key.fields, "referred": key.referred}
            yield "expect_multicolumn_values_to_refer_to_rows", arguments, f"{named[0]} : une valeur de {named[1]}.", "foreignKeys"
