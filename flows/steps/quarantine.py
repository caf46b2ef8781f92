"""What is in a dataset's quarantine and what became of it: every refused row is open, let in by a version, or closed by a later load.

Nothing is written here. A row is known by its id, which says nothing of it but its place. A replay that refuses a row again leaves
it open, with its new rules.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from flows.contract import as_text, origins
from flows.errors import NotFound
from flows.lake import keys
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.quarantine import Quarantine
from flows.project import Dataset as Declared
from flows.quality.results import CheckReport
from flows.steps import Run

if TYPE_CHECKING:
    import polars as pl

State = Literal["open", "held", "let in", "closed"]
"""held: its whole load was refused, and comes again as a whole; closed: a later load or a rollback took its load away."""
OPEN = ("open", "held")
NAMED = ("type", "required", "key", "drift")
"""Kinds of rules that are causes as they are; `expect_...` are, too. Of others the detail differs from row to row."""


@dataclass
class RefusedRow:
    """Where a refused row is from and what became of it, without its values."""

    id: str
    load_id: str
    """Of the load that refused it first."""
    file: str
    row_number: int
    line: int | None
    offset: int | None
    sha256: str | None
    member: str
    """Of an archive: which of its files, as the end of its name."""
    number: int
    """Its place among the rows of its file (`corrections.place_number`)."""
    is_record: bool
    """A record that is no row: there is only its text."""
    rules: list[str]
    """Of the last load that tried it."""
    rules_version: str | None
    tried_by: str
    """load_id of that load."""
    state: State = "open"
    version: int | None = None
    """That let it in, or closed it."""

    @property
    def place(self) -> str:
        return f"{self.file}, row {self.row_number}" + (f" (line {self.line})" if self.line else "")


@dataclass
class RefusedLoad:
    """A load that refused rows."""

    load_id: str
    at: datetime
    run: str
    version: int | None
    """That it became; None: it was refused as a whole."""
    counts: Counter[str] = field(default_factory=Counter)
    """Of its rows, by state."""


@dataclass(frozen=True)
class Survey:
    """All of a quarantine at one moment."""

    project: str
    dataset: str
    delta_version: int | None
    current: DatasetVersion | None
    lineage: list[DatasetVersion]
    """The loads whose rows are in the current version, the newest first."""
    rows: list[RefusedRow]
    loads: list[RefusedLoad]
    expired: int
    """Refused rows of loads in the lineage that are no longer kept."""

    def open(self, load: str | None = None, rule: str | None = None) -> list[RefusedRow]:
        """Rows that can still come in. Raises: NotFound for a load that has none here."""
        return [row for row in self.chosen(load, rule) if row.state in OPEN]

    def chosen(self, load: str | None = None, rule: str | None = None) -> list[RefusedRow]:
        """`load`: a load_id, or its beginning. `rule`: a rule, or a cause."""
        if load and not any(one.load_id.startswith(load) for one in self.loads):
            there = ", ".join(one.load_id for one in self.loads) or "none"
            raise NotFound(f"no load {load!r} has rows in the quarantine of {self.project}/{self.dataset}", where=f"loads there: {there}")
        if rule and not any(_has(row, rule) for row in self.rows):
            there = ", ".join(sorted({cause(r) for row in self.rows for r in row.rules})) or "none"
            raise NotFound(f"no row of {self.project}/{self.dataset} was refused by {rule!r}", where=f"rules there: {there}")
        return [row for row in self.rows if row.load_id.startswith(load or "") and (not rule or _has(row, rule))]

    @property
    def counts(self) -> dict[str, int]:
        """Rows by state, and those that expired. Together they are all that were ever refused and are accounted for."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in ("open", "held", "let in", "closed")} | {"expired": self.expired}


def cause(rule: str) -> str:
    """What rows are grouped by."""
    kind, _, rest = rule.partition(":")
    if kind in NAMED or kind.startswith("expect_"):
        return rule
    return f"{kind}:{rest.partition(':')[0]}" if ":" in rest else kind  # what a parser says differs from row to row


def causes(rows: list[RefusedRow]) -> dict[str, list[RefusedRow]]:
    """Cause -> its rows, the most frequent first. A row that several rules refuse is under each."""
    found: dict[str, list[RefusedRow]] = {}
    for row in rows:
        for one in dict.fromkeys(cause(rule) for rule in row.rules):
            found.setdefault(one, []).append(row)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def french(run: Run, name: str, one: str, rows: list[RefusedRow]) -> str:
    """A cause as project teams read it: an expectation by its own description, if the report of its load is there."""
    from flows.quality.docs import rule as in_french

    report = _report(run, name, rows[0].tried_by) if one.startswith("expect_") else None
    return in_french(one, report.results if report else [])


