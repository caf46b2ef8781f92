"""Refused rows as a CSV file that a person corrects, and what is read back from it.

The file holds personal data if the dataset does: it is its owner's to keep and to delete. Only rows that can still come in are taken
back, and either all of a file or nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import ConfigurationError, Refused
from flows.lake.corrections import Correction, Corrections, Place
from flows.steps import Run
from flows.steps.corrections import store_of
from flows.steps.quarantine import OPEN, RefusedRow, Survey, Values, french, survey, values
from flows.steps.spreadsheet import Sheet, was_cut, write

ID, FILE, LINE, WHY, TEXT = "__id", "__fichier", "__ligne", "__pourquoi_ecartee", "__texte"
OWN = (ID, FILE, LINE, WHY)
SHOWN_ONLY = (*OWN, "__motifs", TEXT)
"""What is not read back; `__motifs` is WHY in files that an earlier Socle exported."""
BATCH = 5_000  # rows whose values are in memory
SHOWN = 20  # problems that an error lists


@dataclass
class Corrected:
    """What a corrected file came to. `values` of nobody are in it."""

    dataset: str
    corrected: list[str] = field(default_factory=list)
    """Ids of rows whose correction is kept now."""
    unchanged: int = 0
    """Rows that came back as they were given, or as they were corrected already."""


def export(run: Run, name: str, path: Path, load: str | None = None, rule: str | None = None) -> int:
    """Write the rows that can still come in; how many there are.

    Raises: ConfigurationError if there is a file already; NotFound for a load or a rule that is not there.
    """
    found = survey(run, name)
    rows = sorted(found.open(load, rule), key=lambda row: (row.file, row.row_number))
    columns = _columns(run, name, rows, found)
    write(path, [*OWN, *columns, TEXT], _cells(run, name, rows, found, columns))
    return len(rows)


def correct(run: Run, name: str, path: Path) -> Corrected:
    """Keep what was corrected in the lake; the next load or replay applies it.

    Raises: Refused, naming each row, if one is not known, doubled, or not open any more; ConfigurationError for a file that is not
    of the form that was exported.
    """
    found, sheet = survey(run, name), Sheet(path)
    by_id = {row.id: row for row in found.rows}
    header, problems, seen = list[str](), list[str](), dict[str, int]()
    given = dict[str, tuple[int, dict[str, str]]]()
    for line, cells in sheet.rows():
        if not header:
            header = _header(run, name, cells, path)
            continue
        if len(cells) != len(header):
            problems.append(f"line {line}: {len(cells)} cells in place of {len(header)}")
            continue
        row = dict(zip(header, cells, strict=True))
        key = row[ID].strip()
        if key in seen:
            problems.append(f"line {line}: the row {key} is on line {seen[key]}, too")
        elif (why := _refused(key, by_id.get(key), found)) is not None:
            problems.append(f"line {line}: {why}")
        seen.setdefault(key, line)
        given[key] = (line, row)
    if not header:
        raise ConfigurationError("the file is empty", where=str(path))
    done, new = Corrected(name), dict[str, list[Correction]]()
    if not problems:
        _compare(run, name, given, by_id, found, sheet, done, new, problems)
    if problems:
        more = f" (and {len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
        raise Refused(
            f"nothing of {path.name} was taken: " + "; ".join(problems[:SHOWN]) + more,
            where=str(path),
            hint=f"socle quarantine {run.project.name}/{name} --export exports the rows that are open now",
            french=f"Rien n'a été repris de {path.name} : {len(problems)} ligne(s) à revoir.",
        )
    store = store_of(run, name)
    for sha256, corrections in new.items():
        store.add(sha256, corrections, run.id, run.who)
        done.corrected += [c.id for c in corrections]
    return done


class Earlier:
    """Corrections that were kept before, by row."""

    def __init__(self, store: Corrections) -> None:
        self.store, self.listed = store, store.files()
        self._by_file: dict[str, dict[Place, Correction]] = {}

    def of(self, row: RefusedRow) -> Correction | None:
        if row.sha256 not in self.listed:
            return None
        if row.sha256 not in self._by_file:
            self._by_file[row.sha256] = self.store.of(row.sha256, self.listed[row.sha256])
        return self._by_file[row.sha256].get((row.member, row.number))

    def shown(self, row: RefusedRow, held: Values) -> dict[str, str | None]:
        """The cells of a row as a person sees them: as they were corrected last."""
        before = self.of(row)
        return held.last | before.changes if before else held.last


# ---- export --------------------------------------------------------------------------------------------------------


def _batches(run: Run, name: str, rows: list[RefusedRow], found: Survey) -> Iterator[tuple[RefusedRow, Values]]:
    for part in _parts(rows):
        held = values(run, name, part, found.delta_version or 0)
        for row in part:
            yield row, held[row.id]


def _parts(rows: list[RefusedRow]) -> Iterator[list[RefusedRow]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _columns(run: Run, name: str, rows: list[RefusedRow], found: Survey) -> list[str]:
    """The declared columns, then what else the rows have."""
    earlier = Earlier(store_of(run, name))
    more = dict.fromkeys(c for row, held in _batches(run, name, rows, found) for c in earlier.shown(row, held))
    declared = run.project.datasets[name].columns
    return [*declared, *(c for c in more if c not in declared)]


def _cells(run: Run, name: str, rows: list[RefusedRow], found: Survey, columns: list[str]) -> Iterator[list[str]]:
    earlier, said = Earlier(store_of(run, name)), dict[tuple[str, str], str]()
    for row, held in _batches(run, name, rows, found):
        shown = earlier.shown(row, held)
        for rule in row.rules:
            if (rule, row.tried_by) not in said:
                said[rule, row.tried_by] = french(run, name, rule, [row])
        reasons = dict.fromkeys(said[rule, row.tried_by] for rule in row.rules)
        own = [row.id, row.file, str(row.line or row.row_number), " ; ".join(reasons)]
        yield [*own, *((shown.get(c) or "") for c in columns), held.raw or ""]


# ---- back ----------------------------------------------------------------------------------------------------------


def _header(run: Run, name: str, cells: list[str], path: Path) -> list[str]:
    """Raises: ConfigurationError if columns are missing, doubled or of another form than exported."""
    header = [cell.strip() for cell in cells]
    lacking = [c for c in (ID, *run.project.datasets[name].columns) if c not in header]
    doubled = sorted({c for c in header if header.count(c) > 1})
    if lacking or doubled:
        what = f"lacks the columns {', '.join(lacking)}" if lacking else f"has two columns {doubled[0]}"
        hint = f"socle quarantine {run.project.name}/{name} --export FILE writes it with all of them"
        raise ConfigurationError(f"the file {what}", where=f"{path}, line 1", hint=hint)
    return header


def _refused(key: str, row: RefusedRow | None, found: Survey) -> str | None:
    """Why a row cannot be corrected; None if it can."""
    if row is None:
        return f"{key or 'no id'}: no such row in the quarantine of {found.project}/{found.dataset}"
    if row.state == "let in":
        return f"{key} is in version {row.version} already"
    if row.state not in OPEN:
        after = f" (version {row.version})" if row.version else ""
        return f"{key} is of a load that a later one replaced{after}"
    if row.sha256 is None:
        return f"{key} was refused by an earlier Socle, which did not keep its file's hash: run its load again"
    return None


def _compare(
    run: Run,
    name: str,
    given: dict[str, tuple[int, dict[str, str]]],
    by_id: dict[str, RefusedRow],
    found: Survey,
    sheet: Sheet,
    done: Corrected,
    new: dict[str, list[Correction]],
    problems: list[str],
) -> None:
    """Fill in what was corrected, by raw file."""
    earlier = Earlier(store_of(run, name))
    for row, held in _batches(run, name, [by_id[key] for key in given], found):
        line, cells = given[row.id]
        assert row.sha256 is not None
        before = earlier.of(row)
        changes = _changes(row, held, earlier.shown(row, held), cells, sheet, f"line {line}: {row.id}", problems)
        if not changes:
            done.unchanged += changes is not None
            continue
        correction = Correction(
            id=row.id,
            member=row.member,
            number=row.number,
            is_record=before.is_record if before else row.is_record,
            was=before.was if before else held.was,
            changes=(before.changes if before else {}) | changes,
        )
        new.setdefault(row.sha256, []).append(correction)


def _changes(
    row: RefusedRow, held: Values, shown: dict[str, str | None], cells: dict[str, str], sheet: Sheet, label: str, problems: list[str]
) -> dict[str, str | None] | None:
    """Column -> its new text, for the cells that a person changed; None if it cannot be told."""
    if TEXT in cells and not sheet.is_untouched(held.raw or "", cells[TEXT]) and not was_cut(held.raw or "", cells[TEXT]):
        problems.append(f"{label}: {TEXT} is only shown; correct the columns")
        return None
    changes = dict[str, str | None]()
    for column, after in cells.items():
        if column in SHOWN_ONLY:
            continue
        before = shown.get(column) or ""
        if was_cut(before, after):
            problems.append(f"{label}: {column} has {len(before)} characters, and the spreadsheet cut it")
            return None
        if not sheet.is_untouched(before, after):
            changes[column] = after or None
    if changes and row.is_record and not shown:  # nothing was known of its columns: what is given is the whole row
        return {column: cells[column] or None for column in cells if column not in SHOWN_ONLY}
    return changes
