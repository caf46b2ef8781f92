"""The rows of a replay: read again from the files of their loads, judged as a load judges them, and told apart from all other rows.

Until the checks are over each row goes by its place in the list of those that are tried: two loads can have read files of one name.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import contract
from flows.contract import FILE, ROW
from flows.errors import Refused
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.raw import RawFile
from flows.project.sources import MADE
from flows.steps import Run, fingerprints, refused
from flows.steps.audit import Audited
from flows.steps.correct import Earlier
from flows.steps.corrections import store_of
from flows.steps.doubles import refuse_doubles
from flows.steps.identity import LeftOut
from flows.steps.parse import Parsed, parse
from flows.steps.parts import POSITION, Part, PartWriter, rows_of, scan
from flows.steps.plan import DatasetPlan, erasures, source_of
from flows.steps.quarantine import RefusedRow, Survey, values

if TYPE_CHECKING:
    import polars as pl

BATCH = 5_000  # rows whose values are in memory
INDEX = "__index"
NUMBERING = ("transform", "format", "revision")
"""Parts of a load that say which row has which number."""
CHANGED_SINCE = "changed by a later load"
RECORD = ("{}", "")  # the row of a record that is none


@dataclass
class Attempt:
    """What all parts of one replay need. `rules`: version of the rules of today."""

    run: Run
    name: str
    found: Survey
    rules: str
    _numbers: Any = field(default_factory=itertools.count)

    @cached_property
    def earlier(self) -> Earlier:
        return Earlier(store_of(self.run, self.name))

    @cached_property
    def folder(self) -> Path:
        made = self.run.work / "replay" / self.name / uuid.uuid4().hex[:8]
        made.mkdir(parents=True)
        return made

    def path(self, suffix: str = ".parquet") -> Path:
        return self.folder / f"{next(self._numbers):06}{suffix}"


def tried_as(attempt: Attempt, row: RefusedRow) -> str:
    """By which rules, and with which correction, a row would be tried today."""
    correction = attempt.earlier.of(row)
    return attempt.rules + (f"+{fingerprints.digest(correction.changes)}" if correction else "")


def attempt_rows(attempt: Attempt, plan: DatasetPlan, rows: list[RefusedRow]) -> Parsed:
    """Raises: Refused if a row cannot be told any more, because the transform or the format makes others of its file."""
    parts, refused_files, extra = list[tuple[int, list[Part]]](), list[Path](), list[str]()
    for version in reversed(attempt.found.lineage):  # the oldest first
        wanted = _wanted(attempt, [(i, row) for i, row in enumerate(rows) if row.load_id == version.load.load_id])
        if wanted.is_empty():
            continue
        kept = PartWriter(attempt.path("") / "kept")
        kept.folder.mkdir(parents=True)
        count = len(refused_files)
        for parsed in _parsed(attempt, plan, version, [rows[i] for i in wanted[INDEX]], wanted):
            extra += [c for c in parsed.extra if c not in extra]
            _choose(attempt, parsed, wanted, kept, refused_files)
        own = kept.finish()
        there = rows_of(own) + refused.count(refused_files[count:])
        if there != wanted.height:
            raise _cannot_be_told(attempt, version, wanted.height - there)
        parts.append((version.number, own))
    made, out = _judged_together(attempt, plan, parts, extra)
    return Parsed(attempt.folder, made, refused_files + out, len(rows), extra, attempt.found.lineage[0].load.reading)


def _wanted(attempt: Attempt, rows: list[tuple[int, RefusedRow]]) -> pl.DataFrame:
    import polars as pl

    lines = [{INDEX: index, FILE: row.file, ROW: row.number} for index, row in rows]
    return pl.DataFrame(lines, schema={INDEX: pl.Int64(), FILE: pl.String(), ROW: pl.Int64()})


# ---- reading again -------------------------------------------------------------------------------------------------


def _parsed(attempt: Attempt, plan: DatasetPlan, version: DatasetVersion, rows: list[RefusedRow], wanted: pl.DataFrame) -> list[Parsed]:
    """The files of one load; rows whose bytes are not kept any more come from the quarantine itself."""
    run, name = attempt.run, attempt.name
    raw = source_of(run, name, plan.current)[1]
    files = [RawFile(sha256, file, 0, "") for file, sha256 in version.load.raw.items()]
    files = [replace(raw.known(f.sha256) or f, name=f.name) for f in files]
    renumbered = any(version.load.parts.get(part) != plan.ingest.get(part) for part in NUMBERING)
    declared = run.project.datasets[name]
    # Where rows are merged, which of one key comes first is to be seen in all files; rows made of several datasets are of all of them.
    if not renumbered and declared.mode != "upsert" and declared.source.type not in MADE:
        having = {row.sha256 for row in rows}
        files = [f for f in files if f.sha256 in having]
    there = [f for f in files if raw.has_bytes(f.sha256)]
    gone = {f.sha256 for f in files} - {f.sha256 for f in there}
    made = []
    if there:
        folder = run.work / "raw" / name
        local = [replace(f, path=raw.fetch(f, folder)) for f in there]
        parsed = parse(run, replace(plan, files=local, load_id=f"{plan.load_id}-{version.number}", record={}))
        if renumbered and not gone and parsed.read != version.load.rows.get("read", parsed.read):
            raise _cannot_be_told(attempt, version, len(rows))
        made.append(parsed)
    lost = [row for row in rows if row.sha256 is None or row.sha256 in gone]
    if lost:
        made.append(_from_quarantine(attempt, lost))
    return made


def _cannot_be_told(attempt: Attempt, version: DatasetVersion, count: int) -> Refused:
    return Refused(
        f"{count} refused row(s) of {version} cannot be told among what the transform or the format makes of their files today",
        where=f"datasets.{attempt.name}: rows are known by their number, and there are others now",
        hint="replay before the transform changes how many rows it gives, or load with mode: replace, which reads everything again",
        french="La transformation ne donne plus les mêmes lignes : celles qui étaient écartées ne peuvent plus être retrouvées.",
    )


def _choose(attempt: Attempt, parsed: Parsed, wanted: pl.DataFrame, kept: PartWriter, refused_files: list[Path]) -> None:
    """The rows that are tried, of all that were read; from here on their number is their index."""
    import polars as pl

    declared = attempt.run.project.datasets[attempt.name]
    for part in parsed.parts:
        if part.rows:
            chosen = part.scan().join(wanted.lazy(), on=[FILE, ROW], how="inner", maintain_order="left").collect()
            kept.add(chosen.with_columns(pl.col(INDEX).alias(ROW)).drop(INDEX))
    is_record = pl.col("raw").is_not_null() & pl.col("row").is_in(RECORD)
    number = pl.when(is_record & pl.lit(declared.transform is not None)).then(-pl.col("row_number")).otherwise(pl.col("row_number"))
    for path in parsed.refused_files:
        rows = pl.read_parquet(path).with_columns(number.alias(ROW))
        chosen = rows.join(wanted, left_on=["file", ROW], right_on=[FILE, ROW], how="inner", maintain_order="left")
        if chosen.height:
            refused_files.append(attempt.path())
            again = chosen.with_columns(pl.col(INDEX).alias("row_number")).select(list(refused.schema()))
            again.write_parquet(refused_files[-1])


def _from_quarantine(attempt: Attempt, rows: list[RefusedRow]) -> Parsed:
    """As they were refused, with their corrections. Without their files it is not known which other rows have their keys: one that
    was refused for its key stays so until its key is corrected."""
    import polars as pl

    run, name, declared = attempt.run, attempt.name, attempt.run.project.datasets[attempt.name]
    reading = attempt.found.lineage[0].load.reading.get("columns", {})
    left_out = LeftOut(erasures(run, name), declared)
    writer, refused_files = PartWriter(attempt.path("")), list[Path]()
    writer.folder.mkdir(parents=True)

    def refuse(frame: pl.DataFrame) -> None:
        if frame.height:
            refused_files.append(attempt.path())
            refused.complete(frame).write_parquet(refused_files[-1])

    for start in range(0, len(rows), BATCH):
        held = values(run, name, rows[start : start + BATCH], attempt.found.delta_version or 0)
        for row in rows[start : start + BATCH]:
            correction, cells = attempt.earlier.of(row), held[row.id].first
            cells = cells | (correction.changes if correction else {})
            frame = contract.frame_of_records([cells]).with_columns(pl.lit(row.file).alias(FILE), pl.lit(row.number, pl.Int64).alias(ROW))
            has_key = set(declared.key) & set(correction.changes if correction else {})
            if not cells or (any(r.startswith("key:") for r in row.rules) and not has_key):
                line = {"file": row.file, "row_number": row.row_number, "rules": row.rules, "raw": held[row.id].raw}
                line |= {"row": frame.drop(FILE, ROW).write_ndjson().strip() or "{}"}
                refuse(pl.DataFrame([line], schema={k: v for k, v in refused.schema().items() if k in line}))
                continue
            was_typed = all(rule.startswith("expect_") for rule in row.rules)  # after the contract: no comma is in it
            good, wrong = contract.conform(left_out.without(frame), declared, [], {} if was_typed else reading)
            writer.add(good)
            refuse(wrong)
    return Parsed(attempt.folder, writer.finish(), refused_files, len(rows), [])


# ---- all together --------------------------------------------------------------------------------------------------


def _judged_together(
    attempt: Attempt, plan: DatasetPlan, groups: list[tuple[int, list[Part]]], extra: list[str]
) -> tuple[list[Part], list[Path]]:
    """Rows of several loads, and rows that are older than what the table holds."""
    declared = attempt.run.project.datasets[attempt.name]
    refused_files, kept = list[Path](), list[tuple[int, list[Part]]]()
    for number, parts in groups:
        parts = [_with_columns(part, extra) for part in parts]
        if declared.mode == "upsert" and rows_of(parts):
            parts, out = refused.take_out(parts, _stale(attempt, plan, number, parts), attempt.folder, f"stale-{number}")
            refused_files += out
        kept.append((number, parts))
    if declared.mode == "upsert":
        kept.reverse()  # of two rows of one key the later one counts
    parts = [part for _, own in kept for part in own if part.rows]
    if declared.key and len(kept) > 1 and parts:
        parts, out = refuse_doubles(parts, declared.key, None, attempt.folder)
        refused_files += out
    return parts or [_empty(attempt, extra)], refused_files


def _stale(attempt: Attempt, plan: DatasetPlan, number: int, parts: list[Part]) -> pl.DataFrame:
    """Rows whose key another load has brought, changed or taken out since their own: POSITION, rules. To merge them would put back
    what was so then."""
    import polars as pl

    key, table = attempt.run.project.datasets[attempt.name].key, Dataset(attempt.run.lake, attempt.run.project.name, attempt.name)
    keys = scan(parts).select(key).with_row_index(POSITION).collect()
    changed = keys.clear().select(key)
    if number != attempt.found.lineage[0].number:
        then = next((v for v in table.history() if v.number == number), None)
        with table.reading():
            now = _rows_with(table.scan(plan.based_on or 0), keys, key)
            if then is None or then.expired is not None:  # nobody can tell what was so then
                changed = now.select(key)
            else:
                before = _rows_with(table.scan(number), keys, key)
                columns = [c for c in before.columns if c in now.columns]
                now, before = now.select(columns), before.select(columns)
                changed = pl.concat(
                    [
                        now.join(before, on=columns, how="anti", nulls_equal=True).select(key),
                        before.join(now, on=columns, how="anti", nulls_equal=True).select(key),
                    ]
                )
    wrong = keys.join(changed.unique(), on=key, how="semi", maintain_order="left").select(POSITION)
    rule = f"key:{','.join(key)}:{CHANGED_SINCE}"
    return wrong.with_columns(pl.Series("rules", [[rule]] * wrong.height, dtype=pl.List(pl.String)))


def _rows_with(rows: pl.LazyFrame, keys: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return rows.join(keys.lazy().select(key), on=key, how="semi").collect()


def _with_columns(part: Part, extra: list[str]) -> Part:
    """Columns that another file brought (evolve), as nulls."""
    import polars as pl

    there = pl.read_parquet_schema(part.path)
    if lacking := [pl.lit(None, pl.String).alias(c) for c in extra if c not in there]:
        pl.read_parquet(part.path).with_columns(lacking).select(*(c for c in there if c not in extra), *extra).write_parquet(part.path)
    return part


def _empty(attempt: Attempt, extra: list[str]) -> Part:
    import polars as pl

    path, declared = attempt.path(), attempt.run.project.datasets[attempt.name]
    made = pl.from_arrow(contract.arrow_schema(declared, dict.fromkeys(extra, "string")).empty_table())
    pl.DataFrame(made).write_parquet(path)
    return Part(path, 0)


# ---- what came of it -----------------------------------------------------------------------------------------------


def with_lines(attempt: Attempt, audited: Audited, rows: list[RefusedRow]) -> Audited:
    """The lines of this replay for the quarantine: rows that were refused again with their rules, and, if there will be a version,
    those that are in it with none."""
    import polars as pl

    about = pl.DataFrame(
        {
            INDEX: range(len(rows)),
            "file": [r.file for r in rows],
            "row_number": [r.row_number for r in rows],
            "line": [r.line for r in rows],
            "offset": [r.offset for r in rows],
            "sha256": [r.sha256 for r in rows],
            "member": [r.member for r in rows],
            "origin": [r.id for r in rows],
            "rules_version": [tried_as(attempt, r) for r in rows],
        },
        schema_overrides={INDEX: pl.Int64, "row_number": pl.Int64, "line": pl.Int64, "offset": pl.Int64, "sha256": pl.String},
    )
    tried = refused.scan(audited.refused_files).select(pl.col("row_number").alias(INDEX), "rules", "row", "raw").collect()
    lines = about.join(tried, on=INDEX, how="left" if audited.report.verdict != "refused" else "inner", maintain_order="left")
    if lines["rules"].is_not_null().sum() != audited.report.rows["refused"]:
        raise AssertionError(f"{attempt.name}: {audited.report.rows['refused']} rows were refused, others are in quarantine")
    path = attempt.path()
    lines.with_columns(pl.col("rules").fill_null([])).drop(INDEX).write_parquet(path)
    return replace(audited, refused_files=[path])


__all__ = ["Attempt", "attempt_rows", "tried_as", "with_lines"]
