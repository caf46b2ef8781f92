"""Raw files -> records (json, jsonl) or batches (csv, parquet), a piece at a time. Nothing is cast: contract.py does that.

To add a format: a generator with this signature, its settings in project.py, an entry in READERS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flows.formats import records, tables
from flows.project import Format

READERS: dict[str, Callable[..., Iterator[Any]]] = {
    "json": records.read_json,
    "jsonl": records.read_json_lines,
    "csv": tables.read_csv,
    "parquet": tables.read_parquet,
}
RECORD_FORMATS = {"json", "jsonl"}


def read(path: Path, name: str, declared: Format, batch_rows: int, max_record_mb: int) -> Iterator[Any]:
    """Records (dict) for the formats in RECORD_FORMATS, otherwise Polars frames of `batch_rows` rows at most.

    Raises: SourceRefused naming the file and the place in it.
    """
    return READERS[declared.type](path, name, declared, batch_rows=batch_rows, max_record_mb=max_record_mb)
