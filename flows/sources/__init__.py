"""Where data comes from. A source says which bytes there are, and brings them to a local folder; it parses nothing.

To add one: a class with the three methods of `Source`, its settings in project.py, a line in `open_source`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from flows.lake.objects import Progress
from flows.lake.raw import RawFile, RawStore
from flows.project import FileSource, Project
from flows.project import Source as Declared
from flows.settings import Settings


class Source(Protocol):
    def identify(self) -> list[RawFile] | None:
        """The files there are now, without bringing them; None if only `fetch` can tell."""

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        """Bring the files (all, or those `wanted` by an earlier `identify`), each with its local `path`.

        Raises: ConfigurationError if the source does not exist, SystemFailure if it cannot be reached,
        SourceRefused if the bytes are not those announced.
        """

    def unpack(self, raw: Path, folder: Path) -> Path:
        """The file to parse, from raw bytes: the bytes themselves, or a member of an archive."""


def open_source(declared: Declared, project: Project, raw: RawStore, settings: Settings) -> Source:
    if isinstance(declared, FileSource):
        from flows.sources.file import LocalFiles

        return LocalFiles(declared, project.folder)
    from flows.sources.npm import NpmPackage

    return NpmPackage(declared, raw, settings.npm_timeout_s)
