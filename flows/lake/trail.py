"""The audit trail of a project: who asked for what, which versions were read and written, how it ended. Only ever added to.

Work that may change something has two objects: one is created before anything changes, one when it has ended; a run that was
killed has the first alone. What changed nothing has the second alone. Both carry the time of the start in their key, so that
the records of a day are one listing, whenever the work ended. Nothing here holds a secret or a row: names, references, reasons.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flows.errors import NotFound, StorageError
from flows.lake import Lake, keys

LONGEST = 300  # characters of one value: records are for people, and parameters may be anything that somebody sent
READERS = 8  # records fetched at the same time
RETRY_S = 2.0  # seconds between two tries to record an end
STEM = re.compile(r"audit/\d{4}-\d{2}-\d{2}/(\d{6}\.\d{6}-[\w-]+)\.(started|ended)\.json")


@dataclass(frozen=True)
class Entry:
    """One piece of work. Without `outcome`, its end is not recorded: it goes on, or was killed."""

    id: str
    """The run: Prefect's flow run id, if it is one."""
    project: str
    what: str
    """The flow or the command."""
    who: str
    trigger: str
    """How it was asked for: login, schedule, automation, command; or unnamed, from a server without a login."""
    on: str
    """The machine that did it."""
    parameters: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))
    ended: str = ""
    outcome: str = ""
    """done, nothing (there was nothing to do), refused, failed, stopped (somebody cancelled it, or its worker ended)."""
    message: str = ""
    read: list[str] = field(default_factory=list)
    wrote: list[str] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    """`project/model@alias` -> number of the version that it was pointed at."""
    expired: list[str] = field(default_factory=list)
    """Versions whose rows were given up."""
    deleted: int = 0
    """Objects of the lake that were deleted."""
    details: dict[str, Any] = field(default_factory=dict)

    def concerns(self, reference: str) -> bool:
        """`reference`: project/name@3, or project/name for any version of it."""
        numbered = (*self.read, *self.wrote, *self.expired, *(f"{name.partition('@')[0]}@{number}" for name, number in self.moved.items()))
        return any(found == reference or found.startswith(f"{reference}@") for found in numbered)


class Trail:
    def __init__(self, lake: Lake, project: str) -> None:
        self.project, self.objects = project, lake.bucket(project)

    # -- writing

    def start(self, entry: Entry) -> None:
        """Raises: StorageError; then nothing may be done that would not be on record."""
        self._create("started", entry)

    def end(self, entry: Entry, patience_s: float = 0.0) -> None:
        """Tries again for `patience_s`, since what is to be recorded has happened.

        Raises: StorageError.
        """
        entry = replace(entry, ended=datetime.now(UTC).isoformat(timespec="microseconds"))
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return self._create("ended", entry)
            except StorageError:
                if time.monotonic() + RETRY_S > deadline:
                    raise
            time.sleep(RETRY_S)

    def _create(self, part: str, entry: Entry) -> None:
        key = keys.audit_record(datetime.fromisoformat(entry.started), entry.id, part)
        data = json.dumps(_bounded(asdict(entry)), ensure_ascii=False, indent=1).encode(errors="backslashreplace")
        if not self.objects.create(key, data) and self.objects.get(key) != data:  # the same: our own, whose answer was lost
            raise StorageError("another record of the audit trail is in this place", where=f"{self.objects.name}/{key}", hint="run again")

    # -- reading

    def stems(self, day: date) -> list[str]:
        """What names each piece of work that started on a day, the newest first."""
        found = {match[1] for o in self.objects.list(keys.audit(day)) if (match := STEM.fullmatch(o.key))}
        return sorted(found, reverse=True)

    def entry(self, day: date, stem: str) -> Entry:
        """Raises: StorageError if the record is damaged."""
        for part in ("ended", "started"):
            key = f"{keys.audit(day)}{stem}.{part}.json"
            try:
                known = {k: v for k, v in json.loads(self.objects.get(key)).items() if k in Entry.__dataclass_fields__}
                return Entry(**known)
            except NotFound:
                continue
            except (ValueError, TypeError, AttributeError):
                raise StorageError("a record of the audit trail is damaged", where=f"{self.objects.name}/{key}") from None
        raise StorageError("a record of the audit trail has gone", where=f"{self.objects.name}/{keys.audit(day)}{stem}")


def newest(trails: Iterable[Trail], since: date, until: date | None = None) -> Iterator[Entry]:
    """Entries of several projects, the newest first, day by day: only the days that are asked for are listed."""
    trails = list(trails)
    day = until or datetime.now(UTC).date()
    with ThreadPoolExecutor(READERS) as pool:
        while day >= since:
            found = sorted(((stem, trail) for trail in trails for stem in trail.stems(day)), key=lambda pair: pair[0], reverse=True)
            for at in range(0, len(found), READERS * 2):  # not all of a day: whoever reads may have enough
                yield from pool.map(lambda pair, day=day: pair[1].entry(day, pair[0]), found[at : at + READERS * 2])  # type: ignore[misc]
            day -= timedelta(days=1)


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
    if isinstance(value, dict):
        return {_bounded(str(k)): _bounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_bounded(v) for v in value]
    return value
