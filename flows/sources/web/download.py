"""One file over HTTP to a local folder: resumed where it was cut, capped, decoded, and whole or not at all.

Bytes go to `<target>.part` as they are sent, with `<target>.part.json` beside it: what has to be the same for the rest to belong
to them. Both stay when a download fails, for the next try in the same folder. What servers send is not trusted: a range has to
begin where it was asked to, lengths have to add up, and nothing is larger than SOCLE_HTTP_MAX_GB.
"""

from __future__ import annotations

import email.utils
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import httpx

from flows.errors import SourceRefused, SystemFailure
from flows.lake.objects import CHUNK, Progress
from flows.sources.web.client import Answer, Transient, Web, shown
from flows.sources.web.names import file_name

GAIN = 1 << 20  # bytes that a try has to bring to be forgiven
KEPT_HEADERS = ("etag", "last-modified", "date", "content-type", "content-disposition", "content-encoding")
ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # window bits for zlib


@dataclass(frozen=True)
class Downloaded:
    path: Path
    name: str
    """What the server calls it, made safe."""
    marks: dict[str, str]
    """What tells next time whether it changed (`etag`, `modified`); empty if nothing does."""
    resumed: bool


def download(
    web: Web, address: str, target: Path, progress: Progress | None = None, conditions: dict[str, str] | None = None
) -> Downloaded | None:
    """Bring a file. `target` is where, without the name that it gets. None: it did not change (`conditions`).

    Raises: SystemFailure, ConfigurationError, SourceRefused
    """
    ends = web.deadline()
    fetching = _Fetching(web, address, target, progress, ends)
    try:
        return web.patiently(address, ends, lambda: fetching.attempt(conditions or {}))
    except OSError as error:
        raise SystemFailure(
            f"cannot write what was received: {error.strerror}", where=str(target.parent), hint="free some space, then run again"
        ) from None


