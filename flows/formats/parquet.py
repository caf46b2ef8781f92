"""Parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flows.errors import SourceRefused
from flows.formats.base import Decision
from flows.project.formats import ParquetFormat
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl


def decide(path: Path, name: str, declared: ParquetFormat | None, settings: Settings) -> Decision:
    return Decision(declared or ParquetFormat(type="parquet"))


def incompatible(path: Path, name: str, kept: ParquetFormat, settings: Settings) -> str | None:
    return None


def read(path: Path, name: str, how: ParquetFormat, settings: Settings) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=settings.batch_rows):
                batch.validate(full=True)
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame
    except pl.exceptions.PanicException as error:  # a type that Polars does not have
        raise SourceRefused(f"{name} holds a type that cannot be read: {str(error)[:200]}", where=str(path)) from None
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        raise SourceRefused(f"{name} is not whole, valid Parquet: {str(error).splitlines()[0][:200]}", where=str(path)) from None
