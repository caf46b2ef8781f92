"""Bytes -> rows in the declared columns, as Parquet files in the run's folder. Memory holds one batch at a time.

Refused rows (wrong type, no value where one is required, key seen before, no record at all) are set aside with the rules that refused
them. Each row that was read is either kept or refused, or left out because it is of a person who was erased.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import contract, formats, progress
from flows.contract import FILE, ROW
from flows.errors import Refused
from flows.findings import Finding
from flows.formats import RECORD_FORMATS, BadRow, Member, csv
from flows.lake.datasets import Dataset
from flows.lake.raw import RawFile, RawStore
from flows.project import Format
from flows.project.formats import CsvFormat, ParquetFormat
from flows.project.sources import MADE
from flows.sources import Source
from flows.steps import Run, corrections, fast, pseudonymise, refused, work_disk
from flows.steps.bunches import Ahead, Bunches
from flows.steps.doubles import refuse_doubles
from flows.steps.identity import LeftOut
from flows.steps.parts import Part, PartWriter
from flows.steps.pieces import read_batches
from flows.steps.plan import DatasetPlan, erasures, source_of
from flows.steps.reading import Reading
from flows.steps.transform import guarded, load_transform

if TYPE_CHECKING:
    import polars as pl

KEPT_AT_ONCE = 4  # raw files: each waits for a disk or a network
KEPT_TOGETHER = 64  # little ones
BAD_AT_ONCE = 500  # records that are no rows, in one file of refused ones: each may have 64 kB of text


@dataclass(frozen=True)
class Parsed:
    """What a load brings. `refused_files`: in the shape of refused.py."""

    folder: Path
    parts: list[Part]
    refused_files: list[Path]
    read: int
    extra: list[str]
    """New columns that were let in (evolve)."""
    reading: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    members: dict[str, tuple[Path, Format]] = field(default_factory=dict)
    """File name as rows have it -> its bytes here and how they were read."""
    erased: int = 0
    """Rows of people who were erased, left out (socle purge)."""


def parse(run: Run, plan: DatasetPlan) -> Parsed:
    """Raises: SourceRefused for bytes that cannot be read, Refused for drift or a file without rows, ConfigurationError for a
    transform that fails."""
    source, raw = source_of(run, plan.name, plan.current)
    left_out = LeftOut(erasures(run, plan.name), run.project.datasets[plan.name])
    given = run.project.datasets[plan.name].source.type == "file"  # its copies are written once
    with progress.step(f"{plan.name}: reading", "rows") as advance, work_disk(run), _keeping(raw, given, len(plan.files or [])) as keep:
        loader = Loader(run, plan, left_out, advance)
        if run.project.datasets[plan.name].source.type in MADE:
            for file in plan.files or []:
                keep(file)
            loader.join(plan.files or [])
            return loader.finish()
        if not left_out:
            loader.load(_kept(plan.files or [], source, run.work, keep))
            return loader.finish()
        for file in plan.files or []:  # what is kept of it depends on the rows that it holds
            gone = loader.erased
            loader.load(_kept([file], source, run.work, lambda file: None))
            if loader.erased > gone:
                raw.withdraw(file, "later load")
            else:
                keep(file)
        return loader.finish()


def _kept(files: Iterable[RawFile], source: Source, folder: Path, keep: Callable[[RawFile], None]) -> Iterator[tuple[RawFile, Path]]:
    for file in files:
        assert file.path is not None
        keep(file)
        yield file, source.unpack(file.path, folder)


@contextmanager
def _keeping(raw: RawStore, given: bool, count: int) -> Iterator[Callable[[RawFile], None]]:
    """Raw bytes go to the lake while they are read, little files several at a time. At the end they are all there, whatever came of
    reading them. `count`: of the files."""
    together = KEPT_TOGETHER if count > KEPT_TOGETHER else 1
    with ThreadPoolExecutor(KEPT_AT_ONCE) as pool:
        started, little = list[Future[None]](), list[RawFile]()

        def keep_little() -> None:
            started.append(pool.submit(raw.keep_all, list(little), given=given))
            little.clear()

        def keep(file: RawFile) -> None:
            if file.size > csv.LITTLE:
                started.append(pool.submit(raw.keep, file, given=given))
                return
            little.append(file)
            if len(little) == together:
                keep_little()

        try:
            yield keep
        finally:
            if little:
                keep_little()
            for each in started:
                each.result()


class Loader:
    """The files of one load, one after the other."""

    def __init__(self, run: Run, plan: DatasetPlan, left_out: LeftOut, advance: progress.Advance) -> None:
        self.run, self.plan, self.name, self.left_out, self.advance = run, plan, plan.name, left_out, advance
        self.declared = run.project.datasets[plan.name]
        self.folder = run.work / "parsed" / plan.name / plan.load_id
        for name in ("kept", "refused", "text"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.reading = Reading(plan.name, self.declared, run.settings, plan.current.load.reading if plan.current else {})
        self.writer = PartWriter(self.folder / "kept")
        self.refused_files: list[Path] = []
        self.numbers = itertools.count()
        transform = self.declared.transform
        self.numbers_stay = transform is None or load_transform(run.project.folder, transform)[1] == "batch"
        """Rows have their numbers in the file. A transform of batches may leave them there; one of records gives other rows."""
        self.corrections = corrections.overlay(run, plan.name)
        self.of_file: corrections.FileCorrections | None = None
        self.read, self.erased, self.extra = 0, 0, list[str]()
        self.members: dict[str, tuple[Path, Format]] = {}

    def load(self, files: Iterable[tuple[RawFile, Path]]) -> None:
        ahead, bunches = Ahead(self._members(files)), Bunches(self)
        while (item := ahead.first()) is not None:
            if not bunches.take(ahead):
                ahead.take(1)
                self._load(*item)

    def _members(self, files: Iterable[tuple[RawFile, Path]]) -> Iterator[tuple[RawFile, Member]]:
        for file, path in files:
            members = formats.members(path, file.name, self.declared.format, self.run.work, self.run.settings)
            for member in members:
                yield file, member
            self.reading.findings += members.findings()

    def _load(self, file: RawFile, member: Member) -> None:
        how = self.reading.format_of(member.path, member.name)
        if self.numbers_stay:
            self.members[member.name] = (member.path, how)
        self.of_file = self.corrections.of(file, member.name)
        if not self._fast(member.path, member.name, how):
            self._slow(member.path, member.name, how)
            self._add_corrected()

    def join(self, files: list[RawFile]) -> None:
        """Rows that are made of versions of other datasets."""
        path = self.folder / "text" / "joined.parquet"
        if self.declared.source.type == "pseudonymised":
            name, finding = pseudonymise.write(self.run, self.declared, files[0], path)
            self.reading.findings.append(finding)
        else:
            name = self._joined(files, path)
        how = ParquetFormat(type="parquet")
        self.of_file = self.corrections.of(files[0], name)
        frames = self._placed(formats.read(path, name, how, self.run.settings), name)
        self.settle(*_peeked(frames), name)
        self._add_corrected()

    def _joined(self, files: list[RawFile], path: Path) -> str:
        """The transform's rows, written at `path`. Returns what they are made of."""
        import polars as pl

        assert self.declared.transform
        tables, sources = {}, []
        for file in files:
            assert file.path is not None
            named = json.loads(file.path.read_text(encoding="utf-8"))
            table = Dataset(self.run.lake, named["project"], named["dataset"])
            sources.append(f"{named['project']}/{named['dataset']}@{named['version']}")
            tables[file.name.partition("@")[0].rpartition("/")[2]] = table.scan(named["version"])
        function, _ = load_transform(self.run.project.folder, self.declared.transform)
        name = " + ".join(sources)
        with table.reading():
            for made in guarded(lambda: [function(tables)], self.declared.transform, name):
                (made.lazy() if isinstance(made, pl.DataFrame) else made).sink_parquet(path, engine="streaming")
        return name

    def finish(self) -> Parsed:
        if not self.read:
            names = ", ".join(f.name for f in self.plan.files or [])
            raise Refused(f"{self.name}: the source has no row", where=names, french=f"Le fichier reçu n'a aucune ligne ({names}).")
        parts = self._unified(self.writer.finish()) or [self._empty_part()]
        parts, doubles = self._without_doubles(parts)
        return Parsed(
            self.folder,
            parts,
            self.refused_files + doubles,
            self.read,
            self.extra,
            self.reading.as_dict(),
            self.reading.findings,
            self.members,
            self.erased,
        )

    # -- one file

    def _fast(self, path: Path, name: str, how: Format) -> bool:
        """Take a regular file whole, in one pass (fast.py)."""
        if (
            not isinstance(how, CsvFormat)
            or self.declared.transform
            or self.left_out
            or self.of_file
            or self.extra
            or not fast.is_worth_it(path)
        ):
            return False
        sample = csv.first_rows(path, name, how, self.run.settings)
        if sample is None:
            return False
        conventions = self.reading.conventions_of(sample.head(self.run.settings.batch_rows), name)
        self.writer.close_part()
        short_way = fast.ShortWay(self.declared, self.run.settings, self.folder / "text", self.writer.next_path)
        taken = short_way.take(path, name, how, conventions)
        if taken is None:
            return False
        for part in taken.parts:
            self.writer.adopt(part)
        self.count(taken.rows)
        return True

    def _slow(self, path: Path, name: str, how: Format) -> None:
        """A batch at a time. Where the columns are only known at the end (records, a transform), batches wait on the disk."""
        frames = self._placed(self._frames(path, name, how), name)
        if how.type in RECORD_FORMATS or self.declared.transform:
            frames, columns, sample = self._spilled(frames)
        else:
            frames, columns, sample = _peeked(frames)
        self.settle(frames, columns, sample, name)

    def settle(self, frames: Iterator[pl.DataFrame], columns: set[str], sample: pl.DataFrame | None, name: str) -> None:
        if sample is None:
            return
        conventions = self.reading.conventions_of(sample, name)
        unknown = None if self.reading.familiar else sample  # no column is of another type where every value can be read
        drift = contract.drift(self.declared, columns, unknown, conventions, self.run.settings.retyped_percent)
        drifted, new = contract.settle(self.declared, self.name, name, drift)
        if more := [c for c in new if c not in self.extra]:
            self.writer.close_part()  # the rows before have other columns
            self.extra += more
        for frame in frames:
            self._conform(frame, conventions, drifted)

    def count(self, rows: int) -> None:
        """Rows were read."""
        self.read += rows
        self.advance(rows)

    def _frames(self, path: Path, name: str, how: Format) -> Iterator[pl.DataFrame]:
        bad = list[BadRow]()
        for piece in read_batches(self.run, self.name, path, name, how):
            if isinstance(piece, BadRow):
                bad.append(piece)
            if len(bad) >= BAD_AT_ONCE or (bad and piece is not bad[-1]):
                self._refuse_records(bad, name)
                bad = []
            if not isinstance(piece, BadRow):
                yield piece
        self._refuse_records(bad, name)

    def _add_corrected(self) -> None:
        """Rows that people corrected, each judged for itself: it has the columns that it should."""
        corrected = self.of_file.rows() if self.of_file else None
        if corrected is None:
            return
        rest = self.left_out.without(corrected) if self.left_out else corrected
        self.erased += corrected.height - rest.height
        kept, wrong = contract.conform(rest, self.declared, self.extra, self.reading.conventions)
        self.writer.add(kept)
        self._refuse(wrong)

    def _refuse_records(self, bad: list[BadRow], name: str) -> None:
        self.read += len(bad)
        self._refuse(refused.of_records([b for b in bad if not (self.of_file and self.of_file.takes(b))], name))

    def _placed(self, frames: Iterator[pl.DataFrame], name: str) -> Iterator[pl.DataFrame]:
        """With FILE and ROW, and without the rows of people who were erased."""
        import polars as pl

        start = 1
        for frame in frames:
            numbered = frame.schema.get(ROW) == pl.Int64  # by the format: what is read of a text is text
            if reserved := [c for c in frame.columns if c.startswith("__") and not (numbered and c == ROW)]:
                where = f"{name}, column {reserved[0]!r}"
                raise Refused("names of columns that begin with two underscores are reserved", where=where, hint="rename it in a transform")
            contract.require_names(frame.columns, name)
            if not numbered:
                if self.declared.transform:  # it gave rows without their numbers: these are not those of the file
                    self.members.pop(name, None)
                frame = frame.with_columns(pl.int_range(start, start + frame.height, dtype=pl.Int64).alias(ROW))
            placed = frame.with_columns(pl.lit(name).alias(FILE))
            start = int(placed[ROW][-1]) + 1 if placed.height else start
            self.count(frame.height)
            others = self.of_file.take_out(placed) if self.of_file else placed
            rest = self.left_out.without(others) if self.left_out else others
            self.erased += others.height - rest.height
            yield rest

    def _spilled(self, frames: Iterator[pl.DataFrame]) -> tuple[Iterator[pl.DataFrame], set[str], pl.DataFrame | None]:
        import polars as pl

        written, columns, sample = list[Path](), set[str](), None
        for frame in frames:
            sample = frame if sample is None else sample
            written.append(self.folder / "text" / f"{next(self.numbers):06}.parquet")
            frame.write_parquet(written[-1], compression="uncompressed")
            columns |= set(frame.columns)

        def again() -> Iterator[pl.DataFrame]:
            for path in written:
                yield pl.read_parquet(path)
                path.unlink()

        return again(), columns, sample

    def _conform(self, frame: pl.DataFrame, conventions: dict[str, Any], drifted: str) -> None:
        import polars as pl

        if drifted:
            rules = pl.Series("rules", [[drifted]] * frame.height, dtype=pl.List(pl.String))
            return self._refuse(contract.refused_rows(frame, rules))
        kept, wrong = contract.conform(frame, self.declared, self.extra, conventions)
        self.writer.add(kept)
        self._refuse(wrong)

    def _refuse(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        self.refused_files.append(self.folder / "refused" / f"{next(self.numbers):06}.parquet")
        refused.complete(rows).write_parquet(self.refused_files[-1])

    # -- all files

    def _unified(self, parts: list[Part]) -> list[Part]:
        """Files that came before a new column get it as nulls, so that all have one schema."""
        import polars as pl

        for part in parts if self.extra else []:
            there = pl.read_parquet_schema(part.path)
            if lacking := [pl.lit(None, pl.String).alias(c) for c in self.extra if c not in there]:
                pl.read_parquet(part.path).with_columns(lacking).write_parquet(part.path)
        return parts

    def _empty_part(self) -> Part:
        """Every row was refused: the columns without a row."""
        import polars as pl

        path = self.writer.next_path()
        schema = contract.arrow_schema(self.declared, dict.fromkeys(self.extra, "string"))
        pl.DataFrame(schema.empty_table()).write_parquet(path)
        return Part(path, 0)

    def _without_doubles(self, parts: list[Part]) -> tuple[list[Part], list[Path]]:
        key, plan = self.declared.key, self.plan
        if not key:
            return parts, []
        if self.declared.mode != "append" or plan.based_on is None or plan.current is None:
            return refuse_doubles(parts, key, None, self.folder)
        table = Dataset(self.run.lake, self.run.project.name, self.name)
        with table.reading():
            return refuse_doubles(parts, key, table.scan(plan.based_on), self.folder)


def _peeked(frames: Iterator[pl.DataFrame]) -> tuple[Iterator[pl.DataFrame], set[str], pl.DataFrame | None]:
    """The columns are those of the first frame."""
    first = next(frames, None)
    return (iter(()), set(), None) if first is None else (itertools.chain([first], frames), set(first.columns), first)