def _has(row: RefusedRow, rule: str) -> bool:
    return any(rule in (one, cause(one)) for one in row.rules)


def lineage(history: list[DatasetVersion]) -> list[DatasetVersion]:
    """The loads whose rows are in the newest version, the newest first. Rollbacks and erasures are no loads: they lead to one."""
    by_number, found = {v.number: v for v in history}, list[DatasetVersion]()
    current: DatasetVersion | None = history[0] if history else None
    while current is not None:
        number, load = current.number, current.load
        back = load.rollback.get("to") or load.erasure.get("instead_of")
        if back is not None:
            current = by_number.get(int(back))
            continue
        found.append(current)
        replaced = load.mode not in ("append", "upsert")
        current = None if replaced else next((v for v in history if v.number < number), None)
    return found


# ---- looking -------------------------------------------------------------------------------------------------------


def survey(run: Run, name: str) -> Survey:
    """Raises: NotFound if the project has no such dataset."""
    if name not in run.project.datasets:
        there = ", ".join(run.project.datasets)
        french = f"Le projet n'a pas de jeu de données « {name} ». Il a : {there}."
        raise NotFound(f"project {run.project.name} has no dataset {name!r}", where=f"datasets there: {there}", french=french)
    project, table = run.project.name, Quarantine(run.lake, run.project.name, name)
    _, history = Dataset(run.lake, project, name).state()
    newest, line = table.delta_version(), lineage(history)
    current = history[0] if history else None
    if newest is None:
        return Survey(project, name, None, current, line, [], [], 0)
    written = table.written()
    lines = _lines(table, newest)
    committed = {v.load.load_id: v for v in reversed(history) if not v.load.rollback and not v.load.erasure}
    refused = _refused_loads(run, name, [load for load in written if load not in committed])
    order = sorted(written, key=lambda load: written[load][0])
    rows: dict[str, RefusedRow] = {}
    replays = {load_id for load_id, *_, origin in lines if origin}
    latest = _latest_refused(written, refused, replays, history)
    by_load: dict[str, list[tuple[Any, ...]]] = {}
    for one in lines:
        by_load.setdefault(one[0], []).append(one)
    present = {v.load.load_id for v in line}
    for load_id in order:
        if load_id in committed or load_id in refused:
            for one in by_load.get(load_id, []):
                _tell(rows, one, load_id in present, load_id in refused, committed, run.project.datasets[name])
    _settle(list(rows.values()), history, line, latest, {load: at for load, (_, at) in written.items()})
    loads = {load: RefusedLoad(load, written[load][1], "", v.number if (v := committed.get(load)) else None) for load in order}
    for row in rows.values():
        loads[row.load_id].counts[row.state] += 1
    found = [load for load in loads.values() if load.counts]
    kept = Counter(row.load_id for row in rows.values())
    expired = sum(max(v.load.rows.get("refused", 0) - kept[v.load.load_id], 0) for v in line if not v.load.replayed)
    return Survey(project, name, newest, current, line, list(rows.values()), found, expired)


def _lines(table: Quarantine, version: int) -> list[tuple[Any, ...]]:
    """Without values."""
    import polars as pl

    is_record = pl.col("raw").is_not_null() & pl.col("row").fill_null("{}").is_in(["", "{}"])
    columns = ("id", "file", "row_number", "line", "offset", "sha256", "member", "rules", "rules_version")
    with table.reading():
        found = table.lines(version).select("load_id", *columns, is_record.alias("is_record"), "origin").collect()
    return list(found.iter_rows())


def _refused_loads(run: Run, name: str, load_ids: list[str]) -> set[str]:
    """Those that ended so. The others were killed, and count when they are run again."""
    reports = {load_id: _report(run, name, load_id) for load_id in load_ids}
    return {load_id for load_id, report in reports.items() if report is not None and report.verdict == "refused"}


def _report(run: Run, name: str, load_id: str) -> CheckReport | None:
    try:
        return CheckReport.from_json(run.lake.bucket(run.project.name).get(keys.check_result(name, load_id)))
    except NotFound:
        return None


def _latest_refused(
    written: dict[str, tuple[int, datetime]], refused: set[str], replays: set[str], history: list[DatasetVersion]
) -> str | None:
    """The load that was refused as a whole, if nothing was loaded since: its rows come again with it."""
    loads = [v for v in history if not (v.load.rollback or v.load.erasure or v.load.replayed)]
    after = loads[0].at if loads else datetime.min.replace(tzinfo=UTC)
    waiting = [load for load in refused - replays if written[load][1] > after]
    return max(waiting, key=lambda load: written[load][0], default=None)


