"""CSV as frames of text, so that leading zeros and codes stay what they are."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flows.errors import ConfigurationError, SourceRefused
from flows.formats.base import Decision
from flows.project.formats import CsvFormat
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl

BLOCK = 8 << 20  # bytes read at a time


def decide(path: Path, name: str, declared: CsvFormat | None, settings: Settings) -> Decision:
    declared = declared or CsvFormat(type="csv")
    found = {"encoding": "utf-8", "delimiter": ",", "quote": '"', "escape": "", "skip_rows": 0, "header_rows": 1, "footer_rows": 0}
    return Decision(declared.model_copy(update={k: v for k, v in found.items() if getattr(declared, k) is None}))


def incompatible(path: Path, name: str, kept: CsvFormat, settings: Settings) -> str | None:
    return None


def read(path: Path, name: str, declared: CsvFormat, settings: Settings) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    header = _header(path, name, declared)
    if not header:
        return
    try:
        with arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(block_size=BLOCK, encoding="utf8" if declared.encoding == "utf-8" else declared.encoding),
            parse_options=arrow_csv.ParseOptions(delimiter=declared.delimiter, quote_char=declared.quote, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=False,
            ),
        ) as reader:
            for batch in reader:
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield from frame.iter_slices(settings.batch_rows)
        _refuse_open_quote(path, name, declared)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise SourceRefused(
            f"{name} is not CSV as declared: {str(error).splitlines()[0][:200]}", where=str(path), hint="check format in project.yaml"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{name} cannot be read with this format: {error}", where="format.delimiter, format.quote") from None


def _refuse_open_quote(path: Path, name: str, declared: CsvFormat) -> None:
    """A quote that is never closed swallows the lines after it into one value, and Arrow says nothing."""
    quote, count = declared.quote.encode(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            count += block.count(quote)
    if count % 2:
        hint = "close it, or declare another format.quote if the file does not use quotes"
        raise SourceRefused(f"{name} has an odd number of quotes ({count}): one is never closed", where=str(path), hint=hint)


def _header(path: Path, name: str, declared: CsvFormat) -> list[str]:
    """Raises: SourceRefused for duplicate or empty names: two columns of one name cannot be told apart."""
    try:
        with path.open(encoding=_python_encoding(declared.encoding), newline="") as file:
            rows = csv.reader(file, delimiter=declared.delimiter, quotechar=declared.quote)
            header = next((row for row in rows if row), [])  # lines without anything are passed over, below too
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceRefused(f"{name} is not {declared.encoding} CSV: {error}", where=str(path), hint="check format.encoding") from None
    doubled = sorted({c for c in header if header.count(c) > 1})
    if doubled or "" in header:
        what = f"two columns are named {doubled[0]!r}" if doubled else f"column {header.index('') + 1} has no name"
        raise SourceRefused(f"{name}: {what}", where=f"{path}, line 1", hint="columns need different names")
    return header


def _python_encoding(declared: str) -> str:
    return "utf-8-sig" if declared == "utf-8" else declared
