"""Files on a disk that the worker sees: a path or a glob, relative to the project's folder.

A file that has the size, the time of writing and the inode that it had when it was read last is not read again.
"""

from __future__ import annotations

import glob
import hashlib
import itertools
import time
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from flows.errors import ConfigurationError, SystemFailure
from flows.lake.objects import Progress, sha256_file
from flows.lake.raw import RawFile
from flows.project.sources import FileSource
from flows.sources.base import Context, Source

SEEN = "files"
PIECE = 1 << 20  # bytes
LITTLE = 8 << 20  # bytes that may be read twice
SETTLED_NS = 2_000_000_000  # a file that was written so lately may be written again without another time


class LocalFiles(Source):
    def __init__(self, declared: FileSource, context: Context) -> None:
        super().__init__(declared, context)
        self.pattern, self.folder = declared.path, context.project.folder

    def identify(self) -> list[RawFile] | None:
        """By size and time of writing for files that were read before; others are read. None when most of it would have to be read:
        then `fetch` does it once, and hashes what it copies."""
        paths = self._paths()
        marks = {path: _mark(path) for path in paths}
        seen = self.context.raw.notes(SEEN)
        known = {path: sha256 for path in paths if (sha256 := seen.get(self._name(path), {}).get(marks[path]))}
        sizes = {path: _size(path) for path in paths}
        unread = sum(size for path, size in sizes.items() if path not in known)
        if unread > max(LITTLE, sum(sizes.values()) - unread):
            return None
        return [self._describe(path, known.get(path)) for path in paths]

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        """Copies, and the copies are hashed: what is loaded is what its sha256 says, even if the file changes meanwhile."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = self._paths() if wanted is None else [f.path for f in wanted if f.path is not None]
        marks = {path: _mark(path) for path in paths}
        files = [self._copy(path, folder / f"{number}-{path.name}", progress) for number, path in enumerate(paths)]
        pairs = zip(paths, files, strict=True)
        fresh = {self._name(path): {marks[path]: file.sha256} for path, file in pairs if marks[path] == _mark(path) != ""}
        self.context.raw.note(SEEN, self.context.raw.notes(SEEN) | fresh)
        return files

    def _paths(self) -> list[Path]:
        names = glob.glob(self.pattern, root_dir=self.folder, recursive=True)  # noqa: PTH207 - absolute patterns too
        found = sorted(path for name in names if (path := self.folder / name).is_file())
        if not found:
            raise ConfigurationError(
                f"no file matches {self.pattern!r}",
                where=str(self.folder / self.pattern),
                hint="put the file there, or check source.path in project.yaml",
                french=f"Il n'y a aucun fichier « {self.pattern} » : il n'a pas été déposé, ou il a un autre nom.",
            )
        return found

    def _name(self, path: Path) -> str:
        """Relative to the project's folder where it is inside: two files of one name in two folders stay apart."""
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.as_posix()

    def _copy(self, path: Path, copy: Path, progress: Progress | None) -> RawFile:
        try:
            sha256 = _copied(path, copy, progress)
        except OSError as error:
            raise SystemFailure(
                f"cannot copy {path.name}: {error.strerror}", where=f"{path} -> {copy}", hint="check both, and free space, then run again"
            ) from None
        return RawFile(sha256, self._name(path), copy.stat().st_size, f"file:{self.pattern}", copy)

    def _describe(self, path: Path, sha256: str | None) -> RawFile:
        try:
            return RawFile(sha256 or sha256_file(path), self._name(path), path.stat().st_size, f"file:{self.pattern}", path)
        except OSError as error:
            raise SystemFailure(f"cannot read {path.name}: {error.strerror}", where=str(path)) from None


def _copied(path: Path, copy: Path, progress: Progress | None) -> str:
    """sha256 of the bytes that were written. They are read once, in pieces that stay in a core's cache."""
    copy.unlink(missing_ok=True)  # of an earlier attempt: the lake may have taken that file itself
    with path.open("rb") as source, copy.open("wb") as out:
        first = source.read(PIECE)
        digest = hashlib.sha256(first)
        out.write(first)
        if progress:
            progress(len(first))
        if len(first) == PIECE:
            _copy_rest(source, out, digest, progress)
    return digest.hexdigest()


def _copy_rest(source: BufferedReader, out: BinaryIO, digest: hashlib._Hash, progress: Progress | None) -> None:
    """Each piece is hashed by another thread while it is written and the next one is read."""
    hashed: Future[None] | None = None
    with ThreadPoolExecutor(1) as pool:
        for buffer in itertools.cycle([memoryview(bytearray(PIECE)) for _ in range(2)]):
            size = source.readinto(buffer)
            if hashed is not None:
                hashed.result()  # and the other buffer is free
            if not size:
                return
            hashed = pool.submit(digest.update, buffer[:size])
            out.write(buffer[:size])
            if progress:
                progress(size)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it says what is wrong


def _mark(path: Path) -> str:
    """What changes when a file is written, as far as the file system tells; empty for one that was written just now, or is gone."""
    try:
        found = path.stat()
    except OSError:
        return ""
    lately = time.time_ns() - found.st_mtime_ns < SETTLED_NS
    return "" if lately else f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
