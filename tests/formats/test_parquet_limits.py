"""Parquet that is made to fill the memory: a text that stands once in a dictionary, and in every row."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from flows.formats import decide, read
from flows.formats.parquet import AT_ONCE
from flows.settings import Settings

ROWS, LENGTH = 50_000, 2_000_000


def _text() -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * ROWS, pa.int32()), pa.array(["a" * LENGTH]))


def _lists() -> Any:
    return pa.ListArray.from_arrays(pa.array(range(ROWS + 1), pa.int32()), _text())


@pytest.mark.parametrize("column", [_text, _lists])
def test_a_long_text_that_stands_in_every_row_does_not_fill_the_memory(tmp_path: Path, column: Any) -> None:
    """Some kB that say 100 GB."""
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"a": column()}), path, compression="zstd", dictionary_pagesize_limit=100_000_000, store_schema=False)
    assert path.stat().st_size < 100_000
    settings = Settings(root=tmp_path)
    frames = list(islice(read(path, "a.parquet", decide(path, "a.parquet", None, settings).format, settings), 1))
    assert all(0 < f.height * LENGTH <= 1.2 * AT_ONCE for f in frames)


def test_so_it_is_with_arrow(tmp_path: Path) -> None:
    path, settings = tmp_path / "a.arrow", Settings(root=tmp_path)
    table = pa.table({"a": _text()})
    with ipc.new_file(str(path), table.schema) as out:
        out.write_table(table)
    first = next(read(path, "a.arrow", decide(path, "a.arrow", None, settings).format, settings))
    assert 0 < first.height * LENGTH <= AT_ONCE


def test_ordinary_columns_are_read_in_whole_batches(tmp_path: Path) -> None:
    path, settings = tmp_path / "a.parquet", Settings(root=tmp_path)
    table = pa.table({"id": [f"id{i:09}" for i in range(90_000)], "kind": ["un", "deux", "trois"] * 30_000, "n": range(90_000)})
    parquet.write_table(table, path, row_group_size=50_000)
    heights = [f.height for f in read(path, "a.parquet", decide(path, "a.parquet", None, settings).format, settings)]
    assert heights == [20_000, 20_000, 10_000, 20_000, 20_000]
