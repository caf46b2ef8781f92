"""A suite tried on a file, without a project: read as `socle explain` would read it, checked as a load of it would be.

A suite that comes from a Table Schema is about texts, so the file's texts are what it sees. Any other suite is about a dataset: columns
get the types that `socle explain` proposes, as far as every value fits; or, where a dataset is named, those that it declares.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import contract, formats
from flows.errors import ConfigurationError, SourceRefused
from flows.formats import BadRow, Member
from flows.project import Dataset as Declared
from flows.quality import CheckResult, Suite, load_suites
from flows.quality.row_names import names_in_condition
from flows.settings import Settings
from flows.steps import Run
from flows.steps.pieces import read_batches
from flows.steps.reading import Reading
from flows.steps.shown import Shown
from flows.validation import suggest

if TYPE_CHECKING:
    import polars as pl

SAMPLE = 10_000  # rows that types are proposed from


@dataclass(frozen=True)
class Trial:
    """One file, and what the suite says of it."""

    file: str
    rows: int
    columns: dict[str, str]
    """Name -> type that the suite saw."""
    results: list[CheckResult]
    bad: list[BadRow]
    """Records that are no rows."""
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Rules on columns that the schema does not require and the file has not."""

    @property
    def failed(self) -> list[CheckResult]:
        return [r for r in self.results if not r.success]

    @property
    def refused(self) -> bool:
        """Whether a dataset with `on_failure: block` would refuse the file."""
        return bool(self.bad) or any(r.severity == "critical" for r in self.failed)

    @property
    def verdict(self) -> str:
        return "refused" if self.refused else "warned" if any(r.severity == "warning" for r in self.failed) else "passed"


def load_checks(path: Path) -> tuple[Suite, dict[str, Any], list[str]]:
    """A suite, or a Table Schema made into one.

    Returns: (the suite, what it says of its Table Schema, notes). Raises: ConfigurationError if the file is neither.
    """
    from flows.quality.checking import known_types
    from flows.quality.table_schema import is_table_schema, load_schema, suite_of

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        content = None  # said below, by whichever reads it
    if is_table_schema(content):
        schema = load_schema(path)
        content, notes = suite_of(schema, known_types()), schema.notes
        suite = Suite(path.name, content["expectations"], "")
    else:
        suite = replace(load_suites(Path(), [str(path.absolute())])[0], name=path.name)
        notes = []
    about = (content.get("meta") or {}).get("table_schema") if isinstance(content, dict) else None
    about = about if isinstance(about, dict) and isinstance(about.get("fields"), dict) else {}
    return suite, about, [*notes, *(f"not checked: {text}" for text in about.get("not_checked", []))]


def try_suite(
    suite_path: Path, file: Path, settings: Settings, *, show_values: bool = True, run: Run | None = None, dataset: str = ""
) -> list[Trial]:
    """One for each file in an archive; for any other file, one. `dataset`: of the run's project, as which the file is read.

    Raises: ConfigurationError for what is no suite, or a file that is not there; SourceRefused for a file that cannot be read.
    """
    suite, about, notes = load_checks(suite_path)
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise ConfigurationError(f"{file} {what}", where=str(file.absolute().parent), hint="socle expectations test SUITE FILE")
    trials = list[Trial]()
    with tempfile.TemporaryDirectory(prefix="socle-trial-") as name:
        folder, declared = Path(name), run.project.datasets[dataset] if run else None
        for number, member in enumerate(
            formats.members(file, file.name, declared.format if declared else None, folder / "members", settings)
        ):
            (inside := folder / str(number)).mkdir()
            if run and declared:
                trials.append(_try_as(run, dataset, suite, notes, member, inside, show_values))
            else:
                trials.append(_try_on(suite, about, notes, member, inside, settings, show_values))
    if not trials:
        raise SourceRefused(f"{file.name} holds no file that can be read", where=str(file))
    return trials


