"""What a table's commits say of themselves: what a load was made from, and which versions' rows were deleted, when and why."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

PREFIX = "socle."
Cause = Literal["retention", "erasure"]


@dataclass(frozen=True)
class LoadRecord:
    """What one load was made from and what it did; kept in the Delta commit."""

    load_id: str
    ingest: str
    """Ingest fingerprint."""
    check: str
    """Check fingerprint: ingest, suites, expectation code."""
    mode: str
    run: str
    who: str
    verdict: Literal["passed", "warned", "quarantined"]
    parts: dict[str, str] = field(default_factory=dict)
    """The parts of the fingerprints by name, to say later which of them changed."""
    raw: dict[str, str] = field(default_factory=dict)
    """The raw files of this load: name -> sha256."""
    rows: dict[str, int] = field(default_factory=dict)
    """read, kept and refused rows of this load; total rows of the version."""
    quarantine_version: int | None = None
    rollback: dict[str, Any] = field(default_factory=dict)
    """For a version that brought an earlier one back: `to` and `instead_of` (version numbers), `reason`. The rest of the record is
    that of the earlier version, `run` and `who` apart."""
    held: dict[str, str] = field(default_factory=dict)
    """After a rollback: the parts of the load that was undone. The same load is not done again."""
    erasure: dict[str, Any] = field(default_factory=dict)
    """For a version that a person's rows were taken out of: `subject` (the hash of whom), `instead_of` (version number), `rows`."""
    replayed: dict[str, Any] = field(default_factory=dict)
    """For a version that refused rows came in with: how many were tried (`rows`), a digest of their `ids`, the Delta version of the
    `quarantine` that they were in. Each has a line of this load in the quarantine."""

    reading: dict[str, Any] = field(default_factory=dict)
    """How the files were read: `format` (with nothing left out) and `columns` (their conventions). Later files are read the same."""
    source_state: dict[str, Any] = field(default_factory=dict)
    """What the source remembers of this load: where the next one begins."""

    @property
    def last_parts(self) -> dict[str, str]:
        """What the source and the rules were like when this version was decided on."""
        return self.held or self.parts

    def to_metadata(self) -> dict[str, str]:
        """Raises: AssertionError if the counts do not add up: no commit is made then."""
        check_counts(self.rows)
        return {PREFIX + k: v if isinstance(v, str) else json.dumps(v) for k, v in asdict(self).items()}

    @classmethod
    def from_metadata(cls, commit: dict[str, Any]) -> LoadRecord:
        plain = {k.removeprefix(PREFIX): v for k, v in commit.items() if k.startswith(PREFIX)}
        for name in ("parts", "raw", "rows", "quarantine_version", "rollback", "held", "erasure", "replayed", "reading", "source_state"):
            if name in plain:
                plain[name] = json.loads(plain[name])
        return cls(**{k: v for k, v in plain.items() if k in cls.__dataclass_fields__})


def check_counts(rows: dict[str, int]) -> None:
    """Rows read = rows kept + rows refused + rows of people who were erased.

    Raises: AssertionError if not: a row would be lost, or be there twice.
    """
    if not {"read", "kept", "refused"} <= set(rows):
        return
    if rows["read"] != rows["kept"] + rows["refused"] + rows.get("erased", 0):
        raise AssertionError(f"the rows of a load do not add up: {rows}")


@dataclass(frozen=True)
class Expiry:
    """When and why the rows of a version were deleted."""

    at: datetime
    cause: Cause
    by: str = ""
    """Of an erasure: the hash of whom it was for."""

    @property
    def french(self) -> str:
        return f"{'effacée' if self.cause == 'erasure' else 'expirée'} le {self.at:%d/%m/%Y}"


@dataclass(frozen=True)
class DatasetVersion:
    project: str
    dataset: str
    number: int
    at: datetime
    load: LoadRecord
    expired: Expiry | None = None
    """Its rows were deleted; what is known of it stays."""

    def __str__(self) -> str:
        return f"{self.project}/{self.dataset}@{self.number}"


def expiries(commits: list[dict[str, Any]]) -> dict[int, Expiry]:
    """Version -> how it went. The first that says so counts."""
    found: dict[int, Expiry] = {}
    for commit in reversed(commits):
        if PREFIX + "expired" in commit:
            expiry = Expiry(moment(commit["timestamp"]), commit.get(PREFIX + "cause", "retention"), commit.get(PREFIX + "by", ""))
            for number in json.loads(commit[PREFIX + "expired"]):
                found.setdefault(number, expiry)
    return found


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
