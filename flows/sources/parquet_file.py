"""Rows of a database or a connector -> one Parquet file that is kept as raw bytes: the same rows give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from flows.errors import SourceRefused, SystemFailure
from flows.lake.objects import Progress

if TYPE_CHECKING:
    import pyarrow as pa

GB = 1 << 30


class ParquetFile:
    """A row group for each batch that is written: where rows are cut has to follow from the rows alone."""

    def __init__(self, path: Path, schema: pa.Schema, max_gb: float, limit: str, progress: Progress | None = None) -> None:
        """`limit`: the setting that `max_gb` comes from."""
        from pyarrow import parquet

        self.path, self.schema, self.rows = path, schema, 0
        self.max_gb, self.limit, self.progress, self._told = max_gb, limit, progress, 0
        with _disk(path):
            self._file = path.open("wb")
            # Arrow's own schema is left out: how it is written may change with the library, and the bytes with it.
            self._writer = parquet.ParquetWriter(self._file, schema, compression="zstd", compression_level=1, store_schema=False)

    def write(self, batch: pa.RecordBatch) -> None:
        """Raises: SourceRefused when the file gets larger than it may, SystemFailure if the disk is full."""
        with _disk(self.path):
            self._writer.write_batch(batch, row_group_size=max(batch.num_rows, 1))
            size = self._file.tell()
        self.rows += batch.num_rows
        if size > self.max_gb * GB:
            raise SourceRefused(
                f"the source gave more than {self.max_gb:g} GB", where=self.path.name, hint=f"ask for less, or set {self.limit}"
            )
        if self.progress:
            self.progress(size - self._told)
        self._told = size

    def __enter__(self) -> ParquetFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """A file that was not written to its end is not left behind."""
        if kind is None:
            with _disk(self.path):
                self._writer.close()
                self._file.close()
            return
        with suppress(OSError):  # else it would be tried again when the writer is forgotten
            self._writer.close()
        self._file.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or ("no space left" if "No space" in str(error) else "it cannot be written")
        raise SystemFailure(f"cannot keep what was read: {reason}", where=str(path), hint="check the disk, then run again") from None
