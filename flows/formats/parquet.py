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

AT_ONCE = 256 << 20
"""Bytes of rows that are in memory together."""
SPREAD = 4
"""How many times as large as the average rows may be that stand together."""


def decide(path: Path, name: str, declared: ParquetFormat | None, settings: Settings) -> Decision:
    return Decision(declared or ParquetFormat(type="parquet"), {} if declared else {"type": "it begins as Parquet files do"})


def incompatible(path: Path, name: str, kept: ParquetFormat, settings: Settings) -> str | None:
    return other_than(path, name, "parquet")


def read(path: Path, name: str, how: ParquetFormat, settings: Settings) -> Iterator[pl.DataFrame]:
    from pyarrow import parquet

    with refuse_damaged(path, name, "Parquet"), parquet.ParquetFile(path) as file:
        for group in range(file.metadata.num_row_groups):
            # Arrow ends the process, in place of raising, where it is asked about a column whose statistics contradict its type; it
            # raises where it reads one.
            next(file.iter_batches(batch_size=1, row_groups=[group]), None)
            rows = _rows_at_once(path, file.metadata.row_group(group), group, settings.batch_rows)
            for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                yield from frames(batch, settings.batch_rows)


def _rows_at_once(path: Path, group: Any, number: int, most: int) -> int:
    """As many rows as are sure to fit in memory: a few bytes can say that each of a million rows has the same long text, which stands
    once, in the dictionary of its column. That is read with the first row."""
    from pyarrow import parquet

    chunks = [group.column(i) for i in range(group.num_columns)]
    texts = [c.path_in_schema for c in chunks if c.physical_type == "BYTE_ARRAY" and c.has_dictionary_page]
    if not group.num_rows:
        return most
    plain = sum(c.total_uncompressed_size for c in chunks) / group.num_rows
    if plain * most + sum(c.total_uncompressed_size for c in chunks if c.path_in_schema in texts) * most <= AT_ONCE:
        return most
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        first = next(file.iter_batches(batch_size=1, row_groups=[number]), None)
    longest = sum(_longest(column) for column in first.columns) if first is not None and texts else 0
    each = max(c.num_values / group.num_rows for c in chunks)  # values of a list in one row
    return int(max(1, min(most, AT_ONCE / (1 + SPREAD * plain + longest * max(1.0, each)))))


def _longest(column: Any) -> int:
    """Bytes of the longest text in the dictionaries of a column, whatever it is nested in."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        kind = column.type.value_type
        if not any(is_(kind) for is_ in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)):
            return 0
        return int(pc.max(pc.binary_length(column.dictionary)).as_py() or 0)
    if pa.types.is_struct(column.type):
        return sum(_longest(column.field(i)) for i in range(column.type.num_fields))
    if pa.types.is_map(column.type):
        return _longest(column.keys) + _longest(column.items)
    return _longest(column.values) if hasattr(column, "values") and pa.types.is_nested(column.type) else 0


def frames(batch: Any, size: int) -> Iterator[pl.DataFrame]:
    """A batch of Arrow as frames, once its bytes are known to be what its types say."""
    import polars as pl

    batch.validate(full=True)
    size = max(1, min(size, AT_ONCE // (sum(map(_longest, batch.columns)) or 1)))
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
