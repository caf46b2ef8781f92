"""Pretrained models that all projects share, mirrored once into the common bucket: `name@revision`.

A model is committed by creating its manifest after its files are up: one conditional write, so it is whole or not there. Each
attempt has a folder of its own, so that of two writers of one revision neither touches the other's files. A committed revision
never changes. What may be in a model is not decided here: see training/base_models.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from flows.errors import ConfigurationError, NotFound, Refused, StorageError
from flows.lake import Lake, keys
from flows.lake.objects import Progress, sha256_file
from flows.lake.touched import note_wrote

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?")
REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
SHA256 = re.compile(r"[0-9a-f]{64}")
UPLOAD = re.compile(r"[0-9a-f]{32}")
RACY_NS = 2_000_000_000  # a file that was written this shortly before may be written again without its times telling
LONGEST_NAME = 250  # characters
MAIN = "main"  # what a reference without a revision means


@dataclass(frozen=True)
class BaseModelVersion:
    """The manifest of one revision."""

    name: str
    revision: str
    upload_id: str
    source: str
    """As it was given: `hub:...`, `path:...`, `package:...`, `lake:...`."""
    commit: str
    """What the hub calls the revision that was copied (40 hex digits); empty for other sources."""
    licence: str
    """As the hub writes them: `apache-2.0`, `mit`, `etalab-2.0` ..."""
    weights_sha256: str
    """What `sha256` of a candidate is compared with."""
    files: dict[str, dict[str, str | int]]
    """name -> sha256, size in bytes."""
    at: str
    who: str

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(int(file["size"]) for file in self.files.values())


@dataclass(frozen=True)
class Added:
    version: BaseModelVersion
    created: bool
    """False: it was there already, with the same bytes."""
    repaired: list[str]
    """Files of the lake that were missing or damaged, and are whole again."""


def parse(place: str) -> tuple[str, str]:
    """`name@revision` -> both; without a revision, `main`.

    Raises: ConfigurationError.
    """
    name, _, revision = place.partition("@")
    revision = revision or MAIN
    if not NAME.fullmatch(name) or not REVISION.fullmatch(revision):
        hint = "name: small letters, digits, . _ -; revision: letters, digits, . _ -"
        raise ConfigurationError(f"{place!r} is not name@revision of a base model", hint=hint)
    return name, revision


def is_file_name(name: object) -> bool:
    """A plain relative path that leads nowhere else: no `..`, no hidden file, nothing that a terminal would not show."""
    if not isinstance(name, str) or not 0 < len(name) < LONGEST_NAME or not name.isprintable() or "\\" in name:
        return False
    return str(PurePosixPath(name)) == name and not name.startswith("/") and all(part[0] != "." for part in name.split("/"))


def require_file_name(name: object, where: str) -> None:
    """Raises: Refused."""
    if not is_file_name(name):
        raise Refused(f"{str(name)[:80]!r} is not a name that a file of a model may have", where=where)


def file_sha256(path: Path) -> str:
    """Read once in a process as long as nobody writes to the file: several candidates begin with the same weights."""
    found = path.stat()
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if time.time_ns() - max(state[-2:]) < RACY_NS:
        return sha256_file(path)
    return _sha256(path, *state)


@lru_cache(maxsize=1024)
def _sha256(path: Path, *_state: int) -> str:
    return sha256_file(path)


class BaseModels:
    def __init__(self, lake: Lake) -> None:
        self.objects = lake.bucket(keys.COMMON)

    # -- reading

    def find(self, name: str, revision: str) -> BaseModelVersion | None:
        """Raises: StorageError if its manifest is damaged."""
        key = keys.base_model_manifest(name, revision)
        try:
            data = self.objects.get(key)
        except NotFound:
            return None
        where = f"{self.objects.name}/{key}"
        try:
            found = BaseModelVersion(**json.loads(data))
            _require_whole(found, name, revision, where)
        except (ValueError, TypeError, KeyError, AttributeError, Refused):
            what = f"the manifest of the base model {name}@{revision} is damaged"
            raise StorageError(what, where=where, hint="restore it from a backup") from None
        return found

    def get(self, name: str, revision: str) -> BaseModelVersion:
        """Raises: ConfigurationError that says what is there instead, or what to do with files that have no manifest."""
        if found := self.find(name, revision):
            return found
        wanted, where = f"{name}@{revision}", f"{self.objects.name}/{keys.base_model(name, revision)}"
        if any(True for _ in self.by_hand(name, revision)):
            hint = f"socle base-model add lake:{wanted} --name {name} --revision {revision} --licence LICENCE"
            raise ConfigurationError(f"the base model {wanted} has no manifest: its files were put there by hand", where=where, hint=hint)
        there = ", ".join(sorted(r for n, r in self.references() if n == name)) or "none"
        raise NotFound(
            f"there is no base model {wanted} in the lake", where=f"{where} (revisions of {name}: {there})", hint="socle base-model ls"
        )

    def references(self) -> list[tuple[str, str]]:
        """(name, revision) of all that have a manifest."""
        return sorted({ref for ref, rest in self._places() if rest == keys.BASE_MODEL_MANIFEST})

    def without_manifest(self) -> list[tuple[str, str]]:
        """(name, revision) of what was put there by hand. What an upload left that was ended has no name yet."""
        hand = {ref for ref, rest in self._places() if not UPLOAD.fullmatch(rest.partition("/")[0]) and rest != keys.BASE_MODEL_MANIFEST}
        return sorted(hand - set(self.references()))

    def by_hand(self, name: str, revision: str) -> Iterator[str]:
        """Names of files that are in the place of a revision and of no upload."""
        prefix = keys.base_model(name, revision)
        for item in self.objects.list(prefix):
            rest = item.key.removeprefix(prefix)
            if not UPLOAD.fullmatch(rest.partition("/")[0]) and rest != keys.BASE_MODEL_MANIFEST:
                yield rest

    def _places(self) -> Iterator[tuple[tuple[str, str], str]]:
        for item in self.objects.list(keys.BASE_MODELS):
            parts = item.key.removeprefix(keys.BASE_MODELS).split("/", 2)
            if len(parts) == 3:
                yield (parts[0], parts[1]), parts[2]

    def download(self, version: BaseModelVersion, folder: Path, progress: Progress | None = None) -> Path:
        """The folder holds the files of the manifest, each verified, and nothing else. Intact ones are not fetched again.

        Raises: StorageError if a file of the lake is missing or damaged.
        """
        _sweep(folder, version)
        prefix = keys.base_model_files(version.name, version.revision, version.upload_id)
        hint = f"socle base-model add {version.source} --name {version.name} --revision {version.revision} repairs it"
        for name, expected in version.files.items():
            path = folder / name
            if path.is_file() and file_sha256(path) == expected["sha256"]:
                continue
            try:
                self.objects.fetch(prefix + name, path, progress)
            except NotFound:
                raise StorageError(
                    f"{version}: the file {name} is missing", where=f"{self.objects.name}/{prefix}{name}", hint=hint
                ) from None
            if file_sha256(path) != expected["sha256"]:
                path.unlink()
                what = f"{version}: the file {name} is not the one that was committed (its sha256 differs)"
                raise StorageError(what, where=f"{self.objects.name}/{prefix}{name}", hint=hint)
        return folder

    # -- writing

    def add(
        self,
        version: BaseModelVersion,
        paths: Mapping[str, Path],
        progress: Progress | None = None,
        before_commit: Callable[[], None] = lambda: None,
    ) -> Added:
        """Commit `version`, whose files are at `paths`, unless the same is there; then files that are damaged are put again.

        `before_commit` is called when the files are up: if it raises, nothing was committed.
        Raises: Refused if another model has that name and revision.
        """
        known = self.find(version.name, version.revision)
        created = False
        if known is None:
            self._upload(version, version.files, paths, progress)
            before_commit()
            key = keys.base_model_manifest(version.name, version.revision)
            created = self.objects.create(key, json.dumps(asdict(version), ensure_ascii=False, indent=1).encode())
            known = self.get(version.name, version.revision)
            created = created or known.upload_id == version.upload_id  # our own write, answered late and sent again
        if created:
            note_wrote(f"{keys.COMMON}/{version}")
        self._forget_other_uploads(known)
        if not created:
            _require_same(known, version, f"{self.objects.name}/{keys.base_model(version.name, version.revision)}")
        damaged = [] if created else [name for name in known.files if not self._intact(known, name)]
        self._upload(known, damaged, paths, progress)
        return Added(known, created, damaged)

    def _upload(self, version: BaseModelVersion, names: Iterable[str], paths: Mapping[str, Path], progress: Progress | None) -> None:
        prefix = keys.base_model_files(version.name, version.revision, version.upload_id)
        for name in names:
            self.objects.put_file(prefix + name, paths[name], progress)

    def _intact(self, version: BaseModelVersion, name: str) -> bool:
        found = hashlib.sha256()
        try:
            for piece in self.objects.stream(keys.base_model_files(version.name, version.revision, version.upload_id) + name):
                found.update(piece)
        except NotFound:
            return False
        return found.hexdigest() == version.files[name]["sha256"]

    def _forget_other_uploads(self, version: BaseModelVersion) -> None:
        """Once there is a manifest no other upload can win: what lost or was ended is removed."""
        prefix = keys.base_model(version.name, version.revision)
        for key in [item.key for item in self.objects.list(prefix)]:
            upload = key.removeprefix(prefix).partition("/")[0]
            if UPLOAD.fullmatch(upload) and upload != version.upload_id:
                self.objects.delete(key)


def new_upload() -> str:
    return uuid.uuid4().hex


def _require_whole(found: BaseModelVersion, name: str, revision: str, where: str) -> None:
    """Raises: ValueError, or what reading something else than a manifest comes to."""
    if (found.name, found.revision) != (name, revision) or not UPLOAD.fullmatch(found.upload_id) or not found.files:
        raise ValueError(name)
    for file, facts in found.files.items():
        require_file_name(file, where)
        if not SHA256.fullmatch(str(facts["sha256"])) or int(facts["size"]) < 0:
            raise ValueError(file)


def _require_same(known: BaseModelVersion, other: BaseModelVersion, where: str) -> None:
    changed = sorted(n for n in {*known.files, *other.files} if known.files.get(n) != other.files.get(n))
    hint = "give it another --revision: one that is committed never changes"
    if changed:
        what = f"{', '.join(changed[:3])}{' ...' if len(changed) > 3 else ''}"
        raise Refused(f"another model is {known} already, of {known.source}, by {known.who}: {what} differ", where=where, hint=hint)
    if known.licence != other.licence:
        raise Refused(f"{known} was added with the licence {known.licence!r}, not {other.licence!r}", where=where, hint=hint)


def _sweep(folder: Path, version: BaseModelVersion) -> None:
    """Out of a copy on this machine: links, and files that the manifest does not name. Temporary files are somebody's at work."""
    if folder.is_symlink():
        folder.unlink()
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or (path.is_file() and name not in version.files and not path.name.startswith(".tmp-")):
            path.unlink(missing_ok=True)
