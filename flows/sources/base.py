"""What every source has: its declaration, the raw bytes kept of it, and what it remembers from load to load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.lake.objects import Progress
from flows.lake.raw import RawFile, RawStore
from flows.project import Project
from flows.settings import Settings


@dataclass(frozen=True)
class Context:
    """What a source may know of where it is used."""

    project: Project
    dataset: str
    raw: RawStore
    settings: Settings
    state: dict[str, Any] = field(default_factory=dict)
    """What the source said after the last load that was published (`next_state`): a cursor, the marks of pages ..."""


class Source(ABC):
    """Says which bytes there are and brings them to a local folder. It parses nothing.

    `declared`: the source's block of project.yaml, typed.
    """

    def __init__(self, declared: Any, context: Context) -> None:
        self.declared, self.context = declared, context
        self.next_state: dict[str, Any] = context.state
        """Kept in the commit of the load that reads what `fetch` brought, so that both count or neither."""

    def identify(self) -> list[RawFile] | None:
        """The files there are now, without bringing them; None if only `fetch` can tell."""
        return None

    @abstractmethod
    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        """Bring the files (all, or those `wanted` by an earlier `identify`), each with its local `path`; none if there is nothing
        new. The same rows give the same bytes.

        Raises: ConfigurationError if the source does not exist, SystemFailure if it cannot be reached,
        SourceRefused if the bytes are not those announced.
        """

    def unpack(self, raw: Path, folder: Path) -> Path:
        """The file to parse, from raw bytes: the bytes themselves, or a member of a package."""
        return raw
