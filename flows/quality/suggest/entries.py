"""What is known beside the rows, and one proposed expectation as it stands in a suite."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

MIN_ROWS = 100  # values without which nothing is said of a column


@dataclass(frozen=True)
class About:
    """What the project says of a dataset, and what was found to be personal in it."""

    key: Collection[str] = ()
    """Columns that identify a row together."""
    required: Collection[str] = ()
    hidden: Collection[str] = ()
    """Columns with personal data, certain or possible: no value of theirs is proposed."""
    personal: bool = False
    """The dataset is declared to hold personal data: what is proposed of values has to be seen more often."""
    existing: Collection[tuple[str, str]] = field(default_factory=frozenset)
    """(type, column or columns) of the expectations that the dataset has already."""


def entry(kind: str, description: str, arguments: dict[str, Any], severity: str = "warning") -> dict[str, Any]:
    return {"type": kind, "kwargs": arguments, "severity": severity, "description": description}


def columns_of(expectation: dict[str, Any]) -> list[str]:
    arguments = expectation["kwargs"]
    return [arguments[a] for a in ("column", "column_A", "column_B") if arguments.get(a)] + list(arguments.get("column_list") or [])


def subject(expectation: dict[str, Any]) -> tuple[str, str]:
    """(type, column or columns): two expectations of the same are about the same."""
    return expectation["type"], ",".join(columns_of(expectation))
