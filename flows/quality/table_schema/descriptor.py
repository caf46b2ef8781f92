"""A Table Schema as typed fields: what it says, what is wrong with it, and what of it is passed over.

Published schemas are written by hand. What cannot mean anything is an error that names the field; what a reader of schemas passes
over by the standard (unknown keys, a misspelt `contraints`) is a note, so that nobody believes that it is checked.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError

TEMPORAL = ("date", "time", "datetime")
ORDERED = ("integer", "number", "year", "yearmonth", *TEMPORAL)
TYPES = ("string", "boolean", "array", "list", "object", "duration", "geopoint", "geojson", "any", *ORDERED)
FORMATS: dict[str, tuple[str, ...]] = {
    "string": ("default", "email", "uri", "binary", "uuid", "wkt"),
    "geopoint": ("default", "array", "object"),
    "geojson": ("default", "topojson"),
}
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
MEANINGFUL: dict[str, tuple[str, ...]] = dict.fromkeys(BOUNDS, (*ORDERED, "any"))
MEANINGFUL |= dict.fromkeys(("minLength", "maxLength"), ("string", "array", "list", "object", "any"))
"""Constraint -> the types for which it means something, if not for all."""
CONSTRAINTS = ("required", "unique", "pattern", "enum", "minLength", "maxLength", *BOUNDS)
TEXTS = ("title", "description", "example", "examples", "rdfType", "name", "type", "format", "constraints", "missingValues")
OPTIONS = ("trueValues", "falseValues", "decimalChar", "groupChar", "bareNumber", "delimiter", "itemType", "arrayItem")
OPTION_TYPES: dict[str, type] = {"trueValues": list, "falseValues": list, "bareNumber": bool, "arrayItem": dict}
"""Of the options that are no texts."""
EXTENSIONS = ("frFormat", "customCheck", "categories", "categoriesOrdered")
"""Of schema.data.gouv.fr, of Validata, of version 2 of the standard."""
FIELDS_MATCH = ("exact", "equal", "subset", "superset", "partial")
TRUE, FALSE = ["true", "True", "TRUE", "1"], ["false", "False", "FALSE", "0"]
WORDED = {"YYYY": "%Y", "AAAA": "%Y", "MM": "%m", "DD": "%d", "JJ": "%d", "hh": "%H", "HH": "%H", "mm": "%M", "ss": "%S", "SS": "%S"}


@dataclass(frozen=True)
class Field:
    """One column: how its texts are read, and what its values have to meet."""

    name: str
    type: str = "string"
    format: str = "default"
    options: dict[str, Any] = field(default_factory=dict)
    """Those of OPTIONS that are declared, in the words of the standard."""
    constraints: dict[str, Any] = field(default_factory=dict)
    missing_values: list[str] | None = None
    """None: those of the schema."""
    example: str = ""
    french_format: str = ""
    """`frFormat`, the extension of schema.data.gouv.fr: siren, siret ..."""
    custom_check: dict[str, Any] | None = None
    """`customCheck`, the extension of Validata, as one of `custom_checks`."""

    @property
    def required(self) -> bool:
        return bool(self.constraints.get("required"))

    @property
    def reading(self) -> dict[str, Any]:
        """What decides how texts are read, as a descriptor."""
        return {"type": self.type, **({} if self.format == "default" else {"format": self.format}), **self.options}

    @property
    def item(self) -> Field | None:
        """What the items of an array are."""
        if item := self.options.get("arrayItem"):
            return field_of({"name": self.name, "type": "any", **item})
        return None


@dataclass(frozen=True)
class ForeignKey:
    fields: list[str]
    referred: list[str] | None
    """Fields of the same table; None: of another."""


@dataclass(frozen=True)
class Schema:
    name: str
    title: str
    version: str
    fields: list[Field]
    primary_key: list[str] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    unique_keys: list[list[str]] = field(default_factory=list)
    missing_values: list[str] = field(default_factory=lambda: [""])
    fields_match: str | None = None
    custom_checks: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What of it is passed over, in sentences."""


