"""What the processes of the race tests do, each begins together with the others. One set of them serves the session."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from flows.errors import Conflict
from flows.lake import Lake

PATIENCE = 120  # seconds that a process waits for the others
Race = Callable[..., list[Any]]
_meetings: dict[int, Any] = {}
_present = 0


@contextmanager
def run_races(most: int = 4) -> Iterator[Race]:
    """Gives race(work, processes, *arguments): runs `work(process number, *arguments)` in that many processes at once."""
    spawn = multiprocessing.get_context("spawn")
    meetings = {parties: spawn.Barrier(parties) for parties in range(2, most + 1)}
    with ProcessPoolExecutor(most, mp_context=spawn, initializer=_begin, initargs=(meetings,)) as pool:

        def race(work: Callable[..., Any], processes: int, *arguments: Any) -> list[Any]:
            meetings[processes].reset()
            futures = [pool.submit(_start, processes, work, n, *arguments) for n in range(processes)]
            return [future.result(timeout=2 * PATIENCE) for future in futures]

        yield race


def end_with_parent() -> None:
    """Processes of a killed test session would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def _begin(meetings: dict[int, Any]) -> None:
    end_with_parent()
    _meetings.update(meetings)
    # Imports take longer than most races: they come before the start.
    import deltalake  # noqa: F401
    import minio  # noqa: F401
    import polars  # noqa: F401


def _start(processes: int, work: Callable[..., Any], *arguments: Any) -> Any:
    global _present  # noqa: PLW0603
    _present = processes
    meet()
    return work(*arguments)


def meet() -> None:
    """Wait for all the others; until then, no process can take a second part in the race."""
    _meetings[_present].wait(timeout=PATIENCE)


def create_all(process: int, lake: Lake, count: int) -> list[str]:
    """Try to create every key; the keys that were won."""
    bucket = lake.bucket("essai")
    return [key for n in range(count) if bucket.create(key := f"log/{n:05}", f"process {process}, key {n}".encode())]


def append_all(process: int, lake: Lake, count: int) -> list[str]:
    """Write entries one after the other, each under the first free number."""
    bucket, number, entries = lake.bucket("essai"), 0, []
    for n in range(count):
        entry = f"process {process}, entry {n}"
        while not bucket.create(f"log/{number:05}", entry.encode()):
            number += 1
        entries.append(entry)
    return entries


def rewrite(process: int, lake: Lake, rounds: int, size: int) -> list[str]:
    """Process 0 replaces an object again and again, the others read it: what they saw that was not whole."""
    bucket, odd = lake.bucket("essai"), []
    for n in range(rounds):
        if process == 0:
            bucket.put("a", bytes([n % 256]) * size)
            continue
        data = bucket.get("a")
        if len(data) != size or len(set(data)) != 1:
            odd.append(f"{len(data)} bytes, {len(set(data))} different")
        if listed := [found.key for found in bucket.list() if found.key != "a"]:
            odd.append(str(listed))
    return odd


def commit_models(process: int, lake: Lake, count: int) -> list[tuple[int, str]]:
    from flows.lake.models import Models
    from tests.lake.support import commit_model

    models, made = Models(lake, "essai", "theme"), []
    with tempfile.TemporaryDirectory() as folder:
        for n in range(count):
            text = f"process {process}, version {n}"
            made.append((commit_model(models, Path(folder), text.encode(), fingerprint=text).number, text))
    return made


def move_aliases(process: int, lake: Lake, count: int) -> tuple[list[str], int]:
    """Move the champion, deciding again after each conflict; the moves made, and how many conflicts there were."""
    from flows.lake.models import Models

    models, made, conflicts = Models(lake, "essai", "theme"), [], 0
    for n in range(count):
        reason = f"process {process}, move {n}"
        while True:
            try:
                models.move({"champion": process * 1000 + n}, expected=models.state(), who=str(process), run="r", reason=reason)
            except Conflict:
                conflicts += 1
                continue
            made.append(reason)
            break
    return made, conflicts


def commit_loads(process: int, lake: Lake, mode: str, count: int) -> list[tuple[str, str]]:
    """The first load of every process is based on the empty table, the others on the newest version: (load, outcome)."""
    from flows.lake.datasets import Dataset
    from tests.lake.support import commit, reader, record

    dataset, outcomes = Dataset(lake, "essai", "demandes"), []
    for n in range(count):
        load_id = f"load-{process}-{n}"
        base = dataset.delta_version() if n else 0
        try:
            version = commit(dataset, reader([{"id": load_id, "n": n}]), base, record(load_id, mode), ["id"])
            outcomes.append((load_id, f"version {version.number}" if version.number == base + 1 else f"{version.number} on {base}"))
        except Conflict:
            outcomes.append((load_id, "conflict"))
    return outcomes


def make_table(process: int, lake: Lake, tables: int) -> list[int]:
    from flows.lake.datasets import Dataset
    from tests.lake.support import SCHEMA

    made = []
    for n in range(tables):
        meet()
        made.append(Dataset(lake, "essai", f"table-{n}").create_table(SCHEMA))
    return made


def quarantine_rows(process: int, lake: Lake, loads: int, own: bool) -> list[int | None]:
    """Write the refused rows of loads, the same as the other processes or loads of one's own."""
    from flows.lake.quarantine import Quarantine
    from tests.lake.test_quarantine import refused

    quarantine, versions = Quarantine(lake, "essai", "demandes"), []
    for n in range(loads):
        meet()
        versions.append(quarantine.add(refused(3), f"load-{process}-{n}" if own else f"load-{n}", f"run-{process}"))
    return versions
