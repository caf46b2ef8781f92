"""What the formats share: how a file is read (decided once, then kept), and what reading gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from flows.findings import Finding
from flows.project import Format


@dataclass(frozen=True)
class Decision:
    """How a file is read: a format with nothing left out, and why."""

    format: Format
    reasons: dict[str, str] = field(default_factory=dict)
    """Field of the format -> what decided it, in one sentence for people."""
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class BadRow:
    """A record that is no row: it is refused, with its place and its text, and the file is read on."""

    rule: str
    """`kind:detail`, for instance `csv:fields:expected 14, found 15`."""
    row_number: int
    """Among the records of its file, from 1; it counts like those that can be read."""
    raw: str
    line: int | None = None
    """First line of its text in the file, from 1."""
    offset: int | None = None
    """Of its first byte in the file."""


@dataclass(frozen=True)
class Member:
    """A file to read: one of an archive (`archive.zip/dossier/fichier.csv`), or a file itself."""

    name: str
    path: Path
