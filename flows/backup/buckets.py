"""Copying buckets while others write to them, and writing a copy into empty ones.

What refers to something is looked at before what it refers to: alias moves before model versions, those before commits of tables,
those before data files. Writers go the other way (files first, the commit last), so whatever a commit in the copy names was there
when it was read. Restoring writes in the writers' order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from flows.backup.closure import missing
from flows.backup.store import Copied, Entry, Store
from flows.errors import ConfigurationError, NotFound
from flows.lake import keys
from flows.lake.objects import ObjectInfo, Objects

AT_ONCE = 8  # objects
PASSES = 3  # when something that is needed was deleted while it was copied
Say = Callable[[str, int, int], None]
"""Project, objects and bytes that were read."""

FIRST: tuple[tuple[tuple[str, ...], Callable[[str], bool]], ...] = (
    ((f"{keys.AUDIT}/", keys.ERASURES), lambda key: True),
    ((keys.MODELS,), lambda key: "/aliases/" in key),
    ((keys.MODELS,), lambda key: "/versions/" in key),
    (("tables/", "quarantine/"), lambda key: key.endswith("/_delta_log/_last_checkpoint")),
    (("tables/",), lambda key: "/_delta_log/" in key),
    (("quarantine/",), lambda key: "/_delta_log/" in key),
)
"""Prefixes to list and what to take of them, one after the other; everything else comes last."""


def copy(project: str, objects: Objects, store: Store, before: dict[str, Entry], say: Say) -> tuple[dict[str, Entry], list[str]]:
    """One bucket, and what its versions need and do not have. Objects that are as they were in the copy before are not read again.

    What maintenance deletes while it is copied makes another pass. What is still missing then is missing in the lake as well: the
    copy is kept for the rest of it.
    """
    lacking = [objects.name]
    for _ in range(PASSES):
        try:
            entries = _pass(project, objects, store, before, say)
        except NotFound:  # a commit's object was deleted between the listing and the reading
            continue
        before, lacking = entries, missing(Copied(store, project, entries))
        if not lacking:
            break
    return before, lacking


def _pass(project: str, objects: Objects, store: Store, before: dict[str, Entry], say: Say) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for prefixes, wanted in FIRST:
            listed = [o for prefix in prefixes for o in objects.list(prefix) if wanted(o.key) and o.key not in entries]
            for info, entry in zip(listed, pool.map(lambda o: _one(objects, store, before, o), listed), strict=True):
                entries[info.key] = entry
        rest = (o for o in objects.list() if o.key not in entries and not _first(o.key) and not o.key.startswith(keys.probe("")))
        while batch := list(islice(rest, 1000)):
            for info, found in zip(batch, pool.map(lambda o: _if_there(objects, store, before, o), batch), strict=True):
                if found:
                    entries[info.key] = found
            say(project, len(entries), sum(e.size for e in entries.values()))
    say(project, len(entries), sum(e.size for e in entries.values()))
    return entries


def _first(key: str) -> bool:
    """Whether it belongs to the kinds that were looked at before: a new one of them has come since, and stays out of this copy."""
    return any(key.startswith(prefixes) and wanted(key) for prefixes, wanted in FIRST)


def _if_there(objects: Objects, store: Store, before: dict[str, Entry], info: ObjectInfo) -> Entry | None:
    try:
        return _one(objects, store, before, info)
    except NotFound:  # deleted meanwhile: `missing` says whether a version needed it
        return None


def _one(objects: Objects, store: Store, before: dict[str, Entry], info: ObjectInfo) -> Entry:
    known = before.get(info.key)
    if known and info.tag and (known.size, known.tag) == (info.size, info.tag) and store.path(known.sha256).exists():
        return known
    sha256, size = store.add(objects.stream(info.key))
    return Entry(sha256, size, info.tag)


def require_empty(project: str, objects: Objects) -> None:
    """Raises: ConfigurationError if there is anything in the bucket: a restore never mixes two histories."""
    if found := next(iter(objects.list(limit=1)), None):
        raise ConfigurationError(
            f"the bucket of {project} is not empty: a copy is restored into empty ones only",
            where=f"{objects.name}/{found.key}",
            hint="another SOCLE_STORAGE, or empty buckets",
        )


def restore(project: str, objects: Objects, store: Store, entries: dict[str, Entry], say: Say) -> None:
    """Files first, then commits: killed half-way, nothing half can be read."""
    written, size = 0, 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for tier in _in_writers_order(entries):
            for entry in pool.map(lambda key: _put(objects, store, key, entries[key]), tier):
                written, size = written + 1, size + entry.size
                if not written % 1000:
                    say(project, written, size)
    say(project, written, size)


def _in_writers_order(entries: dict[str, Entry]) -> Iterator[list[str]]:
    left = set(entries)
    tiers = []
    for prefixes, wanted in FIRST:
        tier = sorted(key for key in left if key.startswith(prefixes) and wanted(key))
        left.difference_update(tier)
        tiers.append(tier)
    yield sorted(left)
    yield from reversed(tiers)


def _put(objects: Objects, store: Store, key: str, entry: Entry) -> Entry:
    for _ in store.stream(entry.sha256):  # its bytes are checked before anything of them is written
        pass
    objects.put_file(key, store.path(entry.sha256))
    return entry
