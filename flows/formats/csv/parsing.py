"""Whole records -> a frame of text columns, by Arrow: it is strict about the number of fields, and gives nothing where one is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.formats.csv.grammar import Grammar

if TYPE_CHECKING:
    import polars as pl

PARSED = 1 << 20  # bytes that Arrow parses at a time: what fits in a cache
BOM = b"\xef\xbb\xbf"


def parse(data: bytes, grammar: Grammar, names: Sequence[str], encoding: str = "utf-8") -> pl.DataFrame | None:
    """None if a record has not as many fields as there are columns, or is not in the encoding."""
    if grammar.escape and data.endswith(grammar.escape):
        return None  # the file ends in an escape of nothing, which Arrow would leave out
    if encoding not in ("utf-8", "ascii"):
        try:
            data = data.decode(encoding).encode()
        except UnicodeDecodeError:
            return None
    if grammar.skip_space:
        data = _without_spaces(data, grammar.delimiter)
    if not data.endswith((b"\n", b"\r")):
        data += b"\n"  # without it, Arrow takes an empty last field for a quoted one where another in the record is quoted
    if data.startswith(BOM):
        data = b"\n" + data  # here it is a character like others, and Arrow would drop it
    return _parsed(data, grammar, names, PARSED)


def nothing(names: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def _parsed(data: bytes, grammar: Grammar, names: Sequence[str], block_size: int) -> pl.DataFrame | None:
    import polars as pl
    import pyarrow as pa
    from pyarrow import csv

    keys = [str(i) for i in range(len(names))]
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(block_size=block_size, column_names=keys, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter=grammar.delimiter.decode(),
                quote_char=grammar.quote.decode() or False,
                escape_char=grammar.escape.decode() or False,
                newlines_in_values=True,
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "straddling" in str(error) and block_size <= len(data):  # a record longer than Arrow's blocks
            return _parsed(data, grammar, names, len(data) + 1)
        return nothing(names) if "Empty CSV file" in str(error) else None
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.rename(dict(zip(keys, names, strict=True)))


def _without_spaces(data: bytes, delimiter: bytes) -> bytes:
    while delimiter + b" " in data:
        data = data.replace(delimiter + b" ", delimiter)
    return b"\n".join(line.lstrip(b" ") for line in data.splitlines()) if b" " in data else data
