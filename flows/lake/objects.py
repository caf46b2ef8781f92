"""Objects of one bucket, the same on a local folder and on S3. Tables are not here: see datasets.py.

Bytes are visible whole or not at all. `create` is the one primitive that everything concurrent is built on: it writes an
object only if there is none, and says who won.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

Progress = Callable[[int], None]
"""Called with the number of bytes that have moved since the last call."""

CHUNK = 1 << 20  # bytes
UNKNOWN = datetime.max.replace(tzinfo=UTC)  # never old enough to go


@dataclass(frozen=True)
class ObjectInfo:
    key: str
    size: int
    """Bytes."""
    tag: str = field(default="", compare=False)
    """Changes when the bytes do: the ETag of S3, the time of writing in a folder."""
    modified: datetime = field(default=UNKNOWN, compare=False)
    """When it was written last, by the clock of the storage."""


class Objects(Protocol):
    """One bucket. Every method raises StorageError when the storage fails, NotFound when an object is not there."""

    @property
    def name(self) -> str: ...

    def ensure(self) -> bool:
        """Make the bucket; True if it was not there."""

    def bucket_exists(self) -> bool: ...

    def put(self, key: str, data: bytes) -> None:
        """Write, replacing what was there."""

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None: ...

    def adopt(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """`put_file` of a file that its owner will neither change nor need: a folder takes the file itself where it can."""

    def create(self, key: str, data: bytes) -> bool:
        """Write only if there is none. False: somebody (or an earlier attempt of ours) was first."""

    def put_all(self, files: Sequence[tuple[str, Path]], *, given: bool = False) -> None:
        """`put_file`, or `adopt` if they are given, of many little files: all of them are there when it returns."""

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> list[bool]:
        """`create` of many little objects."""

    def get(self, key: str) -> bytes: ...

    def stream(self, key: str) -> Iterator[bytes]:
        """The object in pieces of CHUNK bytes at most."""

    def fetch(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Download to `path`, which appears only when it is whole."""

    def stat(self, key: str) -> ObjectInfo | None: ...

    def list(self, prefix: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """Objects whose key begins with `prefix`, in the order of their keys."""

    def delete(self, key: str) -> None:
        """Remove; nothing happens when there is none."""


def require_key(key: str) -> None:
    """Raises: ValueError for a key that could lead out of its bucket."""
    if not key or key.startswith("/") or ".." in key.split("/"):
        raise ValueError(f"not a key of the lake: {key!r}")


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
