"""Brings the reference lists of French checks up to date: fetches their sources again, and writes what is plausible."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError
from flows.quality.french import lists
from flows.settings import Settings
from flows.steps.passing import fetch_one, passing_source

if TYPE_CHECKING:
    from flows.quality.french.lists_refresh import Change

HINT = "the sources of a list are in flows/quality/french/reference/manifest.json"
FOLLOW = "latest"  # in place of a version of an npm package


def refresh(names: list[str], settings: Settings, folder: Path = lists.FOLDER) -> Iterator[Change]:
    """One list after the other, each as soon as it is written; all of them if none is named.

    Raises: ConfigurationError for a name that there is not, SystemFailure if a source cannot be reached, SourceRefused if what it gives is
    not plausible. The lists before it are written then, and that one and those after it are as they were.
    """
    from flows.quality.french.lists_refresh import build, write

    entries = lists.manifest(folder)
    for name in names:
        if name not in entries:
            near = get_close_matches(name, entries, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ", ".join(sorted(entries))
            raise ConfigurationError(f"there is no reference list {name!r}", where=str(folder / lists.MANIFEST), hint=hint)
    with tempfile.TemporaryDirectory(prefix="socle-lists-") as place:
        fetched = dict[str, tuple[Path, dict[str, Any]]]()
        for name in names or sorted(entries):
            files, read = list[Path](), list[dict[str, Any]]()
            for source in entries[name]["sources"]:
                key = json.dumps(source, sort_keys=True)
                if key not in fetched:  # several lists are made of one file
                    fetched[key] = _fetch(source, Path(place, str(len(fetched))), settings)
                files.append(fetched[key][0])
                read.append(fetched[key][1])
            yield write(name, build(name, files), {**entries[name], "read": read}, settings.reference_shrink_percent, folder)


def _fetch(source: dict[str, Any], folder: Path, settings: Settings) -> tuple[Path, dict[str, Any]]:
    """(its file, the source as it was read: with the version of a package)."""
    follows = source.get("version") == FOLLOW
    exact = {**source, "version": "0.0.0"} if follows else source
    folder.mkdir()
    opened = passing_source(exact, folder, settings, name="reference-lists", hint=HINT)
    if follows:
        from flows.sources.npm import NpmPackage

        assert isinstance(opened, NpmPackage)
        exact = {**source, "version": opened.latest()}
        opened = passing_source(exact, folder, settings, name="reference-lists", hint=HINT)
    return fetch_one(opened, folder), exact
