"""The log of a Delta table as the objects that it consists of: which commit added and removed which data file.

Socle's tables keep every commit for ever (`delta.enableExpiredLogCleanup=false`), so that one pass over them says which files each
version needs. deltalake's vacuum is not used to remove files: decision 0011 says why. Nothing here decides what may go.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from flows.errors import StorageError
from flows.lake import keys
from flows.lake.objects import UNKNOWN, ObjectInfo, Objects

READERS = 8  # commits read at the same time
Interval = tuple[int, int | None]
"""(version that added a file, version that removed it or None)."""


@dataclass(frozen=True)
class Commit:
    version: int
    at: datetime
    info: dict[str, Any]
    """What the commit says of itself; Socle's own fields begin with `socle.`."""
    added: frozenset[str]
    removed: frozenset[str]


class DeltaLog:
    """The commits and the data files of the table below `table` (a key of the bucket)."""

    def __init__(self, objects: Objects, table: str) -> None:
        self.objects, self.table = objects, table

    def commits(self) -> list[Commit]:
        """All of them, the oldest first.

        Raises: StorageError if commits are missing: then nobody can say which files a version needs.
        """
        numbers = sorted(n for o in self.objects.list(keys.delta_log(self.table)) if (n := keys.commit_number(o.key)) is not None)
        if numbers != list(range(len(numbers))):
            raise StorageError(
                "commits are missing from the table's log: what its versions need cannot be told",
                where=f"{self.objects.name}/{keys.delta_log(self.table)}",
                hint="restore them from a backup; until then nothing of this table is deleted",
            )
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self._commit, numbers))

    def _commit(self, version: int) -> Commit:
        info: dict[str, Any] = {}
        added, removed = set[str](), set[str]()
        for action in self.actions(version):
            info = action.get("commitInfo") or info
            if add := action.get("add"):
                added.add(unquote(add["path"]))
            if remove := action.get("remove"):
                removed.add(unquote(remove["path"]))
        told = info.get("timestamp")
        at = datetime.fromtimestamp(int(told) / 1000, UTC) if told else UNKNOWN  # other writers need not say
        return Commit(version, at, info, frozenset(added), frozenset(removed))

    def actions(self, version: int) -> list[dict[str, Any]]:
        key = keys.delta_commit(self.table, version)
        try:
            return [json.loads(line) for line in self.objects.get(key).splitlines() if line.strip()]
        except ValueError:
            raise StorageError("a commit of the table's log is damaged", where=f"{self.objects.name}/{key}") from None

    def scrub(self) -> tuple[int, int]:
        """Take smallest and largest values out of every commit: they are values of rows; and remove the checkpoints, which repeat
        them. Commits are written again as they were otherwise; readers go by the commits while there is no checkpoint.

        Returns: how many commits had some, and how many checkpoints there were.
        """
        versions, changed = len(self.commits()), 0
        for version in range(versions):
            actions = self.actions(version)
            if sum(map(_scrubbed, actions)):  # each of them, not only the first
                lines = [json.dumps(action, ensure_ascii=False, separators=(",", ":")) for action in actions]
                self.objects.put(keys.delta_commit(self.table, version), ("\n".join(lines) + "\n").encode())
                changed += 1
        checkpoints = [o.key for o in self.objects.list(keys.delta_log(self.table)) if ".checkpoint." in o.key]
        if checkpoints:
            self.objects.delete(keys.last_checkpoint(self.table))
            for key in checkpoints:
                self.objects.delete(key)
        return changed, len(checkpoints)

    def data_files(self) -> dict[str, ObjectInfo]:
        """Path inside the table -> object, of every data file that is there, whether the log knows it or not."""
        prefix = f"{self.table}/"
        listed = self.objects.list(prefix)
        return {path: o for o in listed if not (path := o.key.removeprefix(prefix)).startswith("_delta_log/")}


def intervals(commits: Iterable[Commit]) -> dict[str, list[Interval]]:
    """Data file -> from which version to which it is part of the table. A rollback brings files back."""
    found: dict[str, list[Interval]] = {}
    for commit in commits:
        for path in commit.removed - commit.added:
            if path in found and found[path][-1][1] is None:
                found[path][-1] = (found[path][-1][0], commit.version)
        for path in commit.added:
            spans = found.setdefault(path, [])
            if not spans or spans[-1][1] is not None:
                spans.append((commit.version, None))
    return found


def needed(spans: list[Interval], versions: list[int]) -> bool:
    """Whether a file is part of one of these versions, which are sorted."""
    return any(_within(span, versions) for span in spans)


def _within(span: Interval, versions: list[int]) -> bool:
    at = bisect_left(versions, span[0])
    return at < len(versions) and (span[1] is None or versions[at] < span[1])


def versions_with(paths: Collection[str], spans: dict[str, list[Interval]], versions: Iterable[int]) -> list[int]:
    """Those of `versions` that one of these files is part of."""
    touched = [span for path in paths for span in spans.get(path, [])]
    return [v for v in versions if any(start <= v and (end is None or v < end) for start, end in touched)]


def _scrubbed(action: dict[str, Any]) -> bool:
    """Whether there was something to take out of this action; counts stay."""
    found = False
    for kind in ("add", "remove"):
        file = action.get(kind) or {}
        stats = json.loads(file.get("stats") or "{}")
        if stats.get("minValues") or stats.get("maxValues"):
            file["stats"] = json.dumps({k: v for k, v in stats.items() if k not in ("minValues", "maxValues")})
            found = True
        if file.get("tags"):
            file["tags"], found = None, True
    return found
