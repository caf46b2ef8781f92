"""JSON, streamed record by record."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from flows.errors import ConfigurationError, SourceRefused
from flows.formats.base import Decision
from flows.formats.records import as_object
from flows.project.formats import JsonFormat
from flows.settings import Settings

ESCAPED_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*(?P<escape>\\u[dD](?P<half>[89a-fA-F])[0-9a-fA-F]{2})")
BOM = b"\xef\xbb\xbf"
MAX_DEPTH = 500  # levels of nesting
OPENING, CLOSING = ("start_map", "start_array"), ("end_map", "end_array")


def decide(path: Path, name: str, declared: JsonFormat | None, settings: Settings) -> Decision:
    declared = declared or JsonFormat(type="json")
    return Decision(declared.model_copy(update={"records": declared.records or ""}))


def incompatible(path: Path, name: str, kept: JsonFormat, settings: Settings) -> str | None:
    return None


def read(path: Path, name: str, how: JsonFormat, settings: Settings) -> Iterator[dict[str, Any]]:
    """The objects at the `records` path (ijson's syntax). Without a path: the items of a list at the top, or the whole
    document as one record if it is an object, when it is not over `max_record_mb`."""
    import ijson

    where = how.records or _top(path, name, settings.max_record_mb)
    count = 0
    try:
        with _open(path) as file:
            for count, record in enumerate(ijson.items(_DepthGuard(file, path, name), where, use_float=True), 1):
                yield as_object(record, name, f"record {count}")
    except (ijson.JSONError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceRefused(
            f"{name} is not whole, valid JSON: {reason}", where=f"{path} after record {count}", hint="fetch it again, or ask its producer"
        ) from None
    if how.records and not count:
        raise ConfigurationError(
            f"{name} has no record at {how.records!r}", where="format.records", hint="`item` stands for the elements of a list"
        )


class _DepthGuard:
    """Refuses documents nested deeper than MAX_DEPTH before ijson sees them: it keeps the path to every open level, and a file of
    100 kB that only opens brackets takes more than 20 GB of memory.

    Counting brackets is nearly free but counts those inside texts as well; only a suspicious count is looked at properly.
    """

    def __init__(self, file: BinaryIO, path: Path, name: str) -> None:
        self.file, self.path, self.name = file, path, name
        self.open, self.verified, self.paired = 0, False, False

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.open += data.count(b"[") + data.count(b"{") - data.count(b"]") - data.count(b"}")
        if self.open > MAX_DEPTH and not self.verified:
            self._verify()
        if ESCAPED_SURROGATE.search(data) and not self.paired:
            self._verify_pairs()
        return data

    def _verify_pairs(self) -> None:
        """Half of a surrogate pair is no character: ijson would quietly put another one in its place."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            high_ends_at = -1  # where the high half that waits for its low half ends
            for found in ESCAPED_SURROGATE.finditer(data):
                is_low = found["half"] in b"cdefCDEF"
                if is_low != (found.start("escape") == high_ends_at):
                    break
                high_ends_at = -1 if is_low else found.end()
            else:
                found = None
            if found or high_ends_at >= 0:
                raise SourceRefused(f"{self.name} holds half a character (a lone surrogate)", where=str(self.path))
        self.paired = True

    def _verify(self) -> None:
        import ijson

        depth = 0
        with _open(self.path) as file:
            for event, _ in ijson.basic_parse(file, use_float=True):
                depth += (event in OPENING) - (event in CLOSING)
                if depth > MAX_DEPTH:
                    raise SourceRefused(f"{self.name} is nested more than {MAX_DEPTH} levels deep", where=str(self.path))
        self.verified = True


def _open(path: Path) -> BinaryIO:
    """Past a byte order mark, which ijson does not know."""
    file = path.open("rb")
    if file.read(len(BOM)) != BOM:
        file.seek(0)
    return file


def _top(path: Path, name: str, max_record_mb: int) -> str:
    with path.open("rb") as file:
        first = file.read(4096).removeprefix(BOM).lstrip()[:1]
    if first == b"[":
        return "item"
    size_mb = path.stat().st_size / 1e6
    if size_mb > max_record_mb:
        raise ConfigurationError(
            f"{name} is one JSON document of {size_mb:.0f} MB",
            where="format.records",
            hint=f"give the path to the records, or raise SOCLE_MAX_RECORD_MB ({max_record_mb})",
        )
    return ""
