"""Delimiter, quote and escape: every reading that could be is tried on the head of the file, and the one that makes the best table wins.

A reading is good when its records have the same number of fields and its cells look like values (numbers, dates, words) rather than
like pieces of lines.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import product

from flows.formats.csv.cells import soundness
from flows.formats.csv.grammar import Broken, Grammar, Incomplete
from flows.formats.csv.text import first_line

USUAL = {",": 1.0, ";": 1.0, "\t": 1.0, "|": 0.97, "\x1f": 0.95, "\x01": 0.95, "~": 0.85, "^": 0.85, "§": 0.85, "¤": 0.85, "¦": 0.85}
SELDOM = {":": 0.6, " ": 0.5, "#": 0.5, "!": 0.5, "*": 0.5, "&": 0.5, "=": 0.45, "%": 0.5, "$": 0.5, "\\": 0.4}
NEVER = set("\"'`_-./()[]{}<>@?+°’“”«»\u00a0\u202f\ufeff\ufffd\ufdd0")
TRIED = 12  # delimiters
FEW_BROKEN = 3  # lines
RECORDS, MANY = 500, 6000
SINGLE = 0.45  # what a perfect table of one column is worth
CLOSE = 0.93  # of the best score: nobody can say which of the two is meant
DEFAULT_QUOTE = '"'


@dataclass(frozen=True)
class Record:
    fields: list[str] | None
    """None if it is broken."""
    start: int
    end: int
    """Of its text, in bytes of the sample."""
    raw: bytes

    @property
    def is_empty(self) -> bool:
        return self.fields is not None and not any(f.strip() for f in self.fields)


@dataclass
class Reading:
    delimiter: str
    quote: str
    escape: str
    skip_space: bool
    records: list[Record]
    width: int = 1
    """Fields that most records have."""
    score: float = 0.0
    consistency: float = 0.0
    broken: int = 0


def readings(data: bytes, whole: bool, declared: dict[str, str | bool | None]) -> list[Reading]:
    """The best reading with each delimiter, best first. `data`: UTF-8, from the beginning of the file; `whole`: to its end."""
    found = []
    delimiters = [str(declared["delimiter"])] if declared.get("delimiter") else candidates(data)
    for delimiter in delimiters:
        tried = _tried(data, whole, _choices(data, delimiter, declared), RECORDS)
        plain = [r for r in tried if not r.skip_space]
        if plain and declared.get("skip_space") is None and not _is_spaced(max(plain, key=lambda r: r.score)):
            tried = plain
        found.append(max(tried, key=lambda r: r.score))
    found.sort(key=lambda r: -r.score)
    if len(found[0].records) >= RECORDS and declared.get("quote") is None:
        found[0] = _with_all_records(data, whole, found[0], declared)
    return found


def _tried(data: bytes, whole: bool, choices: list[Choice], limit: int) -> list[Reading]:
    """Without quotes only if they break many lines: a few that are broken are mistakes, which are refused."""
    quoted = [_try(data, whole, *choice, limit) for choice in choices if choice[1]]
    if quoted and max(quoted, key=lambda r: r.score).broken < FEW_BROKEN:
        return quoted
    return quoted + [_try(data, whole, *choice, limit) for choice in choices if not choice[1]]


def _with_all_records(data: bytes, whole: bool, best: Reading, declared: dict[str, str | bool | None]) -> Reading:
    """Quotes are seldom in some files: which they are is decided on all of the sample."""
    quotes = {best.quote, *(choice[1] for choice in _choices(data, best.delimiter, declared))}
    often = sum(best.quote.encode() in r.raw for r in best.records) > 0.05 * len(best.records)
    if len(quotes) == 1 or (best.quote and often and not best.broken):
        return best
    choices = [(best.delimiter, q, best.escape, best.skip_space) for q in sorted(quotes, reverse=True)]
    return max(_tried(data, whole, choices, MANY), key=lambda r: r.score)


def candidates(data: bytes) -> list[str]:
    """What is in many lines and can be a delimiter, the usual ones in any case."""
    lines = [line for line in re.split(r"\r\n|\n|\r", data.decode("utf-8", "replace"))[:300] if line.strip()]
    shares: Counter[str] = Counter()
    for line in lines:
        shares.update(c for c in set(line) if not c.isalnum() and c not in NEVER and (c.isprintable() or c in "\t\x1f\x01\x1e\x02"))
    many = [c for c, n in shares.most_common() if n * 2 >= len(lines) and c not in USUAL and not "\u0300" <= c <= "\u036f"]
    present = [c for c in USUAL if shares[c]]
    absent = [c for c in USUAL if c.encode() not in data][:1]  # with it, there is one column
    return [*present, *absent, *many[: max(0, TRIED - len(present))]]


Choice = tuple[str, str, str, bool]
"""delimiter, quote, escape, skip_space"""


def _choices(data: bytes, delimiter: str, declared: dict[str, str | bool | None]) -> list[Choice]:
    d = re.escape(delimiter.encode())
    quotes = [str(declared["quote"])] if declared.get("quote") is not None else []
    if not quotes:
        quotes = [DEFAULT_QUOTE] if delimiter != DEFAULT_QUOTE else [""]
        for quote in ("'", "`"):
            q = quote.encode()
            opened = len(re.findall(rb"(?:^|[\r\n]|" + d + rb" ?)" + q + rb"(?=[^\r\n])", data[:200_000]))
            closed = len(re.findall(q + rb"(?: ?" + d + rb"|[\r\n]|$)", data[:200_000]))
            if quote != delimiter and opened and opened * 2 > closed > 0 and closed * 2 > opened:
                quotes.append(quote)
        if b'"' in data and quotes[0]:
            quotes.append("")
    escapes = [str(declared["escape"])] if declared.get("escape") is not None else [""]
    if declared.get("escape") is None and delimiter != "\\":
        escaped = [q.encode() for q in quotes if q] + [delimiter.encode()]
        if any(b"\\" + c in data for c in escaped):
            escapes.append("\\")
    spaces = [bool(declared["skip_space"])] if declared.get("skip_space") is not None else [False]
    if declared.get("skip_space") is None and delimiter not in " \t":
        count = data.count(delimiter.encode())
        if count and data.count(delimiter.encode() + b" ") > 0.4 * count:
            spaces.append(True)
    return [(delimiter, *choice) for choice in product(quotes, escapes, spaces)]


def _try(data: bytes, whole: bool, delimiter: str, quote: str, escape: str, skip_space: bool, limit: int = RECORDS) -> Reading:
    grammar = Grammar(delimiter.encode(), quote.encode(), escape.encode(), skip_space)
    reading = Reading(delimiter, quote, escape, skip_space, records(data, grammar, whole, limit))
    _rate(reading, data)
    return reading


def records(data: bytes, grammar: Grammar, whole: bool, limit: int = RECORDS) -> list[Record]:
    """Those that are not blank lines; a line that is none is there with no fields."""
    found, at = list[Record](), 0
    while at < len(data) and len(found) < limit:
        if data[at] in b"\r\n":
            at += 1
            continue
        try:
            fields, after = grammar.record(data, at, whole)
        except Incomplete:
            if at and not re.search(rb"[\r\n]", data[at:]):
                break  # cut by the end of the sample
            end, after = first_line(data, at)
            found.append(Record(None, at, end, data[at:end]))
        except Broken:
            end, after = first_line(data, at)
            found.append(Record(None, at, end, data[at:end]))
        else:
            raw = data[at : grammar.end]
            found.append(Record([(f or b"").decode("utf-8", "replace") for f in fields], at, at + len(raw), raw))
        at = after
    return found


CELLS, RATED = 2_000, 1 << 16
"""Of one record: cells, and bytes of its text, that are looked at. One line may hold a million cells."""


def _rate(reading: Reading, data: bytes) -> None:
    rows = [r for r in reading.records if r.fields is None or not r.is_empty]
    widths = Counter(len(r.fields) for r in rows if r.fields is not None)
    if not widths:
        return
    reading.width = _usual_width(widths)
    own = [i for i, r in enumerate(rows) if r.fields is not None and _fits(r.fields, reading.width)]
    swallowed = sum(_swallows(rows[i], reading) for i in own)
    body = rows[own[0] : own[-1] + 1]  # titles before and notes after are no reproach
    reading.broken = sum(r.fields is None for r in body) + swallowed
    reading.consistency = len(own) / (len(body) + swallowed) * (len(body) / len(rows)) ** 0.5
    cells = [
        soundness(c, reading.delimiter, _is_quoted(c, raw, reading))
        for i in own[:300]
        for raw in [rows[i].raw[:RATED]]
        for c in (rows[i].fields or [])[:CELLS]
    ]
    sound = sum(cells) / len(cells)
    if reading.width == 1:
        reading.score = SINGLE * reading.consistency * sound**2
        return
    usual = USUAL.get(reading.delimiter) or SELDOM.get(reading.delimiter, 0.35)
    if reading.consistency > 0.99 and len(own) > 20:  # so many lines do not agree by chance
        usual += (1 - usual) * min(1.0, (len(own) - 20) / 200) * 0.6
    power = 1.3 if reading.delimiter in USUAL else 2.0
    reading.score = reading.consistency**power * sound**2 * usual * (1 - 0.5 / reading.width)
    if reading.delimiter == "," and reading.width == 2 and _decimals(rows, own):
        reading.score *= 0.4
    if not reading.quote and b'"' in data:
        reading.score *= 0.97
    if reading.skip_space:
        reading.score *= 1.01
    if reading.escape:
        reading.score *= 0.99


def _decimals(rows: list[Record], own: list[int]) -> bool:
    """Whether it is one column of numbers with decimal commas, under a name that has none."""
    alone = own[0] > 0 and b"," not in rows[0].raw
    return alone and all(re.fullmatch(rb'"?-?\d+,\d+"?', rows[i].raw.strip()) for i in own)


def _swallows(record: Record, reading: Reading) -> int:
    """How many lines are held together by quotes though each would be a record by itself: then they are no quotes."""
    lines = [line for line in record.raw.splitlines() if line]
    delimiter = reading.delimiter.encode()
    if len(lines) < 2 or reading.width < 2 or any(line.count(delimiter) != reading.width - 1 for line in lines):
        return 0
    return len(lines)


def _usual_width(widths: Counter[int]) -> int:
    """The most frequent one; of several, the widest that a good part of the records has."""
    most = widths.most_common(1)[0][1]
    return max(w for w, n in widths.items() if n == most)


def _is_spaced(reading: Reading) -> bool:
    """Whether nearly all fields but the first begin with a space."""
    later = [f for r in reading.records for f in (r.fields or [])[1:] if f.strip()]
    return bool(later) and sum(f.startswith(" ") for f in later) > 0.75 * len(later)


def _fits(fields: list[str], width: int) -> bool:
    return len(fields) == width or (len(fields) > width > 1 and not any(f.strip() for f in fields[width:]))


def _is_quoted(cell: str, raw: bytes, reading: Reading) -> bool:
    if not reading.quote or not cell:
        return False
    quote = reading.quote.encode()
    return quote in raw and quote + cell[:8].encode().replace(quote, quote * 2)[:8] in raw
