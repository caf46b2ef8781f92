"""What may go by a project's `retention`, and what may not: the plan that steps/maintain.py carries out. Nothing is deleted here.

Nothing that something refers to is ever in a plan: a dataset's latest version, one that a model was made from, one that a kept
rollback brought back, the bytes and refused rows of any kept version. docs/ops/retention.md says it for people.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flows.errors import Conflict, NotFound, StorageError
from flows.lake import keys
from flows.lake.datasets import PREFIX, Dataset, DatasetVersion
from flows.lake.delta_log import Commit, DeltaLog, intervals, needed
from flows.lake.objects import ObjectInfo
from flows.lake.quarantine import Quarantine
from flows.steps import Run
from flows.steps.plan import source_of


@dataclass(frozen=True)
class Goes:
    """Things of one kind that go together, in figures."""

    count: int = 0
    size: int = 0
    """Bytes."""
    oldest: datetime | None = None


@dataclass(frozen=True)
class DatasetCleanup:
    """What goes of one dataset. Lists of keys are of the project's bucket."""

    name: str
    based_on: int | None
    """Delta version that the plan was made from; None: there is no table."""
    versions: list[DatasetVersion]
    """Whose rows go."""
    kept: int
    """Versions that stay."""
    referred: dict[int, str]
    """Versions that would be old enough, and what refers to them, in French."""
    files: list[ObjectInfo]
    """Data files that no kept version needs."""
    raw: list[ObjectInfo]
    """Sidecars and bytes, by sidecar time."""
    pins: list[str]
    quarantined: dict[str, int]
    """load_id -> refused rows."""
    quarantine_files: list[ObjectInfo]
    quarantine_oldest: datetime | None
    checks: list[ObjectInfo]
    corrections: list[ObjectInfo] = field(default_factory=list)
    """Of rows of files whose bytes go."""

    @property
    def is_empty(self) -> bool:
        lists = (self.versions, self.files, self.raw, self.quarantined, self.quarantine_files, self.checks, self.corrections)
        return not any(lists)

    @property
    def parts(self) -> dict[str, Goes]:
        """By kind: versions, raw, quarantine, checks."""
        refused = sum(self.quarantined.values())
        return {
            "versions": Goes(len(self.versions), _size(self.files), min((v.at for v in self.versions), default=_oldest(self.files))),
            "raw": Goes(sum(not o.key.endswith(".json") for o in self.raw), _size(self.raw), _oldest(self.raw)),
            "quarantine": Goes(refused, _size(self.quarantine_files) + _size(self.corrections), self.quarantine_oldest),
            "checks": Goes(len({keys.load_of_check(self.name, o.key) for o in self.checks}), _size(self.checks), _oldest(self.checks)),
        }


@dataclass(frozen=True)
class ModelCleanup:
    """Files of one model that no version names, by upload."""

    name: str
    uploads: dict[str, list[ObjectInfo]]

    @property
    def parts(self) -> dict[str, Goes]:
        objects = [o for upload in self.uploads.values() for o in upload]
        return {"uploads": Goes(len(self.uploads), _size(objects), _oldest(objects))}


@dataclass(frozen=True)
class Cleanup:
    """The whole plan. `untouched`: names in the lake that the project no longer declares; nothing of theirs goes."""

    datasets: list[DatasetCleanup]
    models: list[ModelCleanup]
    untouched: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return all(d.is_empty for d in self.datasets) and not any(m.uploads for m in self.models)


@dataclass(frozen=True)
class Cutoffs:
    """The moments before which things are old enough."""

    versions: datetime
    raw: datetime
    quarantine: datetime
    checks: datetime
    uploads: datetime

    @classmethod
    def of(cls, run: Run, now: datetime | None = None) -> Cutoffs:
        now, days = now or datetime.now(UTC), run.project.retention
        return cls(*(now - timedelta(days=getattr(days, f"{name}_days")) for name in cls.__dataclass_fields__))


# ---- datasets ------------------------------------------------------------------------------------------------------


def plan_cleanup_of_dataset(run: Run, name: str, cutoffs: Cutoffs | None = None) -> DatasetCleanup:
    """Raises: Conflict if the table changed while the plan was made; StorageError if it cannot be told what is needed."""
    cutoffs = cutoffs or Cutoffs.of(run)
    project, objects = run.project.name, run.lake.bucket(run.project.name)
    based_on, history = Dataset(run.lake, project, name).state()
    young = {v.number for v in history if not _replaced_before(v, history, cutoffs.versions)}
    referred = _referred(history, models_made_from(run, name), young)
    there = [v for v in history if v.expired is None]
    kept = [v for v in there if v.number in young | set(referred)]
    kept_loads = {v.load.load_id for v in kept}
    raw, pins = _raw(run, name, _raw_needed(run, name, history, kept), cutoffs.raw)
    quarantined, quarantine_files, oldest = _quarantine(run, name, kept_loads, cutoffs)
    files = [] if based_on is None else _files(DeltaLog(objects, keys.table(name)), based_on, kept, cutoffs)
    checks = _groups(objects.list(keys.checks(name)), lambda key: keys.load_of_check(name, key))
    return DatasetCleanup(
        name=name,
        based_on=based_on,
        versions=[v for v in there if v not in kept],
        kept=len(kept),
        referred={v.number: referred[v.number] for v in kept if v.number not in young},
        files=files,
        raw=raw,
        pins=pins,
        quarantined=quarantined,
        quarantine_files=quarantine_files,
        quarantine_oldest=oldest,
        checks=[o for load, group in checks.items() if load not in kept_loads and _all_before(group, cutoffs.checks) for o in group],
        corrections=_corrections(run, name, {o.key for o in raw}, cutoffs),
    )


