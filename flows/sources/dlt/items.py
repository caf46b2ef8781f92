"""What a dlt resource gives -> one file: records as JSON Lines, tables and frames as Parquet."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from flows.errors import ConfigurationError, SourceRefused
from flows.sources.parquet_file import GB, ParquetFile

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 50_000  # rows of one row group, however many come at a time
LIMIT = "SOCLE_DLT_MAX_GB"


class Rows:
    """Takes items one by one. The first decides what kind of file it is."""

    def __init__(self, folder: Path, max_gb: float) -> None:
        self.folder, self.max_gb = folder, max_gb
        self.count, self.name = 0, ""
        self._lines: BinaryIO | None = None
        self._tables: _Tables | None = None
        self._size = 0

    def add(self, item: Any) -> None:
        """Raises: SourceRefused for what is no row, or does not fit to the rows before."""
        item = item.data if hasattr(item, "meta") and hasattr(item, "data") else item  # dlt.mark.with_hints
        if item is None:
            return
        table = _table(item)
        if (table is None) == (self._tables is not None) and self.name:
            raise ConfigurationError("the resource gives records and tables: it has to give one of them")
        if table is not None:
            self._tables = self._tables or _Tables(self.folder / "rows.parquet", self.max_gb)
            self.name = "rows.parquet"
            self._tables.add(table)
            self.count += table.num_rows
        else:
            self._record(item if isinstance(item, dict) else {"value": item})

    def _record(self, record: dict[Any, Any]) -> None:
        if self._lines is None:
            self.name = "rows.jsonl"
            self._lines = (self.folder / self.name).open("wb")
        line = as_line(record)
        self._size += len(line)
        if self._size > self.max_gb * GB:
            raise SourceRefused(f"the resource gave more than {self.max_gb:g} GB", hint=f"ask for less, or set {LIMIT}")
        self._lines.write(line)
        self.count += 1

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._lines is not None:
            self._lines.close()
        if self._tables is not None:
            self._tables.close(kind, error, trace)


def as_line(record: dict[Any, Any]) -> bytes:
    """The same record gives the same bytes, in whatever order its keys came."""
    try:
        text = json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False, default=_plain)
    except (ValueError, TypeError):  # not a number, or keys of several types
        text = json.dumps(_tame(record), ensure_ascii=False, sort_keys=True, default=_plain)
    return text.encode(errors="surrogatepass") + b"\n"


def _plain(value: Any) -> Any:
    """What JSON has no form of, as text that says all of it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "item") and callable(value.item):  # a number of numpy
        return value.item()
    return f"{value:f}" if isinstance(value, Decimal) and value.is_finite() else str(value)


def _tame(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _tame(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


# ---- tables ----------------------------------------------------------------------------------------------------------


def _table(item: Any) -> pa.Table | None:
    """Of Arrow, Polars or pandas, without asking for a library that the resource does not use."""
    library, name = type(item).__module__.partition(".")[0], type(item).__name__
    if library not in ("pyarrow", "polars", "pandas"):
        return None
    import pyarrow as pa

    if isinstance(item, pa.Table):
        return item
    if isinstance(item, pa.RecordBatch):
        return pa.Table.from_batches([item])
    if library == "polars" and name == "DataFrame":
        return item.to_arrow()
    if library == "pandas" and name == "DataFrame":
        return pa.Table.from_pandas(item, preserve_index=False)
    return None


class _Tables:
    """Row groups of GROUP rows, however the tables were cut that came."""

    def __init__(self, path: Path, max_gb: float) -> None:
        self.path, self.max_gb = path, max_gb
        self.file: ParquetFile | None = None
        self.waiting: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        import pyarrow as pa

        table = _plain_columns(table)
        if self.file is None:
            self.file = ParquetFile(self.path, table.schema, self.max_gb, LIMIT)
        try:
            self.waiting.append(table.select(self.file.schema.names).cast(self.file.schema))
            extra = set(table.schema.names) - set(self.file.schema.names)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError) as error:
            raise SourceRefused(f"a table does not fit to those before: {str(error).splitlines()[0][:200]}") from None
        if extra:
            raise SourceRefused(f"a table has columns that those before had not: {', '.join(sorted(extra))}")
        if sum(part.num_rows for part in self.waiting) >= GROUP:
            self._write(last=False)

    def _write(self, last: bool) -> None:
        import pyarrow as pa

        assert self.file
        rows = pa.concat_tables(self.waiting)
        whole = rows.num_rows if last else rows.num_rows - rows.num_rows % GROUP
        for start in range(0, whole, GROUP):
            for batch in rows.slice(start, min(GROUP, whole - start)).combine_chunks().to_batches():
                self.file.write(batch)
        self.waiting = [rows.slice(whole)] if whole < rows.num_rows else []

    def close(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.file is not None:
            if kind is None and self.waiting:
                self._write(last=True)
            self.file.__exit__(kind, error, trace)


def _plain_columns(table: pa.Table) -> pa.Table:
    """Without metadata and dictionaries; what is nested becomes JSON text, as it is in records."""
    import pyarrow as pa

    arrays, names = [], table.schema.names
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_null(column.type):
            column = column.cast(pa.string())
        if pa.types.is_nested(column.type):
            texts = [None if value is None else as_line({"v": value})[6:-2].decode() for value in column.to_pylist()]
            column = pa.chunked_array([pa.array(texts, pa.string())])
        arrays.append(column)
    return pa.Table.from_arrays(arrays, names=names)
