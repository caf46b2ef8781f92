"""Erase one person from a dataset: rows of all versions, refused rows, raw bytes, samples in checks, and what the tables' logs keep.

Idempotent: each part looks at what is there and takes the person out of it. A process killed anywhere leaves whole versions, and the
same command again does the rest. Erasure is stronger than a model's reference; the proof says which models should be trained again.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flows import progress
from flows.errors import ConfigurationError, Conflict, NotFound
from flows.lake import keys
from flows.lake.corrections import Correction
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.delta_log import DeltaLog, intervals, versions_with
from flows.lake.erasures import Erasures
from flows.lake.quarantine import Quarantine
from flows.steps import Run, corrections, fingerprints, work_disk
from flows.steps.identity import Person, person
from flows.steps.plan import erasures, require_bucket
from flows.steps.purge_search import clean_checks, copied_report, find_raw, temporary_files, verify
from flows.steps.retention import models_made_from

if TYPE_CHECKING:
    import polars as pl

ATTEMPTS = 5  # looks again when somebody commits meanwhile


@dataclass
class Erasure:
    """What was found and taken out, or would be. No value of anybody is in it: it becomes the proof."""

    id: str
    project: str
    dataset: str
    columns: list[str]
    """What the person was named by; the values are in no record."""
    subject: str
    """Salted hash by which later loads leave the person out."""
    dry_run: bool
    who: str
    run: str
    reason: str
    started: str
    searched: dict[str, int] = field(default_factory=dict)
    """Objects that were searched, by kind."""
    rows: int = 0
    """Rows of the latest version."""
    version: str = ""
    """The new version without them."""
    versions_expired: list[str] = field(default_factory=list)
    """All versions that had rows of the person, earlier attempts included."""
    data_files: int = 0
    refused_rows: int = 0
    quarantine_files: int = 0
    corrections: int = 0
    """Of refused rows, by people."""
    raw: list[str] = field(default_factory=list)
    """sha256 of raw files whose bytes were removed."""
    checks: int = 0
    """Check reports that samples were taken out of."""
    log_objects: int = 0
    """Commits and checkpoints that smallest and largest values were taken out of."""
    models: list[str] = field(default_factory=list)
    """Model versions that were trained on versions with this person: train again."""
    shared_with: list[str] = field(default_factory=list)
    """Projects that could read the dataset: copies of theirs are not Socle's to find."""
    verification: dict[str, Any] = field(default_factory=dict)
    finished: str = ""
    proof: str = ""
    """Key of the proof."""

    @property
    def found_anything(self) -> bool:
        """Now; an earlier attempt may have found what is counted as rows and versions."""
        counts = (self.data_files, self.refused_rows, self.quarantine_files, self.corrections, len(self.raw), self.checks)
        return any(counts)

    @property
    def is_clean(self) -> bool:
        """Whether the search afterwards found no row of the person any more."""
        return not self.verification.get("rows_left")


def purge(run: Run, name: str, given: dict[str, str], reason: str = "", dry_run: bool = False) -> Erasure:
    """Raises: ConfigurationError for a key that the dataset does not have; Conflict if others keep committing (run again)."""
    require_bucket(run)
    if name not in run.project.datasets:
        there = ", ".join(run.project.datasets)
        raise NotFound(f"project {run.project.name} has no dataset {name!r}", where=f"datasets there: {there}")
    who = person(run.project.datasets[name], given)
    if who.needle.in_text(reason) or any(value in reason for value in given.values() if len(value) > 3):
        raise ConfigurationError("--reason holds the value that is to be erased", hint="name the request, such as its number")
    kept = erasures(run, name)
    done = _begin(run, name, who, kept, reason, dry_run)
    if not dry_run:
        kept.add(done.subject, who.columns)  # first: a load that begins now leaves the person out
    with work_disk(run):
        with progress.step(f"{name}: erasing versions"):
            loads = _again_on_conflict(run, name, lambda: _versions(run, name, who, done))
        with progress.step(f"{name}: erasing refused rows"):
            _again_on_conflict(run, name, lambda: _refused_rows(run, name, who, done))
        with progress.step(f"{name}: erasing corrections"):
            done.corrections = corrections.store_of(run, name).erase(lambda one: _corrected(who, one), dry_run=dry_run)
        with progress.step(f"{name}: erasing raw bytes"):
            _raw(run, name, who, done)
        with progress.step(f"{name}: erasing samples"):
            done.checks = clean_checks(run, name, who, found=done.found_anything or bool(loads), dry_run=dry_run)
        if not dry_run:
            temporary_files(run)
            done.log_objects = _scrub_logs(run, name)
            with progress.step(f"{name}: verifying", "objects") as advance:
                done.verification = verify(run, name, who, advance)
    done.finished = _now()
    if not dry_run:
        done.proof = kept.prove({k: v for k, v in asdict(done).items() if k != "proof"}, done.id[:12])
    return done


