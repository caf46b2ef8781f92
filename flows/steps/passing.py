"""A source that belongs to no project, read once: a project that is never written anywhere stands for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, SourceRefused
from flows.lake import Lake
from flows.lake.raw import RawStore
from flows.project import Project
from flows.settings import Settings
from flows.sources import Context, Source, open_source


def passing_source(source: dict[str, Any], folder: Path, settings: Settings, *, name: str, hint: str) -> Source:
    """`source`: its block, as in project.yaml. What it keeps is kept in `folder`. `name`: whose credentials it may use, if it names any.

    Raises: ConfigurationError for a block that is not right.
    """
    project = _project(source, folder, name, hint)
    local = settings.model_copy(update={"storage": (folder / "lake").as_uri()})
    objects = Lake(local).bucket(name)
    objects.ensure()
    return open_source(project.datasets["source"].source, Context(project, "source", RawStore(objects, "source"), local))


def fetch_one(source: Source, folder: Path) -> Path:
    """Its file, unpacked from a package if it is in one.

    Raises: SourceRefused if it gave none.
    """
    files = source.fetch(folder / "fetched")
    if not files or files[0].path is None:
        raise SourceRefused("the source gave no file", where=str(source.declared))
    return source.unpack(files[0].path, folder)


def _project(source: dict[str, Any], folder: Path, name: str, hint: str) -> Project:
    dataset = {"title": "source", "source": source, "columns": {"_": "string"}}
    try:
        project = Project.model_validate(
            {"title": "-", "ministry": "-", "owner": {"team": "-", "email": "a@example.org"}, "datasets": {"source": dataset}}
        )
    except ValueError as error:
        reason = str(error).splitlines()[2].strip() if len(str(error).splitlines()) > 2 else str(error)
        raise ConfigurationError(f"{next(iter(source.values()))} source: {reason}", hint=hint) from None
    object.__setattr__(project, "_name", name)
    object.__setattr__(project, "_folder", folder)
    return project