class _Fetching:
    def __init__(self, web: Web, address: str, target: Path, progress: Progress | None, ends: float) -> None:
        self.web, self.address, self.target, self.progress, self.ends = web, address, target, progress, ends
        self.part = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")
        self.limit = int(web.settings.http_max_gb * 1e9)
        self.furthest = 0
        """Bytes that any try came to: a server that cuts at the same place every time brings nothing forward."""

    def attempt(self, conditions: dict[str, str]) -> Downloaded | None:
        have, known = self._kept()
        headers = {"Accept-Encoding": "identity"}  # ranges and hashes are of the file then
        headers |= {"Range": f"bytes={have}-", "If-Range": known["validator"]} if have else conditions
        with self.web.get(self.address, headers, self.ends) as answer:
            if answer.status == 304:
                return None
            if answer.status == 416:
                if have != _total(answer):
                    self._forget("the server has no rest of the file")
                return self._finish(known, resumed=True)
            if answer.status == 206:
                total = self._rest(answer, have, known)
            else:
                total, known, have = answer.length, self._begin(answer), 0
            self._require_size(total)
            size = self._receive(answer, have)
        if total is not None and size != total:
            raise self._cut(f"{size:,} of {total:,} bytes came", size)
        return self._finish(known, resumed=have > 0)

    def _kept(self) -> tuple[int, dict[str, Any]]:
        """How many bytes an earlier try left, and what they are of."""
        try:
            known = json.loads(self.note.read_bytes())
            size = self.part.stat().st_size
        except (FileNotFoundError, ValueError):
            return 0, {}
        usable = isinstance(known, dict) and known.get("address") == self.address and known.get("validator")
        return (size, known) if usable else (0, {})

    def _begin(self, answer: Answer) -> dict[str, Any]:
        headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
        known = {"address": self.address, "final": answer.address, "validator": _validator(answer.headers), "headers": headers}
        self.part.write_bytes(b"")
        self.note.write_text(json.dumps(known), encoding="utf-8")
        return known

    def _rest(self, answer: Answer, have: int, known: dict[str, Any]) -> int | None:
        """Whole size. The rest has to begin where the part ends, and to be of the same file."""
        found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", answer.headers.get("content-range", "").strip(), re.ASCII)
        etag = known["headers"].get("etag")
        same = etag is None or answer.headers.get("etag", etag) == etag
        encoding = known["headers"].get("content-encoding", "") == answer.headers.get("content-encoding", "")
        if not have or not found or int(found[1]) != have or not same or not encoding:
            self._forget("it sends another part of the file than was asked for")
        return None if found[3] == "*" else int(found[3])

    def _receive(self, answer: Answer, have: int) -> int:
        size = have
        with self.part.open("ab") as out:
            try:
                for piece in answer.chunks():
                    size += len(piece)
                    self._require_size(size)
                    out.write(piece)
                    if self.progress:
                        self.progress(len(piece))
            except Transient as error:
                raise self._cut(error.why, size) from None
        return size

    def _require_size(self, size: int | None) -> None:
        if size is not None and size > self.limit:
            self._remove()
            raise too_large(self.address, self.web)

    def _cut(self, why: str, size: int) -> Transient:
        error = Transient(f"the file was cut: {why}")
        error.progressed = size >= self.furthest + GAIN
        self.furthest = max(size, self.furthest)
        return error

    def _forget(self, why: str) -> NoReturn:
        self._remove()
        raise Transient(why)

    def _remove(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _finish(self, known: dict[str, Any], resumed: bool) -> Downloaded:
        headers = httpx.Headers(known["headers"], encoding="latin-1")
        name = file_name(headers, self.address, known["final"])
        path = self.target.with_name(f"{self.target.name}-{name}")
        codings = [c.strip().lower() for c in headers.get("content-encoding", "").split(",") if c.strip().lower() not in ("", "identity")]
        if codings:
            _decode(self.part, path, codings, name, self)
        else:
            self.part.replace(path)
        self._remove()
        _refuse_page(path, name, headers, self.address)
        return Downloaded(path, name, _marks(headers), resumed)


def too_large(address: str, web: Web) -> SourceRefused:
    return SourceRefused(
        f"the file is larger than {web.settings.http_max_gb:g} GB",
        where=shown(address),
        hint="if it should be, raise SOCLE_HTTP_MAX_GB",
        french=f"Le fichier de la source dépasse la taille admise ({web.settings.http_max_gb:g} Go).",
    )


def _total(answer: Answer) -> int | None:
    found = re.fullmatch(r"bytes \*/(\d{1,18})", answer.headers.get("content-range", "").strip(), re.ASCII)
    return int(found[1]) if found else None


def _validator(headers: httpx.Headers) -> str:
    """What If-Range may hold: a strong ETag, or a time at which the file was not still changing."""
    etag = str(headers.get("etag", ""))
    if etag.startswith('"') and etag.endswith('"') and len(etag) > 2:
        return etag
    return "" if etag else _settled(headers)


def _marks(headers: httpx.Headers) -> dict[str, str]:
    etag = re.fullmatch(r"[\x20-\x7e\x80-\xff]*", headers.get("etag", ""))  # what can be sent back
    marks = {"etag": etag[0] if etag else "", "modified": _settled(headers)}
    return {name: text for name, text in marks.items() if text}


def _settled(headers: httpx.Headers) -> str:
    """Last-Modified, if the answer was made at least two seconds later: a file that changes again in the same second keeps it."""
    try:
        modified, made = (email.utils.parsedate_to_datetime(headers.get(name, "")) for name in ("last-modified", "date"))
        settled = (made - modified).total_seconds() >= 2
    except (ValueError, TypeError, OverflowError):
        return ""
    return str(headers["last-modified"]) if settled else ""


def _decode(part: Path, path: Path, codings: list[str], name: str, of: _Fetching) -> None:
    """Take the encodings of the transfer off. A `.gz` that is sent as gzip of what is in it is left as it is."""
    unknown = [c for c in codings if c not in ENCODINGS]
    if unknown or len(codings) > 2:
        of._remove()
        raise SourceRefused(f"the server encodes the file in a way that was not asked for: {', '.join(codings)}", where=shown(of.address))
    current = part
    for number, coding in enumerate(reversed(codings)):
        out = path.with_name(f"{path.name}.{number}")
        _inflate(current, out, ENCODINGS[coding], of)
        if current is part and len(codings) == 1 and name.lower().endswith((".gz", ".tgz")) and out.open("rb").read(2) != b"\x1f\x8b":
            out.unlink()
            out = part
        elif current is not part:
            current.unlink()
        current = out
    current.replace(path)


def _inflate(source: Path, target: Path, bits: int, of: _Fetching) -> None:
    size = 0
    try:
        with source.open("rb") as data, target.open("wb") as out:
            for plain in inflated(data, bits):
                size += len(plain)
                of._require_size(size)
                out.write(plain)
    except zlib.error as error:
        target.unlink(missing_ok=True)
        of._remove()
        raise SourceRefused(f"what the server sent cannot be decoded: {error}", where=shown(of.address), hint="run again") from None
    except SourceRefused:
        target.unlink(missing_ok=True)
        raise


def inflated(data: BinaryIO, bits: int) -> Iterator[bytes]:
    """In pieces of CHUNK bytes at most, whatever a few bytes may swell to. Raises: zlib.error"""
    decoder, piece = zlib.decompressobj(bits), data.read(CHUNK)
    while True:
        plain = decoder.decompress(piece, CHUNK)
        if plain:
            yield plain
        if not decoder.eof:
            piece = decoder.unconsumed_tail or (b"" if len(plain) == CHUNK else data.read(CHUNK))
            if not piece and len(plain) < CHUNK:
                raise zlib.error("it ends before its end")
        else:  # another member may follow, or zeros that fill up a block
            piece = decoder.unused_data
            while not (piece := piece.lstrip(b"\0")):
                if not (piece := data.read(CHUNK)):
                    return
            decoder = zlib.decompressobj(bits)


def _refuse_page(path: Path, name: str, headers: httpx.Headers, address: str) -> None:
    """A page in place of the file: a login, an error, a portal. Its rows would be lines of HTML."""
    if not headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml")):
        return
    with path.open("rb") as file:
        start = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and not name.lower().endswith((".html", ".htm", ".xls", ".xml", ".xhtml")):
        path.unlink()
        raise SourceRefused(
            "the server answers with a web page instead of a file",
            where=shown(address),
            hint="open the address in a browser: it may want a login, or lead to a page about the file",
            french="L'adresse de la source mène à une page web, pas à un fichier.",
        )
