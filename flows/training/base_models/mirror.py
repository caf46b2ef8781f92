"""Copy a pretrained model into the lake once, for networks that do not reach the hub: checked, licensed, hashed, whole or not at all."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows import progress
from flows.errors import ConfigurationError, Refused
from flows.lake import Lake
from flows.lake.base_models import Added, BaseModels, BaseModelVersion, file_sha256, new_upload, parse
from flows.training.base_models import contents, hub, licences, sources

SCHEMES = ("hub", "path", "package", "lake")


@dataclass(frozen=True)
class Wanted:
    source: str
    """`hub:org/name@revision`, `path:folder`, `package:name/folder`, or `lake:name@revision` for files without a manifest."""
    name: str
    revision: str | None
    """In the lake. None: what the hub calls the commit; other sources need one."""
    licence: str | None = None
    sha256: str | None = None
    """Expected hash of the weights."""


def require_usable(wanted: Wanted) -> None:
    """Raises: ConfigurationError for what is wrong before anything is looked at."""
    scheme, _, place = wanted.source.partition(":")
    if scheme not in SCHEMES or not place:
        raise ConfigurationError(f"{wanted.source!r} names no source", hint="hub:org/name@revision, path:FOLDER or package:NAME/FOLDER")
    if wanted.revision is None and scheme != "hub":
        raise ConfigurationError(f"{scheme}: has no revisions of its own", where=wanted.source, hint="give --revision, such as 1")
    parse(f"{wanted.name}@{wanted.revision or 'main'}")


def mirror(wanted: Wanted, lake: Lake, cache: Path, who: str) -> Added:
    """The model is in the lake, with a manifest. Doing it again changes nothing, or repairs what was damaged there.

    `cache`: a folder of this machine for what is downloaded.
    Raises: ConfigurationError if it is not there; Refused if it brings code or pickles alone, its hash or licence is not the expected one,
    or another model has that name and revision; SystemFailure if the hub or the storage fails.
    """
    require_usable(wanted)
    scheme, _, place = wanted.source.partition(":")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        folder, commit = Path(temporary), ""
        if scheme == "hub":
            folder, commit = hub.fetch(place, cache, lambda texts: _require_texts(texts, wanted, lake))
            hub.require_published(place, commit, folder)
        elif scheme == "lake":
            sources.by_hand(place, lake, folder, lambda texts: _require_texts(texts, wanted, lake))
        else:
            folder = sources.package(place) if scheme == "package" else Path(place).expanduser()
        return _commit(wanted, folder, commit, lake, who)


def _require_texts(folder: Path, wanted: Wanted, lake: Lake) -> str:
    """What is refused without the weights; the licence."""
    if not (folder / contents.CONFIG).is_file():
        raise ConfigurationError(f"there is no model at {wanted.source!r}: no config.json", where=str(folder), hint="check the source")
    contents.require_texts(folder, wanted.source)
    found = licences.licence_of(folder)
    licence = licences.agreed(wanted.licence, found, wanted.source, str(folder / licences.CARD))
    if not licence:
        raise ConfigurationError(
            f"the card of {wanted.source!r} names no licence", where=str(folder), hint="give --licence, such as apache-2.0"
        )
    licences.require_allowed(licence, lake.settings.licences_allowed, wanted.source, str(folder))
    return licence


def _commit(wanted: Wanted, folder: Path, commit: str, lake: Lake, who: str) -> Added:
    licence = _require_texts(folder, wanted, lake)
    contents.require_weights(folder, wanted.source)
    weights = contents.weights_of(folder)
    paths = {name: folder / name for name in sorted({*contents.texts(contents.files(folder)), *weights})}
    before = {name: _state(path) for name, path in paths.items()}
    hashes = {name: file_sha256(path) for name, path in paths.items()}
    found = contents.combined([hashes[name] for name in weights])
    if wanted.sha256 and found != wanted.sha256:
        raise Refused(f"the weights of {wanted.source!r} have sha256 {found}, not the expected {wanted.sha256}", where=str(folder))
    version = BaseModelVersion(
        name=wanted.name,
        revision=wanted.revision or commit,
        upload_id=new_upload(),
        source=wanted.source,
        commit=commit,
        licence=licence,
        weights_sha256=found,
        files={name: {"sha256": hashes[name], "size": path.stat().st_size} for name, path in paths.items()},
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        who=who,
    )

    def require_unchanged() -> None:
        if changed := [name for name, path in paths.items() if _state(path) != before[name]]:
            raise Refused(f"{changed[0]} of {wanted.source!r} changed while it was copied", where=str(folder), hint="run again")

    with progress.step(f"{version}: to the lake", unit="bytes", total=version.size) as advance:
        return BaseModels(lake).add(version, paths, advance, require_unchanged)


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
