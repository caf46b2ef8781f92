"""One line of what `socle doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What was tried, what was found, what to do."""

    what: str
    state: Literal["ok", "warning", "error"]
    found: str
    hint: str = ""
    exit_code: int = 3
    """What `socle doctor` returns if this is an error: 2 for a project's files, 3 for the system."""
