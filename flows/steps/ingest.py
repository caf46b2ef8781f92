"""receive -> parse -> audit -> publish: one load of one dataset, from bytes to a committed version.

Everything before `publish` works in the run's own folder and can be thrown away at any moment. `publish` writes, in this
order, the refused rows, the check results and docs, then one Delta commit that makes them all count. A process killed anywhere
leaves the previous version in place, and the next run does the load again under the same `load_id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from flows import contract, progress
from flows.errors import Conflict, SocleError, SystemFailure
from flows.lake.data_files import DataFile
from flows.lake.datasets import EMPTY, Dataset, DatasetVersion, LoadRecord
from flows.lake.quarantine import Quarantine
from flows.lake.raw import RawFile
from flows.project import Dataset as Declared
from flows.quality.results import CheckReport
from flows.steps import Run, fingerprints, refused
from flows.steps.audit import Audited, audit, audit_version
from flows.steps.parse import parse
from flows.steps.parts import digest_of, rows_of
from flows.steps.parts import scan as scan_parts
from flows.steps.plan import DatasetPlan, erasures, plan_dataset, require_bucket, source_of
from flows.steps.reports import write_report

ATTEMPTS = 5  # plans and audits again when other writers commit meanwhile


@dataclass(frozen=True)
class LoadOutcome:
    """What one dataset's run came to."""

    dataset: str
    action: str
    """loaded, checked, nothing, refused"""
    reasons: list[str]
    version: DatasetVersion | None
    """The version that is served now."""
    report: CheckReport | None
    previous: DatasetVersion | None = None
    earlier: list[LoadOutcome] = field(default_factory=list)
    """Of the pictures of a `snapshot` that were loaded before it in the same run."""
    is_served: bool = True
    """False of such a picture once a later one was loaded: `version` stays, as history."""

    @property
    def refused(self) -> bool:
        return self.action == "refused"


def load_dataset(run: Run, name: str) -> LoadOutcome:
    """The whole job, in order. flows/ingest.py runs the same steps as Prefect tasks."""
    require_bucket(run)
    outcomes = list[LoadOutcome]()
    with with_what_was_loaded(outcomes):
        return _load(run, name, outcomes)


def _load(run: Run, name: str, outcomes: list[LoadOutcome]) -> LoadOutcome:
    conflicts = 0
    while True:
        plan = receive(run, plan_dataset(run, name))
        if (ended := without_loading(run, plan)) is not None:
            return all_in_one([*outcomes, ended])
        try:
            outcomes.append(publish(run, plan, audit(run, plan, parse(run, plan))))
        except Conflict:  # somebody committed since the plan: what is to be loaded, and beside what, has to be seen again
            conflicts += 1
            if conflicts == ATTEMPTS:
                raise too_many_writers(run, name) from None
            continue
        if not may_have_more(run, outcomes[-1]):
            return all_in_one(outcomes)


def all_in_one(outcomes: list[LoadOutcome]) -> LoadOutcome:
    """The last one that did something, with those before it."""
    done = [o for o in outcomes if o.action != "nothing"] or outcomes[-1:]
    last = done[-1]
    return replace(last, earlier=[replace(o, is_served=o.version == last.version) for o in done[:-1]])


@contextmanager
def with_what_was_loaded(outcomes: list[LoadOutcome]) -> Iterator[None]:
    """An error takes along, as its payload, what the same run had loaded before it."""
    try:
        yield
    except SocleError as error:
        if outcomes and error.payload is None:
            error.payload = all_in_one(outcomes)
        raise


def may_have_more(run: Run, outcome: LoadOutcome) -> bool:
    """Each picture of a `snapshot` dataset becomes a version of its own: the next one may be there already."""
    return outcome.action == "loaded" and run.project.datasets[outcome.dataset].mode == "snapshot"


def too_many_writers(run: Run, name: str) -> Conflict:
    return Conflict(f"{run.project.name}/{name}: other writers committed {ATTEMPTS} times meanwhile", hint="run again")


def without_loading(run: Run, plan: DatasetPlan) -> LoadOutcome | None:
    """The outcome when there is nothing to load; None when there is."""
    if plan.action == "nothing":
        return LoadOutcome(plan.name, "nothing", plan.reasons, plan.current, None, plan.current)
    if plan.action == "refused":
        return LoadOutcome(plan.name, "refused", plan.reasons, plan.current, plan.refusal, plan.current)
    if plan.action == "check":
        return check_again(run, plan)
    return None


