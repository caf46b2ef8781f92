"""Many little CSV files of one shape: they are proved, parsed and converted a bunch at a time, and each row keeps its place in its file.

A file that is odd in any way (another header, a broken record, values written otherwise) is read by itself, in its turn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows import formats
from flows.contract import FILE, ROW
from flows.formats import Member
from flows.formats.csv import LITTLE, Bunch
from flows.lake.raw import RawFile
from flows.project.formats import CsvFormat

if TYPE_CHECKING:
    import polars as pl

    from flows.steps.parse import Loader

FILES, BYTES = 1024, 4 << 20  # of a bunch at most

Item = tuple[RawFile, Member]


@dataclass
class Ahead:
    """Files in their order, those that come next included. What goes wrong on the way to one is raised when it is its turn."""

    source: Iterator[Item]
    _waiting: list[Item] = field(default_factory=list)
    _failed: Exception | None = None

    def look(self) -> Iterator[Item]:
        at = 0
        while True:
            if at == len(self._waiting) and not self._pull():
                return
            yield self._waiting[at]
            at += 1

    def take(self, count: int) -> None:
        del self._waiting[:count]

    def first(self) -> Item | None:
        found = next(self.look(), None)
        if found is None and self._failed is not None:
            raise self._failed
        return found

    def _pull(self) -> bool:
        if self._failed is not None:
            return False
        try:
            self._waiting.append(next(self.source))
        except StopIteration:
            return False
        except Exception as error:
            self._failed = error
            return False
        return True


class Bunches:
    """Of one load."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.window = 2
        """Files that are tried together: fewer after an odd one."""

    def take(self, ahead: Ahead) -> bool:
        """Load the next few files at once, if they are little and sure to be read as those before them."""
        loader, how = self.loader, self.loader.reading.how
        if not isinstance(how, CsvFormat) or loader.declared.transform or loader.left_out or not loader.reading.marks:
            return False
        items = self._little(ahead)
        bunch = None
        if len(items) > 1:
            bunch = formats.together([m.path for _, m in items], how, loader.reading.marks, loader.run.settings)
        if bunch is None:
            self.window = 2
            return False
        taken = items[: len(bunch.records)]
        self.window = min(FILES, 2 * len(taken))
        for _, member in taken:
            loader.members[member.name] = (member.path, how)
        self._load(_placed(bunch, [m.name for _, m in taken]), [m.name for _, m in taken], bunch.records)
        ahead.take(len(taken))
        return True

    def _little(self, ahead: Ahead) -> list[Item]:
        found, left = list[Item](), BYTES
        for file, member in ahead.look():
            size = member.path.stat().st_size
            left -= size
            if size > LITTLE or left < 0 or self.loader.corrections.of(file, member.name):
                break
            found.append((file, member))
            if len(found) == self.window:
                break
        return found

    def _load(self, rows: pl.DataFrame, names: Sequence[str], records: Sequence[int]) -> None:
        """Files whose values are written as those before them are converted together; of another it is settled first how it is read."""
        import numpy as np

        loader, starts, at = self.loader, [0, *itertools.accumulate(records)], 0
        loader.count(rows.height)
        while at < len(names):
            known = loader.reading.conventions
            strange = loader.reading.strangers(rows[starts[at] :]).to_numpy()
            odd = at + np.flatnonzero(np.logical_or.reduceat(strange, np.array(starts[at:-1]) - starts[at]))
            for stranger in [*odd.tolist(), len(names)]:
                if stranger > at:
                    loader.reading.know(names[at:stranger])
                    self._settle(rows[starts[at] : starts[stranger]], names[at])
                at = stranger
                if stranger < len(names):
                    self._settle(rows[starts[at] : starts[at + 1]], names[at])
                    at += 1
                    if loader.reading.conventions != known:  # what comes next is seen with other eyes
                        break

    def _settle(self, rows: pl.DataFrame, name: str) -> None:
        size = self.loader.run.settings.batch_rows
        self.loader.settle(rows.iter_slices(size), set(rows.columns), rows.head(size), name)


def _placed(bunch: Bunch, names: Sequence[str]) -> pl.DataFrame:
    """With FILE and ROW."""
    import numpy as np
    import polars as pl

    file = np.repeat(np.arange(len(names)), bunch.records)
    first = np.repeat(np.cumsum([0, *bunch.records[:-1]]), bunch.records)
    row = pl.Series(ROW, np.arange(bunch.rows.height) - first + 1, dtype=pl.Int64)
    return bunch.rows.with_columns(row, pl.Series(FILE, names, dtype=pl.String).gather(file))
