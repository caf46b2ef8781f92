"""What the expectations' own classes say of parameters, kept between calls: importing Great Expectations takes seconds, and what it
answers depends on nothing but its version, our own expectations and the parameters.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.quality.previous import PREVIOUS, problems
from flows.quality.tiny import columns_of, type_errors

MOST = 5_000  # answers that are kept
NEEDED = {
    "expect_column_values_to_match_regex": "regex",
    "expect_column_values_to_be_in_type_list": "type_list",
    "expect_column_kl_divergence_to_be_less_than": "partition_object",
    "expect_table_columns_to_match_set": "column_set",
    "expect_table_columns_to_match_ordered_list": "column_list",
}
SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True)
class Answer:
    """One thing that is wrong with one parameter."""

    parameter: str
    message: str
    hint: str = ""
    note: bool = False
    """It works, but perhaps not as its author thinks."""
    index: int | None = None
    """Of the wrong one, where the parameter is a list."""

    @property
    def place(self) -> tuple[str | int, ...]:
        return (self.parameter,) if self.index is None else (self.parameter, self.index)


def answers_for(entries: list[tuple[str, dict[str, Any]]], types: Mapping[str, str], state_folder: Path) -> list[list[Answer]]:
    """For each (type, arguments): what is wrong with the arguments. The types are known ones. `types`: of the dataset's columns."""
    file = state_folder / "expectations" / f"{_revision()}.json"
    kept = _read(file)
    marks = [_mark([*entry, [types.get(c) for c in columns_of(entry[1])]]) for entry in entries]
    new = {mark: entry for mark, entry in zip(marks, entries, strict=True) if mark not in kept}
    if new:
        kept |= dict(zip(new, _ask_all(list(new.values()), types), strict=True))
        _write(file, dict(list(kept.items())[-MOST:]))
    return [kept[mark] for mark in marks]


def _mark(asked: Any) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:32]


def _ask_all(entries: list[tuple[str, dict[str, Any]]], types: Mapping[str, str]) -> list[list[Answer]]:
    found = [_ask(*entry) for entry in entries]
    right = [n for n, answers in enumerate(found) if all(a.note for a in answers)]
    for n, error in zip(right, type_errors([entries[n] for n in right], types), strict=True):
        found[n] += [Answer("column", error)] if error else []
    return found


