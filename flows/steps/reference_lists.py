"""Brings the reference lists of French checks up to date: fetches their sources again, and writes what is plausible; or only says what that
would change."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flows.errors import ConfigurationError, SocleError
from flows.quality.french import lists
from flows.settings import Settings
from flows.steps.passing import fetch_one, passing_source

if TYPE_CHECKING:
    from flows.quality.french.lists_refresh import Change

HINT = "the sources of a list are in flows/quality/french/reference/manifest.json"
FOLLOW = "latest"  # in place of a version of an npm package


@dataclass(frozen=True)
class Stayed:
    """A list that is as it was, and why: a source that cannot be reached, or that gave something that is not plausible."""

    name: str
    error: SocleError


Obstacle = Literal["no checkout", "read only"]


@dataclass(frozen=True)
class Review:
    """What became of every list, or would; `entries` is the manifest as it was before."""

    entries: dict[str, dict[str, Any]]
    outcomes: list[Change | Stayed]
    wanted: bool
    """Whether somebody asked for the files to be rewritten."""
    obstacle: Obstacle | None
    """Why they could not be, if somebody asked."""

    @property
    def written(self) -> bool:
        return self.wanted and self.obstacle is None

    @property
    def changes(self) -> list[Change]:
        return [one for one in self.outcomes if not isinstance(one, Stayed)]

    @property
    def stayed(self) -> list[Stayed]:
        return [one for one in self.outcomes if isinstance(one, Stayed)]


def review(settings: Settings, write: bool, folder: Path = lists.FOLDER) -> Review:
    """Fetch all sources again. With `write`, rewrite the files where that is a change that somebody can look at and commit; otherwise
    the same work is done on a copy of them, so that what is said here is what a refresh would do."""
    entries, obstacle = lists.manifest(folder), obstacle_to_writing(folder) if write else None
    if write and obstacle is None:
        return Review(entries, list(refresh([], settings, folder)), write, obstacle)
    with tempfile.TemporaryDirectory(prefix="socle-lists-copy-") as place:
        copy = Path(shutil.copytree(folder, Path(place) / folder.name))
        outcomes = list(refresh([], settings, copy))
        for one in outcomes:
            if isinstance(one, Stayed):  # the copy is gone when somebody reads this
                one.error.where = one.error.where.replace(str(copy), str(folder))
    return Review(entries, outcomes, write, obstacle)


def obstacle_to_writing(folder: Path) -> Obstacle | None:
    """A package that is installed, or an image, has no history: what is written there is seen by nobody and goes with it."""
    if not any((parent / ".git").exists() for parent in folder.resolve().parents):
        return "no checkout"
    there = [folder, *folder.glob("*.csv"), folder / lists.MANIFEST]
    return None if all(os.access(path, os.W_OK) for path in there) else "read only"


def refresh(names: list[str], settings: Settings, folder: Path = lists.FOLDER) -> Iterator[Change | Stayed]:
    """What became of each list, as soon as it is written; of all of them if none is named. One that fails keeps no other from it.

    Raises: ConfigurationError for a name that there is not.
    """
    entries = lists.manifest(folder)
    for name in names:
        if name not in entries:
            near = get_close_matches(name, entries, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ", ".join(sorted(entries))
            raise ConfigurationError(f"there is no reference list {name!r}", where=str(folder / lists.MANIFEST), hint=hint)
    with tempfile.TemporaryDirectory(prefix="socle-lists-") as place:
        sources = _Sources(Path(place), settings)
        for name in names or sorted(entries):
            try:
                yield _refresh(name, entries[name], sources, folder)
            except SocleError as error:
                yield Stayed(name, error)


def _refresh(name: str, entry: dict[str, Any], sources: _Sources, folder: Path) -> Change:
    from flows.quality.french.lists_refresh import build, write

    found = [sources.get(source) for source in entry["sources"]]
    rows = build(name, [file for file, _ in found])
    entry = {**entry, "read": [read for _, read in found]}
    return write(name, rows, entry, sources.settings.reference_shrink_percent, folder)


class _Sources:
    """Several lists are made of one file: it is fetched once."""

    def __init__(self, place: Path, settings: Settings) -> None:
        self.place, self.settings = place, settings
        self.fetched: dict[str, tuple[Path, dict[str, Any]]] = {}

    def get(self, source: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
        key = json.dumps(source, sort_keys=True)
        if key not in self.fetched:
            self.fetched[key] = _fetch(source, Path(tempfile.mkdtemp(dir=self.place)), self.settings)
        return self.fetched[key]


def _fetch(source: dict[str, Any], folder: Path, settings: Settings) -> tuple[Path, dict[str, Any]]:
    """(its file, the source as it was read: with the version of a package)."""
    follows = source.get("version") == FOLLOW
    exact = {**source, "version": "0.0.0"} if follows else source
    opened = passing_source(exact, folder, settings, name="reference-lists", hint=HINT)
    if follows:
        from flows.sources.npm import NpmPackage

        assert isinstance(opened, NpmPackage)
        exact = {**source, "version": opened.latest()}
        opened = passing_source(exact, folder, settings, name="reference-lists", hint=HINT)
    return fetch_one(opened, folder), exact