def models_made_from(run: Run, dataset: str) -> dict[str, list[str]]:
    """load_id or number of a version of this dataset -> model versions that were made from it. Every model in the lake counts, also
    one that the project no longer declares."""
    objects, found = run.lake.bucket(run.project.name), dict[str, list[str]]()
    for item in objects.list(keys.MODELS):
        _, model, kind, *rest = item.key.split("/")
        if kind != "versions" or not rest or not rest[-1].endswith(".json"):
            continue
        try:
            manifest = json.loads(objects.get(item.key))
            made_from = manifest["dataset"]
            reference, _, number = str(made_from["reference"]).partition("@")
            load_id = str(made_from["load_id"])
        except (ValueError, KeyError, TypeError):
            raise StorageError(
                "the manifest of a model version is damaged: which data it needs cannot be told",
                where=f"{objects.name}/{item.key}",
                hint="restore that object from a backup; until then nothing is deleted",
            ) from None
        if reference == f"{run.project.name}/{dataset}":
            for name in (load_id, number):
                found.setdefault(name, []).append(f"{model}@{manifest['number']}")
    return found


def _referred(history: list[DatasetVersion], made_from: dict[str, list[str]], young: set[int]) -> dict[int, str]:
    """Version -> what needs it, in French: models, and rollbacks that are kept themselves."""
    found: dict[int, str] = {}
    for version in history:
        models = made_from.get(version.load.load_id, []) + made_from.get(str(version.number), [])
        if models:
            found.setdefault(version.number, f"modèle {', '.join(dict.fromkeys(models))}")
    for version in history:  # the newest first: a rollback to a rollback is followed
        back = version.load.rollback.get("to")
        if back is not None and version.number in young | set(found):
            found.setdefault(back, f"ramenée par la version {version.number}")
    return found


def _replaced_before(version: DatasetVersion, history: list[DatasetVersion], cutoff: datetime) -> bool:
    """A version is as old as the load that replaced it; the latest was not replaced."""
    later = [v for v in history if v.number > version.number]
    return bool(later) and later[-1].at < cutoff


def _files(log: DeltaLog, based_on: int, kept: list[DatasetVersion], cutoffs: Cutoffs) -> list[ObjectInfo]:
    """Data files of a table that no version needs: neither a kept load, nor the newest state of the table, nor a young commit that
    somebody else made. A file that no commit names may be of a load that goes on."""
    commits = log.commits()
    if len(commits) != based_on + 1:
        raise Conflict("somebody committed while the plan was made", where=f"{log.objects.name}/{log.table}", hint="run again")
    versions = sorted({v.number for v in kept} | {based_on} | set(_young_of_others(commits, cutoffs.versions)))
    spans = intervals(commits)
    return [
        file
        for path, file in log.data_files().items()
        if (not needed(spans[path], versions) if path in spans else file.modified < cutoffs.uploads)
    ]


def _young_of_others(commits: list[Commit], cutoff: datetime) -> Iterable[int]:
    for commit, following in itertools.pairwise(commits):
        ours = any(name.startswith(PREFIX) for name in commit.info)
        if not ours and (commit.added or commit.removed) and following.at >= cutoff:
            yield commit.version


def _raw_needed(run: Run, name: str, history: list[DatasetVersion], kept: list[DatasetVersion]) -> set[str]:
    """sha256 of the bytes that kept versions were made from. Rows that were appended or merged stay in all later versions, so
    that such a version needs the files of the loads before it as well, back to one that replaced everything."""
    found = {sha for version in kept for origin in origins(version, history) for sha in origin.load.raw.values()}
    source, raw = source_of(run, name, None)
    if (address := getattr(source, "address", None)) and (pinned := raw.pinned(address)):
        found.add(pinned.sha256)  # else the source would be asked again for what never changes
    return found


def origins(version: DatasetVersion, history: list[DatasetVersion]) -> list[DatasetVersion]:
    """The loads whose rows can be in a version, the newest first."""
    by_number, found = {v.number: v for v in history}, list[DatasetVersion]()
    current: DatasetVersion | None = version
    while current is not None:
        found.append(current)
        back = current.load.rollback.get("to")
        if back is not None and back in by_number:
            current = by_number[back]
        elif current.load.mode == "replace":
            current = None
        else:
            current = next((v for v in history if v.number < current.number), None)
    return found


