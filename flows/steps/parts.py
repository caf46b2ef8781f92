"""The rows of a load on this machine, between reading and committing: Parquet files in the columns of the table, ready to become
its data files, and beside each of them where its rows came from.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flows.contract import FILE, ROW

if TYPE_CHECKING:
    import polars as pl

POSITION = "__position"
"""Of a row among those of all parts, or of one, from 0."""

GROUP_ROWS = 128_000  # of a row group
GROUP_BYTES = 64 << 20  # of a row group in memory
PART_BYTES = 256 << 20  # of a file in memory, before compression: what a reader can take at once
COMPRESSION: Literal["zstd"] = "zstd"
LEVEL = 1


@dataclass(frozen=True)
class Part:
    path: Path
    """Parquet, the declared columns only."""
    rows: int
    places: Path | None = None
    """Parquet with FILE and ROW of each row."""
    file: str = ""
    """Without `places`: all rows are of this file, one after the other from `first`."""
    first: int = 1

    def scan(self) -> pl.LazyFrame:
        """Its rows with FILE and ROW."""
        import polars as pl

        rows = pl.scan_parquet(self.path)
        if self.places is not None:
            return pl.concat([pl.scan_parquet(self.places), rows], how="horizontal")
        return rows.with_row_index(ROW, self.first).select(pl.lit(self.file).alias(FILE), pl.col(ROW).cast(pl.Int64), pl.exclude(ROW))


def rows_of(parts: Sequence[Part]) -> int:
    return sum(part.rows for part in parts)


def scan(parts: Sequence[Part]) -> pl.LazyFrame:
    """The declared columns of all parts, in order."""
    import polars as pl

    return pl.scan_parquet([part.path for part in parts if part.rows] or [part.path for part in parts])


def digest_of(rows: pl.LazyFrame) -> tuple[int, int]:
    """Of rows in any order, with one Polars version: equal digests are equal rows (128 bits), unequal ones need not differ."""
    import polars as pl

    names = sorted(rows.collect_schema().names())
    sums = [pl.struct(names).hash(seed=seed).sum().alias(str(seed)) for seed in (11, 17)]
    return rows.select(sums).collect(engine="streaming").row(0)  # type: ignore[return-value]


@dataclass
class PartWriter:
    """Frames with FILE, ROW and declared columns -> parts of a good size, however small or large the frames are."""

    folder: Path
    parts: list[Part] = field(default_factory=list)
    _waiting: list[pl.DataFrame] = field(default_factory=list)
    _waiting_rows: int = 0
    _waiting_bytes: int = 0
    _open: tuple[Any, Any, Path, Path] | None = None
    _rows: int = 0
    _bytes: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        self._waiting.append(frame)
        self._waiting_rows += frame.height
        self._waiting_bytes += int(frame.estimated_size())
        if self._waiting_rows >= GROUP_ROWS or self._waiting_bytes >= GROUP_BYTES:
            self._write_group()

    def adopt(self, part: Part) -> None:
        """A part that was made elsewhere; what was added before comes before it."""
        self.close_part()
        self.parts.append(part)

    def next_path(self) -> Path:
        return self.folder / f"{next(self._numbers):06}.parquet"

    def finish(self) -> list[Part]:
        self.close_part()
        return self.parts

    def discard(self) -> None:
        """After a failure: nothing stays open."""
        if self._open:
            for writer in self._open[:2]:
                with suppress(Exception):
                    writer.close()

    def _write_group(self) -> None:
        import polars as pl
        from pyarrow import parquet

        if not self._waiting:
            return
        frame = pl.concat(self._waiting, how="vertical") if len(self._waiting) > 1 else self._waiting[0]
        rows, places = frame.drop(FILE, ROW).to_arrow(), frame.select(FILE, ROW).to_arrow()
        if self._open is None:
            path = self.next_path()
            beside = path.with_suffix(".places")
            options: dict[str, Any] = {"compression": COMPRESSION, "compression_level": LEVEL, "write_statistics": True}
            writers = (parquet.ParquetWriter(path, rows.schema, **options), parquet.ParquetWriter(beside, places.schema, **options))
            self._open = (*writers, path, beside)
        self._open[0].write_table(rows)
        self._open[1].write_table(places)
        self._rows += frame.height
        self._bytes += self._waiting_bytes
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        if self._bytes >= PART_BYTES:
            self.close_part()

    def close_part(self) -> None:
        """What comes next goes into another file."""
        self._write_group()
        if self._open is None:
            return
        values, places, path, beside = self._open
        self._open = None
        values.close()
        places.close()
        self.parts.append(Part(path, self._rows, beside))
        self._rows = self._bytes = 0
