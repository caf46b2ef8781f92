"""Many little files of one shape: what tells at a glance that a file is read as another one was, and reading a bunch of them at once.

Nothing is taken for granted: each file is looked at from end to end. What is done once for many is the work of the libraries.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.formats.csv import encoding
from flows.formats.csv.cells import kind
from flows.formats.csv.decide import other_encoding
from flows.formats.csv.facts import is_utf8
from flows.formats.csv.grammar import Grammar
from flows.formats.csv.parsing import parse
from flows.formats.csv.reading import open_records
from flows.formats.csv.text import normal
from flows.project.formats import CsvFormat
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl

LITTLE = 1 << 20  # bytes: larger files are read one by one
MARKED = 16 << 20  # bytes: looking for the dialect of a larger file is little beside reading it

Mark = tuple[bytes, tuple[str, ...], bool]


@dataclass(frozen=True)
class Bunch:
    """Several files, one after the other."""

    rows: pl.DataFrame
    """Their columns, as text."""
    records: list[int]
    """Of each file."""


@dataclass(frozen=True)
class _Proved:
    """Bodies of files that are well formed throughout, in UTF-8, one after the other."""

    data: bytes
    ends: list[int]
    """Of each file, in `data`."""
    records: list[int]


def mark(path: Path, how: CsvFormat, settings: Settings) -> Mark | None:
    """The bytes up to the first record, what its fields look like, and whether something is quoted.

    Two files with one mark are compatible with the same reading: each is well formed throughout in `how`, with the same header.
    None where that cannot be said.
    """
    if path.stat().st_size > MARKED or not _is_plain(how):
        return None
    start, names = _header(path, how)
    if len(names) < 2:
        return None
    data = path.read_bytes()
    body = _utf8(data[start:], how)
    if body is None or _proved([body], how, len(names), settings) is None or _other_quotes(data, how) or not _is_in(path, body, how):
        return None
    return _mark(data[:start], body, how)


def together(paths: Sequence[Path], how: CsvFormat, marks: Collection[Mark], settings: Settings) -> Bunch | None:
    """The rows of the first few files, as many as are sure to be read as files with these marks were; None where the first is not.

    Each file that is taken has one of the marks: `mark` would give it.
    """
    head, bodies = _bodies(paths, how, {m[0] for m in marks})
    if not bodies:
        return None
    start, names = _header(paths[0], how)
    if start != len(head) or len(names) < 2:
        return None
    proved = None
    while bodies and (
        _other_quotes(b"\n".join([b"", *bodies, b""]), how) or (proved := _proved(bodies, how, len(names), settings)) is None
    ):
        bodies = bodies[: len(bodies) // 2]
    if proved is None:
        return None
    count = 0
    for path, body in zip(paths, bodies, strict=False):
        if _mark(head, body, how) not in marks or not _is_in(path, body, how):
            break
        count += 1
    if not count:
        return None
    rows = parse(proved.data[: proved.ends[count - 1]], Grammar.of(how, "utf-8"), names)
    records = proved.records[:count]
    return Bunch(rows, records) if rows is not None and rows.height == sum(records) else None


def _is_plain(how: CsvFormat) -> bool:
    assert how.encoding is not None
    return bool(how.header_rows) and not (how.footer_rows or how.escape or how.names or how.skip_space)


def _header(path: Path, how: CsvFormat) -> tuple[int, list[str]]:
    """(where the first record begins, names of the columns); no names where bytes do not show the structure."""
    text, layout, grammar = open_records(path, how)
    with text:
        usable = text.offset is not None and text.direct and grammar.fast
        return text.offset or 0, layout.names if usable else []


def _bodies(paths: Sequence[Path], how: CsvFormat, heads: Collection[bytes]) -> tuple[bytes, list[bytes]]:
    """(the head that the first file has, what comes after it in this and those that follow, as long as they have it, too)"""
    head, bodies = b"", list[bytes]()
    for path in paths:
        data = path.read_bytes()
        head = head or next((h for h in heads if data.startswith(h) and _is_whole(h, how)), b"")
        body = _utf8(data[len(head) :], how) if head and data.startswith(head) else None
        if body is None:
            break
        bodies.append(body)
    return head, bodies


def _is_whole(head: bytes, how: CsvFormat) -> bool:
    """What comes after it cannot make it mean something else."""
    from flows.formats.csv.bits import Marks

    grammar = Grammar.of(how, "utf-8")
    return head.endswith(b"\n") and Marks(head, grammar.delimiter, grammar.quote, b"", True).first_violation == len(head)


def _utf8(body: bytes, how: CsvFormat) -> bytes | None:
    """Not proved where it is in UTF-8 already."""
    assert how.encoding is not None
    name = normal(how.encoding)
    if name in ("utf-8", "ascii"):
        return body
    try:
        return body.decode(name).encode()
    except UnicodeError:
        return None


def _is_in(path: Path, body: bytes, how: CsvFormat) -> bool:
    """Whether the file would be taken to be in this encoding: what is valid UTF-8 proves itself, of others each is asked."""
    assert how.encoding is not None
    if normal(how.encoding) in ("utf-8", "ascii") or body.isascii():
        return True
    return other_encoding(path, how.encoding, encoding.find(path).name) is None


def _proved(bodies: Sequence[bytes], how: CsvFormat, width: int, settings: Settings) -> _Proved | None:
    """None if a record of one of them is not well formed, not as wide as the header or too long, or if one has no record."""
    from flows.formats.csv.bits import Marks

    data = b"".join(body if body.endswith(b"\n") else body + b"\n" for body in bodies)
    if any(body.endswith(b"\r") for body in bodies) or b"\0" in data or not is_utf8(data, len(data)):
        return None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):  # ends of lines to some readers only
        return None
    grammar = Grammar.of(how, "utf-8")
    marks = Marks(data, grammar.delimiter, grammar.quote, b"", True)
    starts, ends, delimiters = marks.records(len(data))
    if marks.first_violation < len(data) or not (delimiters == width - 1).all() or (ends - starts > settings.csv_max_record_mb * 1e6).any():
        return None
    np, after = marks.np, _ends(bodies)
    if not marks.end_lines(np.array(after) - 1).all():  # a quote that one file leaves open is closed in the next
        return None
    records = np.diff(np.searchsorted(starts, [0, *after])).tolist()
    return _Proved(data, after, records) if all(records) else None


def _ends(bodies: Sequence[bytes]) -> list[int]:
    ends, at = list[int](), 0
    for body in bodies:
        at += len(body) + (not body.endswith(b"\n"))
        ends.append(at)
    return ends


def _mark(head: bytes, body: bytes, how: CsvFormat) -> Mark | None:
    """Of a body that is well formed."""
    if how.quote != '"' and b'"' in body:
        return None
    fields, _ = Grammar.of(how, "utf-8").record(body.lstrip(b"\r\n"), 0, True)
    return head, tuple(kind((f or b"").decode()) for f in fields), bool(how.quote) and (how.quote or "").encode() in body


def _other_quotes(data: bytes, how: CsvFormat) -> bool:
    """Whether a field may begin or end with another kind of quote."""
    delimiter = (how.delimiter or "").encode()
    ends = ((delimiter, b""), (b"\n", b""), (b"", delimiter), (b"", b"\n"), (b"", b"\r"))
    quotes = [quote for quote in (b"'", b"`") if quote in data]
    return any(before + quote + after in data for quote in quotes for before, after in ends)