def receive(run: Run, plan: DatasetPlan) -> DatasetPlan:
    """Bring the bytes, and plan again if only now it is known what they are. parse() keeps them in raw/, while it reads them."""
    if plan.action != "load":
        return plan
    source, raw = source_of(run, plan.name, plan.current)
    folder = run.work / "raw" / plan.name
    wanted = plan.files
    with progress.step(f"{plan.name}: receiving", "bytes", sum(f.size for f in wanted) if wanted else None) as advance:
        if wanted is not None and all(f.path is None and raw.has_bytes(f.sha256) for f in wanted):  # known by its address
            for file in wanted:
                raw.touch(file.sha256)
            files = [replace(f, path=raw.fetch(f, folder, advance)) for f in wanted]
            return replace(plan, files=files, source_state=source.next_state)
        raw.deferred = erasures(run, plan.name).any()  # then parse() keeps them, once it knows whose rows they hold
        received = source.fetch(folder, wanted, advance)
    if wanted is None:
        again = plan_dataset(run, plan.name, received)
        files = _with_paths(again.files, received)
        if again.action in ("nothing", "refused") and not raw.deferred:
            for file in received:
                raw.touch(file.sha256)
        return replace(again, files=files, source_state=source.next_state)
    if [f.sha256 for f in received] != [f.sha256 for f in wanted]:
        raise SystemFailure(f"{plan.name}: a source file changed while it was read", where=received[0].source, hint="run again")
    return replace(plan, files=received, source_state=source.next_state)


def _with_paths(files: list[RawFile] | None, received: list[RawFile]) -> list[RawFile]:
    """The files that are to be loaded, of those that were received."""
    wanted = {(f.name, f.sha256) for f in files or []}
    return [f for f in received if (f.name, f.sha256) in wanted]


def publish(run: Run, plan: DatasetPlan, audited: Audited) -> LoadOutcome:
    """Make a load count, or its refusal.

    Raises: Conflict if another writer committed since the plan; the caller plans and audits again.
    """
    project, name = run.project.name, plan.name
    report = audited.report
    with progress.step(f"{name}: publishing"):
        if report.verdict != "refused" and same_rows(run, plan, audited):
            report.verdict, report.reasons = "unchanged", ["the bytes changed, the rows did not"]
            write_report(run, report, plan.current)
            return LoadOutcome(name, "nothing", report.reasons, plan.current, report, plan.current)
        quarantined = Quarantine(run.lake, project, name).add(
            refused.scan(audited.refused_files),
            plan.load_id,
            run.id,
            rules_version=fingerprints.rules_version(plan.ingest, plan.check),
            sha256={f.name: f.sha256 for f in plan.files or []},
            expected=report.rows["refused"],
        )
        write_report(run, report, plan.current)
        if report.verdict == "refused":
            return LoadOutcome(name, "refused", report.reasons, plan.current, report, plan.current)
        record = LoadRecord(
            load_id=plan.load_id,
            ingest=plan.ingest_fingerprint,
            check=plan.check_fingerprint,
            mode=run.project.datasets[name].mode,
            run=run.id,
            who=run.who,
            verdict=cast(Any, report.verdict),
            parts=plan.ingest | plan.check,
            raw={f.name: f.sha256 for f in plan.files or []},
            rows=report.rows,
            quarantine_version=quarantined,
            reading=audited.reading,
            source_state=plan.source_state,
        )
        record = replace(record, **plan.record)
        declared = run.project.datasets[name]
        version = _commit(declared, Dataset(run.lake, project, name), plan.based_on, audited, record)
    return LoadOutcome(name, "loaded", plan.reasons, version, report, plan.current)


def _commit(declared: Declared, table: Dataset, based_on: int | None, audited: Audited, record: LoadRecord) -> DatasetVersion:
    schema = contract.arrow_schema(declared, dict.fromkeys(audited.extra, "string"))
    if based_on is None:
        table.create_table(schema)
        based_on = EMPTY  # whoever loaded it since the plan comes first
    files = [DataFile(part.path, part.rows) for part in audited.parts if part.rows]
    # evolve: the contract has said which columns come in
    version = table.commit(files, schema, based_on, record, declared.key, evolve=True, deletes=declared.deletes)
    if declared.shared_with:
        table.ensure_checkpoint()
    return version


def same_rows(run: Run, plan: DatasetPlan, audited: Audited) -> bool:
    """The bytes are others, and nothing else: neither the rules nor, once they are read, the rows."""
    current, counts = plan.current, audited.report.rows
    if current is None or run.project.datasets[plan.name].mode != "replace" or current.load.rollback:
        return False
    if fingerprints.changed(current.load.last_parts, plan.ingest | plan.check) != ["raw"] or current.load.reading != audited.reading:
        return False
    if counts["refused"] or current.load.rows.get("refused") or current.load.rows.get("total") != rows_of(audited.parts):
        return False
    table = Dataset(run.lake, run.project.name, plan.name)
    with progress.step(f"{plan.name}: comparing"), table.reading():
        there, here = table.scan(current.number), scan_parts(audited.parts)
        return here.collect_schema() == there.collect_schema() and digest_of(here) == digest_of(there)


def check_again(run: Run, plan: DatasetPlan) -> LoadOutcome:
    """The suites of an appended or merged table changed: check the version that is served, and say what was found. Nothing is
    loaded, and a version that is already public is flagged, not taken back."""
    assert plan.current is not None
    report = audit_version(run, plan.name, plan.current, plan.load_id, plan.check_fingerprint)
    write_report(run, report, plan.current)
    return LoadOutcome(plan.name, "checked", plan.reasons, plan.current, report, plan.current)
