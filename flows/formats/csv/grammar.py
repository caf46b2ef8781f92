"""The grammar of one record, said once: what the fast ways of reading have to agree with.

A field that begins with a quote ends at a quote that a delimiter or a line end follows; a doubled or escaped quote inside it is a
quote. Anywhere else a quote is a character like others, as in `24" screen`. Text after a closing quote, or a quote that is never
closed, makes the record broken: nobody can say what was meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from flows.errors import ConfigurationError
from flows.project.formats import CsvFormat

NEVER_CLOSED = "csv:quote:never closed"
ENDS = re.compile(rb"[\r\n]")
TEXT_AFTER = "csv:quote:text after a closing quote"


class Incomplete(Exception):
    """The record goes on after the end of the bytes."""


class Broken(Exception):
    """The record is not one. Its only argument is the rule."""


@dataclass
class Grammar:
    """A dialect, in the bytes of an encoding."""

    delimiter: bytes
    quote: bytes = b'"'
    escape: bytes = b""
    skip_space: bool = False
    end: int = field(init=False, default=0)
    """Of the text of the last record that was read, without its line end."""
    _field: re.Pattern[bytes] = field(init=False, repr=False)
    _plain: re.Pattern[bytes] = field(init=False, repr=False)
    _unescape: re.Pattern[bytes] | None = field(init=False, repr=False, default=None)
    _unescape_plain: re.Pattern[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        d, q, e = (re.escape(b) for b in (self.delimiter, self.quote, self.escape))
        out = rb"[^\r\n" + (d + e if len(self.delimiter) == 1 else e) + b"]"
        if len(self.delimiter) > 1:
            out = b"(?:(?!" + d + b")" + out + b")"
        escaped = e + b"." if e else b""
        self._plain = re.compile(b"(?:" + out + b"++" + (b"|" + escaped if e else b"") + b")*+", re.DOTALL)
        inside = b"[^" + q + e + b"]*+(?:(?:" + q + q + (b"|" + escaped if e else b"") + b")[^" + q + e + b"]*+)*+"
        self._field = re.compile(q + b"(" + inside + b")" + q, re.DOTALL) if q else re.compile(b"(?!)")
        if e:
            self._unescape = re.compile(e + b"(.)" + (b"|" + q + b"(" + q + b")" if q else b""), re.DOTALL)
            self._unescape_plain = re.compile(e + b"(.)", re.DOTALL)
        self.fast = len(self.delimiter) == 1 and self.delimiter < b"\x80" and self.quote < b"\x80" and self.escape < b"\x80"
        """Whether Arrow can read it."""

    @classmethod
    def of(cls, how: CsvFormat, encoding: str) -> Grammar:
        """Raises: ConfigurationError if a character cannot be what it is declared to be."""
        values: list[bytes] = []
        for name in ("delimiter", "quote", "escape"):
            value = getattr(how, name) or ""
            try:
                encoded = value.encode(encoding)
            except UnicodeEncodeError:
                encoded = b"\n"
            if encoded in (b"\n", b"\r", b"\0") or (encoded and encoded in values) or (name != "delimiter" and len(encoded) > 1):
                raise ConfigurationError(f"{value!r} cannot be the {name}", where=f"format.{name}", hint="declare another character")
            values.append(encoded)
        if not values[0]:
            raise ConfigurationError("there is no delimiter", where="format.delimiter", hint="declare one")
        delimiter, quote, escape = values
        return cls(delimiter, quote, escape, skip_space=bool(how.skip_space) and how.delimiter != " ")

    def record(self, data: bytes, at: int, final: bool) -> tuple[list[bytes | None], int]:
        """(fields, where the next record begins). A field of nothing is None, a quoted one is empty.

        Raises: Broken, Incomplete.
        """
        if not self.escape and not self.skip_space:
            end = _line_end(data, at)
            if end >= 0 or final:
                line = data[at : end if end >= 0 else len(data)]
                if not self.quote or self.quote not in line:
                    self.end = at + len(line)
                    return [f or None for f in line.split(self.delimiter)], _after(data, end) if end >= 0 else len(data)
        fields: list[bytes | None] = []
        while True:
            value, at = self._next(data, at, final)
            fields.append(value)
            if data.startswith(self.delimiter, at):
                at += len(self.delimiter)
            elif at >= len(data):
                if not final:
                    raise Incomplete
                self.end = at
                return fields, at
            else:
                self.end = at
                return fields, _after(data, at)

    def _next(self, data: bytes, at: int, final: bool) -> tuple[bytes | None, int]:
        if self.skip_space:
            while data.startswith(b" ", at):
                at += 1
        if not self.quote or not data.startswith(self.quote, at):
            plain = self._plain.match(data, at)
            assert plain
            value, at = plain[0], plain.end()
            if at < len(data) and data[at] not in b"\r\n" and not data.startswith(self.delimiter, at):
                if not final:  # an escape is the last byte
                    raise Incomplete
                value, at = data[plain.start() :], len(data)
            return (self._unescape_plain.sub(rb"\1", value) if self.escape and self.escape in value else value) or None, at
        found = self._field.match(data, at)
        if found is None:
            raise Broken(NEVER_CLOSED) if final else Incomplete
        at = found.end()
        if self.skip_space:
            while data.startswith(b" ", at):
                at += 1
        if at >= len(data):
            if not final:
                raise Incomplete  # what follows the quote is not known
        elif data[at] not in b"\r\n" and not data.startswith(self.delimiter, at):
            raise Broken(TEXT_AFTER)
        value = found[1]
        if self._unescape is not None:
            return self._unescape.sub(lambda m: m[1] if m[1] is not None else m[2], value), at
        return value.replace(self.quote * 2, self.quote), at


def _line_end(data: bytes, at: int) -> int:
    found = ENDS.search(data, at)
    return found.start() if found else -1


def _after(data: bytes, end: int) -> int:
    return end + 2 if data.startswith(b"\r\n", end) else end + 1
