"""Files at addresses, with what the lake remembers of each: what it gave last, and the marks that tell whether it still does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.lake.objects import Progress, sha256_file
from flows.lake.raw import RawFile, RawStore
from flows.sources.web.client import Web, shown
from flows.sources.web.download import download


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source."""

    address: str
    source: str
    """What is kept as its origin, without credentials; each file of a source has its own."""
    key: str
    """What is remembered of it is under this name."""
    checksum: tuple[str, str] | None = None
    """Algorithm of hashlib and the hex digest that the bytes have to have."""
    suffix: str = ""
    """For a name that has none."""
    marks: dict[str, Any] = field(default_factory=dict)
    """Remembered with it besides what the server says."""


class RemoteFiles:
    def __init__(self, web: Web, raw: RawStore) -> None:
        self.web, self.raw = web, raw

    def unchanged(self, file: RemoteFile) -> RawFile | None:
        """The file as it is known, if the server says that it still is that. No bytes move."""
        recalled = self.raw.recall(file.key)
        if recalled is None or not (conditions := _conditions(recalled[1])):
            return None
        marks = recalled[1]
        ends = self.web.deadline()

        def ask() -> bool:
            with self.web.get(file.address, conditions | {"Accept-Encoding": "identity"}, ends) as answer:
                if answer.status == 304:
                    return True
                if etag := marks.get("etag"):  # some servers name the version but do not compare
                    return bool(answer.headers.get("etag") == etag)
                same_time = answer.headers.get("last-modified") == marks.get("modified")
                return same_time and answer.length is not None and answer.length == marks.get("length")

        return recalled[0] if self.web.patiently(file.address, ends, ask) else None

    def bring(self, file: RemoteFile, folder: Path, number: int, taken: set[str], progress: Progress | None = None) -> RawFile:
        """The file with its local `path`: from the lake if it did not change, from the server otherwise. `taken`: names of the files
        before it, which it cannot have as well.

        Raises: SourceRefused if it has not its checksum.
        """
        recalled = self.raw.recall(file.key)
        at_hand = recalled is not None and self.raw.has_bytes(recalled[0].sha256)
        conditions = _conditions(recalled[1]) if recalled and at_hand else {}
        target = folder / str(number)
        got = download(self.web, file.address, target, progress, conditions)
        if got is not None and got.resumed and file.checksum and _digest(got.path, file.checksum[0]) != file.checksum[1]:
            got.path.unlink()  # parts of two files, perhaps: once more, in one piece
            got = download(self.web, file.address, target, progress)
        if got is None:
            assert recalled is not None
            known = recalled[0]
            path = self.raw.fetch(known, folder, progress)
            return RawFile(known.sha256, _apart(known.name, file.key, taken), known.size, file.source, path)
        if file.checksum and (digest := _digest(got.path, file.checksum[0])) != file.checksum[1]:
            got.path.unlink()
            raise _wrong(file, digest)
        name = got.name if "." in got.name else got.name + file.suffix
        size = got.path.stat().st_size
        received = RawFile(sha256_file(got.path), _apart(name, file.key, taken), size, file.source, got.path)
        self.raw.remember(file.key, received, got.marks | {"length": size} | file.marks)
        return received


def _apart(name: str, key: str, taken: set[str]) -> str:
    """Another name, if a file before it has that one: what is kept of a load goes by name."""
    if name in taken:
        stem, dot, suffix = name.partition(".")
        name = f"{stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}{dot}{suffix}"
    taken.add(name)
    return name


def _conditions(marks: dict[str, Any]) -> dict[str, str]:
    pairs = {"If-None-Match": marks.get("etag"), "If-Modified-Since": marks.get("modified")}
    return {name: text for name, text in pairs.items() if text}


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _wrong(file: RemoteFile, digest: str) -> SourceRefused:
    assert file.checksum is not None
    algorithm, expected = file.checksum
    return SourceRefused(
        f"the bytes do not have the {algorithm} that they should: {digest[:16]}... instead of {expected[:16]}...",
        where=shown(file.address),
        hint="run again; if it stays, the file or what is published of it changed",
        french="Le fichier reçu n'est pas celui qui est annoncé (somme de contrôle différente).",
    )
