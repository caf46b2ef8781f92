"""A bucket as a local folder. Writes are atomic and survive a power cut: temporary file, fsync, rename or link, fsync."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from flows.errors import NotFound, StorageError
from flows.lake.objects import CHUNK, ObjectInfo, Progress, require_key
from flows.lake.touched import note_deleted

TEMPORARY = ".tmp-"


class LocalObjects:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return self.folder.name

    def ensure(self) -> bool:
        fresh = not self.folder.is_dir()
        with _storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return fresh

    def bucket_exists(self) -> bool:
        return self.folder.is_dir()

    def put(self, key: str, data: bytes) -> None:
        self._write(key, lambda out: out.write(data))

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        with path.open("rb") as source:
            self._write(key, lambda out: _copy(source, out, progress))

    def adopt(self, key: str, path: Path, progress: Progress | None = None) -> None:
        target = self._path(key)
        with _storage_errors(target):
            self._prepare(target)
            temporary = _beside(target)
            try:
                if not _linked(path, temporary):
                    return self.put_file(key, path, progress)
                _sync(temporary)
                temporary.replace(target)
                if progress:
                    progress(path.stat().st_size)
            finally:
                temporary.unlink(missing_ok=True)
            _sync(target.parent)

    def put_all(self, files: Sequence[tuple[str, Path]], *, given: bool = False) -> None:
        """What waits for the disk is done together: all files are written, then each is synced, and their folder once."""

        def write(path: Path, temporary: Path) -> None:
            if not (given and _linked(path, temporary)):
                shutil.copyfile(path, temporary)

        with self._staged([(key, partial(write, path)) for key, path in files]) as staged:
            for temporary, target in staged:
                temporary.replace(target)

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> list[bool]:
        def write(data: bytes, temporary: Path) -> None:
            temporary.write_bytes(data)

        with self._staged([(key, partial(write, data)) for key, data in objects]) as staged:
            return [_is_first(temporary, target) for temporary, target in staged]

    @contextmanager
    def _staged(self, objects: Sequence[tuple[str, Callable[[Path], None]]]) -> Iterator[list[tuple[Path, Path]]]:
        """(temporary file, its place) of each, written and synced; the folders are synced once the files are in their places."""
        places = [(_beside(target), target) for target in (self._path(key) for key, _ in objects)]
        folders = {target.parent: target for _, target in places}
        with _storage_errors(self.folder):
            try:
                for target in folders.values():
                    self._prepare(target)
                for (temporary, _), (_, write) in zip(places, objects, strict=True):
                    write(temporary)
                for temporary, _ in places:
                    _sync(temporary)
                yield places
            finally:
                for temporary, _ in places:
                    temporary.unlink(missing_ok=True)
            for folder in folders:
                _sync(folder)

    def create(self, key: str, data: bytes) -> bool:
        target = self._path(key)
        with _storage_errors(target):
            temporary = self._temporary(target, lambda out: out.write(data))
            try:
                created = _is_first(temporary, target)
            finally:
                temporary.unlink()
            if created:
                _sync(target.parent)
        return created

    def get(self, key: str) -> bytes:
        with _storage_errors(self._path(key), key):
            return self._path(key).read_bytes()

    def stream(self, key: str) -> Iterator[bytes]:
        with _storage_errors(self._path(key), key), self._path(key).open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece

    def fetch(self, key: str, path: Path, progress: Progress | None = None) -> None:
        with _storage_errors(path, key):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(TEMPORARY + uuid.uuid4().hex)
            try:
                with self._path(key).open("rb") as source, partial.open("wb") as out:
                    _copy(source, out, progress)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def stat(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        with _storage_errors(path):
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not S_ISREG(found.st_mode):
            return None
        return ObjectInfo(key, found.st_size, str(found.st_mtime_ns), datetime.fromtimestamp(found.st_mtime, UTC))

    def list(self, prefix: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        start = self._path(prefix.rpartition("/")[0]) if "/" in prefix else self.folder
        keys = sorted(
            key
            for folder, _, files in os.walk(start, onerror=_refuse_unreadable)
            for file in files
            if not file.startswith(TEMPORARY) and (key := Path(folder, file).relative_to(self.folder).as_posix()).startswith(prefix)
        )
        for key in keys[:limit]:
            if info := self.stat(key):  # None: deleted meanwhile
                yield info

    def delete(self, key: str) -> None:
        with _storage_errors(self._path(key)):
            self._path(key).unlink(missing_ok=True)
        note_deleted()

    def _path(self, key: str) -> Path:
        require_key(key)
        return self.folder / key

    def _write(self, key: str, fill: Callable[[BinaryIO], object]) -> None:
        target = self._path(key)
        with _storage_errors(target):
            temporary = self._temporary(target, fill)
            try:
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            _sync(target.parent)

    def _prepare(self, target: Path) -> None:
        if not self.folder.is_dir():
            raise StorageError(f"the bucket {self.name!r} does not exist", where=str(self.folder), hint="socle doctor --create")
        target.parent.mkdir(parents=True, exist_ok=True)

    def _temporary(self, target: Path, fill: Callable[[BinaryIO], object]) -> Path:
        self._prepare(target)
        temporary = _beside(target)
        try:
            with temporary.open("wb") as out:
                fill(out)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


def _beside(target: Path) -> Path:
    return target.with_name(TEMPORARY + uuid.uuid4().hex)


def _linked(path: Path, temporary: Path) -> bool:
    try:
        os.link(path, temporary)
    except OSError:  # another file system, or one without links
        return False
    return True


def _is_first(temporary: Path, target: Path) -> bool:
    """Give it its place, unless there is something: unlike a rename, a link fails then, and this decides the race."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        if not target.is_file():
            raise
        return False
    return True


def _copy(source: BinaryIO, out: BinaryIO, progress: Progress | None) -> None:
    if progress is None:
        shutil.copyfileobj(source, out, CHUNK)
        return
    while piece := source.read(CHUNK):
        out.write(piece)
        progress(len(piece))


def _refuse_unreadable(error: OSError) -> None:
    """os.walk passes over folders that it cannot read: an empty listing would then be a lie."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise StorageError(f"the lake's folder cannot be read: {error.strerror}", where=str(error.filename), hint="check its permissions")


def _sync(path: Path) -> None:
    """A file's bytes, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storage_errors(path: Path, key: str = "") -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"there is no object {key or path.name!r} in the lake", where=str(path)) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space on that disk, then run again" if full else "check the folder and its permissions"
        what = "the disk of the lake is full" if full else f"the lake's folder cannot be used: {error.strerror}"
        raise StorageError(what, where=str(path), hint=hint) from error
