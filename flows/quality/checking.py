"""What is wrong with a suite, told with its line before anything runs: parameters, regular expressions, row conditions, doubles.

flows/validation.py tells what needs no Great Expectations (types, columns, severity). Parameters are checked by the expectations' own
classes, which takes seconds to import; what they answered is kept in the state folder, so that a suite that did not change costs nothing.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.json_lines import Lines
from flows.quality.answers import answers_for
from flows.quality.row_names import names_in_condition
from flows.suite_files import Problem, check_suite, expectation_types, within

KEYS = ("type", "kwargs", "severity", "description", "notes", "meta", "id", "rendered_content", "windows", "expectation_context")
BOUNDS = (("min_value", "max_value"),)


@dataclass(frozen=True)
class Entry:
    """One expectation of a suite."""

    number: int
    type: str
    arguments: dict[str, Any]


def known_types() -> frozenset[str]:
    """Of all expectations that a suite may name: Great Expectations' and ours."""
    return expectation_types()


def suite_checker(state_folder: Path) -> Callable[[Path, Path, Mapping[str, str]], list[Problem]]:
    """What `check_project` takes to check suites with. `state_folder`: where answers of Great Expectations are kept."""

    def check(root: Path, file: Path, columns: Mapping[str, str]) -> list[Problem]:
        return check_whole_suite(root, file, columns, state_folder)

    return check


def check_whole_suite(root: Path, file: Path, columns: Mapping[str, str], state_folder: Path) -> list[Problem]:
    """Problems and notes of one suite, for a dataset with these columns (name -> type)."""
    found = check_suite(root, file, columns)
    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text)
    except (ValueError, RecursionError):
        return found
    if not isinstance(content, dict) or not isinstance(content.get("expectations"), list):
        return found
    lines, shown = Lines(text), within(root, file)
    known, listed = known_types(), content["expectations"]
    usable = [
        Entry(n, e["type"], e["kwargs"])
        for n, e in enumerate(listed)
        if isinstance(e, dict) and e.get("type") in known and isinstance(e.get("kwargs"), dict)
    ]

    def at(path: tuple[str | int, ...], message: str, hint: str = "", *, note: bool = False) -> Problem:
        return Problem(shown, lines.of(("expectations", *path)), message, hint, note)

    for number, entry in enumerate(listed):
        found += [at((number, *path), m, h) for path, m, h in _keys(entry)]
    for entry, answers in zip(usable, answers_for([(e.type, e.arguments) for e in usable], columns, state_folder), strict=True):
        place = (entry.number, "kwargs")
        found += [at((*place, *a.place), f"{entry.type}: {a.message}", a.hint, note=a.note) for a in answers]
        found += [
            at((*place, *p), f"{entry.type}: {m}", h)
            for p, m, h in (
                *_bounds(entry),
                *_condition(entry, columns),
                *_set(entry, columns),
                *_parameters(entry, content.get("suite_parameters")),
            )
        ]
    for entry, first in _doubles(usable):
        message = f"{entry.type} is asked twice with the same parameters"
        found.append(at((entry.number,), message, f"the first is on line {lines.of(('expectations', first.number))}"))
    return sorted(set(found), key=lambda p: p.line)


def _keys(entry: Any) -> Iterator[tuple[tuple[str, ...], str, str]]:
    for key in entry if isinstance(entry, dict) else ():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.6)
            yield (key,), f"unknown key {key!r} of an expectation", f"did you mean {near[0]!r}?" if near else "parameters stand in kwargs"


def _bounds(entry: Entry) -> Iterator[tuple[tuple[str], str, str]]:
    for low, high in BOUNDS:
        least, most = entry.arguments.get(low), entry.arguments.get(high)
        comparable = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (least, most)) or (
            isinstance(least, str) and isinstance(most, str) and _day(least) and _day(most)
        )
        if comparable and least > most:  # type: ignore[operator]
            yield (low,), f"{low} ({least}) is greater than {high} ({most}): nothing can be between them", ""


def _day(text: str) -> bool:
    return re.match(r"\d{4}-\d{2}-\d{2}", text) is not None


def _condition(entry: Entry, columns: Mapping[str, str]) -> Iterator[tuple[tuple[str], str, str]]:
    condition = entry.arguments.get("row_condition")
    if condition is None:
        return
    if isinstance(condition, str) and not entry.arguments.get("condition_parser"):
        yield ("row_condition",), "row_condition needs a condition_parser", '"condition_parser": "pandas"'
        return
    try:
        names = names_in_condition(condition, entry.arguments.get("condition_parser"))
    except ValueError as error:
        yield ("row_condition",), f"row_condition cannot be read: {error}", "such as: theme == 'paie' and montant > 0"
        return
    for name in names:
        if name not in columns:
            near = difflib.get_close_matches(name, columns, n=1, cutoff=0.6)
            yield ("row_condition",), f"row_condition: the dataset has no column {name!r}", f"did you mean {near[0]!r}?" if near else ""


def _set(entry: Entry, columns: Mapping[str, str]) -> Iterator[tuple[tuple[str], str, str]]:
    """A list of which no value can be one of the column's."""
    kind, values = columns.get(str(entry.arguments.get("column"))), entry.arguments.get("value_set")
    if not isinstance(values, list) or not values or entry.type.startswith("expect_column_most_common"):
        return
    texts = {isinstance(v, str) for v in values}
    if kind in ("integer", "number", "boolean") and texts == {True}:
        yield ("value_set",), f"value_set holds texts, and {entry.arguments['column']!r} is {kind}: none can be equal", "without the quotes"
    elif kind == "string" and texts == {False}:
        yield ("value_set",), f"value_set holds no texts, and {entry.arguments['column']!r} is string: none can be equal", "in quotes"


def _parameters(entry: Entry, given: Any) -> Iterator[tuple[tuple[str], str, str]]:
    """Those without a value. An expression, such as now() - timedelta(days=1), is left to Great Expectations."""
    for name, value in entry.arguments.items():
        parameter = value.get("$PARAMETER") if isinstance(value, dict) else None
        if isinstance(parameter, str) and parameter.isidentifier() and parameter not in (given if isinstance(given, dict) else {}):
            yield (name,), f"the parameter {parameter!r} has no value", f'"suite_parameters": {{"{parameter}": ...}} beside "expectations"'


def _doubles(entries: list[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """(expectation, the first with the same type and parameters)."""
    seen = dict[str, Entry]()
    for entry in entries:
        mark = json.dumps([entry.type, entry.arguments], sort_keys=True, ensure_ascii=False)
        if (first := seen.setdefault(mark, entry)) is not entry:
            yield entry, first
