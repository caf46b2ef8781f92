"""The bytes of a file as the readers see them: delimiters, quotes and line ends are what they are in ASCII.

That holds for UTF-8 and for encodings of one byte a character, whose bytes are given as they are. Others (UTF-16, those of East Asia)
are turned into UTF-8 on the way. A bounded part of the file is in memory.
"""

from __future__ import annotations

import codecs
import importlib
import re
from pathlib import Path
from typing import BinaryIO

from flows.errors import ConfigurationError

BLOCK = 8 << 20  # bytes read at a time
UNDECODABLE = "\ufdd0"  # a noncharacter of Unicode: stands for bytes that are no character, in encodings that are turned into UTF-8
MARKS = [  # longer ones first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
LINE_END = re.compile(rb"\r\n|\n|\r")


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return UNDECODABLE, error.end


codecs.register_error("socle-stand-in", _stand_in)


def normal(encoding: str) -> str:
    """Python's name. Raises: ConfigurationError if it knows no such encoding of text."""
    try:
        name = codecs.lookup(encoding).name
        "é".encode(name, "replace").decode(name, "replace")
    except (LookupError, UnicodeError, ValueError, TypeError):
        raise ConfigurationError(
            f"no encoding has the name {encoding!r}", where="format.encoding", hint="utf-8, cp1252, latin-1, utf-16 ..."
        ) from None
    return "utf-8" if name == "utf-8-sig" else name


def is_direct(encoding: str) -> bool:
    """Whether bytes below 128 are always ASCII: `encoding` is Python's name."""
    if encoding in ("utf-8", "ascii", "iso8859-1"):
        return True
    try:
        module = importlib.import_module("encodings." + encoding.replace("-", "_"))
    except ImportError:
        return False
    table = getattr(module, "decoding_table", None)
    return table is not None and table[:128] == "".join(map(chr, range(128)))


def resolve(path: Path, encoding: str) -> tuple[str, int]:
    """(encoding with its byte order, length of the byte order mark)"""
    name = normal(encoding)
    with path.open("rb") as file:
        head = file.read(4)
    for mark, marked in MARKS:
        if head.startswith(mark) and (name == marked or (name in ("utf-16", "utf-32") and marked.startswith(name))):
            return marked, len(mark)
    return (name + "-le" if name in ("utf-16", "utf-32") else name), 0


class Text:
    """Gives the bytes in order: `fill` makes sure that some are in `buffer`, `take` hands them out."""

    def __init__(self, path: Path, encoding: str, end: int | None = None) -> None:
        """`end`: where the file is taken to end, in its own bytes."""
        self.path = path
        self.declared, mark = resolve(path, encoding)
        self.direct = is_direct(self.declared)
        self.encoding = self.declared if self.direct else "utf-8"
        """Of the bytes that are given."""
        self.end = path.stat().st_size if end is None else end
        self.buffer, self.final = b"", False
        self.offset: int | None = mark
        """Of the first byte of the buffer, in the file; None once that cannot be told."""
        self._decoder = None if self.direct else codecs.getincrementaldecoder(self.declared)("socle-stand-in")
        self._file: BinaryIO = path.open("rb")
        self._file.seek(mark)
        self._read = mark

    def __enter__(self) -> Text:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fill(self, size: int) -> None:
        """Have `size` bytes in the buffer, or all that there are."""
        parts, have = [self.buffer], len(self.buffer)
        while have < size and not self.final:
            piece = self._next(max(BLOCK, size - have) if size > STEP else STEP)
            parts.append(piece)
            have += len(piece)
        if len(parts) > 1:
            self.buffer = b"".join(parts)

    def _next(self, size: int) -> bytes:
        raw = self._file.read(max(0, min(size, self.end - self._read)))
        self._read += len(raw)
        self.final = not raw or self._read >= self.end
        if self._decoder is None:
            return raw
        return self._decoder.decode(raw, self.final).encode("utf-8", "surrogatepass")

    def take(self, size: int) -> bytes:
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        if self.offset is not None:
            width = self.width(taken)
            self.offset = None if width is None else self.offset + width
        return taken

    def width(self, given: bytes) -> int | None:
        """How many bytes of the file these are."""
        if self.direct:
            return len(given)
        text = given.decode("utf-8", "surrogatepass")
        if UNDECODABLE in text:
            return None
        try:
            return len(text.encode(self.declared, "surrogatepass"))
        except UnicodeError:
            return None

    def show(self, given: bytes) -> str:
        """As text for people, with nothing lost that can be shown."""
        return given.decode(self.encoding, "backslashreplace").replace(UNDECODABLE, "\ufffd")


STEP = 1 << 16


def first_line(data: bytes, start: int = 0) -> tuple[int, int]:
    """(end of the line, beginning of the next)"""
    found = LINE_END.search(data, start)
    return (found.start(), found.end()) if found else (len(data), len(data))


def footer_start(path: Path, encoding: str, lines: int) -> int:
    """Where the last `lines` lines of a file begin, in its own bytes; empty lines at its very end are not counted."""
    name, mark = resolve(path, encoding)
    size = path.stat().st_size
    if not lines:
        return size
    unit = 4 if name.startswith("utf-32") else 2 if name.startswith("utf-16") else 1
    length = 1 << 16
    while True:
        begin = max(mark, size - length)
        begin += (begin - mark) % unit
        with path.open("rb") as file:
            file.seek(begin)
            tail = file.read(size - begin)
        starts = _starts_of_filled_end(tail, name, unit)
        if begin == mark:
            return begin + starts[-lines] if len(starts) >= lines else begin
        if len(starts) > lines:  # the first line of a part may be cut
            return begin + starts[-lines]
        length *= 4


def _starts_of_filled_end(tail: bytes, name: str, unit: int) -> list[int]:
    """Where lines begin, in bytes, up to the last one that has anything in it."""
    text = tail.decode(name if unit > 1 else "latin-1", "replace")
    if unit == 2:  # characters of two units would shift what follows
        text = re.sub("[\U00010000-\U0010ffff]", "xx", text)
    text = text.rstrip(" \t\r\n")
    return [0] + [found.end() * unit for found in re.finditer("\r\n|\n|\r", text)]


class Lines:
    """Numbers of lines, for places that are asked in the order of the file: it is read a second time, once, and only as far as needed."""

    def __init__(self, path: Path, encoding: str) -> None:
        """`encoding`: with its byte order (`resolve`)."""
        self.path, self.at, self.line = path, 0, 1
        self.file: BinaryIO | None = None
        self.wide = encoding if encoding.startswith(("utf-16", "utf-32")) else ""

    def __del__(self) -> None:
        if self.file is not None:
            self.file.close()

    def of(self, offset: int) -> int:
        if offset < self.at:
            self.at, self.line = 0, 1
        if self.file is None:
            self.file = self.path.open("rb")  # stays open for as long as places are asked
        if self.file.tell() != self.at:
            self.file.seek(self.at)
        ended_in_cr = False
        while self.at < offset:
            block = self.file.read(min(1 << 20, offset - self.at))
            if not block:
                break
            self.at += len(block)
            if self.wide:
                block = block.decode(self.wide, "replace").encode("utf-8", "replace")
            self.line += line_ends(block) - (ended_in_cr and block.startswith(b"\n"))
            ended_in_cr = block.endswith(b"\r")
        return self.line


def line_ends(data: bytes) -> int:
    count = data.count(b"\n")
    return count + data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else count
