"""The short way for a CSV file that is regular: Polars parses it into the declared types and writes the table's files in one pass.

It is all or nothing. A file is taken only if the result is exactly what the long way (parse.py) would give, and that is proved: the
bytes are regular CSV that any reader reads the same (`csv.regular`; Polars alone fills short rows without a word), no value failed
to parse, no required value is missing. In any doubt it gives None, whatever was written is thrown away, and the long way finds out
which rows are wrong.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import contract
from flows.formats import csv
from flows.project import Dataset
from flows.project.formats import CsvFormat
from flows.settings import Settings
from flows.steps.parts import COMPRESSION, LEVEL, Part

if TYPE_CHECKING:
    import polars as pl

SMALL = 1 << 20  # bytes: below, the long way is as good
PIECE = 1 << 16  # bytes turned into UTF-8 at a time
C1 = bytes(range(0x80, 0xA0))
FILE_BYTES = 512 << 20  # of a data file in memory, before compression


def is_worth_it(path: Path) -> bool:
    return path.stat().st_size >= SMALL


@dataclass(frozen=True)
class Taken:
    parts: list[Part]
    rows: int


@dataclass(frozen=True)
class ShortWay:
    """For the files of one load."""

    declared: Dataset
    settings: Settings
    folder: Path
    """For files that become parts."""
    next_path: Callable[[], Path]
    """Names them."""

    def take(self, path: Path, name: str, how: CsvFormat, conventions: dict[str, Any]) -> Taken | None:
        """The whole file as parts, if it is regular; otherwise None, and nothing is left of it."""
        columns = csv.columns(path, how, name)
        if not _suits(how, columns) or contract.drift(self.declared, set(columns)):
            return None
        turned = _utf8(path, how, self.folder)
        if turned is None:
            return None
        made = self.folder / f"fast-{self.next_path().stem}"
        try:
            files = self._written(turned, how.model_copy(update={"encoding": "utf-8"}), columns, conventions, made)
        finally:
            if turned != path:
                turned.unlink()
        if files is None:
            for file in made.glob("*"):
                file.unlink()
            return None
        parts, first = list[Part](), 1
        for file in files:
            rows = _height(file)
            parts.append(Part(file.rename(self.next_path()), rows, file=name, first=first))
            first += rows
        return Taken(parts, first - 1)

    def _written(self, path: Path, how: CsvFormat, columns: list[str], conventions: dict[str, Any], made: Path) -> list[Path] | None:
        import polars as pl

        with ThreadPoolExecutor(1) as pool:
            facts = pool.submit(csv.regular, path, how, self.settings, none_is_wider=True)  # reads the bytes while Polars does
            try:
                _query(path, how, self.declared, columns, conventions).sink_parquet(
                    pl.PartitionBy(made, approximate_bytes_per_file=FILE_BYTES),
                    compression=COMPRESSION,
                    compression_level=LEVEL,
                    mkdir=True,
                    engine="streaming",
                )
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # it panics at some stray quotes
                return None
            files, found = sorted(made.glob("*.parquet")), facts.result()
        if found is None or _has_bare_returns(path, found.start):
            return None
        if not files or found.records != sum(map(_height, files)) or not _is_complete(self.declared, files):
            return None
        return files


def _utf8(path: Path, how: CsvFormat, folder: Path) -> Path | None:
    """The file in UTF-8: itself, or a copy; None if some bytes are no characters."""
    assert how.encoding is not None
    encoding = codecs.lookup(how.encoding).name
    if encoding in ("utf-8", "utf-8-sig", "ascii"):
        return path
    copy = folder / f"{path.name}.utf8"
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as source, copy.open("wb") as out:
            while piece := source.read(PIECE):
                # cp1252 is latin-1 but for these bytes, and latin-1 is decoded many times faster
                plain = encoding == "cp1252" and len(piece.translate(None, C1)) == len(piece)
                out.write((piece.decode("latin-1") if plain else decoder.decode(piece)).encode())
            out.write(decoder.decode(b"", True).encode())
    except UnicodeError:
        copy.unlink()
        return None
    return copy


def _suits(how: CsvFormat, columns: list[str]) -> bool:
    return (
        how.header_rows in (0, 1)
        and not (how.footer_rows or how.escape or how.skip_space or how.empty_columns)
        and how.quote in ('"', "")
        and how.delimiter is not None
        and len(columns) > 1  # in a file of one column an empty line may be a row
    )


def _has_bare_returns(path: Path, size: int) -> bool:
    """Before the records a carriage return alone ends a line, but not to Polars."""
    with path.open("rb") as file:
        head = file.read(size)
    return head.count(b"\r") > head.count(b"\r\n")


def _query(path: Path, how: CsvFormat, declared: Dataset, columns: list[str], conventions: dict[str, Any]) -> pl.LazyFrame:
    import polars as pl

    types: dict[str, Any] = dict.fromkeys(columns, pl.String)
    made: list[pl.Expr] = []
    for name, origin in contract.origins(declared, columns).items():
        kind, expression = contract.strict(declared.columns[name], conventions.get(name))
        types[origin] = kind or pl.String
        value = pl.col(origin)
        made.append((expression(value) if expression else value).alias(name))
    assert how.delimiter is not None
    read = pl.scan_csv(
        path,
        has_header=how.header_rows == 1,
        new_columns=columns,
        skip_lines=how.skip_rows or 0,
        separator=how.delimiter,
        quote_char=how.quote or None,
        infer_schema=False,
        schema_overrides=types,
        glob=False,
    )
    return read.select(made)


def _is_complete(declared: Dataset, files: list[Path]) -> bool:
    """No number is infinite or none, and every value that has to be there is."""
    import polars as pl

    numbers = [c for c, column in declared.columns.items() if column.type == "number"]
    found = (
        pl.scan_parquet(files)
        .select(
            infinite=_sum((~pl.col(c).is_finite()).sum() for c in numbers),
            absent=_sum(_absent(c, declared).sum() for c in contract.required_columns(declared)),
        )
        .collect(engine="streaming")
    )
    return found.row(0) == (0, 0)


def _sum(values: Iterable[pl.Expr]) -> pl.Expr:
    import polars as pl

    return pl.sum_horizontal([pl.lit(0), *(value.fill_null(0).cast(pl.Int64) for value in values)])


def _absent(column: str, declared: Dataset) -> pl.Expr:
    import polars as pl

    value = pl.col(column)
    return value.is_null() | (value.str.strip_chars() == "") if declared.columns[column].type == "string" else value.is_null()


def _height(file: Path) -> int:
    from pyarrow import parquet

    return int(parquet.read_metadata(file).num_rows)