def _raw(run: Run, name: str, wanted: set[str], cutoff: datetime) -> tuple[list[ObjectInfo], list[str]]:
    """(sidecars and bytes, pins) that go. What was received or used since the cutoff stays."""
    objects, prefix = run.lake.bucket(run.project.name), keys.raw_folder(name)
    listed = list(objects.list(prefix))
    groups = _groups(
        (o for o in listed if "/" not in o.key.removeprefix(prefix)), lambda key: key.removeprefix(prefix).removesuffix(".json")
    )
    going = {sha: group for sha, group in groups.items() if sha not in wanted and _all_before(group, cutoff)}
    pins = []
    for pin in (o.key for o in listed if o.key.startswith(keys.raw_pins(name))):
        try:
            if json.loads(objects.get(pin)).get("sha256") in going:
                pins.append(pin)
        except NotFound:
            continue
    return [o for group in going.values() for o in group], pins


def _corrections(run: Run, name: str, going: set[str], cutoffs: Cutoffs) -> list[ObjectInfo]:
    """Those that lie over bytes which are not there any more, or go now."""
    objects, prefix = run.lake.bucket(run.project.name), keys.corrections(name)
    listed = list(objects.list(prefix))
    if not listed:
        return []
    there = {o.key.removesuffix(".json") for o in objects.list(keys.raw_folder(name)) if o.key not in going}
    return [o for o in listed if keys.raw(name, o.key.removeprefix(prefix).split("/")[0]) not in there and o.modified < cutoffs.raw]


def _quarantine(run: Run, name: str, kept_loads: set[str], cutoffs: Cutoffs) -> tuple[dict[str, int], list[ObjectInfo], datetime | None]:
    """(load_id -> rows that go, files that no row that stays needs, the oldest). Refused rows have no versions: only the newest
    state of the table is read."""
    table = Quarantine(run.lake, run.project.name, name)
    newest = table.delta_version()
    if newest is None:
        return {}, [], None
    written, there = table.written(), table.counts()
    going = {load: at for load, (_, at) in written.items() if load not in kept_loads and at < cutoffs.quarantine}
    for load, tried in table.replays().items() if going else ():
        if tried - set(going):  # without its lines, rows that it let in would be open again
            going.pop(load, None)
    log = DeltaLog(run.lake.bucket(run.project.name), keys.quarantine(name))
    commits = log.commits()
    spans, files = intervals(commits), log.data_files()
    old = [f for p, f in files.items() if (not needed(spans[p], [len(commits) - 1]) if p in spans else f.modified < cutoffs.uploads)]
    return {load: there.get(load, 0) for load in going}, old, min(going.values(), default=None)


# ---- models --------------------------------------------------------------------------------------------------------


def plan_cleanup_of_models(run: Run, cutoffs: Cutoffs | None = None) -> list[ModelCleanup]:
    """Files that no version names: of a training that was ended while it uploaded, and checkpoints of one that nobody went on with. Young
    ones may be of a training that goes on."""
    cutoffs = cutoffs or Cutoffs.of(run)
    objects, named, uploads = run.lake.bucket(run.project.name), set[str](), dict[str, dict[str, list[ObjectInfo]]]()
    for item in objects.list(keys.MODELS):
        _, model, kind, *rest = item.key.split("/")
        if kind in ("files", "checkpoints") and len(rest) > 1:  # a checkpoint's training was given up, or its settings changed
            uploads.setdefault(model, {}).setdefault(rest[0], []).append(item)
    for item in objects.list(keys.MODELS):  # after the files: what was committed meanwhile is named
        if item.key.split("/")[2] == "versions":
            named.add(json.loads(objects.get(item.key))["upload_id"])
    return [
        ModelCleanup(model, {u: group for u, group in found.items() if u not in named and _all_before(group, cutoffs.uploads)})
        for model, found in uploads.items()
    ]


def undeclared(run: Run) -> list[str]:
    """Datasets and models in the lake that the project file does not name any more. Nobody can say how long they are kept."""
    objects = run.lake.bucket(run.project.name)
    there = {o.key.split("/")[1] for prefix in ("tables/", "raw/", keys.MODELS) for o in objects.list(prefix)}
    return sorted(there - set(run.project.datasets) - set(run.project.models))


# ---- objects -------------------------------------------------------------------------------------------------------


def _groups(objects: Iterable[ObjectInfo], name: Callable[[str], str]) -> dict[str, list[ObjectInfo]]:
    found: dict[str, list[ObjectInfo]] = {}
    for item in objects:
        found.setdefault(name(item.key), []).append(item)
    return found


def _all_before(objects: Iterable[ObjectInfo], cutoff: datetime) -> bool:
    return all(o.modified < cutoff for o in objects)


def _size(objects: Iterable[ObjectInfo]) -> int:
    return sum(o.size for o in objects)


def _oldest(objects: Iterable[ObjectInfo]) -> datetime | None:
    return min((o.modified for o in objects), default=None)
