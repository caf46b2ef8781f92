"""Bytes as received, under their sha256, with a JSON sidecar that says where they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.errors import NotFound, StorageError
from flows.lake import keys
from flows.lake.objects import Objects, Progress, sha256_file

WITHDRAWN = "withdrawn_by"  # of a sidecar: the erasure that took the bytes away


@dataclass(frozen=True)
class RawFile:
    """One received file. `path` is where its bytes are on this machine, if they are."""

    sha256: str
    name: str
    """What the source calls it; shown to people and kept with refused rows."""
    size: int
    source: str
    """Address it came from, without credentials."""
    path: Path | None = None


class RawStore:
    def __init__(self, objects: Objects, dataset: str) -> None:
        self.objects, self.dataset = objects, dataset
        self.deferred = False
        """Keep nothing yet: the bytes may hold rows of a person who was erased, which only reading them tells."""

    def keep(self, file: RawFile, progress: Progress | None = None, *, given: bool = False) -> None:
        """Store the bytes if they are not there yet, then the sidecar that makes them known.

        `given`: nobody writes to the file at `path` any more, so that a lake in a folder may take the file itself.

        A sidecar that is there is written again as it is: bytes that were received now are not old, whatever retention says.
        """
        if self.deferred:
            return
        assert file.path is not None
        self.touch(file.sha256)
        if self.objects.stat(keys.raw(self.dataset, file.sha256)) is None:
            store = self.objects.adopt if given else self.objects.put_file
            store(keys.raw(self.dataset, file.sha256), file.path, progress)
        sidecar = _sidecar(file)
        if not self.objects.create(keys.raw_sidecar(self.dataset, file.sha256), _json(sidecar)) and self.withdrawn(file.sha256):
            self.objects.put(keys.raw_sidecar(self.dataset, file.sha256), _json(sidecar))  # its bytes are there again

    def keep_all(self, files: Sequence[RawFile], *, given: bool = False) -> None:
        """`keep` of many little files, most of which are new: nothing is asked about those, and what waits for a disk or a network
        is done together."""
        if self.deferred:
            return
        once = list({file.sha256: file for file in reversed(files)}.values())[::-1]
        self.objects.put_all([(keys.raw(self.dataset, f.sha256), _there(f)) for f in once], given=given)
        made = self.objects.create_all([(keys.raw_sidecar(self.dataset, f.sha256), _json(_sidecar(f))) for f in once])
        for file, is_new in zip(once, made, strict=True):
            if not is_new:
                self.keep(file, given=given)

    def withdraw(self, file: RawFile, erasure: str) -> None:
        """Bytes that hold rows of a person who was erased are not kept; the sidecar stays and says so."""
        self.objects.put(keys.raw_sidecar(self.dataset, file.sha256), _json(_sidecar(file) | {WITHDRAWN: erasure}))
        self.objects.delete(keys.raw(self.dataset, file.sha256))

    def withdrawn(self, sha256: str) -> bool:
        try:
            return WITHDRAWN in json.loads(self.objects.get(keys.raw_sidecar(self.dataset, sha256)))
        except NotFound:
            return False

    def has_bytes(self, sha256: str) -> bool:
        return self.objects.stat(keys.raw(self.dataset, sha256)) is not None

    def touch(self, sha256: str) -> None:
        """Kept bytes are in use again."""
        with suppress(NotFound):
            key = keys.raw_sidecar(self.dataset, sha256)
            self.objects.put(key, self.objects.get(key))

    def fetch(self, file: RawFile, folder: Path, progress: Progress | None = None) -> Path:
        """A local copy of kept bytes, verified.

        Raises: StorageError if the bytes in the lake no longer have the hash of their name.
        """
        path = folder / file.sha256
        key = keys.raw(self.dataset, file.sha256)
        if not path.is_file() or sha256_file(path) != file.sha256:
            self.objects.fetch(key, path, progress)
            if sha256_file(path) != file.sha256:
                path.unlink()
                raise StorageError(
                    "raw bytes in the lake are damaged", where=f"{self.objects.name}/{key}", hint="delete that object and run again"
                )
        return path

    def known(self, sha256: str) -> RawFile | None:
        """What the sidecar says, if bytes and sidecar are both there, or the bytes were withdrawn on purpose."""
        try:
            sidecar = json.loads(self.objects.get(keys.raw_sidecar(self.dataset, sha256)))
        except NotFound:
            return None
        if WITHDRAWN not in sidecar and not self.has_bytes(sha256):
            return None
        return RawFile(**{k: sidecar[k] for k in ("sha256", "name", "size", "source")})

    # A pinned address (a published package version) always gives the same bytes: remember which.

    def pin(self, address: str, file: RawFile) -> None:
        self.objects.put(keys.raw_pin(self.dataset, _digest(address)), _json({"address": address, "sha256": file.sha256}))

    def remember(self, address: str, file: RawFile, marks: dict[str, Any]) -> None:
        """What an address gave last, and what tells whether it still does (an ETag, a checksum). Never a secret."""
        said = {"address": file.source, "sha256": file.sha256, "name": file.name, "size": file.size, "marks": marks}
        self.objects.put(keys.raw_pin(self.dataset, _digest(address)), _json(said))

    def recall(self, address: str) -> tuple[RawFile, dict[str, Any]] | None:
        """None if nothing is remembered of the address, or its bytes are not known any more."""
        try:
            said = json.loads(self.objects.get(keys.raw_pin(self.dataset, _digest(address))))
        except NotFound:
            return None
        if "marks" not in said or self.known(said["sha256"]) is None:
            return None
        return RawFile(said["sha256"], said["name"], said["size"], said["address"]), said["marks"]

    def pinned(self, address: str) -> RawFile | None:
        try:
            pin = json.loads(self.objects.get(keys.raw_pin(self.dataset, _digest(address))))
        except NotFound:
            return None
        return self.known(pin["sha256"])

    # What a source remembers to ask less the next time. Losing it costs time, and nothing else.

    def notes(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads(self.objects.get(keys.raw_pin(self.dataset, f"notes-{name}")))
        except (NotFound, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, name: str, notes: dict[str, Any]) -> None:
        self.objects.put(keys.raw_pin(self.dataset, f"notes-{name}"), _json(notes))


def _there(file: RawFile) -> Path:
    assert file.path is not None
    return file.path


def _sidecar(file: RawFile) -> dict[str, object]:
    plain = {k: v for k, v in asdict(file).items() if k != "path"}
    return plain | {"received_at": datetime.now(UTC).isoformat(timespec="seconds")}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
