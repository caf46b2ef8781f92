"""What was found, as plain data: it holds no value but masked ones, so that it may be written and shown anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from flows.privacy.kinds import KINDS, Certainty


@dataclass(frozen=True)
class ColumnFinding:
    """One kind of personal data in one column."""

    column: str
    kind: str
    certainty: Certainty
    rows: int
    """That hold it; an estimate unless `exact`."""
    certain_rows: int
    share: float
    """Of the column's values, 0 to 1."""
    exact: bool
    why: str
    """In French."""
    examples: tuple[str, ...] = ()
    """Masked."""
    excused: str = ""
    """Why the project says that it is not personal (`not_personal` in project.yaml)."""

    @property
    def french(self) -> str:
        about = "" if self.exact else "environ "
        sure = "" if self.certainty == "certain" else " (à vérifier)"
        more = f" ; déclaré non personnel : {self.excused}" if self.excused else ""
        plural = "s" if self.rows > 1 else ""
        return f"« {self.column} » : {KINDS[self.kind].french}{sure}, {about}{self.rows} ligne{plural}, {self.why}{more}"


@dataclass(frozen=True)
class PrivacyReport:
    rows: int
    columns: tuple[ColumnFinding, ...] = ()
    """The surest first, then by how often."""
    sampled_rows: int = 0
    """In which names, addresses and the model were looked for."""
    checked: dict[str, int] = field(default_factory=dict)
    """Column -> how many of its suspicious values were verified one by one, where that is not all of them."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Column -> why it was not looked at."""
    cut: dict[str, int] = field(default_factory=dict)
    """Column -> values so long that only their beginning was read for names and addresses."""
    model: str = ""
    model_rows: int = 0

    @property
    def certain(self) -> list[ColumnFinding]:
        """What a dataset without personal data cannot hold."""
        return [c for c in self.columns if c.certainty == "certain" and not c.excused]

    @property
    def possible(self) -> list[ColumnFinding]:
        return [c for c in self.columns if c.certainty == "possible" and not c.excused]

    @property
    def kinds(self) -> dict[str, list[str]]:
        """Column -> kinds, for masker()."""
        found: dict[str, list[str]] = {}
        for one in self.columns:
            found.setdefault(one.column, []).append(one.kind)
        return found

    def notes(self) -> list[str]:
        """What was not looked at, in French: nothing is left out in silence."""
        lines = []
        if self.sampled_rows < self.rows:
            lines.append(f"Noms et adresses : cherchés dans {self.sampled_rows} lignes sur {self.rows}, réparties sur tout le fichier.")
        for column, count in self.checked.items():
            lines.append(f"« {column} » : {count} valeurs suspectes vérifiées une à une, les autres comptées par extrapolation.")
        for column, count in self.cut.items():
            lines.append(f"« {column} » : {count} textes longs, lus en partie seulement pour les noms et les adresses.")
        lines += [f"« {column} » : non examinée, {why}." for column, why in self.skipped.items()]
        if self.model:
            lines.append(f"Modèle {self.model} : appliqué à {self.model_rows} lignes.")
        return lines

    def excuse(self, reasons: Mapping[str, tuple[Sequence[str], str]]) -> PrivacyReport:
        """With what the project declares: column -> (kinds, or none for all of them; reason)."""
        columns = []
        for one in self.columns:
            kinds, reason = reasons.get(one.column, ((), ""))
            columns.append(replace(one, excused=reason) if reason and (not kinds or one.kind in kinds) else one)
        return replace(self, columns=tuple(columns))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> PrivacyReport:
        columns = tuple(ColumnFinding(**c | {"examples": tuple(c.get("examples", ()))}) for c in plain["columns"])
        return cls(**plain | {"columns": columns})
