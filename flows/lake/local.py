"""A bucket as a local folder. Writes are atomic and survive a power cut: temporary file, fsync, rename or link, fsync."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
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
        def link(temporary: Path) -> bool:
            try:
                os.link(path, temporary)
            except OSError:  # another file system, or one without links
                return False
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            return True

        target = self._path(key)
        with _storage_errors(target):
            self._prepare(target)
            temporary = target.with_name(TEMPORARY + uuid.uuid4().hex)
            try:
                if not link(temporary):
                    return self.put_file(key, path, progress)
                temporary.replace(target)
                if progress:
                    progress(path.stat().st_size)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)

    def create(self, key: str, data: bytes) -> bool:
        target = self._path(key)
        with _storage_errors(target):
            temporary = self._temporary(target, lambda out: out.write(data))
            try:
                os.link(temporary, target)  # unlike a rename, fails if the target exists: this decides the race
            except FileExistsError:
                if not target.is_file():
                    raise
                return False
            finally:
                temporary.unlink()
            _sync_folder(target.parent)
        return True

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
            _sync_folder(target.parent)

    def _prepare(self, target: Path) -> None:
        if not self.folder.is_dir():
            raise StorageError(f"the bucket {self.name!r} does not exist", where=str(self.folder), hint="socle doctor --create")
        target.parent.mkdir(parents=True, exist_ok=True)

    def _temporary(self, target: Path, fill: Callable[[BinaryIO], object]) -> Path:
        self._prepare(target)
        temporary = target.with_name(TEMPORARY + uuid.uuid4().hex)
        try:
            with temporary.open("wb") as out:
                fill(out)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
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
