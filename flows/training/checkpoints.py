"""Checkpoints of a training in the lake, so that a run that is killed goes on on any machine: whole or not at all, and few of them.

A checkpoint's files lie under a name of their own; then one object, created last, names them with their sha256. Files that no such
object names count for nothing. Of one candidate (by its fingerprint) the newest KEPT stay; all go when its version is committed.
"""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from flows.errors import NotFound
from flows.lake import keys
from flows.lake.objects import ObjectInfo, Objects, sha256_file

KEPT = 2
"""The one before the newest is there for when the newest turns out to be damaged."""


@dataclass(frozen=True)
class Found:
    """A checkpoint that was downloaded and verified."""

    folder: Path
    step: int
    damaged: list[str] = field(default_factory=list)
    """What was wrong with newer ones."""


@dataclass(frozen=True)
class Checkpoints:
    """Those of one candidate of one model."""

    objects: Objects
    model: str
    fingerprint: str
    every_minutes: float = 10.0
    """Between two of them."""

    def save(self, folder: Path, step: int) -> None:
        """Upload `folder` as the state after `step` steps, then remove older ones.

        Raises: StorageError if the storage fails: nothing of it is visible then.
        """
        name = f"{step:010d}-{uuid.uuid4().hex[:12]}"
        prefix = keys.checkpoint_files(self.model, self.fingerprint, name)
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        files = {p.relative_to(folder).as_posix(): {"sha256": sha256_file(p), "size": p.stat().st_size} for p in paths}
        self.objects.put_all([(prefix + name, folder / name) for name in files])
        manifest = json.dumps({"step": step, "files": files}, indent=1).encode()
        self.objects.create(keys.checkpoint(self.model, self.fingerprint, name), manifest)
        for old in self._manifests()[KEPT:]:
            self._remove(old)

    def latest(self, folder: Path) -> Found | None:
        """The newest whole one, downloaded into a folder of its own under `folder`; None: there is none to go on from."""
        damaged: list[str] = []
        for item in self._manifests():
            name = _name(item.key)
            place = folder / name
            try:
                step = self._download(item.key, place)
            except (_DamagedError, NotFound) as error:
                damaged.append(f"{name}: {error}")
                shutil.rmtree(place, ignore_errors=True)
                continue
            return Found(place, step, damaged)
        return None

    def damaged(self, folder: Path) -> None:
        """Of what latest() gave: it is whole, but cannot be used. The next latest() gives the one before."""
        self.objects.delete(keys.checkpoint(self.model, self.fingerprint, folder.name))
        shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """All of them: the version that they led to is committed."""
        for item in self._manifests():
            self._remove(item)
        for item in list(self.objects.list(keys.checkpoints_of(self.model, self.fingerprint))):  # and what an ended run left half-way
            self.objects.delete(item.key)

    def _manifests(self) -> list[ObjectInfo]:
        """The newest first."""
        listed = self.objects.list(keys.checkpoint_manifests(self.model, self.fingerprint))
        return sorted((o for o in listed if o.key.endswith(".json")), key=lambda o: o.key, reverse=True)

    def _remove(self, item: ObjectInfo) -> None:
        self.objects.delete(item.key)
        for file in list(self.objects.list(keys.checkpoint_files(self.model, self.fingerprint, _name(item.key)))):
            self.objects.delete(file.key)

    def _download(self, key: str, place: Path) -> int:
        manifest = _manifest(self.objects.get(key))
        prefix = keys.checkpoint_files(self.model, self.fingerprint, _name(key))
        for name, expected in manifest["files"].items():
            parts = PurePosixPath(name).parts
            if not parts or ".." in parts or PurePosixPath(name).is_absolute():
                raise _DamagedError(f"it names a file outside of itself: {name!r}")
            self.objects.fetch(prefix + name, place / name)
            if sha256_file(place / name) != expected["sha256"]:
                raise _DamagedError(f"the sha256 of {name} differs")
        return int(manifest["step"])


class _DamagedError(Exception):
    pass


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
        int(manifest["step"])
        if not all(isinstance(f["sha256"], str) for f in manifest["files"].values()):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _DamagedError("its list of files cannot be read") from None
    return dict(manifest)


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")