def is_table_schema(content: Any) -> bool:
    """Rather than a suite: it has fields, and no expectations."""
    return isinstance(content, dict) and "fields" in content and "expectations" not in content


def load_schema(path: Path) -> Schema:
    """Raises: ConfigurationError for a file that cannot be read or is no Table Schema, with everything that is wrong with it."""
    hint = "see https://specs.frictionlessdata.io/table-schema/"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"the schema cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the schema is not UTF-8 text: {error.reason} at byte {error.start}", where=str(path)) from None
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"the schema is not JSON: {error.msg}", where=f"{path}:{error.lineno}", hint=hint) from None
    except RecursionError:
        raise ConfigurationError("the schema is not JSON: it is nested too deeply", where=str(path), hint=hint) from None
    if not isinstance(content, dict) or not isinstance(content.get("fields"), list):
        named = " (this is a data package: give the schema of one of its resources)" if _is_package(content) else ""
        raise ConfigurationError(f'not a Table Schema: an object with a list "fields" is wanted{named}', where=str(path), hint=hint)
    return _Reader(path.stem if path.stem != "schema" else "").read(content, str(path), hint)


def field_of(content: dict[str, Any]) -> Field:
    """A field from its descriptor. Raises: ConfigurationError with what is wrong with it."""
    reader = _Reader("")
    made = reader.field(content, 1)
    if reader.problems or made is None:
        raise ConfigurationError("; ".join(reader.problems))
    return made


def _is_package(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("resources"), list)


