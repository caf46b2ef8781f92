"""The folder of backups: `objects/<ab>/<sha256>` holds the bytes, `snapshots/<time>.json` says which key had which bytes.

A second copy of the same bytes costs nothing, and a snapshot appears only when everything that it names is there. The folder may be on
another disk or a mounted share; it knows nothing of S3.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from flows.errors import NotFound, StorageError
from flows.lake.objects import CHUNK, ObjectInfo

TIME = "%Y-%m-%dT%H-%M-%SZ"  # of a snapshot's name: sorts by time, and is a file name everywhere
TEMPORARY = ".tmp-"


class Entry(NamedTuple):
    """One object as it was copied."""

    sha256: str
    size: int
    tag: str
    """Of the object in the lake: unchanged, it need not be read again."""


@dataclass
class Snapshot:
    name: str
    buckets: dict[str, dict[str, Entry]]
    """Project (or `commun`) -> key -> entry."""
    database: dict[str, str] = field(default_factory=dict)
    """kind (postgresql, sqlite) and sha256 of the dump; empty if only the lake was copied."""
    missing: dict[str, list[str]] = field(default_factory=dict)
    """Project -> keys that its versions need and that the lake did not have."""

    @property
    def at(self) -> datetime:
        return datetime.strptime(self.name, TIME).replace(tzinfo=UTC)

    def hashes(self) -> Iterator[str]:
        for entries in self.buckets.values():
            yield from (entry.sha256 for entry in entries.values())
        if self.database:
            yield self.database["sha256"]


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # -- bytes

    def path(self, sha256: str) -> Path:
        return self.folder / "objects" / sha256[:2] / sha256

    def add(self, pieces: Iterable[bytes]) -> tuple[str, int]:
        """Keep these bytes; their sha256 and size. Nothing is written twice."""
        partial = self._partial()
        digest, size = hashlib.sha256(), 0
        with self._errors(), partial.open("wb") as out:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        target = self.path(digest.hexdigest())
        with self._errors():
            if target.exists():
                partial.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(target)
        return digest.hexdigest(), size

    def add_file(self, path: Path) -> tuple[str, int]:
        with path.open("rb") as file:
            return self.add(iter(lambda: file.read(CHUNK), b""))

    def get(self, sha256: str) -> bytes:
        return b"".join(self.stream(sha256))

    def stream(self, sha256: str) -> Iterator[bytes]:
        """Raises: StorageError if these bytes are not what they were."""
        digest = hashlib.sha256()
        try:
            with self.path(sha256).open("rb") as file:
                while piece := file.read(CHUNK):
                    digest.update(piece)
                    yield piece
        except FileNotFoundError:
            raise self._damaged(sha256, "missing") from None
        if digest.hexdigest() != sha256:
            raise self._damaged(sha256, "damaged")

    def _damaged(self, sha256: str, what: str) -> StorageError:
        return StorageError(f"a file of the backup is {what}", where=str(self.path(sha256)), hint="restore an earlier copy (--copy)")

    # -- snapshots

    def names(self) -> list[str]:
        """The newest first."""
        return sorted((path.stem for path in (self.folder / "snapshots").glob("*.json")), reverse=True)

    def load(self, name: str | None = None) -> Snapshot:
        """The newest unless named. Raises: NotFound."""
        names = self.names()
        chosen = name or next(iter(names), None)
        if chosen not in names:
            there = ", ".join(names[:10]) or "none"
            raise NotFound(f"there is no copy {name or ''}".rstrip(), where=f"{self.folder} (copies there: {there})", hint="socle backup")
        try:
            plain = json.loads((self.folder / "snapshots" / f"{chosen}.json").read_bytes())
            buckets = {name: {key: Entry(*entry) for key, entry in entries.items()} for name, entries in plain["buckets"].items()}
            return Snapshot(plain["name"], buckets, plain["database"], plain["missing"])
        except (ValueError, KeyError, TypeError):
            raise StorageError("the list of a copy is damaged", where=f"{self.folder}/snapshots/{chosen}.json") from None

    def save(self, snapshot: Snapshot) -> None:
        """Last of all: from now on the copy is there."""
        target = self.folder / "snapshots" / f"{snapshot.name}.json"
        with self._errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = self._partial()
            with partial.open("w", encoding="utf-8") as out:
                json.dump(asdict(snapshot), out)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(target)

    def prune(self, keep_days: float, now: datetime) -> tuple[list[str], int]:
        """Forget copies older than that, never the newest; (their names, bytes that were freed)."""
        names = self.names()
        old = [name for name in names[1:] if self.load(name).at < now - timedelta(days=keep_days)]
        for name in old:
            (self.folder / "snapshots" / f"{name}.json").unlink()
        needed = {sha256 for name in self.names() for sha256 in self.load(name).hashes()}
        freed = 0
        for path in [*(self.folder / "objects").glob("*/*"), *self.folder.glob(f"{TEMPORARY}*")]:
            if path.name not in needed:
                freed += path.stat().st_size
                path.unlink()
        return old, freed

    def _partial(self) -> Path:
        with self._errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)  # it holds everything that the lake and the database hold
        return self.folder / f"{TEMPORARY}{uuid.uuid4().hex}"

    def _errors(self) -> _DiskErrors:
        return _DiskErrors(self.folder)


class _DiskErrors:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            message = f"the backup's folder cannot be used: {error.strerror}"
            raise StorageError(message, where=str(self.folder), hint="free some space, or check its owner") from None


class Copied:
    """One bucket of a snapshot, to read: what closure.py looks at."""

    def __init__(self, store: Store, project: str, entries: dict[str, Entry]) -> None:
        self.store, self.name, self.entries = store, project, entries

    def get(self, key: str) -> bytes:
        return self.store.get(self.entries[key].sha256)

    def list(self, prefix: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        keys = sorted(key for key in self.entries if key.startswith(prefix))
        yield from (ObjectInfo(key, self.entries[key].size, self.entries[key].tag) for key in keys[:limit])
