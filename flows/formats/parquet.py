"""Parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import SourceRefused
from flows.formats.base import Decision
from flows.formats.recognise import other_than
from flows.project.formats import ParquetFormat
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl


def decide(path: Path, name: str, declared: ParquetFormat | None, settings: Settings) -> Decision:
    return Decision(declared or ParquetFormat(type="parquet"), {} if declared else {"type": "it begins as Parquet files do"})


def incompatible(path: Path, name: str, kept: ParquetFormat, settings: Settings) -> str | None:
    return other_than(path, name, "parquet")


def read(path: Path, name: str, how: ParquetFormat, settings: Settings) -> Iterator[pl.DataFrame]:
    from pyarrow import parquet

    with refuse_damaged(path, name, "Parquet"), parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=settings.batch_rows):
            yield from frames(batch, settings.batch_rows)


def frames(batch: Any, size: int) -> Iterator[pl.DataFrame]:
    """A batch of Arrow as frames, once its bytes are known to be what its types say."""
    import polars as pl

    batch.validate(full=True)
    frame = pl.from_arrow(batch.replace_schema_metadata(None))  # damaged metadata is a panic in Polars
    assert isinstance(frame, pl.DataFrame)
    yield from frame.iter_slices(size) if frame.height > size else [frame]


@contextmanager
def refuse_damaged(path: Path, name: str, kind: str) -> Iterator[None]:
    import polars as pl
    import pyarrow as pa

    french = f"Le fichier {name} est abîmé ou incomplet : il ne peut pas être lu ({kind})."
    try:
        yield
    except pl.exceptions.PanicException as error:  # a type that Polars does not have
        raise SourceRefused(f"{name} holds a type that cannot be read: {str(error)[:200]}", where=str(path), french=french) from None
    except pl.exceptions.PolarsError as error:
        french = f"Le fichier {name} ne peut pas être lu tel quel ({kind})."  # whole, but two columns have one name, say
        raise SourceRefused(f"{name} cannot be read: {str(error)[:200]}", where=str(path), french=french) from None
    except (pa.ArrowInvalid, pa.ArrowException, OSError, MemoryError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SourceRefused(f"{name} is not whole, valid {kind}: {reason}", where=str(path), french=french) from None
