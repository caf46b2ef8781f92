"""The columns of a file, once it is known how it is read: titles passed over, header lines joined, names made different."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from flows.errors import SourceRefused
from flows.formats.csv.grammar import Broken, Grammar, Incomplete
from flows.formats.csv.text import UNDECODABLE, Text, first_line
from flows.project.columns import is_pattern
from flows.project.formats import CsvFormat

LONGEST = 64 << 20  # bytes of one header line
LOOKED_AT = 100  # records that tell how many columns there are where there is no header


@dataclass(frozen=True)
class Layout:
    names: list[str]
    """One a column, all different; none if there is no record at all."""
    unnamed: list[str] = field(default_factory=list)
    """Those that were made up."""
    doubled: dict[str, list[str]] = field(default_factory=dict)
    """Name in the file -> what the second and later columns of it are called."""


def layout(text: Text, how: CsvFormat, grammar: Grammar) -> Layout:
    """Takes everything before the first record.

    Raises: SourceRefused if the header is no text in this encoding.
    """
    for _ in range(how.skip_rows or 0):
        _take_line(text)
    headers: list[list[str]] = []
    for _ in range(1 if how.header_rows is None else how.header_rows):
        fields = _take_record(text, grammar)
        if fields is None:
            break
        headers.append([_decode(f, text) for f in fields])
    if how.names:
        return Layout(list(how.names))
    if headers:
        return named(joined(headers), how.empty_columns or 0)
    return named([""] * _width(text, grammar), 0) if not how.header_rows else Layout([])


def joined(headers: list[list[str]]) -> list[str]:
    """Several header lines as one: a title over several columns stands for each of them."""
    if len(headers) == 1:
        return headers[0]
    width = max(map(len, headers))
    rows = [[" ".join(cell.split()) for cell in row] + [""] * (width - len(row)) for row in headers]
    for row in rows[:-1]:
        for i in range(1, width):
            if not row[i] and row[i - 1] and rows[-1][i]:
                row[i] = row[i - 1]
    return [" / ".join(dict.fromkeys(row[i] for row in rows if row[i])) for i in range(width)]


def named(header: list[str], empty_columns: int) -> Layout:
    header = list(header)
    while empty_columns and len(header) > 1 and not header[-1].strip():
        header.pop()
        empty_columns -= 1
    counts, taken = Counter(header), set(header)
    names, unnamed, doubled, numbers, given = list[str](), list[str](), dict[str, list[str]](), dict[str, int](), set[str]()
    for position, name in enumerate(header, 1):
        if not name.strip() or is_pattern(name):
            names.append(_free(f"colonne_{position}", taken, numbers))
            unnamed.append(names[-1])
        elif counts[name] > 1 and name in given:
            names.append(_numbered(name, taken, numbers))
            doubled.setdefault(name, []).append(names[-1])
        else:
            names.append(name)
            given.add(name)
    return Layout(names, unnamed, doubled)


def _free(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    if name in taken:
        return _numbered(name, taken, numbers)
    taken.add(name)
    return name


def _numbered(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """`numbers`: where to go on, for a line that has one name a million times."""
    number = numbers.get(name, 2)
    while f"{name}_{number}" in taken:
        number += 1
    numbers[name] = number + 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"


def _take_line(text: Text) -> None:
    text.fill(1 << 16)
    while True:
        end, after = first_line(text.buffer)
        if end < after and (after < len(text.buffer) or text.final):
            break
        if text.final or len(text.buffer) > LONGEST:
            break
        text.fill(len(text.buffer) * 2)
    text.take(after)


def _take_record(text: Text, grammar: Grammar) -> list[bytes | None] | None:
    """The next record; None at the end. A broken one is read as if it had no quotes."""
    text.fill(1 << 16)
    while True:
        at = len(text.buffer) - len(text.buffer.lstrip(b"\r\n"))
        if at:
            text.take(at)
            text.fill(1 << 16)
            continue
        if not text.buffer:
            return None
        try:
            fields, after = grammar.record(text.buffer, 0, text.final)
            if text.final or after < len(text.buffer):
                break
        except (Broken, Incomplete) as error:
            if isinstance(error, Broken) or len(text.buffer) > LONGEST:
                end, after = first_line(text.buffer)
                fields = [f or None for f in text.buffer[:end].replace(grammar.quote, b"").split(grammar.delimiter)]
                break
        text.fill(len(text.buffer) * 2)
    text.take(after)
    return fields


def _decode(value: bytes | None, text: Text) -> str:
    try:
        decoded = (value or b"").decode(text.encoding)
    except UnicodeDecodeError:
        decoded = UNDECODABLE
    if UNDECODABLE in decoded or "\0" in decoded:
        raise SourceRefused(
            f"the header is not text in {text.declared}: {text.show((value or b'')[:100])!r}",
            where=str(text.path),
            hint="declare the right format.encoding",
            french=f"L'en-tête n'est pas du texte en {text.declared} : ce n'est pas le bon encodage, ou le fichier est abîmé.",
        )
    return decoded


def _width(text: Text, grammar: Grammar) -> int:
    """How many fields most of the first records have."""
    text.fill(1 << 20)
    at, widths = 0, Counter[int]()
    while at < len(text.buffer) and widths.total() < LOOKED_AT:
        if text.buffer[at] in b"\r\n":
            at += 1
            continue
        try:
            fields, at = grammar.record(text.buffer, at, text.final)
        except (Broken, Incomplete):
            _, at = first_line(text.buffer, at)
            continue
        widths[len(fields)] += 1
    return widths.most_common(1)[0][0] if widths else int(bool(text.buffer))