class _Reader:
    """Collects all problems of a schema before it says so."""

    def __init__(self, name: str) -> None:
        self.name, self.problems, self.notes = name, list[str](), list[str]()

    def read(self, content: dict[str, Any], where: str, hint: str) -> Schema:
        made = [self.field(f, n) for n, f in enumerate(content["fields"], 1)]
        fields = [f for f in made if f]
        names = [f.name for f in fields]
        if not names and not self.problems:
            self.problems.append("fields is empty")
        self.problems += [f"field {n!r} is declared twice" for n in dict.fromkeys(n for n in names if names.count(n) > 1)]
        primary = self.columns(content.get("primaryKey"), "primaryKey", names)
        unique = [self.columns(k, "uniqueKeys", names) for k in _list(content.get("uniqueKeys"))]
        foreign = [self._foreign(k, names) for k in _list(content.get("foreignKeys"))]
        match = content.get("fieldsMatch")
        match = match[0] if isinstance(match, list) and len(match) == 1 else match
        if match is not None and match not in FIELDS_MATCH:
            self.problems.append(f"fieldsMatch: {match!r} is not one of {', '.join(FIELDS_MATCH)}")
        missing = self.missing(content["missingValues"], "missingValues") if "missingValues" in content else [""]
        checks = content.get("custom_checks") or content.get("customChecks") or []
        if not isinstance(checks, list) or not all(isinstance(c, dict) and isinstance(c.get("name"), str) for c in checks):
            self.problems.append("custom_checks: a list of objects with a name is wanted")
        if self.problems:
            lines = "\n".join(f"  {p}" for p in self.problems)
            raise ConfigurationError(f"the schema has {len(self.problems)} problem(s):\n{lines}", where=where, hint=hint)
        name, title = (str(content.get(k) or "") for k in ("name", "title"))
        return Schema(
            name or self.name,
            title,
            str(content.get("version") or ""),
            fields,
            primary,
            foreign,
            unique,
            missing,
            match,
            [*checks, *(f.custom_check for f in fields if f.custom_check)],
            self.notes,
        )

    def field(self, content: Any, number: int) -> Field | None:
        if not isinstance(content, dict) or not isinstance(content.get("name"), str) or not content["name"]:
            self.problems.append(f"field {number}: an object with a name is wanted")
            return None
        name = content["name"]
        kind = content.get("type") or "string"
        if kind not in TYPES:
            self.problems.append(f"field {name!r}: {kind!r} is not a type{_near(kind, TYPES)}")
            return None
        options = {o: _as_texts(content[o]) for o in OPTIONS if content.get(o) is not None}
        options = {o: value for o, value in options.items() if self._option(name, o, value)}
        missing = self.missing(content["missingValues"], f"field {name!r}: missingValues") if "missingValues" in content else None
        self._unknown(name, content)
        french = content.get("frFormat") or ""
        french = french.get("name", "") if isinstance(french, dict) else french
        constraints = self._categories(name, content.get("categories")) | self._constraints(name, kind, content.get("constraints"))
        if "required" in content:
            self.notes.append(f'field {name!r}: "required" is passed over, its place is under "constraints"')
        example = content.get("example")
        shown = example if isinstance(example, str) else "" if example is None else json.dumps(example, ensure_ascii=False)
        form, check = self._format(name, kind, content.get("format")), self._custom_check(name, content.get("customCheck"))
        return Field(name, kind, form, options, constraints, missing, shown, str(french), check)

    def _custom_check(self, name: str, declared: Any) -> dict[str, Any] | None:
        """The name of a check, or an object with its name and parameters."""
        content = {"name": declared} if isinstance(declared, str) else declared
        if content is None:
            return None
        if not isinstance(content, dict) or not isinstance(content.get("name"), str):
            self.problems.append(f"field {name!r}: customCheck is the name of a check, or an object with a name, not {declared!r}")
            return None
        return {"name": content["name"], "params": {**{k: v for k, v in content.items() if k != "name"}, "column": name}}

    def _categories(self, name: str, declared: Any) -> dict[str, Any]:
        """The values that a categorical field may have (texts, numbers, or objects with a value and a label): as an `enum`."""
        if declared is None:
            return {}
        values = [v.get("value") if isinstance(v, dict) else v for v in _list(declared)]
        if not isinstance(declared, list) or not values or not all(isinstance(v, str | int | float) for v in values):
            self.problems.append(f"field {name!r}: categories is a list of values, or of objects with a value, not {declared!r}")
            return {}
        return {"enum": values}

    def _format(self, name: str, kind: str, declared: Any) -> str:
        if declared in (None, "", "default"):
            return "default"
        if not isinstance(declared, str):
            self.problems.append(f"field {name!r}: format is text, not {declared!r}")
            return "default"
        text: str = declared.removeprefix("fmt:")
        if kind in TEMPORAL:
            return text if text == "any" or "%" in text else self._worded(name, kind, text)
        if kind in FORMATS and text in FORMATS[kind]:
            return text
        if kind in FORMATS:
            self.notes.append(f"field {name!r}: {text!r} is no format of {kind}; it is passed over{_near(text, FORMATS[kind])}")
        return "default"

    def _worded(self, name: str, kind: str, declared: str) -> str:
        """YYYY-MM-DD, which people write where the standard wants %Y-%m-%d."""
        made: str = re.sub("|".join(WORDED), lambda found: WORDED[found[0]], declared)
        if re.search("[A-Za-z]", re.sub("%[A-Za-z]|T", "", made)):
            self.problems.append(f"field {name!r}: {declared!r} is no format of {kind}: default, any, or such as %d/%m/%Y")
            return "default"
        self.notes.append(f"field {name!r}: format {declared!r} is read as {made!r}")
        return made

    def _option(self, name: str, option: str, value: Any) -> bool:
        if not isinstance(value, OPTION_TYPES.get(option, str)):
            self.problems.append(f"field {name!r}: {option} has the wrong type: {value!r}")
        elif isinstance(value, list) and not all(isinstance(v, str) for v in value):
            self.problems.append(f"field {name!r}: {option} is a list of texts")
        elif option == "decimalChar" and len(str(value)) != 1:
            self.problems.append(f"field {name!r}: decimalChar is one character, not {value!r}")
        elif isinstance(value, dict):
            return self.field({"type": "any", **value, "name": f"{name}[]"}, 1) is not None
        else:
            return True
        return False

    def _constraints(self, name: str, kind: str, declared: Any) -> dict[str, Any]:
        if declared is None:
            return {}
        if not isinstance(declared, dict):
            self.problems.append(f"field {name!r}: constraints is an object, not {declared!r}")
            return {}
        made = {}
        for constraint, value in declared.items():
            if constraint not in CONSTRAINTS:
                near = _near(constraint, CONSTRAINTS)
                self.notes.append(f"field {name!r}: constraint {constraint!r} is unknown and not checked{near}")
            elif kind not in MEANINGFUL.get(constraint, TYPES):
                self.notes.append(f"field {name!r}: {constraint} means nothing for {kind} and is not checked")
            elif wrong := _wrong(constraint, value):
                self.problems.append(f"field {name!r}: {constraint} {wrong}")
            elif value is not None:
                made[constraint] = value
        return made

    def _unknown(self, name: str, content: dict[str, Any]) -> None:
        known = (*TEXTS, *OPTIONS, *EXTENSIONS)
        for key in content:
            near = difflib.get_close_matches(key, (*OPTIONS, "constraints", "missingValues", "format"), n=1, cutoff=0.75)
            if key in CONSTRAINTS and key != "required":
                self.notes.append(f'field {name!r}: "{key}" is passed over, its place is under "constraints"')
            elif key not in known and near:
                self.notes.append(f'field {name!r}: "{key}" is unknown and passed over (did you mean "{near[0]}"?)')

    def missing(self, declared: Any, where: str) -> list[str]:
        """Texts; the second version of the standard also has objects with a value and a label."""
        values = [v.get("value") if isinstance(v, dict) else v for v in _list(declared)]
        texts = [v for v in values if isinstance(v, str)]
        if not isinstance(declared, list) or len(texts) < len(values):
            self.problems.append(f"{where}: a list of texts is wanted")
            return [""]
        return texts

    def columns(self, declared: Any, where: str, names: list[str]) -> list[str]:
        wanted = [declared] if isinstance(declared, str) else declared or []
        if not isinstance(wanted, list) or not all(isinstance(c, str) for c in wanted):
            self.problems.append(f"{where}: names of fields are wanted, not {declared!r}")
            return []
        wanted = [c for c in wanted if c]
        self.problems += [f"{where}: there is no field {c!r}{_near(c, names)}" for c in wanted if c not in names]
        return wanted

    def _foreign(self, declared: Any, names: list[str]) -> ForeignKey:
        reference = declared.get("reference") if isinstance(declared, dict) else None
        if not isinstance(reference, dict):
            self.problems.append('foreignKeys: a list of objects with "fields" and "reference" is wanted')
            return ForeignKey([], None)
        fields = self.columns(declared.get("fields"), "foreignKeys", names)
        if reference.get("resource"):
            return ForeignKey(fields, None)
        referred = self.columns(reference.get("fields"), "foreignKeys: reference", names)
        if len(referred) != len(fields):
            self.problems.append(f"foreignKeys: {len(fields)} field(s) refer to {len(referred)}")
        return ForeignKey(fields, referred)


def _wrong(constraint: str, value: Any) -> str:
    """What is wrong with the value of a constraint, if that can be told without the type."""
    if constraint in ("required", "unique"):
        return "" if isinstance(value, bool) else f"is true or false, not {value!r}"
    if constraint.endswith("Length"):
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return "" if whole else f"is a number of characters, not {value!r}"
    if constraint == "enum":
        return "" if isinstance(value, list) and value else "is a list of values, with one at least"
    if constraint == "pattern":
        try:
            re.compile(value)
        except (re.error, TypeError) as error:
            return f"is no regular expression that Python can run: {error}"
    return ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _as_texts(value: Any) -> Any:
    """Lists of words for true and false: people also write 1 and true themselves."""
    return [v if isinstance(v, str | list | dict) else json.dumps(v) for v in value] if isinstance(value, list) else value


def _near(word: Any, among: Any) -> str:
    near = difflib.get_close_matches(str(word), list(among), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
