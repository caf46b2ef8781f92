"""Model versions and their aliases.

A version is committed by creating `versions/<N>.json` after its files are up: one conditional write, so it is whole or not
there. Aliases (champion, candidate) are a numbered log: each move is one created object that holds the whole state after it,
so the newest object is the present and older ones are the history. Moves are never overwritten or deleted.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.errors import Conflict, NotFound, StorageError
from flows.lake import Lake, keys
from flows.lake.objects import Progress, sha256_file
from flows.lake.references import Reference
from flows.lake.touched import note_moved, note_read, note_wrote

ATTEMPTS = 200  # creates that somebody else may win in a row before we give up


@dataclass(frozen=True)
class ModelVersion:
    """The manifest of one version."""

    number: int
    project: str
    model: str
    upload_id: str
    fingerprint: str
    """What it was made from; the same fingerprint needs no training."""
    candidate: dict[str, Any]
    """label, kind and settings of the candidate."""
    dataset: dict[str, Any]
    """reference, load_id, rows by side."""
    metrics: dict[str, Any]
    cost: dict[str, float]
    """train_seconds, cores, parameters, trained_parameters, size_bytes, and energy_kwh, co2_kg where they were measured."""
    files: dict[str, dict[str, Any]]
    """name -> sha256, size."""
    labels: list[str]
    inputs: list[str]
    made: dict[str, str]
    """at, run, who, code; and libraries, as a sentence, in manifests older than `environment`."""
    base_model: dict[str, str] = field(default_factory=dict)
    """name, sha256 and licence; nothing if it began with none."""
    training: dict[str, Any] = field(default_factory=dict)
    """What the trainer said of it: steps, why it stopped, what it went on from."""
    fitted: dict[str, Any] = field(default_factory=dict)
    """What was chosen on the validation side after training: temperature, thresholds."""
    model_settings: dict[str, Any] = field(default_factory=dict)
    """The model's block of the project file, without candidates. Empty in older manifests, like `environment`."""
    environment: dict[str, Any] = field(default_factory=dict)
    """code, python, libraries (name -> version), machine: see steps/model_manifest.py."""

    def scores(self, side: str) -> dict[str, dict[str, float]]:
        """metric -> value, low, high; those that exist on these rows."""
        return {m: v for m, v in self.metrics.get(side, {}).items() if isinstance(v, dict) and v.get("value") is not None}

    def __str__(self) -> str:
        return f"{self.project}/{self.model}@{self.number}"


@dataclass(frozen=True)
class AliasMove:
    """One move, with the whole state after it."""

    number: int
    move_id: str
    before: dict[str, int]
    aliases: dict[str, int]
    """alias -> version number, all aliases."""
    at: str
    who: str
    run: str
    reason: str
    decision: dict[str, Any] = field(default_factory=dict)
    """What the last automatic decision was made from; carried over by moves made by hand."""
    restores: int | None = None
    """For a rollback: the number of the move whose aliases it brought back."""


