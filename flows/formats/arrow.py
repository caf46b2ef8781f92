"""Arrow IPC (Feather 2), file or stream, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import SourceRefused
from flows.formats.base import Decision
from flows.formats.parquet import frames, refuse_damaged
from flows.formats.recognise import other_than
from flows.project.formats import ArrowFormat
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl

MAGIC = b"ARROW1\x00\x00"


def decide(path: Path, name: str, declared: ArrowFormat | None, settings: Settings) -> Decision:
    return Decision(declared or ArrowFormat(type="arrow"), {} if declared else {"type": "it begins as Arrow files do"})


def incompatible(path: Path, name: str, kept: ArrowFormat, settings: Settings) -> str | None:
    return other_than(path, name, "arrow")


def read(path: Path, name: str, how: ArrowFormat, settings: Settings) -> Iterator[pl.DataFrame]:
    import pyarrow as pa

    if path.stat().st_size == 0:
        raise SourceRefused(f"{name} is empty: it is not Arrow", where=str(path))
    with refuse_damaged(path, name, "Arrow"), pa.memory_map(str(path)) as source:
        for batch in _batches(source):
            yield from frames(batch, settings.batch_rows)


def _batches(source: Any) -> Iterator[Any]:
    from pyarrow import ipc

    if source.read(len(MAGIC)) == MAGIC:
        source.seek(0)
        with ipc.open_file(source) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)
    else:
        source.seek(0)
        with ipc.open_stream(source) as reader:
            yield from reader
