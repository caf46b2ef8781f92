"""Refused rows try again: through the transform, the contract and the suites of today, with what people corrected. Once.

A table that is replaced at each load is made again from the raw bytes of its version, as any load makes it: it holds exactly what the
rules of today let in, and the next load of the same bytes finds nothing to do. To a table that rows are added to (append, upsert), or
for a part of the rows, only those that are refused still are read again from their files, and come in as a version of their own.

The lines that say which rows a replay tried are in the quarantine before its commit, and count only with it (lake/quarantine.py).
A replay that is killed leaves whole versions; the same command then does it again under the same load_id.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from flows.errors import Conflict
from flows.lake import keys
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.raw import RawFile, RawStore
from flows.quality.results import CheckReport
from flows.steps import Run, corrections, fingerprints
from flows.steps.audit import audit
from flows.steps.ingest import ATTEMPTS, LoadOutcome, load_dataset, publish, too_many_writers
from flows.steps.parse import parse
from flows.steps.plan import DatasetPlan, require_bucket, source_of, suites_of
from flows.steps.quarantine import RefusedRow, Survey, survey
from flows.steps.replay_rows import Attempt, attempt_rows, tried_as, with_lines

NOTHING_OPEN = "no refused row can still come in"
SAME_RULES = "refused by the rules of today: change the rule, the transform or the rows, then replay"


@dataclass
class Replayed:
    """What a replay came to."""

    dataset: str
    tried: int = 0
    let_in: int = 0
    refused: int = 0
    """Again; they stay, with their new rules."""
    reasons: list[str] = field(default_factory=list)
    """Why nothing was tried, or what was refused."""
    outcomes: list[LoadOutcome] = field(default_factory=list)
    """Of the load that this was, if there was one."""

    @property
    def exit_code(self) -> int:
        return int(any(o.refused for o in self.outcomes))


def replay(run: Run, name: str, load: str | None = None, rule: str | None = None) -> Replayed:
    """All refused rows that can still come in, or those of one load or one rule.

    Raises: Refused if the rows cannot be told any more; NotFound for a load or a rule that is not there; Conflict if others keep
    committing.
    """
    require_bucket(run)
    for _ in range(ATTEMPTS):
        try:
            return _replay(run, name, load, rule)
        except Conflict:  # somebody committed since: what is open has to be seen again
            continue
    raise too_many_writers(run, name)


def may_load_again(run: Run, name: str) -> bool:
    """Whether a replay asks the source: a load that was refused with all its rows comes again from there.

    Raises: NotFound for a dataset that is not there.
    """
    return any(row.state == "held" for row in survey(run, name).open())


def _replay(run: Run, name: str, load: str | None, rule: str | None) -> Replayed:
    found = survey(run, name)
    rows = found.open(load, rule)
    held, rows = [r for r in rows if r.state == "held"], [r for r in rows if r.state == "open"]
    done = Replayed(name)
    if not rows and not held:
        done.reasons.append(NOTHING_OPEN)
    if rows:
        whole = run.project.datasets[name].mode in ("replace", "snapshot") and not (load or rule)
        outcome = _make_again(run, name, found, rows, done) if whole else _add(run, name, found, rows, done)
        done.outcomes += [outcome] if outcome else []
    if held:  # its load was refused with all its rows: it comes again with all its rows
        outcome = load_dataset(run, name)
        done.outcomes.append(outcome)
        _count(done, survey(run, name), held)
        done.reasons += outcome.reasons if outcome.refused else []
    return done


def _count(done: Replayed, after: Survey, tried: list[RefusedRow]) -> None:
    """Rows of a load that was made again have no line of their own that says that they came in."""
    now = {row.id: row for row in after.rows}
    let_in = sum(1 for row in tried if row.id in now and now[row.id].state == "let in")
    done.tried += len(tried)
    done.let_in += let_in
    done.refused += len(tried) - let_in


# ---- a table that is made again ------------------------------------------------------------------------------------


def _make_again(run: Run, name: str, found: Survey, rows: list[RefusedRow], done: Replayed) -> LoadOutcome | None:
    current, origins = found.current, list(reversed(found.lineage))
    assert current is not None
    raw = source_of(run, name, current)[1]
    files = _raw_files(raw, origins)
    if any(not raw.has_bytes(f.sha256) for f in files):  # withdrawn by an erasure: what the quarantine has is left
        return _add(run, name, found, rows, done)
    parts = _parts(run, name, files, current)
    changed = fingerprints.changed(current.load.parts, parts.ingest | parts.check)
    if not changed:
        done.reasons.append(SAME_RULES)
        return None
    load_id = fingerprints.digest(["replay", parts.ingest, parts.check, current.load.load_id])
    plan = replace(parts, files=_fetched(run, raw, files), load_id=load_id, reasons=[f"{part} changed" for part in changed])
    plan = replace(plan, record=_carried(current) | {"replayed": _about(found, rows)})
    if (outcome := _refused_before(run, plan)) is None:
        outcome = publish(run, plan, audit(run, plan, parse(run, plan)))
    _count(done, survey(run, name), rows)
    done.reasons += outcome.reasons if outcome.refused else []
    return outcome


# ---- rows that are added -------------------------------------------------------------------------------------------


def _add(run: Run, name: str, found: Survey, rows: list[RefusedRow], done: Replayed) -> LoadOutcome | None:
    current = found.current
    assert current is not None
    files = _raw_files(source_of(run, name, current)[1], [v for v in found.lineage if v.load.load_id in {r.load_id for r in rows}])
    parts = _parts(run, name, files, current)
    rules = fingerprints.rules_version(parts.ingest, parts.check)
    run = _adding(run, name)
    attempt = Attempt(run, name, found, rules)
    rows = [row for row in rows if row.rules_version != tried_as(attempt, row)]
    if not rows:
        done.reasons.append(SAME_RULES)
        return None
    ids = sorted(row.id for row in rows)
    load_id = fingerprints.digest(["replay", ids, parts.ingest, parts.check, current.load.load_id])
    plan = replace(parts, load_id=load_id, files=[], reasons=["refused rows were replayed"])
    own = {"parts": current.load.parts, "raw": {}, "ingest": current.load.ingest, "check": current.load.check}
    own |= {"reading": current.load.reading}
    plan = replace(plan, record=_carried(current) | own | {"replayed": _about(found, rows)})
    done.tried += len(rows)
    if (refused := _refused_before(run, plan)) is not None:
        done.refused += len(rows)
        done.reasons += refused.reasons
        return refused
    parsed = attempt_rows(attempt, plan, rows)
    audited = with_lines(attempt, audit(run, plan, parsed), rows)
    outcome = publish(run, plan, audited)
    kept = 0 if outcome.refused else audited.report.rows["kept"]
    done.let_in += kept
    done.refused += len(rows) - kept
    done.reasons += outcome.reasons if outcome.refused else []
    return outcome


def _adding(run: Run, name: str) -> Run:
    """A part of the rows of a replaced table is added to it."""
    declared = run.project.datasets[name]
    if declared.mode in ("append", "upsert"):
        return run
    changed = run.project.datasets | {name: declared.model_copy(update={"mode": "append"})}
    return replace(run, project=run.project.model_copy(update={"datasets": changed}))


# ---- plans ---------------------------------------------------------------------------------------------------------


def _parts(run: Run, name: str, files: list[RawFile], current: DatasetVersion) -> DatasetPlan:
    """The rules of today on these files, and the source of then: where they came from decides nothing."""
    declared = run.project.datasets[name]
    ingest = fingerprints.ingest_parts(run.project, declared, files) | corrections.fingerprint_part(run, name, files)
    if "source" in current.load.parts:
        ingest["source"] = current.load.parts["source"]
    check = fingerprints.check_parts(declared, suites_of(run, name))
    based_on = Dataset(run.lake, run.project.name, name).state()
    if not based_on[1] or based_on[1][0].number != current.number:
        raise Conflict(f"somebody committed to {run.project.name}/{name} meanwhile", hint="run again")
    return DatasetPlan(name, "load", [], files, ingest, check, current=current, based_on=based_on[0])


def _raw_files(raw: RawStore, versions: list[DatasetVersion]) -> list[RawFile]:
    """What these loads read, in their order."""
    named = [(name, sha256) for v in versions for name, sha256 in v.load.raw.items()]
    found = []
    for name, sha256 in dict.fromkeys(named):
        known = raw.known(sha256)
        found.append(replace(known, name=name) if known else RawFile(sha256, name, 0, ""))
    return found


def _fetched(run: Run, raw: RawStore, files: list[RawFile]) -> list[RawFile]:
    folder = run.work / "raw" / raw.dataset
    return [replace(f, path=raw.fetch(f, folder)) for f in files]


def _carried(current: DatasetVersion) -> dict[str, object]:
    """What a version that comes of no new source file keeps of the one before."""
    return {"held": current.load.held, "source_state": current.load.source_state}


def _about(found: Survey, rows: list[RefusedRow]) -> dict[str, object]:
    return {"rows": len(rows), "ids": fingerprints.digest(sorted(row.id for row in rows)), "quarantine": found.delta_version}


def _refused_before(run: Run, plan: DatasetPlan) -> LoadOutcome | None:
    key = keys.check_result(plan.name, plan.load_id)
    objects = run.lake.bucket(run.project.name)
    report = CheckReport.from_json(objects.get(key)) if objects.stat(key) else None
    if report is None or report.verdict != "refused":
        return None
    return LoadOutcome(plan.name, "refused", report.reasons, plan.current, report, plan.current)
