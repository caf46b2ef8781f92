"""Where the table is in a file whose dialect is known: titles before it, its header lines, the notes and totals after it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from flows.findings import Finding
from flows.formats.csv.cells import NOTHING, kind
from flows.formats.csv.dialect import Reading, Record
from flows.formats.csv.text import line_ends

TOTAL = re.compile(r"\W*(sous[- ])?(grand )?tota(l|ux|ls)( (général|general|france|ensemble))?\W*", re.IGNORECASE)
NOTE = re.compile(r"\W*(sources?|notes?|nota|champ|lecture|n\.?b\.?|remarques?|légende|legend|avertissement|mise à jour)\b", re.IGNORECASE)
COMMENT = re.compile(r"\s*(#|//|--|sep=)")
MOST_HEADERS, LONGEST_FOOTER = 5, 50
FEW = 10  # records that are too few to tell names from values by what comes again
TYPED = 0.8  # share of a column's values that are of one kind, when it is a column of that kind
TYPES = ("number", "date", "time", "boolean")


@dataclass
class Table:
    skip_rows: int = 0
    header_rows: int = 1
    empty_columns: int = 0
    names: list[str] | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def find(reading: Reading, data: bytes) -> Table:
    """`data`: the sample that was read."""
    table = Table()
    rows = reading.records
    top = _first(rows, reading.width)
    body = rows[top:]
    while len(body) > 1 and body[0].fields == body[1].fields and _all_text(body[0]):  # a header said twice
        body = body[1:]
    if not body:
        table.reasons["header_rows"] = "there is no line with anything in it"
        return table
    top = len(rows) - len(body)
    _skip(table, rows, top, data)
    width = len(body[0].fields or [])
    types = _types(body[1:], max(width, reading.width))
    table.header_rows = _header_rows(body, types, table)
    _columns(table, body, reading)
    return table


def _skip(table: Table, rows: list[Record], top: int, data: bytes) -> None:
    """Blank lines alone are passed over in any case."""
    if top:
        table.skip_rows = line_ends(data[: rows[top].start])
        shown = rows[0].raw.decode("utf-8", "replace").strip()[:60]
        table.reasons["skip_rows"] = f"what comes before the header is no part of the table: {shown!r}"
    else:
        table.reasons["skip_rows"] = "the table begins at the first line"


def _first(rows: list[Record], width: int) -> int:
    """Which record is the first one of the table."""
    for i, row in enumerate(rows[:200]):
        if row.fields is None or COMMENT.match(row.raw.decode("utf-8", "replace")):
            continue
        filled = [j for j, f in enumerate(row.fields) if f.strip()]
        if not filled or (width >= 3 and filled == [0] and len(row.fields) in (1, width) and _more_follows(rows[i + 1 : i + 10], width)):
            continue
        if len(row.fields) >= width or width == 1 or len(row.fields) > width / 2 or not _more_follows(rows[i + 1 : i + 10], width):
            return i
    return next((i for i, r in enumerate(rows) if r.fields is not None and len(r.fields) == width and not r.is_empty), 0)


def _more_follows(rows: list[Record], width: int) -> bool:
    """Whether a line comes soon that has more of the columns: then a line with little in it is a title."""
    return any(
        r.fields is not None and len(r.fields) >= width and sum(bool(f.strip()) for f in r.fields) >= max(2, width / 2) for r in rows
    )


def _types(rows: list[Record], width: int) -> list[str]:
    """The kind of each column, `text` where there is no other that most values have."""
    types = []
    for column in range(width):
        kinds = Counter(
            kind(r.fields[column])
            for r in rows[:200]
            if r.fields and column < len(r.fields) and r.fields[column].strip().lower() not in NOTHING
        )
        kinds.pop("empty", None)
        most = kinds.most_common(1)
        types.append(most[0][0] if most and most[0][1] >= TYPED * kinds.total() else "text" if most else "")
    return types


def _all_text(row: Record) -> bool:
    kinds = [kind(f) for f in row.fields or []]
    return "text" in kinds and not any(k in TYPES[:3] for k in kinds)


def _header_rows(body: list[Record], types: list[str], table: Table) -> int:
    first = body[0].fields or []
    against = [i for i, f in enumerate(first) if i < len(types) and types[i] in TYPES and kind(f) == types[i] and not _is_year(f, first)]
    for_it = [
        i for i, f in enumerate(first) if i < len(types) and types[i] in TYPES and kind(f) == "text" and f.strip().lower() not in NOTHING
    ]
    if len(body) == 1:
        alone = [f for f in first if kind(f) in TYPES[:3]]
        if alone:
            table.findings.append(_no_header_sure(first))
            table.reasons["header_rows"] = "the only line holds numbers or dates"
            return 0
        table.reasons["header_rows"] = "the only line holds names"
        return 1
    if against and len(against) > len(for_it):
        shown = first[against[0]].strip()
        table.reasons["header_rows"] = f"the first line looks like those after it ({shown[:40]!r} is a {types[against[0]]}, too)"
        if len(against) < 2 and len(first) > 3:
            table.findings.append(_no_header_sure(first))
        return 0
    seen = {f.strip() for r in body[1:200] for f in r.fields or []}
    again = [f for f in first if f.strip() and f.strip() in seen and kind(f) == "text"]
    if not for_it and len(body) > FEW and len(again) > len([f for f in first if f.strip()]) / 2:
        table.reasons["header_rows"] = "what the first line holds comes again below"
        table.findings.append(_no_header_sure(first))
        return 0
    count = _more_headers(body, types)
    if count > 1:
        table.reasons["header_rows"] = f"the first {count} lines hold text where the columns hold numbers or dates"
        second = " | ".join(f for f in body[1].fields or [] if f.strip())[:80]
        table.findings.append(
            Finding(
                "ambiguous",
                f"{count} lines are read as the header, joined; lines after the first may be records: {second!r}",
                f"{count} lignes sont lues comme en-tête et réunies ; les suivantes pourraient être des données : « {second} »",
            )
        )
        return count
    if for_it:
        table.reasons["header_rows"] = f"the first line names the columns ({first[for_it[0]].strip()[:40]!r} is no {types[for_it[0]]})"
    else:
        table.reasons["header_rows"] = "the first line is taken for the names of the columns: nothing tells it from the others"
        if not _distinct(first):
            table.findings.append(_maybe_no_header(first))
    return 1


def _is_year(cell: str, row: list[str]) -> bool:
    """Of several different years in a row: names of columns."""
    years = {f.strip() for f in row if re.fullmatch(r"(19|20)\d\d", f.strip())}
    return cell.strip() in years and len(years) > 1


def _distinct(row: list[str]) -> bool:
    filled = [f for f in row if f.strip()]
    return len(set(filled)) == len(filled) == len(row) and not any(kind(f) in TYPES[:3] for f in filled)


def _more_headers(body: list[Record], types: list[str]) -> int:
    """How many lines are header: text where the columns are typed, unlike any value below."""
    typed = [i for i, t in enumerate(types) if t in TYPES]
    if len(body) < 4 or not typed:
        return 1
    count = 1
    while count <= MOST_HEADERS and count < len(body) - 2:
        fields = body[count].fields or []
        own = [fields[i] for i in typed if i < len(fields)]
        below = {r.fields[i] for r in body[count + 1 : 200] if r.fields for i in typed if i < len(r.fields)}
        named = [c for c in own if kind(c) == "text" and c.strip().lower() not in NOTHING and c not in below and len(c.strip()) > 1]
        if len(named) * 2 <= len(typed) or any(kind(c) in TYPES[:3] for c in own):
            break
        count += 1
    return count


def _columns(table: Table, body: list[Record], reading: Reading) -> None:
    """Columns without name and values at the right; names, where most records have more fields than the header."""
    first, rest = body[0].fields or [], [r.fields for r in body[table.header_rows :] if r.fields]
    width = len(first)
    if table.header_rows:
        while width > 1 and not first[width - 1].strip() and all(len(r) < width or not r[width - 1].strip() for r in rest):
            width -= 1
        table.empty_columns = len(first) - width
    wider = [r for r in rest if any(f.strip() for f in r[width:])]
    if table.header_rows == 1 and len(rest) >= 3 and len(wider) > 0.9 * len(rest) and reading.width > width:
        table.names = first[:width] + [f"colonne_{i + 1}" for i in range(width, reading.width)]
        table.findings.append(_wider(width, reading.width))


def _wider(header: int, width: int) -> Finding:
    return Finding(
        "ambiguous",
        f"the header names {header} columns, the records have {width}: names are given from the left, but the unnamed one may be the first",
        f"l'en-tête nomme {header} colonnes, les lignes en ont {width} : les noms sont donnés à partir de la gauche, "
        "mais la colonne sans nom est peut-être la première",
    )


def _no_header_sure(first: list[str]) -> Finding:
    shown = " | ".join(first)[:80]
    return Finding(
        "ambiguous",
        f"the first line is read as a record, there is no header; it might be one: {shown!r}",
        f"la première ligne est lue comme une donnée, sans en-tête ; elle pourrait en être un : « {shown} »",
    )


def _maybe_no_header(first: list[str]) -> Finding:
    shown = " | ".join(first)[:80]
    return Finding(
        "ambiguous",
        f"the first line is read as the header; it might be a record: {shown!r}",
        f"la première ligne est lue comme l'en-tête ; elle pourrait être une donnée : « {shown} »",
    )


def footer(records: list[Record], tail: bytes, width: int, key: str) -> tuple[int, list[str]]:
    """(lines after the last record, their texts); `records`: those of `tail`, which begins at a line's beginning.

    `key`: the kind of the first column.
    """
    last = len(records)
    for at in range(len(records) - 1, max(-1, len(records) - LONGEST_FOOTER), -1):
        row = records[at]
        if row.is_empty:  # only delimiters: a record, unless a note comes after it
            continue
        blank_before = at == 0 or b"\n\n" in _gap(tail, records, at) or records[at - 1].is_empty
        if not _is_footer(row, width, blank_before, key):
            break
        last = at
    while last > 1 and last < len(records) and records[last - 1].is_empty and records[last - 1].fields:
        last -= 1
    if last <= 0 or last == len(records):
        return 0, []
    shown = [r.raw.decode("utf-8", "replace").strip()[:60] for r in records[last:] if not r.is_empty]
    rest = tail[records[last - 1].end :].rstrip(b" \t\r\n")
    return line_ends(rest), shown


def total_read(records: list[Record], width: int) -> str:
    """The text of the one row near the end that says that it is a total, and stands among the records."""
    first = [next((f.strip() for f in r.fields or [] if f.strip()), "") for r in records]
    found = [i for i, text in enumerate(first) if TOTAL.fullmatch(text)]
    return first[found[0]] if width > 1 and len(found) == 1 and found[0] >= len(records) - 5 else ""


def _gap(tail: bytes, records: list[Record], at: int) -> bytes:
    return tail[records[at - 1].end : records[at].start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _is_footer(row: Record, width: int, blank_before: bool, key: str) -> bool:
    text = row.raw.decode("utf-8", "replace")
    fields = [f for f in row.fields or [text] if f.strip()]
    first = (row.fields or [text])[0].strip()
    if width > 1 and TOTAL.fullmatch(fields[0].strip()):
        return True
    if len(fields) > 1 and row.fields is not None and len(row.fields) == width:
        return False
    if width == 1:
        return blank_before and bool(NOTE.match(text)) and len(text) > 20
    said = bool(NOTE.match(text) or re.match(r"\s*(#|\*|\((\d+|\*+|[a-z])\)|\[\d+\]|©)", text))
    if len(fields) == 1 and (not row.fields or len(row.fields) in (1, width) or blank_before):
        return said or (blank_before and kind(first) == "text" and len(first) > 3)
    return said and (row.fields is None or len(row.fields) != width)
