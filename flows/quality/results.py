"""What checks found, as plain data: written to the lake as JSON, shown in data docs, artifacts and terminals."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
Verdict = Literal["passed", "warned", "quarantined", "refused", "unchanged"]
"""unchanged: other bytes, the same rows as those of the served version: there is no new one."""

DECLARED_WITHOUT = "Données personnelles dans un jeu déclaré sans : "
"""Begins the sentences of `CheckReport.personal_data`."""


@dataclass(frozen=True)
class CheckResult:
    """One expectation on one set of rows."""

    suite: str
    type: str
    arguments: dict[str, Any]
    severity: Severity
    level: Literal["row", "table"]
    success: bool
    description: str = ""
    """The suite's own sentence."""
    sentence: str = ""
    """Of an expectation class of our own (quality/sentences.py)."""
    observed: Any = None
    checked_rows: int | None = None
    unexpected: int | None = None
    """Number of rows that do not meet it; of expectations of the whole table, of values."""
    refused: int = 0
    """Rows of the load that it took out (`on_failure: quarantine`): they are not among those that were checked last."""
    refused_of: int | None = None
    """Rows that were checked first, of which it took those out: other rules took out rows as well."""
    examples: list[str] = field(default_factory=list)
    """A few unexpected values, masked (steps/shown.py)."""
    error: str = ""
    """Why it could not be evaluated; it then counts as failed."""
    mark: str = ""
    """Tells it from others of its type on the same columns; empty if there is no other."""

    @property
    def columns(self) -> list[str]:
        """That it is about; none for expectations of the whole table."""
        single = [self.arguments[a] for a in ("column", "column_A", "column_B") if self.arguments.get(a)]
        return single + list(self.arguments.get("column_list") or [])

    @property
    def rule(self) -> str:
        """Its name among the rules that refuse rows: type, columns, and a mark where the suites ask the same of them twice."""
        name = f"{self.type}:{','.join(self.columns)}" if self.columns else self.type
        return f"{name}#{self.mark}" if self.mark else name

    @property
    def judged_rows(self) -> int | None:
        """Of which `unexpected` and `refused` are."""
        return self.refused_of or (self.checked_rows or 0) + self.refused or None

    @property
    def took_out(self) -> bool:
        """Rows, and those that are left meet it, which is no news."""
        return bool(self.refused) and self.success

    @property
    def text(self) -> str:
        return self.description or self.rule


@dataclass
class CheckReport:
    """Everything that was checked for one load, and what was decided."""

    project: str
    dataset: str
    load_id: str
    check: str
    """Check fingerprint."""
    verdict: Verdict
    on_failure: str
    results: list[CheckResult]
    rows: dict[str, int]
    """read, kept, refused, total."""
    refused_by_rule: dict[str, int]
    reasons: list[str]
    """Why the load was refused or flagged, one sentence each."""
    at: str = ""
    run: str = ""
    version: int | None = None
    """Set when a published version was checked again; for a load, its commit says which version it became."""
    findings: list[str] = field(default_factory=list)
    """What a person should know of how the files were read, and of personal data that is possible or excused, in French."""
    personal_data: list[str] = field(default_factory=list)
    """Personal data in a dataset that is declared without, in French: one sentence a column and kind. The load is refused then."""

    @property
    def passed(self) -> int:
        return sum(r.success for r in self.results)

    @property
    def failed(self) -> list[CheckResult]:
        return [r for r in self.results if not r.success]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, default=str).encode()

    @classmethod
    def from_json(cls, data: bytes) -> CheckReport:
        plain = json.loads(data)
        return cls(**plain | {"results": [CheckResult(**r) for r in plain["results"]]})
