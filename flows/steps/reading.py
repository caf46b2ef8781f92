"""How the files of a dataset are read: as its first accepted load read them, so that a later file is never silently read in another way.

What project.yaml declares comes first, then what the served version was read with, then what the first file shows. What was found
travels in the commit (`LoadRecord.reading`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from flows import contract, formats
from flows.errors import Refused
from flows.findings import Finding
from flows.project import Dataset, Format
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl

FORMAT: TypeAdapter[Format] = TypeAdapter(Format)


@dataclass
class Reading:
    """Of one load. `kept`: the reading of the version that is served."""

    name: str
    declared: Dataset
    settings: Settings
    kept: dict[str, Any]
    how: Format | None = None
    conventions: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    marks: set[Any] = field(default_factory=set)
    """Of files that were found to be read as they should (formats.mark)."""
    familiar: bool = False
    """The last sample's values are all written as those before them."""
    _looked: bool = False
    """The values of a file of this load were looked at closely."""

    def __post_init__(self) -> None:
        if self.kept.get("format"):
            self.how = _overlaid(self.kept["format"], self.declared.format)
        known = self.kept.get("columns", {})
        self.conventions = {name: known[name] for name in self.declared.columns if name in known}

    def as_dict(self) -> dict[str, Any]:
        """For the commit."""
        return {"format": self.how.model_dump(exclude_none=True) if self.how else {}, "columns": self.conventions}

    def format_of(self, path: Path, name: str) -> Format:
        """How to read this file. Raises: Refused if that is not as the files before it were read."""
        if self.how is None:
            decision = formats.decide(path, name, self.declared.format, self.settings)
            self.findings += [f for f in decision.findings if f not in self.findings]
            self.how = decision.format
            return self.how
        mark = formats.mark(path, self.how, self.settings)
        if mark is not None and mark in self.marks:
            return self.how
        if why := formats.incompatible(path, name, self.how, self.settings):
            raise self._refused(name, why, "l'encodage, le séparateur, l'en-tête ou la structure ne sont plus les mêmes", "format")
        found = formats.decide(path, name, self.how, self.settings).findings  # nothing is left to find but what is to be said of it
        self.findings += [f for f in found if f not in self.findings]
        self.marks |= {mark} - {None}
        return self.how

    def conventions_of(self, sample: pl.DataFrame, name: str) -> dict[str, Any]:
        """Decimal commas, orders of dates ... of the columns, by the first rows of a file: as the files before it show, and what those
        did not.

        Raises: Refused for a file whose values can only be read otherwise.
        """
        if name not in self._seen:
            self._seen.add(name)
            self.familiar = self._looked and contract.familiar(self.declared, self.conventions, sample)
            if self.familiar:
                return self.conventions
            self._looked = True
            if why := contract.conflicts(self.declared, self.conventions, sample):
                raise self._refused(name, why.text, why.french, "columns")
            found, _, findings = contract.find_conventions(self.declared, sample)
            self.conventions = contract.merged(self.conventions, found)
            self.findings += [f for f in findings if f not in self.findings]
        return self.conventions

    def strangers(self, rows: pl.DataFrame) -> pl.Series:
        """Which rows are written in a way that has to be looked at closely; `know` the files of the others."""
        import polars as pl

        return contract.strangers(self.declared, self.conventions, rows) if self._looked else pl.repeat(True, rows.height, eager=True)

    def know(self, names: Iterable[str]) -> None:
        """These files have no stranger."""
        self._seen |= set(names)
        self.familiar = True

    def _refused(self, name: str, why: str, pourquoi: str, part: str) -> Refused:
        return Refused(
            f"{name} is not read as the files before it: {why}",
            where=f"datasets.{self.name}, and the served version's own reading (socle explain)",
            hint=f"if the file is right, declare how it is read under datasets.{self.name}.{part}",
            french=f"Le fichier {name} ne se lit pas comme les précédents : {pourquoi}",
        )


def _overlaid(kept: dict[str, Any], declared: Format | None) -> Format | None:
    """The kept reading with what is declared now. None if another type of format is declared: nothing of it holds then."""
    if declared is None:
        return FORMAT.validate_python(kept)
    if declared.type != kept.get("type"):
        return None
    return FORMAT.validate_python(kept | declared.model_dump(exclude_none=True))
