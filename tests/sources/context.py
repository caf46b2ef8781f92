"""What a source is opened with, in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.lake.local import LocalObjects
from flows.lake.raw import RawStore
from flows.project import Project
from flows.settings import Settings
from flows.sources import Context


def context(folder: Path, raw: Any = None, state: dict[str, Any] | None = None, **settings: Any) -> Context:
    """Of the dataset `demandes` of a project in this folder, with nothing else in it."""
    project = Project.model_construct(title="Essai", datasets={}, models={})
    object.__setattr__(project, "_folder", folder)
    object.__setattr__(project, "_name", "essai")
    if raw is None:
        lake = LocalObjects(folder / ".lake")
        lake.ensure()
        raw = RawStore(lake, "demandes")
    return Context(project, "demandes", raw, Settings(root=folder, **settings), state or {})