def _tell(
    rows: dict[str, RefusedRow], line: tuple[Any, ...], is_present: bool, was_refused: bool, committed: dict[str, Any], declared: Declared
) -> None:
    """What one line says of its row."""
    load_id, own, file, row_number, at, offset, sha256, member, rules, version, is_record, origin = line
    if origin is None or (origin not in rows and rules):  # or its first line has expired: what is left of it stands for it
        number = -row_number if is_record and declared.transform else row_number
        if sha256 is None and load_id in committed:  # an earlier Socle did not write it
            sha256 = committed[load_id].load.raw.get(file)
        place = (file, row_number, at, offset, sha256, member or "", number, bool(is_record))
        rows[origin or own] = RefusedRow(origin or own, load_id, *place, list(rules), version, load_id)
        return
    row = rows.get(origin)
    if row is None:
        return
    if rules and (is_present or was_refused):
        row.rules, row.rules_version, row.tried_by = list(rules), version, load_id
    elif not rules and is_present:
        row.state, row.version = "let in", committed[load_id].number


def _settle(
    rows: list[RefusedRow], history: list[DatasetVersion], line: list[DatasetVersion], latest: str | None, written: dict[str, datetime]
) -> None:
    """The state of rows that no replay let in."""
    present = {v.load.load_id for v in line}
    committed = {v.load.load_id: v for v in reversed(history) if not v.load.rollback and not v.load.erasure}
    again = {(r.load_id, r.sha256, r.member, r.number) for r in rows}
    for row in rows:
        if row.state == "let in" or row.load_id in present:
            continue
        if row.load_id == latest:
            row.state = "held"
            continue
        before = committed[row.load_id].at if row.load_id in committed else written[row.load_id]
        after = next((v for v in reversed(line) if v.at > before), None)
        again_read = next((v for v in reversed(line) if v.at > before and row.sha256 in v.load.raw.values()), None)
        row.state, row.version = "closed", after.number if after else line[0].number if line else None
        if again_read is not None:  # the same bytes, by other rules or with corrections
            same = (again_read.load.load_id, row.sha256, row.member, row.number)
            row.state, row.version = "closed" if same in again else "let in", again_read.number


# ---- values --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Values:
    """What a refused row holds: as it was refused first, and as it was tried last."""

    first: dict[str, str | None]
    last: dict[str, str | None]
    raw: str | None

    @property
    def was(self) -> dict[str, str | None]:
        return self.first or {"raw": self.raw}


def values(run: Run, name: str, rows: Collection[RefusedRow], delta_version: int) -> dict[str, Values]:
    """id -> its values, as text."""
    import polars as pl

    if not rows:
        return {}
    table, wanted = Quarantine(run.lake, run.project.name, name), {row.id: row for row in rows}
    with table.reading():
        subject = pl.coalesce("origin", "id")
        lines = table.lines(delta_version).filter(subject.is_in(list(wanted)) & (pl.col("rules").list.len() > 0))
        found = lines.select(subject.alias("subject"), "load_id", "origin", "row", "raw").collect()
    return _values(found, wanted, run.project.datasets[name])


def _values(found: pl.DataFrame, wanted: dict[str, RefusedRow], declared: Declared) -> dict[str, Values]:
    first, last, raws = dict[str, dict[str, str | None]](), dict[str, dict[str, str | None]](), dict[str, str | None]()
    for subject, load_id, origin, text, raw in found.iter_rows():
        plain = as_texts(text, declared)
        if origin is None:
            first[subject], raws[subject] = plain, raw
        if load_id == wanted[subject].tried_by:
            last[subject] = plain
            raws.setdefault(subject, raw)
    return {key: Values(first.get(key, last.get(key, {})), last.get(key, first.get(key, {})), raws.get(key)) for key in wanted}


def as_texts(row: str | None, declared: Declared) -> dict[str, str | None]:
    """A refused row (JSON, under the names of its file) as text cells under the declared names."""
    return renamed({name: as_text(value) for name, value in json.loads(row or "{}").items()}, declared)


def renamed(cells: dict[str, str | None], declared: Declared) -> dict[str, str | None]:
    """Names of a file -> declared names, the declared columns first."""
    origin = origins(declared, cells)
    others = {name: value for name, value in cells.items() if name not in origin.values() and name not in declared.columns}
    return {name: cells[there] for name, there in origin.items()} | others
