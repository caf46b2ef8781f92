"""How the bytes of a dataset are read.

Every field may be left out: what is not declared is found in the first file (`decide` of flows/formats/), and what was found is
the same model with nothing left out. It is kept in the commit of each load, and `socle explain` shows it as it can be declared.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flows.project.base import Strict

OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]
OptionalCharacter = Annotated[str, Field(max_length=1)]
Lines = Annotated[int, Field(ge=0, le=10_000)]


class _Format(Strict):
    member: str | None = Field(default=None, description="Which files of an archive, as a glob; empty: all that can be read.")


class CsvFormat(_Format):
    """Text with delimiters."""

    type: Literal["csv"]
    encoding: str | None = Field(default=None, description="A name that Python knows: utf-8, cp1252, utf-16 ...")
    delimiter: OneCharacter | None = None
    quote: OptionalCharacter | None = Field(default=None, description='"": there are no quotes.')
    escape: OptionalCharacter | None = Field(default=None, description='"": a quote inside quotes is doubled.')
    skip_rows: Lines | None = Field(default=None, description="Lines before the header: titles, notes, empty lines.")
    header_rows: Annotated[int, Field(ge=0, le=10)] | None = Field(default=None, description="0: there is no header.")
    footer_rows: Lines | None = Field(default=None, description="Lines after the last record: totals, notes.")
    empty_columns: Lines | None = Field(
        default=None, description="Columns at the right without name and values, from delimiters that end lines."
    )
    skip_space: bool | None = Field(default=None, description="Spaces after a delimiter are no part of the value.")
    names: list[str] | None = Field(default=None, description="Names of the columns, in the order of the file, in place of its header.")


class ExcelFormat(_Format):
    """A sheet of xls, xlsx, xlsb or ods."""

    type: Literal["excel"]
    sheet: str | None = None
    skip_rows: Lines | None = None
    header_rows: Annotated[int, Field(ge=0, le=10)] | None = None
    footer_rows: Lines | None = None
    names: list[str] | None = None


class JsonFormat(_Format):
    type: Literal["json"]
    records: str | None = Field(default=None, description="Where the records are, as an ijson path (`children.item`).")


class JsonLinesFormat(_Format):
    type: Literal["jsonl"]


class ConllFormat(_Format):
    """Annotated texts: a word and its tag a line, an empty line after each sentence. Columns: document, sentence, tokens, tags."""

    type: Literal["conll"]


class GeoJsonFormat(_Format):
    """A FeatureCollection: the properties of each feature, its geometry as GeoJSON text in the column `geometry`."""

    type: Literal["geojson"]


class XmlFormat(_Format):
    """Repeated elements: their attributes and children are the columns."""

    type: Literal["xml"]
    record: str | None = Field(default=None, description="Name of the element that is a record.")


class ParquetFormat(_Format):
    type: Literal["parquet"]


class ArrowFormat(_Format):
    """Arrow IPC, file or stream."""

    type: Literal["arrow"]


Format = Annotated[
    CsvFormat | ExcelFormat | JsonFormat | JsonLinesFormat | ConllFormat | GeoJsonFormat | XmlFormat | ParquetFormat | ArrowFormat,
    Field(discriminator="type"),
]
