"""People's corrections, laid over the rows of a file while it is read.

overlay = corrections.overlay(run, name)              (once a load)
of_file = overlay.of(file, member.name)               (None for nearly every file)
batch = of_file.take_out(batch)                       (FILE, ROW and the file's own columns)
of_file.takes(bad_row)                                (True: it is corrected, and no refused row any more)
corrected = of_file.rows()                            (at the end: the corrected rows, as text, to be conformed like any other)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flows import contract
from flows.contract import FILE, ROW
from flows.formats import BadRow
from flows.lake.corrections import Correction, Corrections
from flows.lake.raw import RawFile
from flows.project import Dataset
from flows.steps import Run
from flows.steps.identity import canonical
from flows.steps.quarantine import renamed

if TYPE_CHECKING:
    import polars as pl

PART = "corrections"  # of an ingest fingerprint


class FileCorrections:
    """Those of one file. A correction is laid over a row only if the row is still what was corrected."""

    def __init__(self, corrections: Iterable[Correction], declared: Dataset, name: str) -> None:
        self.waiting, self.declared, self.name = {c.number: c for c in corrections}, declared, name
        self._rows: list[dict[str, Any]] = []

    def take_out(self, batch: pl.DataFrame) -> pl.DataFrame:
        """The batch without the rows that are corrected."""
        import polars as pl

        numbers = [number for number, one in self.waiting.items() if not one.is_record]
        here = batch.filter(pl.col(ROW).is_in(numbers)) if numbers else batch.clear()
        taken = []
        for row in here.to_dicts():
            correction = self.waiting[row[ROW]]
            cells = renamed({c: contract.as_text(v) for c, v in row.items() if not c.startswith("__")}, self.declared)
            if same_row(correction.was, cells, self.declared):
                taken.append(row[ROW])
                self._take(correction, cells | correction.changes)
        return batch.filter(~pl.col(ROW).is_in(taken)) if taken else batch

    def takes(self, bad: BadRow) -> bool:
        correction = self.waiting.get(place_number(bad.row_number, True, self.declared))
        if correction is None or not correction.is_record or correction.was.get("raw") != bad.raw:
            return False
        self._take(correction, dict(correction.changes))
        return True

    def rows(self) -> pl.DataFrame | None:
        """FILE, ROW, and the columns as text, in the order of the file; None if nothing was corrected."""
        import polars as pl

        if not self._rows:
            return None
        self._rows.sort(key=lambda row: int(row[ROW]))
        names = list(dict.fromkeys(name for row in self._rows for name in row if name not in (FILE, ROW)))
        columns: dict[str, Any] = {FILE: pl.String(), ROW: pl.Int64()} | dict.fromkeys(names, pl.String())
        return pl.DataFrame({n: [row.get(n) for row in self._rows] for n in columns}, schema=columns)

    def _take(self, correction: Correction, cells: dict[str, str | None]) -> None:
        del self.waiting[correction.number]
        self._rows.append({FILE: self.name, ROW: correction.number} | cells)


class Overlay:
    """The corrections of a dataset, by file."""

    def __init__(self, store: Corrections, declared: Dataset) -> None:
        self.store, self.declared = store, declared
        self.files = store.files()

    def of(self, file: RawFile, name: str) -> FileCorrections | None:
        """Those of a raw file, or of one file in it: `name` is what its rows have as FILE."""
        if file.sha256 not in self.files:
            return None
        member = name.removeprefix(file.name)
        found = [c for c in self.store.of(file.sha256, self.files[file.sha256]).values() if c.member == member]
        return FileCorrections(found, self.declared, name) if found else None


def place_number(row_number: int, is_record: bool, declared: Dataset) -> int:
    """Rows that a transform makes have numbers of their own: records that are no rows are counted apart from them."""
    return -row_number if is_record and declared.transform else row_number


def store_of(run: Run, name: str) -> Corrections:
    return Corrections(run.lake.bucket(run.project.name), name)


def overlay(run: Run, name: str) -> Overlay:
    return Overlay(store_of(run, name), run.project.datasets[name])


def fingerprint_part(run: Run, name: str, files: Iterable[RawFile]) -> dict[str, str]:
    """Part of the ingest fingerprint of these files; nothing when nobody corrected any of their rows."""
    version = store_of(run, name).version({file.sha256 for file in files})
    return {PART: version} if version else {}


def same_row(was: dict[str, str | None], now: dict[str, str | None], declared: Dataset) -> bool:
    """Whether a row is the one that was refused: as the contract reads both, in the columns that both have. A row that the checks
    refused is remembered as it was after the contract, one that the contract refused as it was before."""
    columns = [c for c in was if c in now and c in declared.columns] or [c for c in was if c in now]
    if not columns:
        return not was and not now
    if all(was[c] == now[c] for c in columns):
        return True
    return _canonical(was, columns, declared) == _canonical(now, columns, declared)


def _canonical(row: dict[str, str | None], columns: list[str], declared: Dataset) -> list[str | None]:
    import polars as pl

    frame = pl.DataFrame({c: [row[c]] for c in columns}, schema=dict.fromkeys(columns, pl.String))
    found = frame.select(canonical(c, pl.String(), declared) for c in columns).row(0)
    return [value or None for value in found]
