"""Bytes -> rows in the declared columns, spilled to Parquet in the run's folder. Memory holds one batch at a time.

Refused rows (wrong type, no value where one is required, key seen before) are set aside with the rules that refused them.
"""

from __future__ import annotations

import importlib.util
import itertools
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import contract, progress
from flows.contract import FILE, ROW
from flows.errors import ConfigurationError, Refused, SocleError
from flows.formats import RECORD_FORMATS, decide, read
from flows.lake.datasets import Dataset
from flows.lake.raw import RawFile
from flows.steps import Run, work_disk
from flows.steps.identity import LeftOut
from flows.steps.plan import DatasetPlan, erasures, source_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Parsed:
    """kept/*.parquet: FILE, ROW and the declared columns. refused/*.parquet: file, row_number, rules, row."""

    folder: Path
    read: int
    extra: list[str]
    """New columns that were let in (evolve)."""
    erased: int = 0
    """Rows of people who were erased, left out (socle purge)."""

    def kept(self) -> pl.LazyFrame:
        import polars as pl

        return pl.scan_parquet(self.folder / "kept" / "*.parquet")

    def refused(self) -> pl.LazyFrame:
        import polars as pl

        return pl.scan_parquet(self.folder / "refused" / "*.parquet")


def parse(run: Run, plan: DatasetPlan) -> Parsed:
    """Raises: SourceRefused for bytes that cannot be read, Refused for drift or a file without rows, ConfigurationError for a
    transform that fails."""
    folder = run.work / "parsed" / plan.name / plan.load_id
    for name in ("kept", "refused"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    source, raw = source_of(run, plan.name, plan.current)
    rows, erased, extra, numbers = 0, 0, list[str](), itertools.count()
    left_out = LeftOut(erasures(run, plan.name), run.project.datasets[plan.name])
    with progress.step(f"{plan.name}: reading", "rows") as advance, work_disk(run):
        for file in plan.files or []:
            assert file.path is not None
            path = source.unpack(file.path, run.work)
            batches, found = _spill(run, plan.name, file, path, folder / f"text-{file.sha256[:12]}", advance)
            drifted, new = _drift(run, plan.name, file, found)
            extra += [c for c in new if c not in extra]
            gone = _leave_out(batches, left_out)
            rows += _conform(run, plan.name, batches, folder, numbers, extra, drifted) + gone
            erased += gone
            if gone:
                raw.withdraw(file, "later load")
            elif left_out:
                raw.keep(file)
        if not rows:
            names = ", ".join(f.name for f in plan.files or [])
            raise Refused(f"{plan.name}: the source has no row", where=names, french=f"Le fichier reçu n'a aucune ligne ({names}).")
        _unify(folder / "kept", extra)
        _refuse_double_keys(run, plan, folder)
    return Parsed(folder, rows, extra, erased)


# ---- bytes -> batches of text or typed columns ---------------------------------------------------------------------


def _spill(run: Run, name: str, file: RawFile, path: Path, folder: Path, advance: progress.Advance) -> tuple[list[Path], set[str]]:
    """Every batch as a Parquet file, and the columns that were seen: only after the last one is it known how they drifted."""
    import polars as pl

    folder.mkdir(exist_ok=True)
    written, columns, start = list[Path](), set[str](), 1
    for batch in read_batches(run, name, file, path):
        if reserved := [c for c in batch.columns if c.startswith("__")]:
            where = f"{file.name}, column {reserved[0]!r}"
            raise Refused("names of columns that begin with two underscores are reserved", where=where, hint="rename it in a transform")
        placed = batch.with_columns(pl.lit(file.name).alias(FILE), pl.int_range(start, start + batch.height).alias(ROW))
        written.append(folder / f"{len(written):06}.parquet")
        placed.write_parquet(written[-1], compression="uncompressed")
        columns |= set(batch.columns)
        start += batch.height
        advance(batch.height)
    return written, columns


def read_batches(run: Run, name: str, file: RawFile, path: Path) -> Iterator[pl.DataFrame]:
    declared, size = run.project.datasets[name], run.settings.batch_rows
    how = decide(path, file.name, declared.format, run.settings).format
    pieces = read(path, file.name, how, run.settings)
    records = how.type in RECORD_FORMATS
    if declared.transform is None:
        yield from _frames(pieces, size, file.name) if records else pieces
        return
    function, argument = load_transform(run.project.folder, declared.transform)
    if argument == "records":
        rows = pieces if records else (row for frame in pieces for row in frame.iter_rows(named=True))
        yield from _frames(_guarded(lambda: function(rows), declared.transform, file), size, declared.transform)
    else:
        frames = _frames(pieces, size, file.name) if records else pieces
        yield from _guarded(lambda: (function(frame) for frame in frames), declared.transform, file)


def _frames(records: Iterable[dict[str, Any]], size: int, origin: str) -> Iterator[pl.DataFrame]:
    """`origin`: what an error names, the file or the transform."""
    for chunk in _batched(records, size):
        try:
            yield contract.frame_of_records(chunk)
        except SocleError as error:
            raise type(error)(f"{origin}: {error.message}", where=error.where, hint=error.hint, french=error.french) from None


def _batched(records: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(records)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def load_transform(folder: Path, transform: str) -> tuple[Callable[[Any], Iterable[Any]], str]:
    """The project's function, and the name of its one argument: `records` (dictionaries) or `batch` (Polars frames)."""
    file, name = transform.split(":")
    spec = importlib.util.spec_from_file_location(f"socle_transform_{abs(hash(folder))}", folder / file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, name)
    except (Exception, SystemExit) as error:
        raise _transform_error(error, transform, "while it was loaded", str(folder / file)) from error
    return function, function.__code__.co_varnames[0]


def _guarded(rows: Callable[[], Iterable[Any]], transform: str, file: RawFile) -> Iterator[Any]:
    """A transform is the project's code: whatever it raises is reported as its error, with its line."""
    count = 0
    try:
        for row in rows():
            if not (isinstance(row, dict) or hasattr(row, "iter_slices")):
                raise TypeError(f"it gave a {type(row).__name__}, not a row (dict) or a frame (polars.DataFrame)")
            yield row
            count += 1
    except SocleError:
        raise
    except (Exception, SystemExit) as error:
        raise _transform_error(error, transform, f"after {count} rows of {file.name}", file.source) from error


def _transform_error(error: BaseException, transform: str, moment: str, where: str) -> ConfigurationError:
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(transform.split(":", maxsplit=1)[0])]
    line = f", line {own[-1].lineno}" if own else ""
    reason = "".join(traceback.format_exception_only(error)).strip()
    return ConfigurationError(
        f"the transform {transform} failed {moment}: {reason}{line}", where=where, hint="socle validate, then fix the transform"
    )


# ---- drift, types, keys --------------------------------------------------------------------------------------------


def _drift(run: Run, name: str, file: RawFile, found: set[str]) -> tuple[str, list[str]]:
    """(rule that refuses every row of this file, or ""; new columns to let in).

    Raises: Refused when drift is refused.
    """
    declared = run.project.datasets[name]
    drift = contract.drift(declared, found)
    if not drift or not found:
        return "", []
    if declared.on_drift == "refuse":
        raise Refused(
            f"the columns of {file.name} are not those declared: {drift}",
            where=f"datasets.{name}.columns",
            hint="declare them as they are now, or set on_drift: evolve or quarantine",
            french=_columns_changed(file, drift),
        )
    if declared.on_drift == "quarantine":
        return f"drift: {drift}", []
    lost = [c for c in drift.missing if c in contract.required_columns(declared)]
    if lost:
        raise Refused(
            f"{file.name} lacks required columns: {', '.join(lost)}", where=f"datasets.{name}.columns", french=_columns_changed(file, drift)
        )
    return "", drift.new


def _columns_changed(file: RawFile, drift: contract.Drift) -> str:
    parts = [f"il manque {', '.join(drift.missing)}"] if drift.missing else []
    parts += [f"{', '.join(drift.new)} en plus"] if drift.new else []
    return f"Les colonnes de {file.name} ne sont pas celles prévues : {' ; '.join(parts) or drift}."


def _leave_out(batches: list[Path], left_out: LeftOut) -> int:
    """Take the rows of people who were erased out of the spilled batches; how many there were."""
    import polars as pl

    gone = 0
    for path in batches if left_out else []:
        batch = pl.read_parquet(path)
        rest = left_out.without(batch)
        if rest.height < batch.height:
            rest.write_parquet(path, compression="uncompressed")
            gone += batch.height - rest.height
    return gone


def _conform(run: Run, name: str, batches: list[Path], folder: Path, numbers: Iterator[int], extra: list[str], drifted: str) -> int:
    import polars as pl

    declared, rows = run.project.datasets[name], 0
    for path in batches:
        batch = pl.read_parquet(path)
        rows += batch.height
        if drifted:
            kept = contract.conform(batch.clear(), declared, [])[0]
            rules = pl.Series("rules", [[drifted]] * batch.height, dtype=pl.List(pl.String))
            refused = contract.refused_rows(batch, rules)
        else:
            kept, refused = contract.conform(batch, declared, extra)
        number = next(numbers)
        kept.write_parquet(folder / "kept" / f"{number:06}.parquet", compression="uncompressed")
        refused.write_parquet(folder / "refused" / f"{number:06}.parquet")
        path.unlink()
    return rows


def _unify(folder: Path, extra: list[str]) -> None:
    """Files that came before a new column get it as nulls, so that all have one schema."""
    import polars as pl

    for path in folder.glob("*.parquet") if extra else []:
        frame = pl.read_parquet(path)
        lacking = [pl.lit(None, pl.String).alias(c) for c in extra if c not in frame.columns]
        if lacking:
            frame.with_columns(lacking).write_parquet(path)


def _refuse_double_keys(run: Run, plan: DatasetPlan, folder: Path) -> None:
    """The first row of a key stays, later ones are refused; when appending, so are rows whose key is in the table already."""
    import polars as pl

    declared = run.project.datasets[plan.name]
    if not declared.key:
        return
    kept = pl.scan_parquet(folder / "kept" / "*.parquet")
    where = kept.select(FILE, ROW, *declared.key).collect()
    double = ~where.select(pl.struct(declared.key).is_first_distinct()).to_series()
    known = pl.Series([False]).new_from_index(0, where.height)
    if declared.mode == "append" and plan.current is not None:
        assert plan.based_on is not None
        table = Dataset(run.lake, run.project.name, plan.name)
        with table.reading():
            there = table.scan(plan.based_on).select(declared.key).unique().with_columns(__there=pl.lit(True)).collect()
        known = where.join(there, on=declared.key, how="left", maintain_order="left")["__there"].fill_null(False)
    if not (double | known).any():
        return
    _set_aside(folder, double, known, declared.key)


def _set_aside(folder: Path, double: pl.Series, known: pl.Series, key: list[str]) -> None:
    """`double` and `known` are in the order of the kept files."""
    import polars as pl

    name, start = ",".join(key), 0
    for path in sorted((folder / "kept").glob("*.parquet")):
        frame = pl.read_parquet(path)
        part = slice(start, start + frame.height)
        flags = pl.DataFrame({"double": double[part], "known": known[part]})
        rules = flags.select(
            pl.concat_list(
                pl.when("double").then(pl.lit(f"key:{name}:twice in this load")),
                pl.when("known").then(pl.lit(f"key:{name}:already in the table")),
            ).list.drop_nulls()
        ).to_series()
        wrong = flags.select(pl.col("double") | pl.col("known")).to_series()
        start += frame.height
        if wrong.any():
            contract.refused_rows(frame.filter(wrong), rules.filter(wrong)).write_parquet(folder / "refused" / f"key-{path.name}")
            frame.filter(~wrong).write_parquet(path)


def count_rules(refused: pl.LazyFrame) -> dict[str, int]:
    """Rule -> rows that it refused; a row counts once for each of its rules."""
    lists = refused.select("rules").collect()["rules"].to_list()
    return dict(Counter(rule for rules in lists for rule in rules))
