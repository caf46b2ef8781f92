"""Where the table is in a sheet: titles above it, the lines of its header, notes and totals below it.

One pass over the sheet keeps its first and last rows and counts the rest.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median_high

from flows.formats.sheets.base import Merge, Row
from flows.formats.sheets.values import DATE, ERROR, FORMULA, NUMBER, TEXT, column_letters

HEAD_ROWS, TAIL_ROWS = 300, 60
MAX_HEADER_ROWS = 10
NOTE = re.compile(
    r"\s*(?:sources?\b|notes?\b|lecture\b|champ\b|remarques?\b|\*|\(\d+\)|©|nb\b|mise à jour|extraction|données)", re.IGNORECASE
)
TOTAL = re.compile(r"\s*(?:grand )?(?:totaux|total|ensemble|sous-total)\b", re.IGNORECASE)
YEARS = range(1900, 2101)


@dataclass
class Seen:
    """What one pass over a sheet has seen."""

    head: list[Row] = field(default_factory=list)
    tail: deque[Row] = field(default_factory=lambda: deque(maxlen=TAIL_ROWS))
    rows: int = 0
    cells: int = 0
    hidden: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Text of the error -> cells."""
    formulas: int = 0
    """Cells whose value was never computed."""
    codes: Counter[int] = field(default_factory=Counter)

    @property
    def last(self) -> int:
        return self.tail[-1].number if self.tail else -1


def look(rows: Iterable[Row]) -> Seen:
    seen = Seen()
    for row in rows:
        if len(seen.head) < HEAD_ROWS:
            seen.head.append(row)
        seen.tail.append(row)
        seen.rows += 1
        seen.cells += row.filled
        seen.hidden += row.hidden
        if ERROR in row.kinds:
            seen.errors.update(c for c, k in zip(row.cells, row.kinds, strict=True) if k == ERROR and c)
        seen.formulas += row.kinds.count(FORMULA)
    return seen


@dataclass(frozen=True)
class Place:
    """Of the table in its sheet. Rows of the sheet are counted, empty ones too."""

    skip_rows: int
    header_rows: int
    footer_rows: int
    records: int
    total: str = ""
    """The text that makes the first row of the footer a total."""
    why_header: str = ""


def spread(rows: list[Row], merges: Iterable[Merge]) -> list[Row]:
    """Merged cells filled: each of them has what the first of them shows. For headers, in records only the first has it."""
    by_number = {row.number: row for row in rows}
    for top, left, bottom, right in merges:
        source = by_number.get(top)
        if source is None or left >= len(source.cells) or source.cells[left] is None or right - left > 2000:
            continue
        for number in range(top, min(bottom, top + MAX_HEADER_ROWS) + 1):
            row = by_number.get(number) or Row(number, [], [])
            cells, kinds = [*row.cells], [*row.kinds]
            cells += [None] * (right + 1 - len(cells))
            kinds += [" "] * (right + 1 - len(kinds))
            for column in range(left, right + 1):
                if cells[column] is None:
                    cells[column], kinds[column] = source.cells[left], source.kinds[left]
            by_number[number] = row._replace(cells=cells, kinds=kinds)
    return [by_number[n] for n in sorted(by_number)]


def locate(seen: Seen, merges: list[Merge], skip_rows: int | None, header_rows: int | None, footer_rows: int | None) -> Place:
    """The table of a sheet; what is declared stays."""
    first = seen.head[0].number if seen.head else 0
    known = [r for r in spread(seen.head, merges) if r.number >= (skip_rows or 0)]
    own = {r.number: r.filled for r in seen.head}
    start, why = (skip_rows, "it is declared") if skip_rows is not None else _start(known, own)
    if start is None:
        start, why = first, "nothing tells it from the records"
    body_from = next((i for i, r in enumerate(known) if r.number >= start), len(known))
    if header_rows is None:
        header_rows = _header_rows(known[body_from:], merges)
    records = [r for r in seen.head if r.number >= start + header_rows]
    footer, total = _footer(seen, records, start + header_rows) if footer_rows is None else (footer_rows, "")
    left = seen.rows - sum(r.number < start + header_rows for r in seen.head) - sum(r.number > seen.last - footer for r in seen.tail)
    return Place(start, header_rows, footer, max(0, left), total, why)


