"""What the readers of workbooks have in common: sheets, whose rows come one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from flows.errors import SourceRefused
from flows.settings import Settings

MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
"""Of Excel and LibreOffice: what says more is damaged or made to harm."""

Merge = tuple[int, int, int, int]
"""First row, first column, last row, last column, from 0."""


MAX_MERGES = 1_000_000
"""Merged cells of a sheet: all of them are in memory."""


class Clock:
    """How long a workbook may take, from its opening. Readers ask it at every row and every piece of the file: few bytes can say
    that there are millions of rows, and then whoever reads them takes the time."""

    def __init__(self, path: Path, name: str, settings: Settings) -> None:
        self.path, self.name, self.limit_s = path, name, settings.workbook_timeout_s
        self.ends = time.monotonic() + self.limit_s

    def check(self) -> None:
        """Raises: SourceRefused once the time is over."""
        if time.monotonic() > self.ends:
            raise SourceRefused(
                f"{self.name} takes longer than {self.limit_s:g} s to read",
                where=str(self.path),
                hint="if it is right, save it as CSV, or raise SOCLE_WORKBOOK_TIMEOUT_S",
                french=f"Le classeur {self.name} demande plus de {self.limit_s:g} s de lecture : déposez-le en CSV.",
            )


class Row(NamedTuple):
    number: int
    """In its sheet, from 0."""
    cells: list[str | None]
    """From column A; shorter than others where the last ones are empty."""
    kinds: list[str]
    """Of each cell: see values.py."""
    hidden: bool = False

    @property
    def filled(self) -> int:
        return sum(c is not None for c in self.cells)


@dataclass(frozen=True)
class Sheet:
    name: str
    hidden: bool
    part: object
    """Where its reader finds it."""


class Workbook(Protocol):
    kind: str
    sheets: list[Sheet]

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """Those that are not empty, in order."""

    def merges(self, sheet: Sheet) -> list[Merge]: ...

    def close(self) -> None: ...