def _revision() -> str:
    """Of all code that an answer depends on."""
    digest = hashlib.sha256(version("great-expectations").encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _read(file: Path) -> dict[str, list[Answer]]:
    """Whatever is wrong with the file: it is written again."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        content = json.loads(file.read_text(encoding="utf-8"))
        return {mark: [Answer(**a) for a in answers] for mark, answers in content.items()}
    return {}


def _write(file: Path, answers: dict[str, list[Answer]]) -> None:
    """Whole or not at all. Where it cannot be kept, it is asked again next time."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as out:
            json.dump({mark: [asdict(a) for a in each] for mark, each in answers.items()}, out, ensure_ascii=False)
        Path(out.name).replace(file)
        for other in file.parent.glob("*.json"):
            if other != file:
                other.unlink(missing_ok=True)


def _ask(kind: str, arguments: dict[str, Any]) -> list[Answer]:
    if kind in PREVIOUS:  # no class of Great Expectations
        return [Answer(_named(text, arguments), text) for text in problems(kind, arguments)]
    from flows.quality.expectations import _implementation, _import, _quiet

    _import()
    from great_expectations.compatibility import pydantic

    regexes = list(_regexes(arguments))
    with _quiet():
        implementation = _implementation(kind)
        try:
            made = implementation(**arguments)
        except pydantic.ValidationError as error:
            told = {a.parameter for a in regexes}
            return [*regexes, *(a for a in _explained(error.errors(), implementation, arguments) if a.parameter not in told)]
        except TypeError as error:
            return [Answer("", f"its parameters cannot be taken: {error}")]
        except Exception as error:  # Great Expectations' own, such as of a row condition: whichever it is, it is no expectation
            if "row_condition" in arguments:
                return regexes  # checking.py says what is wrong with it
            return [Answer("", " ".join(str(error).split())[:300])]
    return [*regexes, *_void(kind, implementation, arguments), *_json_schema(arguments), *_converted(made, arguments)]


def _json_schema(arguments: dict[str, Any]) -> Iterator[Answer]:
    """What Great Expectations would only find out at the first value that is JSON."""
    if not isinstance(schema := arguments.get("json_schema"), dict):
        return
    import jsonschema

    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        yield Answer("json_schema", f"json_schema is no JSON Schema: {' '.join(error.message.split())[:300]}")


def _void(kind: str, implementation: Any, arguments: dict[str, Any]) -> Iterator[Answer]:
    """Parameters that Great Expectations does not ask for, without which an expectation is met by anything."""
    bounds = {"min_value", "max_value"}
    if kind.endswith("_between") and bounds <= set(implementation.__fields__) and all(arguments.get(b) is None for b in bounds):
        yield Answer("", "min_value or max_value is missing: anything is between nothing")
    elif (name := NEEDED.get(kind)) and arguments.get(name) is None:
        yield Answer("", f"the parameter {name!r} is missing")


def _regexes(arguments: dict[str, Any]) -> Iterator[Answer]:
    """Those that Python cannot read are wrong; those that Polars cannot run are looked for by Python."""
    listed = arguments.get("regex_list")
    each = [
        ("regex", None, arguments.get("regex")),
        *(("regex_list", n, r) for n, r in enumerate(listed if isinstance(listed, list) else [])),
    ]
    for name, index, regex in each:
        if not isinstance(regex, str):
            continue
        try:
            re.compile(regex)
            if reason := _pandas_only(regex):
                why = f"{name} has {reason}, which Polars cannot run: Python looks for it in each distinct text, more slowly"
                yield Answer(name, why, note=True, index=index)
        except re.error as error:
            yield Answer(name, f"{name} is no regular expression: {error}", index=index)
        except RecursionError:
            yield Answer(name, f"{name} is no regular expression: it is nested too deeply", index=index)


def _pandas_only(regex: str) -> str:
    from flows.quality.gx_polars.regexes import Untranslatable, translate

    try:
        translate(regex)
    except Untranslatable as reason:
        return str(reason)
    return ""


def _named(text: str, arguments: dict[str, Any]) -> str:
    return next((a for a in arguments if a in text), "")


def _explained(errors: list[Any], implementation: Any, arguments: dict[str, Any]) -> list[Answer]:
    """One answer a parameter, whatever number of types pydantic has tried."""
    found, texts = list[Answer](), dict[str, list[str]]()
    known = [
        f for f in implementation.__fields__ if f not in ("id", "meta", "notes", "description", "rendered_content", "batch_id", "windows")
    ]
    failed = {str(error["loc"][0]) for error in errors} & set(known)
    for error in errors:
        name = str(error["loc"][0])
        if error["type"] == "value_error.extra":
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(_own(known))}"
            found.append(Answer(name, f"unknown parameter {name!r}", hint))
        elif error["type"] == "value_error.missing" and len(error["loc"]) == 1:
            found.append(Answer(name, f"the parameter {name!r} is missing"))
        elif name == "__root__":
            if not failed:  # it was asked about the others without the values that are wrong
                found.append(Answer("", str(error["msg"])))
        elif name == "row_condition":
            continue  # checking.py says what is wrong with it
        else:
            texts.setdefault(name, []).append(str(error["msg"]))
    for name, said in texts.items():
        several = [t for t in dict.fromkeys(said) if t != "value is not a valid dict"] or said
        value = repr(arguments.get(name))
        value = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
        found.append(Answer(name, f"{name}: {value} is wrong: {'; '.join(several)}"))
    return found


def _own(known: list[str]) -> list[str]:
    """Parameters without those that every expectation has."""
    common = ("result_format", "catch_exceptions", "severity", "condition_parser")
    return [k for k in known if k not in common]


def _converted(made: Any, arguments: dict[str, Any]) -> list[Answer]:
    """Scalars that were taken as another type than they are written in."""
    found = []
    for name, value in arguments.items():
        taken = getattr(made, name, value)
        scalars = type(taken) in (bool, int, float, str) and type(value) in (bool, int, float, str)
        if scalars and type(taken) is not type(value) and (type(value), type(taken)) != (int, float):
            found.append(Answer(name, f"{name}: {value!r} is read as {taken!r}", note=True))
    return found
