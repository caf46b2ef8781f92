"""Suites as files: Great Expectations' own JSON, under expectations/."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError

QUALITY_REVISION = "4"
"""Raise it when the code that evaluates suites changes what it answers: every dataset is then checked again."""


@dataclass(frozen=True)
class Suite:
    name: str
    """Path under expectations/."""
    expectations: list[dict[str, Any]]
    sha256: str
    parameters: dict[str, Any] = field(default_factory=dict)
    """Values of {"$PARAMETER": name} in the arguments: Great Expectations' `suite_parameters`."""


def load_suites(root: Path, names: list[str]) -> list[Suite]:
    """Raises: ConfigurationError for a file that is missing or is not a suite."""
    return [_load(root / "expectations" / name, name) for name in names]


def _load(path: Path, name: str) -> Suite:
    try:
        data = path.read_bytes()
        suite = json.loads(data)
        for expectation in suite["expectations"]:
            if not isinstance(expectation["type"], str) or not isinstance(expectation["kwargs"], dict):
                raise TypeError("an expectation has a type and kwargs")
        return Suite(
            name, list(suite["expectations"]), hashlib.sha256(_canonical(suite)).hexdigest(), dict(suite.get("suite_parameters") or {})
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise ConfigurationError(f"the suite {name} cannot be read: {error}", where=str(path), hint="socle validate") from None


def _canonical(suite: dict[str, Any]) -> bytes:
    """What decides results: layout and texts for people do not count."""
    kept = [{k: v for k, v in e.items() if k not in ("description", "notes", "meta", "id")} for e in suite["expectations"]]
    given = suite.get("suite_parameters")
    return json.dumps([kept, given] if given else kept, sort_keys=True, ensure_ascii=False).encode()
