"""Checks a load before anybody can read it, and decides: publish, publish without the refused rows, or refuse.

Row expectations run on the batch, the others on the prospective table: what it would be after the commit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import progress
from flows.lake.datasets import Dataset, DatasetVersion
from flows.project import Dataset as Declared
from flows.quality.results import CheckReport
from flows.steps import Run, privacy, refused, verdicts, work_disk
from flows.steps.parse import Parsed
from flows.steps.parts import POSITION, Part, rows_of, scan
from flows.steps.plan import DatasetPlan, suites_of
from flows.steps.privacy import PrivacyVerdict
from flows.steps.shown import Shown

if TYPE_CHECKING:
    import polars as pl

    from flows.quality.expectations import Evaluated

ROUNDS = 5  # refused rows are taken out and the rest checked again, this often at most


@dataclass(frozen=True)
class Audited:
    report: CheckReport
    parts: list[Part]
    """The rows to commit."""
    refused_files: list[Path]
    """In the shape of refused.py."""
    extra: list[str]
    reading: dict[str, Any] = field(default_factory=dict)
    same: bool = False
    """The rows are those of the served version: nothing is to be committed."""


def audit(run: Run, plan: DatasetPlan, parsed: Parsed) -> Audited:
    """Raises: SystemFailure if the disk or the storage fails; bad data is never an exception here but a verdict."""
    declared, project = run.project.datasets[plan.name], run.project.name
    table = Dataset(run.lake, project, plan.name)
    adds = plan.current is not None and declared.mode in ("append", "upsert")
    old = table.scan(plan.based_on) if adds and plan.based_on is not None else None
    with progress.step(f"{plan.name}: checking"), work_disk(run), table.reading():
        parts, refused_files = parsed.parts, list(parsed.refused_files)
        before = refused.count_rules(refused_files)
        rules: Counter[str] = Counter(before)
        reasons = verdicts.contract_reasons(before, parsed.read - parsed.erased - rows_of(parts), declared.on_failure)
        first: list[Evaluated] = []
        found: list[Evaluated] = []
        for number in range(ROUNDS):
            found = _evaluate(run, plan.name, scan(parts), old)
            first = first or found
            if declared.on_failure == "warn":
                break
            wrong = verdicts.wrong_rows(found, rows_of(parts))
            if wrong is None:
                break
            parts, out = refused.take_out(parts, wrong, parsed.folder, f"refused-{number}")
            refused_files += out
            rules.update(refused.count_rules(out))
            if declared.on_failure == "block":  # every rule of every row is known; there is nothing to check again
                break
        # Of a load that is refused as a whole, the rows that were taken out for it are no drop.
        compared = parsed.parts if declared.on_failure == "block" else parts
        found = found + _changes(run, plan.name, scan(compared), old, plan.current)
        refused.add_places(refused_files, parsed.members, run.settings)
        kept, refused_rows = rows_of(parts), refused.count(refused_files)
        persons, shown = _persons(run, plan.name, parsed.parts, parts)
        results = [shown.result(r) for r in verdicts.with_refused(found, first, rules if declared.on_failure == "quarantine" else {})]
        reasons += verdicts.result_reasons(results, rules, declared.on_failure) + list(persons.reasons)
        if not kept:
            reasons.append("no row is left after the checks")
        report = CheckReport(
            project=project,
            dataset=plan.name,
            load_id=plan.load_id,
            check=plan.check_fingerprint,
            verdict="refused" if persons.refused else verdicts.verdict(declared.on_failure, results, refused_rows, kept, bool(before)),
            on_failure=declared.on_failure,
            results=results,
            rows={"read": parsed.read, "kept": kept, "refused": refused_rows, "total": _total(parts, old, declared)}
            | ({"erased": parsed.erased} if parsed.erased else {}),
            refused_by_rule=verdicts.by_rule(rules),
            reasons=reasons,
            findings=[shown.text(f.french) for f in parsed.findings] + verdicts.met_without(found, first) + list(persons.findings),
            personal_data=list(persons.french),
        )
    if report.rows["read"] != kept + refused_rows + parsed.erased:
        raise AssertionError(f"{plan.name}: {parsed.read} rows were read, but {kept} kept, {refused_rows} refused, {parsed.erased} erased")
    return Audited(report, parts, refused_files, parsed.extra, parsed.reading)


def audit_version(run: Run, name: str, version: DatasetVersion, load_id: str, check: str) -> CheckReport:
    """Check a version that is already published; it is flagged at most, never taken back."""
    table = Dataset(run.lake, run.project.name, name)
    rows = table.scan(version.number)
    with progress.step(f"{name}: checking"), table.reading():
        persons = privacy.look(run, name, rows)
        shown = Shown.of(persons.report.kinds, run.project.datasets[name], rows.collect_schema().names())
        results = [
            shown.result(e.result) for e in _evaluate(run, name, rows, None) + _changes(run, name, rows, None, _before(table, version))
        ]
    failed = persons.refused or any(not r.success and r.severity == "critical" for r in results)
    total = version.load.rows.get("total", 0)
    return CheckReport(
        project=run.project.name,
        dataset=name,
        load_id=load_id,
        check=check,
        verdict="warned" if failed else "passed",
        on_failure=run.project.datasets[name].on_failure,
        results=results,
        rows={"read": total, "kept": total, "refused": 0, "total": total},
        refused_by_rule={},
        reasons=verdicts.result_reasons(results, Counter(), "warn") + list(persons.reasons),
        findings=list(persons.findings),
        personal_data=list(persons.french),
        version=version.number,
    )


def _persons(run: Run, name: str, read: list[Part], kept: list[Part]) -> tuple[PrivacyVerdict, Shown]:
    """What is held against the rows that would be published, and how values of all rows that were read may be shown: examples are
    of rows that were taken out, too."""
    whole = privacy.look(run, name, scan(read))
    persons = privacy.look(run, name, scan(kept)) if whole.report.columns and rows_of(kept) < rows_of(read) else whole
    return persons, Shown.of(whole.report.kinds, run.project.datasets[name], scan(read).collect_schema().names())


def _before(table: Dataset, version: DatasetVersion) -> DatasetVersion | None:
    """The version that was served before this one, if its rows are still there."""
    return next((v for v in table.history() if v.number < version.number and v.expired is None), None)


def _changes(run: Run, name: str, rows: pl.LazyFrame, old: pl.LazyFrame | None, before: DatasetVersion | None) -> list[Evaluated]:
    """What is expected beside `before`, the version that is served. Evaluated once: no row can be taken out for it."""
    from flows.quality.previous import evaluate_previous, on_previous

    entries, declared = on_previous(suites_of(run, name)), run.project.datasets[name]
    if not entries:
        return []
    there = before is not None and before.expired is None
    previous = Dataset(run.lake, run.project.name, name).scan(before.number) if before is not None and there else None
    found = evaluate_previous(prospective(rows, old, declared), previous, entries, show_values=declared.personal_data == "none")
    return verdicts.marked(found)


def _evaluate(run: Run, name: str, rows: pl.LazyFrame, old: pl.LazyFrame | None) -> list[Evaluated]:
    """Rows that say that their key is gone are in no table: nothing is expected of them."""
    suites = suites_of(run, name)
    if not suites:
        return []
    from flows.quality.expectations import evaluate, select

    declared = run.project.datasets[name]
    on_batch, on_table = select(suites)
    memory = run.settings.check_memory_mb
    found = evaluate(_staying(rows, declared), on_batch, show_values=True, memory_mb=memory)  # shown.py masks them before they go anywhere
    found += evaluate(prospective(rows, old, declared), on_table, show_values=True, memory_mb=memory)
    found = verdicts.worded(verdicts.marked(found))
    return found if declared.deletes is None else _by_position(found, rows, declared)


def _gone(declared: Declared) -> pl.Expr:
    import polars as pl

    return pl.lit(False) if declared.deletes is None else pl.col(declared.deletes.column).is_in(declared.deletes.values).fill_null(False)


def _staying(rows: pl.LazyFrame, declared: Declared) -> pl.LazyFrame:
    return rows if declared.deletes is None else rows.filter(~_gone(declared))


def _by_position(found: list[Evaluated], rows: pl.LazyFrame, declared: Declared) -> list[Evaluated]:
    """Positions among the rows that stay -> positions among all rows of the load; those of the table's own rows are left out."""
    import polars as pl

    staying = rows.select(_gone(declared).alias("gone")).with_row_index(POSITION).filter(~pl.col("gone")).collect()[POSITION].to_list()
    return [
        replace(one, unexpected_rows=None if one.unexpected_rows is None else [staying[p] for p in one.unexpected_rows if p < len(staying)])
        for one in found
    ]


def prospective(rows: pl.LazyFrame, old: pl.LazyFrame | None, declared: Declared) -> pl.LazyFrame:
    """The table after the commit, the new rows first: positions below their number are theirs."""
    import polars as pl

    staying = _staying(rows, declared)
    if old is None:
        return staying
    if declared.mode == "upsert":
        old = old.join(rows.select(declared.key), on=declared.key, how="anti")
    return pl.concat([staying, old], how="diagonal_relaxed")


def _total(parts: list[Part], old: pl.LazyFrame | None, declared: Declared) -> int:
    import polars as pl

    if old is None and declared.deletes is None:
        return rows_of(parts)
    return int(prospective(scan(parts), old, declared).select(pl.len()).collect(engine="streaming").item())
