"""JSON, streamed record by record."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from flows.errors import ConfigurationError, SourceRefused
from flows.formats.base import BadRow, Decision
from flows.formats.recognise import other_than
from flows.formats.records import object_or_bad
from flows.project.formats import JsonFormat
from flows.settings import Settings

ESCAPED_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*(?P<escape>\\u[dD](?P<half>[89a-fA-F])[0-9a-fA-F]{2})")
BOM = b"\xef\xbb\xbf"
MAX_DEPTH = 500  # levels of nesting
OPENING, CLOSING = ("start_map", "start_array"), ("end_map", "end_array")


def decide(path: Path, name: str, declared: JsonFormat | None, settings: Settings) -> Decision:
    from flows.formats.doubled_keys import in_document
    from flows.formats.json_paths import find

    declared = declared or JsonFormat(type="json")
    if declared.records is not None:
        return Decision(declared, {"records": "it is declared"}, in_document(path, name))
    refuse_other_text(path, name)
    found = find(path, name)
    how = declared.model_copy(update={"records": found.path})
    return Decision(how, {"records": found.why}, found.findings + in_document(path, name))


def incompatible(path: Path, name: str, kept: JsonFormat, settings: Settings) -> str | None:
    if sentence := other_than(path, name, "json"):
        return sentence
    if kept.records and not has_path(path, name, kept.records):
        return f"{name} has no records at {kept.records!r}, where earlier files had them"
    return None


def read(path: Path, name: str, how: JsonFormat, settings: Settings) -> Iterator[dict[str, Any] | BadRow]:
    """The objects at the `records` path (ijson's syntax). Without a path: the items of a list at the top, or the whole
    document as one record if it is an object, when it is not over `max_record_mb`."""
    where = how.records or _top(path, name, settings.max_record_mb)
    count = 0
    for count, record in enumerate(items(path, name, where), 1):
        yield object_or_bad(record, name, count, "json")
    if how.records and not count and not has_path(path, name, how.records):
        raise ConfigurationError(
            f"{name} has no record at {how.records!r}",
            where="format.records",
            hint="`item` stands for the elements of a list",
            french=f"Le fichier {name} n'a aucun enregistrement à l'endroit prévu ({how.records}).",
        )


def items(path: Path, name: str, where: str) -> Iterator[Any]:
    """The values at an ijson path. Raises: SourceRefused, with the place, if the document is damaged."""
    import ijson

    count = 0
    refuse_other_text(path, name)
    try:
        with open_text(path) as file:
            for record in ijson.items(_DepthGuard(file, path, name), where, use_float=True):
                count += 1
                yield record
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise damaged(path, name, error, count) from None


def events(path: Path, name: str, most_bytes: int | None = None) -> Iterator[tuple[str, str, Any]]:
    """(path, event, value) as of ijson, of the whole document or its beginning."""
    import ijson

    with open_text(path) as file:
        source = _DepthGuard(file, path, name, most_bytes)
        try:
            yield from ijson.parse(source, use_float=True)
        except (ijson.JSONError, UnicodeDecodeError) as error:
            if not source.cut:
                raise damaged(path, name, error, None) from None


def has_path(path: Path, name: str, where: str) -> bool:
    """Whether there is a value at this path, or the empty list whose items it means."""
    container = where.removesuffix(".item") if where.endswith(".item") else "" if where == "item" else None
    return any(
        prefix == where or (prefix == container and event == "start_array")
        for prefix, event, _ in events(path, name)
        if event not in ("map_key", "end_array", "end_map")
    )


def damaged(path: Path, name: str, error: Exception, record: int | None) -> SourceRefused:
    """What the parser says, without the piece of the file that it shows."""
    told = error.args[0] if error.args else ""
    told = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(error)
    reason = (told.strip().splitlines() or [type(error).__name__])[0].strip()[:200]
    if "overflow" in reason:
        return SourceRefused(
            f"{name} holds a number that is too large for 64 bits ({reason})",
            where=f"{path}" + ("" if record is None else f" after record {record}"),
            hint="ask its producer to write it as text, in quotes",
            french=f"Le fichier {name} contient un nombre trop grand pour être lu : il doit être écrit comme un texte, entre guillemets.",
        )
    return SourceRefused(
        f"{name} is not whole, valid JSON: {reason}",
        where=f"{path}" + ("" if record is None else f" after record {record}"),
        hint="fetch it again, or ask its producer",
        french=f"Le fichier {name} est abîmé ou incomplet : ce n'est pas du JSON valide.",
    )


def refuse_other_text(path: Path, name: str) -> None:
    """Raises: SourceRefused for a web page that a server sent in place of JSON."""
    from flows.formats.recognise import HEAD, decoded, refuse_page

    with path.open("rb") as file:
        refuse_page(decoded(file.read(HEAD)) or "", path, name)


class _DepthGuard:
    """Refuses documents nested deeper than MAX_DEPTH before ijson sees them: it keeps the path to every open level, and a file of
    100 kB that only opens brackets takes more than 20 GB of memory.

    Counting brackets is nearly free but counts those inside texts as well; only a suspicious count is looked at properly.
    """

    def __init__(self, file: BinaryIO, path: Path, name: str, most_bytes: int | None = None) -> None:
        self.file, self.path, self.name, self.left = file, path, name, most_bytes
        self.open, self.verified, self.paired, self.cut = 0, False, False, False

    def read(self, size: int = -1) -> bytes:
        if self.left is not None:
            self.cut = self.cut or 0 <= self.left < size
            size = min(size, self.left) if size >= 0 else self.left
            self.left -= size
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
        with open_text(self.path) as file:
            for event, _ in ijson.basic_parse(file, use_float=True):
                depth += (event in OPENING) - (event in CLOSING)
                if depth > MAX_DEPTH:
                    raise SourceRefused(f"{self.name} is nested more than {MAX_DEPTH} levels deep", where=str(self.path))
        self.verified = True


def open_text(path: Path) -> BinaryIO:
    """Past a byte order mark, which ijson does not know; UTF-16 and UTF-32 as UTF-8."""
    import codecs

    file = path.open("rb")
    start = file.read(4)
    file.seek(len(BOM) if start.startswith(BOM) else 0)
    if start[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and start != codecs.BOM_UTF32_BE:
        return file
    encoding = "utf-32" if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE) else "utf-16"
    return codecs.EncodedFile(file, "utf-8", encoding)  # type: ignore[return-value]


def _top(path: Path, name: str, max_record_mb: int) -> str:
    with open_text(path) as file:
        first = file.read(4096).lstrip()[:1]
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