def _begin(run: Run, name: str, who: Person, kept: Erasures, reason: str, dry_run: bool) -> Erasure:
    subject = "" if dry_run else kept.digest(who.columns, who.values)  # a dry run writes nothing, not even the salt
    shared = list(run.project.datasets[name].shared_with)
    return Erasure(
        id=uuid.uuid4().hex,
        project=run.project.name,
        dataset=name,
        columns=who.columns,
        subject=subject,
        dry_run=dry_run,
        who=run.who,
        run=run.id,
        reason=reason,
        started=_now(),
        shared_with=shared,
    )


def _again_on_conflict(run: Run, name: str, work: Any) -> Any:
    for _ in range(ATTEMPTS):
        try:
            return work()
        except Conflict:
            continue
    raise Conflict(f"{run.project.name}/{name}: other writers committed {ATTEMPTS} times meanwhile", hint="run the same command again")


# ---- versions ------------------------------------------------------------------------------------------------------


def _versions(run: Run, name: str, who: Person, done: Erasure) -> list[DatasetVersion]:
    """A new version without the rows, then the others that had some expire, then their files go. Returns the loads that had some."""
    table, objects = Dataset(run.lake, run.project.name, name), run.lake.bucket(run.project.name)
    based_on, history = table.state()
    if based_on is None:
        return []
    log = DeltaLog(objects, keys.table(name))
    spans, files = intervals(log.commits()), log.data_files()
    done.searched["data files"] = len(files)
    holding = _files_with(run, log, who)
    touched = set(versions_with(holding, spans, [v.number for v in history]))
    newest = versions_with(holding, spans, [based_on])
    expiring = [v for v in history if v.number in touched and v.expired is None]
    erased_before = [v for v in history if v.expired is not None and v.expired.cause == "erasure" and v.expired.by == done.subject]
    if newest:
        done.rows = who.in_rows(table.scan(based_on))
    done.data_files = len(holding)
    done.versions_expired = [str(v) for v in sorted([*expiring, *erased_before], key=lambda v: v.number)]
    for version in history:  # made by an attempt that was ended before its proof
        if version.load.erasure.get("subject") == done.subject and not version.load.rollback and done.subject:
            done.version, done.rows = str(version), max(done.rows, int(version.load.erasure.get("rows", 0)))
    done.models = _models(run, name, [*expiring, *erased_before])
    if done.dry_run:
        return expiring
    if newest:
        based_on = _without(run, name, table, based_on, history, who, done)
    if expiring:
        table.expire([v.number for v in expiring], based_on, "erasure", by=done.subject, run=run.id, who=run.who)
    for path in holding:
        objects.delete(files[path].key)
    return [*expiring, *erased_before]


def _files_with(run: Run, log: DeltaLog, who: Person) -> list[str]:
    """Data files that are there and have rows of the person, whatever version they are of."""
    import polars as pl

    found = []
    for path, file in log.data_files().items():
        copy = run.work / "data-file.parquet"
        log.objects.fetch(file.key, copy)
        try:
            if who.in_rows(pl.scan_parquet(copy)):
                found.append(path)
        except pl.exceptions.PolarsError:  # half a file that a killed load left: nothing can be told, so it goes
            found.append(path)
        copy.unlink()
    return found