def _try_on(
    suite: Suite, about: dict[str, Any], notes: list[str], member: Member, folder: Path, settings: Settings, show_values: bool
) -> Trial:
    decision = formats.decide(member.path, member.name, None, settings)
    pieces = formats.read(member.path, member.name, decision.format, settings)
    rows, bad = _spilled(_frames(pieces, settings.batch_rows), member.name, folder)
    if about:
        from flows.quality.table_schema.cells import prepared, under_their_names

        rows, more = under_their_names(rows, about)
        rows = prepared(rows, about, typed_cells=decision.format.type != "csv")
    else:
        rows, more = _typed(rows, suite)
    found = [f.text for f in decision.findings]
    return _evaluated(suite, about, member.name, rows, bad, [*notes, *found, *more], settings, show_values)


def _try_as(run: Run, dataset: str, suite: Suite, notes: list[str], member: Member, folder: Path, show_values: bool) -> Trial:
    """Read with the dataset's format, transform and columns. Rows that a load would refuse for their types are among the bad ones."""
    declared = run.project.datasets[dataset]
    reading = Reading(dataset, declared, run.settings, {})
    pieces = read_batches(run, dataset, member.path, member.name, reading.format_of(member.path, member.name))
    rows, bad = _spilled(_conformed(pieces, declared, reading, member.name), member.name, folder)
    findings = [f.text for f in reading.findings]
    return _evaluated(suite, {}, member.name, rows, bad, [*notes, *findings], run.settings, show_values, declared.personal_data)


def _conformed(pieces: Iterable[Any], declared: Declared, reading: Reading, name: str) -> Iterator[Any]:
    import polars as pl

    start = 1
    for piece in pieces:
        if isinstance(piece, BadRow):
            yield piece
            continue
        numbers = piece[contract.ROW] if contract.ROW in piece.columns else pl.int_range(start, start + piece.height, eager=True)
        start = int(numbers[-1]) + 1 if piece.height else start
        batch = piece.with_columns(numbers.alias(contract.ROW), pl.lit(name).alias(contract.FILE))
        kept, refused = contract.conform(batch, declared, [], reading.conventions_of(piece, name))
        yield kept
        for row in refused.iter_rows(named=True):
            yield BadRow("; ".join(row["rules"]), row["row_number"], "")


def _spilled(pieces: Iterable[Any], name: str, folder: Path) -> tuple[pl.LazyFrame, list[BadRow]]:
    """The frames on disk, and the records that are no rows. Raises: SourceRefused if there is no row at all."""
    import polars as pl

    parts, bad = list[pl.LazyFrame](), list[BadRow]()
    for piece in pieces:
        if isinstance(piece, BadRow):
            bad.append(piece)
            continue
        part = folder / f"{len(parts)}.parquet"
        piece.select([c for c in piece.columns if not c.startswith("__")]).write_parquet(part)
        parts.append(pl.scan_parquet(part))
    if not parts:
        raise SourceRefused(f"{name} has no rows", where=name, french=f"{name} n'a aucune ligne.")
    return pl.concat(parts, how="diagonal_relaxed"), bad


def _frames(pieces: Iterator[Any], size: int) -> Iterator[Any]:
    """Records as frames of text; frames, and records that are no rows, as they are."""
    records = list[dict[str, Any]]()
    for piece in pieces:
        if not isinstance(piece, dict):
            yield piece
            continue
        records.append(piece)
        if len(records) == size:
            yield contract.frame_of_records(records)
            records = []
    if records:
        yield contract.frame_of_records(records)


