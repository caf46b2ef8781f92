"""Raw files -> records (json, xml ...) or frames (csv, parquet ...), a piece at a time. Nothing is cast: contract/ does that.

Two things are asked of a format. `decide` says how a file is read; it looks at the file only as far as it has to, keeps what is
declared, and says what it is not sure of. `read` reads a file so. To add one: a module with these two functions, its settings in
project/formats.py, an entry in FORMATS, its marks in `recognise.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.findings import Finding
from flows.formats.base import BadRow, Decision, Member
from flows.project import Format
from flows.project.formats import CsvFormat
from flows.settings import Settings

if TYPE_CHECKING:
    from flows.formats.archives import Members
    from flows.formats.csv import Bunch
    from flows.formats.places import Place

FORMATS = {
    "csv": "flows.formats.csv",
    "excel": "flows.formats.excel",
    "json": "flows.formats.json",
    "jsonl": "flows.formats.jsonl",
    "conll": "flows.formats.conll",
    "geojson": "flows.formats.geojson",
    "xml": "flows.formats.xml",
    "parquet": "flows.formats.parquet",
    "arrow": "flows.formats.arrow",
}
RECORD_FORMATS = {"json", "jsonl", "conll", "geojson", "xml"}
"""Formats whose pieces are records (dict), the others' are frames."""


def decide(path: Path, name: str, declared: Format | None, settings: Settings) -> Decision:
    """How this file is to be read: what is declared, and what is found where nothing is.

    Raises: SourceRefused if the file is none of the formats, or not of the declared one; ConfigurationError if it has not what
    is declared (a sheet, a record path).
    """
    from flows.formats.recognise import recognise, refuse_other

    kind = declared.type if declared else recognise(path, name)
    if declared:
        refuse_other(path, name, kind)
    decision: Decision = _module(kind).decide(path, name, declared, settings)
    return decision


def incompatible(path: Path, name: str, kept: Format, settings: Settings) -> str | None:
    """Why a file cannot be read as earlier files were, in one sentence; None if it can."""
    why: str | None = _module(kept.type).incompatible(path, name, kept, settings)
    return why


def mark(path: Path, how: Format, settings: Settings) -> object | None:
    """Files with equal marks are compatible with the same reading. None where that cannot be told at a glance."""
    if not isinstance(how, CsvFormat):
        return None
    from flows.formats.csv import mark as of_csv

    return of_csv(path, how, settings)


def together(paths: Sequence[Path], how: CsvFormat, marks: Collection[Any], settings: Settings) -> Bunch | None:
    """The rows of the first few files, as many as have one of these marks; None where not even the first one has."""
    from flows.formats.csv import together as of_csv

    return of_csv(paths, how, marks, settings)


def read(path: Path, name: str, how: Format, settings: Settings) -> Iterator[Any]:
    """Records (dict) for the formats in RECORD_FORMATS, otherwise Polars frames of `settings.batch_rows` rows at most; between
    them a BadRow for each record that is no row. `how` has nothing left out (`decide`).

    A frame may have a column `__row` (Int64): the numbers of its rows among the file's records, from 1. Without it they follow
    each other, bad ones counted.

    Raises: SourceRefused naming the file and the place in it.
    """
    pieces: Iterator[Any] = _module(how.type).read(path, name, how, settings)
    return pieces


def members(path: Path, name: str, declared: Format | None, folder: Path, settings: Settings) -> Members:
    """The files in an archive, each unpacked in `folder` when it is its turn, and left there; for any other file, itself.

    Once it has ended, `findings()` says what of the archive was not read.
    """
    from flows.formats.archives import open_members

    return open_members(path, name, declared.member if declared else None, folder, settings)


def locate(path: Path, how: Format, row_numbers: list[int], settings: Settings) -> dict[int, Place]:
    """Where rows stand in a file and their text, for the formats that can tell."""
    if not isinstance(how, CsvFormat):
        return {}
    from flows.formats.places import locate as in_csv

    return in_csv(path, how, row_numbers, int(settings.csv_max_record_mb * 1e6))


def _module(kind: str) -> Any:
    return importlib.import_module(FORMATS[kind])


__all__ = [
    "FORMATS",
    "RECORD_FORMATS",
    "BadRow",
    "Decision",
    "Finding",
    "Member",
    "decide",
    "incompatible",
    "locate",
    "mark",
    "members",
    "read",
    "together",
]
