"""What the readers of workbooks have in common: sheets, whose rows come one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
"""Of Excel and LibreOffice: what says more is damaged or made to harm."""

Merge = tuple[int, int, int, int]
"""First row, first column, last row, last column, from 0."""


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
