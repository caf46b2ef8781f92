"""Files on a disk that the worker sees: a path or a glob, relative to the project's folder."""

from __future__ import annotations

import glob
from pathlib import Path

from flows.errors import ConfigurationError, SystemFailure
from flows.lake.objects import Progress, sha256_file
from flows.lake.raw import RawFile
from flows.project import FileSource


class LocalFiles:
    def __init__(self, declared: FileSource, folder: Path) -> None:
        self.pattern = declared.path
        self.folder = folder

    def identify(self) -> list[RawFile]:
        return [self._describe(path) for path in self._paths()]

    def fetch(self, folder: Path, progress: Progress | None = None) -> list[RawFile]:
        files = self.identify()
        if progress:
            progress(sum(f.size for f in files))
        return files

    def unpack(self, raw: Path, folder: Path) -> Path:
        return raw

    def _paths(self) -> list[Path]:
        found = sorted(Path(p) for p in glob.glob(str(self.folder / self.pattern), recursive=True) if Path(p).is_file())
        if not found:
            raise ConfigurationError(
                f"no file matches {self.pattern!r}", where=str(self.folder / self.pattern), hint="check source.path in project.yaml"
            )
        return found

    def _describe(self, path: Path) -> RawFile:
        try:
            return RawFile(sha256_file(path), path.name, path.stat().st_size, f"file:{self.pattern}", path)
        except OSError as error:
            raise SystemFailure(f"cannot read {path.name}: {error.strerror}", where=str(path)) from None
