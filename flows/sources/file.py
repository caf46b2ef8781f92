"""Files on a disk that the worker sees: a path or a glob, relative to the project's folder."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from flows.errors import ConfigurationError, SystemFailure
from flows.lake.objects import CHUNK, Progress, sha256_file
from flows.lake.raw import RawFile
from flows.project.sources import FileSource
from flows.sources.base import Context, Source


class LocalFiles(Source):
    def __init__(self, declared: FileSource, context: Context) -> None:
        super().__init__(declared, context)
        self.pattern, self.folder = declared.path, context.project.folder

    def identify(self) -> list[RawFile]:
        return [self._describe(path) for path in self._paths()]

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        """Copies, hashed while they are copied: what is loaded is what its sha256 says, even if the file changes meanwhile."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = self._paths() if wanted is None else [f.path for f in wanted if f.path is not None]
        return [self._copy(path, folder / f"{number}-{path.name}", progress) for number, path in enumerate(paths)]

    def _paths(self) -> list[Path]:
        names = glob.glob(self.pattern, root_dir=self.folder, recursive=True)  # noqa: PTH207 - absolute patterns too
        found = sorted(path for name in names if (path := self.folder / name).is_file())
        if not found:
            raise ConfigurationError(
                f"no file matches {self.pattern!r}",
                where=str(self.folder / self.pattern),
                hint="check source.path in project.yaml",
                french=f"Il n'y a aucun fichier « {self.pattern} » : il n'a pas été déposé, ou il a un autre nom.",
            )
        return found

    def _name(self, path: Path) -> str:
        """Relative to the project's folder where it is inside: two files of one name in two folders stay apart."""
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.as_posix()

    def _copy(self, path: Path, copy: Path, progress: Progress | None) -> RawFile:
        hashed = hashlib.sha256()
        try:
            with path.open("rb") as source, copy.open("wb") as out:
                while piece := source.read(CHUNK):
                    hashed.update(piece)
                    out.write(piece)
                    if progress:
                        progress(len(piece))
        except OSError as error:
            raise SystemFailure(
                f"cannot copy {path.name}: {error.strerror}", where=f"{path} -> {copy}", hint="check both, and free space, then run again"
            ) from None
        return RawFile(hashed.hexdigest(), self._name(path), copy.stat().st_size, f"file:{self.pattern}", copy)

    def _describe(self, path: Path) -> RawFile:
        try:
            return RawFile(sha256_file(path), self._name(path), path.stat().st_size, f"file:{self.pattern}", path)
        except OSError as error:
            raise SystemFailure(f"cannot read {path.name}: {error.strerror}", where=str(path)) from None