def _typed(rows: pl.LazyFrame, suite: Suite) -> tuple[pl.LazyFrame, list[str]]:
    """Columns under the names that the suite has for them, in the types that are proposed; text where some value does not fit."""
    import polars as pl

    schema, wanted = rows.collect_schema(), {c for e in suite.expectations for c in _named(e["kwargs"])}
    proposals = contract.propose(rows.head(SAMPLE).collect())
    named = {p.origin: p.name if p.name in wanted and p.origin not in wanted else p.origin for p in proposals}
    made = {p.origin: contract.convert(pl.col(p.origin), schema[p.origin], p.column) for p in proposals}
    lost = rows.select((made[p.origin].is_null() & _filled(pl.col(p.origin), schema[p.origin])).sum().alias(p.origin) for p in proposals)
    counts = lost.collect(engine="streaming").row(0, named=True)
    notes = [
        f"{named[p.origin]} stays text: {counts[p.origin]} value(s) are no {p.column.type}"
        for p in proposals
        if counts[p.origin] and p.column.type != "string"
    ]
    return rows.select((pl.col(c) if counts[c] else made[c]).alias(named[c]) for c in named), notes


def _filled(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    import polars as pl

    return value.is_not_null() & (value.str.strip_chars() != "") if kind == pl.String else value.is_not_null()


def _evaluated(
    suite: Suite,
    about: dict[str, Any],
    name: str,
    rows: pl.LazyFrame,
    bad: list[BadRow],
    notes: list[str],
    settings: Settings,
    show_values: bool,
    personal_data: str = "none",
) -> Trial:
    import polars as pl

    from flows.quality.expectations import evaluate, select
    from flows.quality.previous import evaluate_previous, on_previous

    schema = rows.collect_schema()
    suite, on_empty, absent = _applicable(suite, list(schema), about)
    lacking = {c for e in on_empty.expectations for c in _named(e["kwargs"]) if c not in schema}
    extended = rows.with_columns(pl.lit(None, pl.String).alias(c) for c in lacking)
    found = [
        evaluated
        for table, part in ((rows, suite), (extended, on_empty))
        for selection in select([part])
        for evaluated in evaluate(table, selection, show_values=show_values, memory_mb=settings.check_memory_mb)
    ]
    entries = on_previous([suite])
    found += evaluate_previous(rows, None, entries, show_values=show_values) if entries else []
    shown = Shown({}, set(schema) | lacking, personal_data)
    results = [shown.result(e.result) for e in found] + ([] if about else absent)
    height = int(rows.select(pl.len()).collect().item())
    skipped = [r.text for r in absent] if about else []  # whether a column may be absent is an expectation of its own there
    return Trial(name, height, {n: str(t) for n, t in schema.items()}, results, bad, notes, skipped)


def _applicable(suite: Suite, there: list[str], about: dict[str, Any]) -> tuple[Suite, Suite, list[CheckResult]]:
    """Of columns that the file has not: (the suite without what is about them, what takes them for empty, answers to the rest)."""
    from flows.quality.table_schema.french import ABSENT_IS_EMPTY

    kept, on_empty, absent = list[dict[str, Any]](), list[dict[str, Any]](), list[CheckResult]()
    for entry in suite.expectations:
        kind, missing = entry["type"], [c for c in _named(entry["kwargs"]) if c not in there]
        if not missing or not kind.startswith("expect_") or kind.startswith(("expect_table_", "expect_column_to_exist")):
            kept.append(entry)
            continue
        if about and (entry.get("meta") or {}).get("table_schema") in ABSENT_IS_EMPTY:
            on_empty.append(entry)
            continue
        error, near = f"the file has no column {missing[0]!r}", suggest(missing[0], there)
        fields = {"severity": entry.get("severity", "critical"), "description": entry.get("description") or ""}
        said = f"{error} ({near})" if near else error
        absent.append(CheckResult(suite.name, kind, entry["kwargs"], level="row", success=False, error=said, **fields))
    return replace(suite, expectations=kept), replace(suite, expectations=on_empty), absent


def _named(arguments: dict[str, Any]) -> list[str]:
    """Columns of an expectation and of its row condition."""
    single = [arguments[a] for a in ("column", "column_A", "column_B") if isinstance(arguments.get(a), str)]
    single += [c for c in arguments.get("column_list") or [] if isinstance(c, str)]
    if (condition := arguments.get("row_condition")) is not None:
        with contextlib.suppress(ValueError):  # evaluating it says so
            single += names_in_condition(condition, arguments.get("condition_parser"))
    return single
