"""What a file gives after the dataset's transform, a piece at a time: frames, and records that are no rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import contract, formats
from flows.contract import ROW
from flows.errors import SocleError
from flows.formats import RECORD_FORMATS, BadRow
from flows.lake.datasets import Dataset
from flows.project import Format
from flows.steps import Run
from flows.steps.reading import Reading
from flows.steps.transform import guarded, load_transform

if TYPE_CHECKING:
    import polars as pl


def read_again(run: Run, dataset: str, name: str, path: Path) -> Iterator[pl.DataFrame]:
    """Frames of bytes that were kept, read as a load of them would be now. What is no row is left out."""
    declared, latest = run.project.datasets[dataset], Dataset(run.lake, run.project.name, dataset).latest()
    reading = Reading(dataset, declared, run.settings, latest.load.reading if latest else {})
    for member in formats.members(path, name, declared.format, run.work, run.settings):
        for piece in read_batches(run, dataset, member.path, member.name, reading.format_of(member.path, member.name)):
            if not isinstance(piece, BadRow):
                yield piece


def read_batches(run: Run, dataset: str, path: Path, name: str, how: Format) -> Iterator[pl.DataFrame | BadRow]:
    """What a file gives after the dataset's transform: frames, and records that are no rows."""
    declared, size = run.project.datasets[dataset], run.settings.batch_rows
    pieces = formats.read(path, name, how, run.settings)
    records = how.type in RECORD_FORMATS
    if declared.transform is None:
        yield from _frames(pieces, size, name) if records else pieces
        return
    function, argument = load_transform(run.project.folder, declared.transform)
    bad: list[BadRow] = []
    good = _without_bad(pieces, bad)
    if argument == "records":
        rows = good if records else (row for frame in good for row in frame.drop(ROW, strict=False).iter_rows(named=True))
        made = _frames(guarded(lambda: function(rows), declared.transform, name), size, declared.transform)
    else:
        frames = _frames(good, size, name) if records else _numbered(good)
        made = guarded(lambda: (function(frame) for frame in frames), declared.transform, name)
    for frame in made:
        yield frame
        yield from bad
        bad.clear()
    yield from bad


def _numbered(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """With the numbers of their rows in the file, which a transform may leave there."""
    import polars as pl

    start = 1
    for frame in frames:
        numbered = (
            frame if ROW in frame.columns else frame.with_columns(pl.int_range(start, start + frame.height, dtype=pl.Int64).alias(ROW))
        )
        start = int(numbered[ROW][-1]) + 1 if numbered.height else start
        yield numbered


def _without_bad(pieces: Iterator[Any], bad: list[BadRow]) -> Iterator[Any]:
    for piece in pieces:
        if isinstance(piece, BadRow):
            bad.append(piece)
        else:
            yield piece


def _frames(records: Iterable[Any], size: int, origin: str) -> Iterator[Any]:
    """`origin`: what an error names, the file or the transform."""
    import polars as pl

    for chunk in _batched(records, size):
        if isinstance(chunk, BadRow):
            yield chunk
            continue
        numbers, rows = chunk
        try:
            yield contract.frame_of_records(rows).with_columns(pl.Series(ROW, numbers, dtype=pl.Int64))
        except SocleError as error:
            raise type(error)(f"{origin}: {error.message}", where=error.where, hint=error.hint, french=error.french) from None


def _batched(records: Iterable[Any], size: int) -> Iterator[tuple[list[int], list[dict[str, Any]]] | BadRow]:
    """Records with their numbers, from 1; those that are no rows count, too."""
    numbers, rows = list[int](), list[dict[str, Any]]()
    for number, record in enumerate(records, 1):
        if isinstance(record, BadRow):
            yield record
            continue
        numbers.append(number)
        rows.append(record)
        if len(rows) == size:
            yield numbers, rows
            numbers, rows = [], []
    if rows:
        yield numbers, rows