class Models:
    """The versions and aliases of one model of one project."""

    def __init__(self, lake: Lake, project: str, name: str) -> None:
        self.project, self.name = project, name
        self.objects = lake.bucket(project)

    # -- versions

    def numbers(self) -> list[int]:
        listed = self.objects.list(keys.model_versions(self.name))
        return sorted(int(stem) for o in listed if (stem := o.key.rpartition("/")[2].removesuffix(".json")).isdigit())

    def version(self, number: int) -> ModelVersion:
        key = keys.model_version(self.name, number)
        try:
            return ModelVersion(**json.loads(self.objects.get(key)))
        except (ValueError, TypeError):
            message = f"the manifest of {self.project}/{self.name}@{number} is damaged"
            raise StorageError(message, where=f"{self.objects.name}/{key}", hint="restore that object from a backup") from None
        except NotFound:
            there = ", ".join(map(str, self.numbers())) or "none"
            raise NotFound(
                f"there is no model version {self.project}/{self.name}@{number}",
                where=f"{self.objects.name} (versions there: {there})",
                hint=f"socle ls {self.project}",
                french=f"La version {number} du modèle « {self.name} » n'existe pas. Versions : {there}.",
            ) from None

    def versions(self) -> list[ModelVersion]:
        """Every version, the newest first."""
        return [self.version(n) for n in reversed(self.numbers())]

    def resolve(self, reference: Reference) -> ModelVersion:
        """Raises: NotFound for a version or an alias that is not there."""
        if reference.version is not None:
            return self.version(reference.version)
        if reference.alias is not None:
            state = self.state()
            if state is None or reference.alias not in state.aliases:
                raise NotFound(
                    f"{self.project}/{self.name} has no {reference.alias}", where=self.objects.name, hint=f"socle run {self.project}"
                )
            return self.version(state.aliases[reference.alias])
        numbers = self.numbers()
        if not numbers:
            raise NotFound(f"{self.project}/{self.name} has no version yet", where=self.objects.name, hint=f"socle run {self.project}")
        return self.version(numbers[-1])

    def commit(self, folder: Path, manifest: dict[str, Any], progress: Progress | None = None) -> ModelVersion:
        """Upload the files of `folder`, then take the next free number. `manifest` holds the other fields of ModelVersion."""
        upload_id = uuid.uuid4().hex
        files = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix()
            files[name] = {"sha256": sha256_file(path), "size": path.stat().st_size}
            self.objects.put_file(keys.model_files(self.name, upload_id) + name, path, progress)
        number = (self.numbers() or [0])[-1]
        for _ in range(ATTEMPTS):
            number += 1
            version = ModelVersion(number=number, project=self.project, model=self.name, upload_id=upload_id, files=files, **manifest)
            if (
                self.objects.create(keys.model_version(self.name, number), _json(asdict(version)))
                or self.version(number).upload_id == upload_id
            ):
                note_wrote(str(version))  # also our own write that was answered late and sent again
                return version
        raise Conflict(f"too many writers to {self.project}/{self.name}", where=self.objects.name, hint="run again")

    def download(self, version: ModelVersion, folder: Path, progress: Progress | None = None) -> Path:
        """All files of a version, each verified.

        Raises: StorageError if a file is missing or does not have the sha256 of the manifest.
        """
        note_read(str(version))
        prefix = keys.model_files(self.name, version.upload_id)
        for name, expected in version.files.items():
            path = folder / name
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise StorageError(f"{version}: the manifest names a file outside of the model: {name!r}", where=self.objects.name)
            if path.is_file() and sha256_file(path) == expected["sha256"]:
                continue
            try:
                self.objects.fetch(prefix + name, path, progress)
            except NotFound:
                raise StorageError(f"{version}: the file {name} is missing", where=f"{self.objects.name}/{prefix}") from None
            if sha256_file(path) != expected["sha256"]:
                path.unlink()
                raise StorageError(
                    f"{version}: the file {name} is not the one that was committed (its sha256 differs)",
                    where=f"{self.objects.name}/{prefix}{name}",
                    hint=f"socle promote {self.project}/{self.name}@N with an intact version",
                )
        return folder

    def read_file(self, version: ModelVersion, name: str) -> bytes:
        if name not in version.files:
            raise NotFound(f"{version} has no file {name}", where=self.objects.name)
        note_read(str(version))
        return self.objects.get(keys.model_files(self.name, version.upload_id) + name)

    # -- aliases

    def state(self) -> AliasMove | None:
        """The present: one LIST of one key, one GET."""
        return next(self.moves(limit=1), None)

    def moves(self, limit: int | None = None) -> Iterator[AliasMove]:
        """The newest first."""
        for item in self.objects.list(keys.aliases(self.name), limit=limit):
            yield AliasMove(**json.loads(self.objects.get(item.key)))

    def move(
        self,
        to: dict[str, int],
        *,
        expected: AliasMove | None,
        who: str,
        run: str,
        reason: str,
        decision: dict[str, Any] | None = None,
        restores: int | None = None,
    ) -> AliasMove:
        """Point aliases at versions. `expected` is the state that this move was decided on.

        If another move came first but left the aliases where `expected` has them, ours follows it.
        Raises: Conflict if the aliases are no longer where they were; nothing of ours is visible then.
        """
        before = expected.aliases if expected else {}
        move_id, current = uuid.uuid4().hex, expected
        for _ in range(ATTEMPTS):
            number = current.number + 1 if current else 1
            move = AliasMove(
                number=number,
                move_id=move_id,
                before=before,
                aliases=before | to,
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                who=who,
                run=run,
                reason=reason,
                decision=decision if decision is not None else (current.decision if current else {}),
                restores=restores,
            )
            key = keys.alias_move(self.name, number)
            if self.objects.create(key, _json(asdict(move))) or json.loads(self.objects.get(key))["move_id"] == move_id:
                note_moved(f"{self.project}/{self.name}", to)
                return move
            current = self.state()
            if (current.aliases if current else {}) != before:
                assert current is not None
                raise Conflict(
                    f"{self.project}/{self.name}: {current.who} moved the aliases meanwhile to {current.aliases} ({current.reason})",
                    where=self.objects.name,
                    hint=f"socle show {self.project}/{self.name}, then decide again",
                )
        raise Conflict(f"too many writers to the aliases of {self.project}/{self.name}", where=self.objects.name, hint="run again")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
