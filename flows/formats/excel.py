"""Workbooks: the table of one sheet as frames of text. What becomes of cells: sheets/values.py; where the table is: sheets/tables.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError, Refused, SourceRefused
from flows.findings import Finding
from flows.formats.base import BadRow, Decision
from flows.formats.csv.header import named
from flows.formats.recognise import other_than
from flows.formats.sheets import open_workbook
from flows.formats.sheets.base import Merge, Row, Sheet, Workbook
from flows.formats.sheets.tables import HEAD_ROWS, Place, Seen, column_name, locate, look, parts_of, second_table
from flows.project.formats import ExcelFormat
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl

BATCH_CELLS = 2_000_000
BATCH_CHARS = 64_000_000
"""Of one frame: a cell may refer to a text that is long, and a million cells to the same."""
NAMELESS = 0.5
"""Part of the first rows that have a value right of the header, from which on it is a column, not a remark."""


def decide(path: Path, name: str, declared: ExcelFormat | None, settings: Settings) -> Decision:
    declared = declared or ExcelFormat(type="excel")
    with closing(open_workbook(path, name, settings)) as book:
        sheet, seen, place, reasons, findings = _choose(book, name, declared)
        merges = book.merges(sheet)
        how = declared.model_copy(
            update={
                "sheet": sheet.name,
                "skip_rows": place.skip_rows,
                "header_rows": place.header_rows,
                "footer_rows": place.footer_rows,
            }
        )
        columns = _columns(seen.head, merges, how)
    reasons |= {"type": f"its content is that of a workbook ({book.kind})", "skip_rows": place.why_header}
    reasons["header_rows"] = "it is declared" if declared.header_rows is not None else _why_header_rows(place)
    findings += _findings(seen, sheet, place, columns, merges)
    return Decision(how, {k: v for k, v in reasons.items() if v}, findings)


def incompatible(path: Path, name: str, kept: ExcelFormat, settings: Settings) -> str | None:
    if sentence := other_than(path, name, "excel"):
        return sentence
    with closing(open_workbook(path, name, settings)) as book:
        sheet = next((s for s in book.sheets if s.name == kept.sheet), None)
        if sheet is None:
            return f"{name} has no sheet {kept.sheet!r}: it has {_list(s.name for s in book.sheets)}"
        if not kept.footer_rows:
            return None
        seen = look(book.rows(sheet))
        records = [r.filled for r in seen.head if r.number >= (kept.skip_rows or 0) + (kept.header_rows or 0)]
        found = locate(seen, book.merges(sheet), kept.skip_rows, kept.header_rows, None)
        last = [r for r in seen.tail if r.number > seen.last - (kept.footer_rows or 0)]
        if found.footer_rows < kept.footer_rows and records and any(r.filled * 2 > max(records) for r in last):
            return f"the last {kept.footer_rows} rows of {name} were notes or totals in earlier files, and look like records in this one"
    return None


def read(path: Path, name: str, how: ExcelFormat, settings: Settings) -> Iterator[pl.DataFrame | BadRow]:
    with closing(open_workbook(path, name, settings)) as book:
        sheet = _declared_sheet(book, name, how.sheet)
        rows = book.rows(sheet)
        head = list(islice(rows, HEAD_ROWS))
        columns = _columns(head, book.merges(sheet), how)
        if columns.positions:
            yield from _frames(_records(head, rows, how), columns, settings, name)


# ---- which sheet ----------------------------------------------------------------------------------------------------


def _choose(book: Workbook, name: str, declared: ExcelFormat) -> tuple[Sheet, Seen, Place, dict[str, str], list[Finding]]:
    """The declared sheet, or the one with the largest table among those that are shown."""
    if declared.sheet is not None:
        sheet = _declared_sheet(book, name, declared.sheet)
        seen, place = _look(book, sheet, declared)
        return sheet, seen, place, {"sheet": "it is declared"}, []
    looked = [(sheet, *_look(book, sheet, declared)) for sheet in book.sheets]
    filled = [x for x in looked if x[1].rows]
    if not filled:
        raise Refused(
            f"{name} has nothing in any of its sheets ({_list(s.name for s in book.sheets)})",
            where=str(getattr(book, "path", name)),
            french=f"Le classeur {name} est vide.",
        )
    shown = [x for x in filled if not x[0].hidden] or filled
    best = max(shown, key=lambda x: (_size(x[1], x[2]), -book.sheets.index(x[0])))
    rivals = [x for x in shown if x is not best and _size(x[1], x[2]) >= 0.2 * _size(best[1], best[2]) and x[2].records]
    if len(book.sheets) == 1:
        why = "it is the only sheet"
    else:
        why = f"it has the largest table: {best[2].records} records; the others: " + _list(
            f"{x[0].name} ({x[2].records})" for x in looked if x is not best
        )
    findings = []
    if rivals:
        others = _list(f"{x[0].name!r} ({x[2].records} records)" for x in rivals)
        findings.append(
            Finding(
                "ambiguous",
                f"the sheet {best[0].name!r} ({best[2].records} records) is read, but others look like tables, too: {others}; "
                "declare format.sheet",
                f"La feuille « {best[0].name} » est lue ({best[2].records} lignes), mais d'autres contiennent aussi un tableau : "
                + ", ".join(f"« {x[0].name} » ({x[2].records} lignes)" for x in rivals),
            )
        )
    hidden = [x for x in filled if x[0].hidden and x is not best]
    if hidden:
        findings.append(
            Finding(
                "note",
                f"hidden sheets are not read unless format.sheet names one: {_list(repr(x[0].name) for x in hidden)}",
                f"Les feuilles masquées ne sont pas lues : {', '.join(f'« {x[0].name} »' for x in hidden)}",
            )
        )
    return *best, {"sheet": why}, findings


def _size(seen: Seen, place: Place) -> int:
    """Cells of the table: as many records, as wide as most of them are."""
    fills = sorted(r.filled for r in seen.head if r.number >= place.skip_rows + place.header_rows)
    return place.records * fills[len(fills) // 2] if fills else 0


def _look(book: Workbook, sheet: Sheet, declared: ExcelFormat) -> tuple[Seen, Place]:
    seen = look(book.rows(sheet))
    return seen, locate(seen, book.merges(sheet), declared.skip_rows, declared.header_rows, declared.footer_rows)


def _declared_sheet(book: Workbook, name: str, wanted: str | None) -> Sheet:
    sheet = next((s for s in book.sheets if s.name == wanted), None)
    if sheet is None:
        names = _list(repr(s.name) for s in book.sheets)
        raise ConfigurationError(
            f"{name} has no sheet {wanted!r}",
            where="format.sheet",
            hint=f"its sheets: {names}",
            french=f"Le classeur {name} n'a pas de feuille « {wanted} » ; il a : {names}.",
        )
    return sheet


def _list(names: Any, most: int = 8) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# ---- its columns ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Columns:
    positions: list[int]
    """In the sheet, from 0."""
    names: list[str]
    unnamed: list[str]
    doubled: dict[str, list[str]]


def _columns(head: list[Row], merges: list[Merge], how: ExcelFormat) -> _Columns:
    """Those that have a name, and those without one that are filled in the first rows."""
    start, header_rows = how.skip_rows or 0, how.header_rows if how.header_rows is not None else 1
    lines = parts_of(head, merges, start, header_rows)
    width = max((len(line) for line in lines), default=0)
    titles = [" / ".join(dict.fromkeys(line[i] for line in lines if i < len(line) and line[i])) for i in range(width)]
    records = [r for r in head if r.number >= start + header_rows]
    filled: dict[int, int] = {}
    for row in records:
        for column, cell in enumerate(row.cells):
            if cell is not None:
                filled[column] = filled.get(column, 0) + 1
    last = max((i for i, t in enumerate(titles) if t), default=-1)
    positions = [
        i
        for i in range(max(len(titles), *(c + 1 for c in filled), 1) if filled else len(titles))
        if (i < len(titles) and titles[i]) or (i in filled and (i < last or not header_rows or filled[i] >= NAMELESS * len(records)))
    ]
    if how.names:
        if len(how.names) > len(positions):
            positions = list(range(positions[0] if positions else 0, (positions[0] if positions else 0) + len(how.names)))
        return _Columns(positions[: len(how.names)], list(how.names), [], {})
    layout = named([titles[i] if i < len(titles) else "" for i in positions], 0) if positions else None
    return _Columns(positions, layout.names if layout else [], layout.unnamed if layout else [], layout.doubled if layout else {})


# ---- its records ----------------------------------------------------------------------------------------------------


def _records(head: list[Row], rest: Iterator[Row], how: ExcelFormat) -> Iterator[Row]:
    """Rows below the header, without the footer: it is known which are only when the last row has come."""
    start, footer = (how.skip_rows or 0) + (how.header_rows or 0), how.footer_rows or 0
    waiting = deque[Row]()
    for rows in (head, rest):
        for row in rows:
            if row.number < start:
                continue
            waiting.append(row)
            while row.number - waiting[0].number >= footer and (footer or len(waiting) > 1):
                yield waiting.popleft()
    last = waiting[-1].number if waiting else 0
    yield from (row for row in waiting if row.number <= last - footer)


def _frames(rows: Iterator[Row], columns: _Columns, settings: Settings, name: str) -> Iterator[pl.DataFrame | BadRow]:
    import polars as pl

    positions, width = columns.positions, columns.positions[-1] + 1
    outside = sorted(set(range(width)) - set(positions))
    size = max(1, min(settings.batch_rows, BATCH_CELLS // len(positions)))
    lists: list[list[str | None]] = [[] for _ in positions]
    chars, numbers, schema = 0, list[int](), dict.fromkeys(columns.names, pl.String)

    def frame() -> pl.DataFrame:
        try:
            made = pl.DataFrame(dict(zip(columns.names, lists, strict=True)), schema=schema)
        except UnicodeEncodeError:
            raise SourceRefused(f"{name} holds half a character (a lone surrogate) in rows {numbers[0]} to {numbers[-1]}") from None
        return made.with_columns(pl.Series("__row", numbers, dtype=pl.Int64))

    for number, row in enumerate(rows, 1):
        cells = row.cells
        length = sum(map(len, filter(None, cells)))
        if length > BATCH_CHARS:
            raise SourceRefused(f"{name}: row {row.number + 1} of its sheet holds more than {BATCH_CHARS / 1e6:.0f} million characters")
        if len(cells) > width or (outside and any(cells[i] is not None for i in outside if i < len(cells))):
            beyond = [i for i, c in enumerate(cells) if c is not None and (i >= width or i in outside)]
            if beyond:
                raw = "\t".join(c or "" for c in cells)
                yield BadRow(f"excel:cells:a value in column {column_name(beyond[0])}, which has no name", number, raw, row.number + 1)
                continue
        chars += length
        numbers.append(number)
        count = len(cells)
        for target, position in zip(lists, positions, strict=True):
            target.append(cells[position] if position < count else None)
        if len(numbers) >= size or chars >= BATCH_CHARS:
            yield frame()
            chars, numbers, lists = 0, [], [[] for _ in positions]
    if numbers:
        yield frame()


# ---- what to say of it ----------------------------------------------------------------------------------------------


def _why_header_rows(place: Place) -> str:
    if place.header_rows == 0:
        return "the first row has numbers where the rows below have numbers"
    return "merged cells join these rows" if place.header_rows > 1 else "the row below it is a record"


def _findings(seen: Seen, sheet: Sheet, place: Place, columns: _Columns, merges: list[Merge]) -> list[Finding]:
    found = list[Finding]()

    def note(text: str, french: str, kind: Any = "note") -> None:
        found.append(Finding(kind, text, french))

    if place.total:
        note(
            f"the row {place.total!r} at the end is taken for a total, not a record; declare format.footer_rows: 0 if it is one",
            f"La ligne « {place.total} » à la fin est prise pour un total et n'est pas chargée",
            "ambiguous",
        )
    if other := second_table([r for r in seen.head if r.number >= place.skip_rows + place.header_rows]):
        note(
            f"another table seems to begin at row {other} of the sheet; its rows are read as records of this one",
            f"Un autre tableau semble commencer à la ligne {other} de la feuille ; ses lignes sont lues comme des données de celui-ci",
            "ambiguous",
        )
    if seen.errors:
        what = ", ".join(f"{text} ({count})" for text, count in seen.errors.most_common(5))
        note(
            f"cells hold errors, which are kept as they are shown: {what}",
            f"Des cellules contiennent des erreurs, gardées telles quelles : {what}",
        )
    if seen.formulas:
        note(
            f"{seen.formulas} cells hold formulas that the program which wrote the file did not compute; they are read as “=…”",
            f"{seen.formulas} cellules contiennent une formule jamais calculée : enregistrez le classeur avec Excel ou LibreOffice",
        )
    if seen.hidden:
        note(f"{seen.hidden} rows are hidden in the sheet; they are read, too", f"{seen.hidden} lignes masquées sont lues aussi")
    if sheet.hidden:
        note(f"the sheet {sheet.name!r} is hidden", f"La feuille « {sheet.name} » est masquée")
    body = [m for m in merges if m[0] >= place.skip_rows + place.header_rows and m[0] <= seen.last - place.footer_rows]
    if body:
        note(
            f"{len(body)} groups of cells are merged among the records: only the first cell of each has a value",
            f"{len(body)} groupes de cellules fusionnées dans les données : seule la première cellule de chacun a une valeur",
            "ambiguous",
        )
    if columns.unnamed:
        names = ", ".join(columns.unnamed[:8])
        note(f"columns without a name are called {names}", f"Des colonnes sans nom sont appelées {names}")
    for name, others in columns.doubled.items():
        note(
            f"several columns are named {name!r}: the others are called {', '.join(others)}",
            f"Plusieurs colonnes s'appellent « {name} » : {', '.join(others)}",
        )
    return found
