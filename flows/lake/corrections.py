"""Rows that people corrected: what the cells of a refused row should be, under the raw file and the number of the row in it.

The bytes of a source never change; a correction lies over them at every load of the same bytes, so that a table which is made again
from raw has it, too. A correction is created once; a later one of the same row counts in its place. Only an erasure changes one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from flows.errors import NotFound, StorageError
from flows.lake import keys
from flows.lake.objects import Objects

ATTEMPTS = 20
Place = tuple[str, int]
"""(member, number): unique in a raw file."""


@dataclass(frozen=True, repr=False)
class Correction:
    """`repr` is left out on purpose: values never reach a log."""

    id: str
    """Of the refused row."""
    member: str
    """Of an archive: which of its files, as the end of its name."""
    number: int
    """Of the row in it, from 1. Where a transform numbers the rows that it makes, records that are no rows are below nought."""
    is_record: bool
    """About a record that was no row: `changes` is the whole row then."""
    was: dict[str, str | None]
    """The row as it was refused, as text: numbers can come to mean other rows when a transform changes. Of a record: `raw`."""
    changes: dict[str, str | None]
    """Column -> what it should be, as text that is read like the source's."""

    @property
    def place(self) -> Place:
        return self.member, self.number


class Corrections:
    def __init__(self, objects: Objects, dataset: str) -> None:
        self.objects, self.dataset = objects, dataset

    def files(self) -> dict[str, list[str]]:
        """sha256 of a raw file -> keys of its corrections, the oldest first. One listing, which is empty most often."""
        found: dict[str, list[str]] = {}
        prefix = keys.corrections(self.dataset)
        for item in self.objects.list(prefix):
            found.setdefault(item.key.removeprefix(prefix).split("/")[0], []).append(item.key)
        return found

    def version(self, files: Collection[str]) -> str:
        """Says which corrections there are of these raw files; empty if none. Part of what a load is made from."""
        there = self.files() if files else {}
        named = sorted(key for sha256 in set(files) & set(there) for key in there[sha256])
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:24] if named else ""

    def of(self, sha256: str, listed: list[str] | None = None) -> dict[Place, Correction]:
        """Place -> the correction that counts. `listed`: the keys, where they are known."""
        if listed is None:
            listed = [item.key for item in self.objects.list(keys.corrections_of(self.dataset, sha256))]
        return {one.place: one for key in listed for one in self._read(key)}

    def add(self, sha256: str, corrections: list[Correction], run: str, who: str) -> None:
        """Raises: StorageError if the storage fails. Nobody's corrections are written over."""
        about = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "run": run, "who": who}
        data = json.dumps(about | {"rows": [asdict(c) for c in corrections]}, ensure_ascii=False, indent=1).encode()
        for _ in range(ATTEMPTS):
            number = sum(1 for _ in self.objects.list(keys.corrections_of(self.dataset, sha256))) + 1
            if self.objects.create(keys.correction(self.dataset, sha256, number), data):
                return
        raise StorageError("too many people correct the same file at once", where=f"{self.objects.name}/{keys.corrections(self.dataset)}")

    def erase(self, theirs: Callable[[Correction], bool], *, dry_run: bool) -> int:
        """Take rows out for which `theirs` holds; how many there were. The keys stay, so that no table is made again for it."""
        gone = 0
        for listed in self.files().values():
            for key in listed:
                rows = self._read(key)
                left = [row for row in rows if not theirs(row)]
                gone += len(rows) - len(left)
                if len(left) < len(rows) and not dry_run:
                    about = json.loads(self.objects.get(key)) | {"rows": [asdict(row) for row in left]}
                    self.objects.put(key, json.dumps(about, ensure_ascii=False, indent=1).encode())
        return gone

    def _read(self, key: str) -> list[Correction]:
        try:
            return [Correction(**row) for row in json.loads(self.objects.get(key))["rows"]]
        except NotFound:  # its file has gone meanwhile
            return []
        except (ValueError, KeyError, TypeError):
            raise StorageError("corrections in the lake are damaged", where=f"{self.objects.name}/{key}") from None
