"""A file cut into what is certainly whole records, many at a time, and the few that have to be looked at one by one.

Nothing is swallowed: where a quote is broken, the line in which its record begins is one refused record, and reading goes on with the
next line. Numbering follows from this file alone, so whoever counts records (`read`, `locate`) counts the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flows.formats.csv.bits import Marks, masked
from flows.formats.csv.grammar import NEVER_CLOSED, Broken, Grammar, Incomplete
from flows.formats.csv.text import BLOCK, Text, first_line

SMALL = 1 << 16  # bytes read record by record before the fast way is tried again
PATIENCE = 16  # how many times the longest record may be searched in vain for the end of a quote, before looking far is given up


@dataclass
class Block:
    """Whole records, each of them well formed; how many fields each has is not said."""

    data: bytes
    offset: int | None
    marks: Marks | None
    """None where nothing is quoted."""


@dataclass
class Single:
    """One record: its fields, or the rule that it breaks."""

    raw: bytes
    offset: int | None
    fields: list[bytes | None] | None
    rule: str = ""


def pieces(text: Text, grammar: Grammar, width: int, max_bytes: int, window: int = BLOCK) -> Iterator[Block | Single]:
    """From the beginning of a record to the end of `text`.

    `width`: fields of a record, which tells records of several lines from lines swallowed by a quote that is not closed.
    `max_bytes`: of one record. `window`: bytes that are looked at first.
    """
    patience = PATIENCE * max_bytes
    while True:
        text.fill(window)
        if not text.buffer:
            return
        data = text.buffer if len(text.buffer) <= window else text.buffer[:window]
        final = text.final and len(data) == len(text.buffer)
        longest = max_bytes if patience > 0 else SMALL
        cut, goes_on, marks = _certain(data, grammar, final, width)
        if cut:
            block = Block(b"", text.offset, marks)
            block.data = text.take(cut)
            yield from [block] if cut <= max_bytes else _limited(block, text, grammar, max_bytes)
            window, patience = min(BLOCK, window * 8), min(PATIENCE * max_bytes, patience + cut)
        elif goes_on and not final and len(data) <= longest:  # one record, longer than what was looked at
            patience -= len(data)
            window = len(data) * 2
        else:
            yield from _one_by_one(text, grammar, width, longest)
            window = SMALL


def _certain(data: bytes, grammar: Grammar, final: bool, width: int) -> tuple[int, bool, Marks | None]:
    """(length of what is certain, whether there is only more to be read where it is 0, marks if there are any)"""
    quoted = bool(grammar.quote) and grammar.quote in data
    escaped = bool(grammar.escape) and grammar.escape in data
    if not grammar.fast or (grammar.skip_space and (quoted or escaped)):
        return 0, False, None
    if not quoted and not escaped:
        cut = len(data) if final else max(data.rfind(b"\n"), data.rfind(b"\r") if b"\n" not in data else -1) + 1
        return cut, True, None
    marks = Marks(data, grammar.delimiter, grammar.quote, grammar.escape, final)
    intact = marks.first_violation >= len(data)
    cut = len(data) if final and intact else marks.whole()
    if cut and marks.has_broken_lines():
        before = _before_swallowed(data, marks, cut, grammar, width)
        cut, intact = before, intact and before == cut
    return cut, intact, marks


def _before_swallowed(data: bytes, marks: Marks, cut: int, grammar: Grammar, width: int) -> int:
    """`cut`, or the beginning of the first record that looks like several lines swallowed by one quote."""
    starts, ends, delimiters = marks.records(cut)
    for index in (delimiters != width - 1).nonzero()[0]:
        if _swallowed(data[starts[index] : ends[index]], grammar, width):
            return int(starts[index])
    return cut


def _swallowed(record: bytes, grammar: Grammar, width: int) -> bool:
    """Whether the lines of a record that has not the right number of fields are records by themselves."""
    record = masked(record, grammar.escape)
    end, at = first_line(record)
    if at >= len(record):
        return False
    good = total = 0
    while at < len(record):
        end, after = first_line(record, at)
        line = record[at:end]
        if line:
            total += 1
            good += line.count(grammar.delimiter) == width - 1
        at = after
    return width > 1 and total > 0 and good * 2 > total


def _one_by_one(text: Text, grammar: Grammar, width: int, max_bytes: int) -> Iterator[Single]:
    """At least one record, and those after it in the next bytes."""
    at, offset, first = 0, text.offset, True
    while at < SMALL or first:
        text_end = len(text.buffer)
        if at >= text_end:
            break
        if text.buffer[at] in b"\r\n":
            at += 1
            continue
        limit = at + max_bytes
        try:
            fields, after = grammar.record(text.buffer, at, text.final)
            rule = ""
            raw = text.buffer[at : grammar.end]
            if len(fields) != width and _swallowed(raw, grammar, width):
                raise Broken(NEVER_CLOSED)
            if len(raw) > max_bytes:
                raise Broken(_too_long(max_bytes))
            yield Single(raw, _plus(text, offset, at), fields)
        except Incomplete:
            if text_end < limit and not text.final:
                if not first:
                    break
                text.fill(min(limit, text_end * 2) + 1)
                continue
            end, after = first_line(text.buffer, at)
            rule = NEVER_CLOSED if after < len(text.buffer) else _too_long(max_bytes)
        except Broken as broken:
            end, after = first_line(text.buffer, at)
            rule = str(broken.args[0])
        if rule:
            place = _plus(text, offset, at)
            raw = text.buffer[at:end]
            if end == after and not text.final:  # no line end as far as may be looked
                text.take(after)
                at, offset = 0, text.offset
                while not text.final:
                    text.fill(SMALL)
                    skipped, after = first_line(text.buffer)
                    if skipped < after:
                        break
                    text.take(len(text.buffer))
                    offset = text.offset
                else:
                    after = len(text.buffer)
            yield Single(raw, place, None, rule)
        at, first = after, False
    text.take(at)


def _plus(text: Text, offset: int | None, at: int) -> int | None:
    if offset is None or text.direct:
        return None if offset is None else offset + at
    width = text.width(text.buffer[:at])
    return None if width is None else offset + width


def _limited(block: Block, text: Text, grammar: Grammar, max_bytes: int) -> Iterator[Block | Single]:
    """The block, in parts if a record of it is too long."""
    marks = block.marks or Marks(block.data, grammar.delimiter, b"", b"", True)
    starts, ends, _ = marks.records(len(block.data))
    long, at = (ends - starts > max_bytes).nonzero()[0], 0
    for index in long:
        start, end = int(starts[index]), int(ends[index])
        if start > at:
            yield _part(block, text, grammar, at, start)
        yield Single(block.data[start:end], _inside(block, text, start), None, _too_long(max_bytes))
        at = end
    if not len(long):
        yield block
    elif at < len(block.data):
        yield _part(block, text, grammar, at, len(block.data))


def _part(block: Block, text: Text, grammar: Grammar, start: int, end: int) -> Block:
    data = block.data[start:end]
    marks = Marks(data, grammar.delimiter, grammar.quote, grammar.escape, True) if block.marks else None
    return Block(data, _inside(block, text, start), marks)


def _inside(block: Block, text: Text, at: int) -> int | None:
    width = text.width(block.data[:at])
    return None if block.offset is None or width is None else block.offset + width


def _too_long(max_bytes: int) -> str:
    return f"csv:size:a record of more than {max_bytes / 1e6:g} MB"