def _start(rows: list[Row], own: dict[int, int]) -> tuple[int | None, str]:
    """The first line of the header: the first row about as full as the table is wide, with more than one thing in it.

    `rows` have their merged cells filled; `own`: how many cells they have themselves.
    """
    if not rows:
        return None, ""
    fills = sorted(r.filled for r in rows)
    typical = median_high(fills[len(fills) // 2 :])
    if typical <= 1 and len(rows) > 2 and rows[1].number > rows[0].number + 1:
        return rows[1].number, f"row {rows[0].number + 1} is a title, with an empty row below it"
    if typical <= 1:
        return rows[0].number, "the sheet has one column, and its first row is the header"
    for i, row in enumerate(rows):
        values = [c for c in row.cells if c is not None]
        below = rows[i + 1 :]
        if row.filled < max(2, 0.6 * typical) or len(set(values)) < min(2, len(values)):
            continue
        if own.get(row.number, 0) <= 2 < typical and below and below[0].number > row.number + 1:
            continue  # titles, spread over merged cells
        if below and _words(row) < _words(below[0]) and below[0].filled >= row.filled and _is_text(below[0]) and not _is_text(row):
            continue  # a line of numbers or dates above the header
        return row.number, f"row {row.number + 1} is the first one that is as full as the table is wide"
    best = max(rows, key=lambda r: r.filled)
    return best.number, f"row {best.number + 1} is the fullest"


def _header_rows(rows: list[Row], merges: list[Merge]) -> int:
    """0 if the first row is like those below it."""
    if not rows:
        return 1
    if _is_record(rows[0], rows[1:50]):
        return 0
    start = end = rows[0].number
    by_number = {r.number: r for r in rows}
    while end - start + 1 < MAX_HEADER_ROWS:
        below = max((m[2] for m in merges if start <= m[0] <= end and m[2] > end and m[2] - m[0] < MAX_HEADER_ROWS), default=end)
        grouped = any(start <= m[0] <= m[2] == end and m[3] > m[1] for m in merges)
        following = by_number.get(end + 1)
        if below > end:
            end = below
        elif grouped and following is not None and _is_text(following) and following.filled > 1 and end + 2 in by_number:
            end += 1
        else:
            break
    return min(end - start + 1, MAX_HEADER_ROWS)


def _is_record(row: Row, below: list[Row]) -> bool:
    """Most columns of numbers and dates have one in this row, too. Years are names of columns, unless the column is of years."""
    like = of_values = 0
    for column, kind in enumerate(row.kinds):
        kinds = [r.kinds[column] for r in below if column < len(r.kinds) and r.cells[column] is not None]
        if len(kinds) < max(1, len(below) * 0.3) or sum(k in (NUMBER, DATE) for k in kinds) < 0.8 * len(kinds):
            continue
        of_values += 1
        values = [r.cells[column] for r in below if column < len(r.cells) and r.cells[column] is not None]
        like += kind in (NUMBER, DATE) and not (_is_year(row.cells[column]) and not all(map(_is_year, values)))
    return of_values > 0 and like * 2 > of_values


def _is_year(text: str | None) -> bool:
    return bool(text) and str(text).isdigit() and len(str(text)) == 4 and int(str(text)) in YEARS


def _words(row: Row) -> int:
    return row.kinds.count(TEXT)


def _is_text(row: Row) -> bool:
    return row.filled > 0 and all(k in (TEXT, " ") or _is_year(c) for c, k in zip(row.cells, row.kinds, strict=True))


def _footer(seen: Seen, records: list[Row], body_from: int) -> tuple[int, str]:
    """(rows after the last record, the text that says total)"""
    tail = [r for r in seen.tail if r.number >= body_from]
    typical = median_high([r.filled for r in records] or [0])
    if typical < 2 or len(tail) < 2:
        return 0, ""
    total, at = "", len(tail)
    while at > 1:
        row, before = tail[at - 1], tail[at - 2]
        first = next((c for c in row.cells if c is not None), "")
        gap = row.number - before.number > 1
        sparse = row.filled <= max(1, typical / 3)
        if TOTAL.match(first) and not any(TOTAL.match(c or "") for r in records[:20] for c in r.cells[:1] if r.number < row.number - 3):
            total = first.strip()
        elif not (sparse and (gap or NOTE.match(first) or _is_strange(row, records) or _note_follows(tail[:at], typical))):
            break
        at -= 1
    if at == len(tail):
        return 0, ""
    return seen.last - tail[at - 1].number, total


def _note_follows(rows: list[Row], typical: int) -> bool:
    """A row of one cell that stands below an empty row and other rows of one cell: a note of several lines."""
    for row, before in zip(reversed(rows), reversed(rows[:-1]), strict=False):
        if row.filled > max(1, typical / 3):
            return False
        if row.number - before.number > 1:
            return True
    return False


def _is_strange(row: Row, records: list[Row]) -> bool:
    """A text where all records have numbers."""
    for column, kind in enumerate(row.kinds):
        kinds = [r.kinds[column] for r in records if column < len(r.kinds) and r.cells[column] is not None]
        if kind == TEXT and kinds and sum(k == TEXT for k in kinds) < 0.1 * len(kinds):
            return True
    return False


def second_table(records: list[Row]) -> int | None:
    """The row, from 1, where another table seems to begin: below an empty one, texts where the records above have numbers."""
    for i, (before, row) in enumerate(pairwise(records), 1):
        if row.number > before.number + 1 and row.filled > 1 and _is_text(row) and _is_strange(row, records[:i]) and i + 1 < len(records):
            return row.number + 1
    return None


def parts_of(head: list[Row], merges: list[Merge], start: int, header_rows: int) -> list[list[str]]:
    """The lines of the header, merged cells filled, all of the same width."""
    wanted = range(start, start + header_rows)
    lines = [r for r in spread([r for r in head if r.number in wanted], [m for m in merges if m[0] in wanted]) if r.number in wanted]
    width = max((len(r.cells) for r in lines), default=0)
    return [[" ".join((c or "").split()) for c in r.cells] + [""] * (width - len(r.cells)) for r in lines]


def column_name(number: int) -> str:
    """What a person sees above it: A, B ..."""
    return column_letters(number)