def _without(run: Run, name: str, table: Dataset, based_on: int, history: list[DatasetVersion], who: Person, done: Erasure) -> int:
    """Commit the newest rows without the person's; the number of that commit."""
    import polars as pl
    from pyarrow import dataset as arrow_dataset

    rows = table.scan(based_on)
    match = who.matches(rows.collect_schema())
    assert match is not None
    path = run.work / "without.parquet"
    with table.reading():
        rows.filter(~match).sink_parquet(path)
    total = pl.scan_parquet(path).select(pl.len()).collect().item()
    current = history[0].load
    record = replace(
        current,
        load_id=fingerprints.digest(["erasure", current.load_id, done.subject, based_on]),
        run=run.id,
        who=run.who,
        rows=current.rows | {"total": total},
        erasure={"subject": done.subject, "instead_of": history[0].number, "rows": done.rows},
    )
    copied_report(run, name, current.load_id, record.load_id, total)
    version = table.rewrite(arrow_dataset.dataset(path, format="parquet").scanner().to_reader(), based_on, record)
    path.unlink()
    done.version = str(version)
    return version.number


def _models(run: Run, name: str, versions: list[DatasetVersion]) -> list[str]:
    made_from = models_made_from(run, name)
    found = [m for v in versions for m in made_from.get(v.load.load_id, []) + made_from.get(str(v.number), [])]
    return [f"{run.project.name}/{model}" for model in dict.fromkeys(found)]


# ---- refused rows, raw bytes, logs ---------------------------------------------------------------------------------


def _refused_rows(run: Run, name: str, who: Person, done: Erasure) -> None:
    import polars as pl

    table, objects = Quarantine(run.lake, run.project.name, name), run.lake.bucket(run.project.name)
    newest = table.delta_version()
    if newest is None:
        return
    log, rows = DeltaLog(objects, keys.quarantine(name)), _all_rows(table, newest)
    files = log.data_files()
    done.searched["quarantine files"] = len(files)
    theirs = pl.Series(who.in_refused(rows), dtype=pl.Boolean)
    done.refused_rows = max(done.refused_rows, int(theirs.sum()))
    if not done.dry_run and theirs.any():
        table.replace_rows(rows.filter(~theirs), newest)
    spans = intervals(log.commits())
    now = [table.delta_version() or 0]
    old = [p for p in log.data_files() if p in spans and not versions_with([p], spans, now)]
    holding = [p for p in old if _holds_refused(run, log, files, p, who)]
    done.quarantine_files = max(done.quarantine_files, len(holding))
    for path in [] if done.dry_run else holding:
        objects.delete(files[path].key)


def _all_rows(table: Quarantine, version: int) -> pl.DataFrame:
    with table.reading():
        return table.lines(version).collect()


def _holds_refused(run: Run, log: DeltaLog, files: dict[str, Any], path: str, who: Person) -> bool:
    import polars as pl

    copy = run.work / "quarantine-file.parquet"
    log.objects.fetch(files[path].key, copy)
    found = any(who.in_refused(pl.read_parquet(copy)))
    copy.unlink()
    return found


def _corrected(who: Person, one: Correction) -> bool:
    """The row before or after it was corrected is the person's; a record that is no row is looked through as text."""
    rows = (one.was, one.was | one.changes)
    found = [who.in_cells(row) for row in rows]
    if any(found):
        return True
    texts = [value for row in rows for value in row.values() if value]
    return None in found and who.is_distinct and any(who.needle.in_text(text) for text in texts)


def _raw(run: Run, name: str, who: Person, done: Erasure) -> None:
    raw, holding, searched = find_raw(run, name, who)
    done.searched["raw files"] = searched
    done.raw = [file.sha256 for file in holding]
    for file in [] if done.dry_run else holding:
        raw.withdraw(file, done.id)


def _scrub_logs(run: Run, name: str) -> int:
    changed = 0
    for table in (Dataset(run.lake, run.project.name, name), Quarantine(run.lake, run.project.name, name)):
        if table.open() is None:
            continue
        key = keys.quarantine(name) if isinstance(table, Quarantine) else keys.table(name)
        commits, checkpoints = DeltaLog(run.lake.bucket(run.project.name), key).scrub()
        if checkpoints and (opened := table.open()) is not None:
            opened.create_checkpoint()  # of what is left: a long log is slow to read without one
        changed += commits + checkpoints
    return changed


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
