"""What is wrong with a suite that can be told without importing Great Expectations, which takes seconds.

flows/quality/checking.py tells the rest.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flows.json_lines import Lines

COLUMN_ARGUMENTS = ("column", "column_A", "column_B")
COLUMN_LIST_ARGUMENTS = ("column_list", "column_set")
ABOUT_PREVIOUS = {
    "expect_row_count_to_stay_close_to_previous",
    "expect_column_distribution_to_stay_close_to_previous",
    "expect_column_null_share_to_stay_close_to_previous",
}
"""Evaluated by Socle itself: flows/quality/previous.py."""
OUR_CLASS = re.compile(r"^class (Expect\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Problem:
    file: Path
    line: int
    message: str
    hint: str = ""
    note: bool = False
    """Good to know, and nothing to be corrected."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'note: ' if self.note else ''}{self.message}" + (f" ({self.hint})" if self.hint else "")


def suggest(word: str, among: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, [a for a in among if a != word], n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def within(root: Path, file: Path) -> Path:
    return file.relative_to(root) if file.is_relative_to(root) else file


@lru_cache(1)
def expectation_types() -> frozenset[str]:
    """Names of Great Expectations' own expectations, read from its file names, and of ours, from their classes' names: importing them
    would take seconds."""
    spec = importlib.util.find_spec("great_expectations")
    assert spec and spec.submodule_search_locations
    core = Path(spec.submodule_search_locations[0], "expectations", "core")
    ours = (OUR_CLASS.findall(p.read_text(encoding="utf-8")) for p in (Path(__file__).parent / "quality").rglob("*.py"))
    return frozenset({p.stem for p in core.glob("expect_*.py")} | {_snake(name) for names in ours for name in names} | ABOUT_PREVIOUS)


def _snake(name: str) -> str:
    """A type from its class, as Great Expectations makes it."""
    return re.sub("([a-z0-9])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def check_suite(root: Path, file: Path, columns: Collection[str]) -> list[Problem]:
    """Problems of one suite in Great Expectations' JSON, for a dataset with these columns."""
    place = within(root, file)
    try:
        text = file.read_text(encoding="utf-8")
        suite = json.loads(text)
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        return [Problem(place, line, f"is not UTF-8 text: {error.reason} at byte {error.start}")]
    except json.JSONDecodeError as error:
        return [Problem(place, error.lineno, f"is not valid JSON: {error.msg}")]
    except RecursionError:
        return [Problem(place, 1, "is not valid JSON: it is nested too deeply")]
    if not isinstance(suite, dict) or not isinstance(suite.get("expectations"), list):
        return [Problem(place, 1, 'should be an object with a list "expectations"')]
    return list(_suite_problems(place, text, suite["expectations"], columns))


def _suite_problems(place: Path, text: str, expectations: list[Any], columns: Collection[str]) -> Iterator[Problem]:
    types, lines = expectation_types(), Lines(text)
    for index, expectation in enumerate(expectations):
        line = lines.of(("expectations", index, "type"))
        kind = expectation.get("type") if isinstance(expectation, dict) else None
        if not isinstance(kind, str):
            yield Problem(place, line, f'expectation {index + 1} has no "type"')
            continue
        if kind not in types:
            yield Problem(place, line, f"unknown expectation {kind!r}", suggest(kind, types))
        if expectation.get("severity", "critical") not in ("critical", "warning", "info"):
            yield Problem(place, line, f"{kind}: severity is critical, warning or info")
        kwargs = expectation.get("kwargs")
        if not isinstance(kwargs, dict):
            yield Problem(place, line, f'{kind} has no "kwargs"')
            continue
        for argument in COLUMN_LIST_ARGUMENTS:
            if not isinstance(kwargs.get(argument, []), list):
                yield Problem(place, line, f"{kind}: {argument} is a list of columns")
        named = [kwargs[a] for a in COLUMN_ARGUMENTS if a in kwargs]
        lists = [kwargs[a] for a in COLUMN_LIST_ARGUMENTS if isinstance(kwargs.get(a), list)]
        named += [c for names in lists for c in names]
        for column in named:
            if column not in columns:
                yield Problem(place, line, f"{kind}: the dataset has no column {column!r}", suggest(str(column), columns))
