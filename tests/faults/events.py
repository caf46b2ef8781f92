"""Where a run can be killed: every step's start, advance and end, and both sides of every write to the lake, counted.

`install` replaces the primitive operations inside the process that is to be killed, and nowhere else.
"""

from __future__ import annotations

import os
import pathlib
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

Fire = Callable[[str], None]


class Trigger:
    """Counts events; at event number `kill_at` the process ends itself with SIGKILL."""

    def __init__(self, kill_at: int | None, pause_s: float, killed: Path) -> None:
        self.kill_at, self.pause_s, self.killed = kill_at, pause_s, killed
        self.labels: list[str] = []

    def __call__(self, label: str) -> None:
        if len(self.labels) == self.kill_at:
            self.killed.write_text(label)
            os.kill(os.getpid(), signal.SIGKILL)
        self.labels.append(label)
        time.sleep(self.pause_s)


class Steps:
    """A progress listener that fires."""

    def __init__(self, fire: Fire) -> None:
        self.fire = fire

    def started(self, name: str, unit: str, total: float | None) -> None:
        self.fire(f"{name}: started")

    def advanced(self, name: str, amount: float) -> None:
        self.fire(f"{name}: advanced")

    def ended(self, name: str, seconds: float, failed: bool) -> None:
        self.fire(f"{name}: ended")


def install(fire: Fire, lake: Path) -> None:
    import deltalake
    import sklearn.linear_model
    from deltalake.table import TableMerger

    import flows.lake.datasets
    import flows.quality.expectations
    import flows.steps.finetune
    import flows.steps.parse
    from flows.lake.local import LocalObjects
    from flows.lake.models import Models
    from flows.models.tfidf import TfidfPredictor

    def place(path: Any) -> str:
        text = str(path)
        inside = text.removeprefix(f"{lake}/socle-essai/") if text.startswith(str(lake)) else f"elsewhere {Path(text).name}"
        return re.sub(r"[0-9a-f]{16,}", "*", inside)

    def both_sides(owner: Any, name: str, label: Callable[..., str | None]) -> None:
        original = getattr(owner, name)

        def replaced(*arguments: Any, **options: Any) -> Any:
            where = label(*arguments)
            if where is None:
                return original(*arguments, **options)
            fire(f"{where}: before {name}")
            result = original(*arguments, **options)
            fire(f"{where}: after {name}")
            return result

        setattr(owner, name, replaced)

    def in_lake(source: Any, target: Any) -> str | None:
        return place(target) if str(target).startswith(str(lake)) else None

    both_sides(os, "link", in_lake)
    both_sides(pathlib.Path, "replace", in_lake)
    both_sides(
        deltalake.DeltaTable, "create_write_transaction", lambda table, *_: place(table.table_uri.removeprefix("file://").rstrip("/"))
    )
    both_sides(deltalake, "write_deltalake", lambda table, *_: place(table.table_uri.removeprefix("file://").rstrip("/")))
    both_sides(deltalake.DeltaTable, "create", lambda uri, *_: place(uri))
    both_sides(TableMerger, "execute", lambda merger: "tables/demandes")
    both_sides(flows.quality.expectations, "evaluate", lambda *_: "audit")
    both_sides(flows.steps.finetune, "decide", lambda *_: "promotion")
    both_sides(Models, "commit", lambda *_: "models/theme/files")
    both_sides(Models, "move", lambda *_: "models/theme/aliases")
    both_sides(TfidfPredictor, "save", lambda *_: "training: files")
    both_sides(sklearn.linear_model.LogisticRegression, "fit", lambda *_: "training: classifier")
    LocalObjects._temporary = _halved(LocalObjects._temporary, fire, place)  # type: ignore[method-assign]
    flows.lake.datasets.reader = _stepwise(flows.lake.datasets.reader, fire)
    flows.steps.parse.ThreadPoolExecutor = AtOnce  # type: ignore[misc,assignment]


class AtOnce:
    """An executor that does what it is given when it is given it: events come in one order."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> AtOnce:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments, **options))
        return future


def _halved(original: Any, fire: Fire, place: Callable[[Any], str]) -> Any:
    """Half of the bytes are on the disk, then all of them, then the temporary file is done."""

    class Half:
        def __init__(self, out: Any, label: str) -> None:
            self.out, self.label = out, label

        def write(self, data: bytes) -> int:
            written = self.out.write(data[: len(data) // 2])
            self.out.flush()
            fire(f"{self.label}: half written")
            return int(written + self.out.write(data[len(data) // 2 :]))

    def temporary(self: Any, target: Path, fill: Any) -> Path:
        label = place(target)
        fire(f"{label}: before the temporary file")
        made: Path = original(self, target, lambda out: fill(Half(out, label)))
        fire(f"{label}: after the temporary file")
        return made

    return temporary


def _stepwise(original: Any, fire: Fire) -> Any:
    """The rows of a merge go to deltalake one small batch at a time, with an event in between."""

    def reader(files: Any, schema: Any) -> Any:
        import pyarrow as pa

        table = original(files, schema).read_all()

        def batches() -> Any:
            for batch in table.to_batches(max_chunksize=30):
                yield batch
                fire("tables/demandes: rows handed over")

        return pa.RecordBatchReader.from_batches(schema, batches())

    return reader


# ---- events -> stages ------------------------------------------------------------------------------------------------

STAGES = {
    "raw": "raw/",
    "parse": "demandes: reading",
    "audit": ("audit", "demandes: checking"),
    "quarantine": "quarantine/",
    "checks": "checks/",
    "delta": "tables/",
    "training": ("theme: preparing", "theme: training", "training:", "theme: evaluating"),
    "model commit": ("models/theme/files", "models/theme/versions"),
    "between candidates": (),
    "promotion": ("theme: deciding", "promotion", "models/theme/aliases"),
}


def points(labels: list[str]) -> dict[str, list[int]]:
    """Stage -> numbers of its events. Between candidates: one version is committed, the next training has not begun."""
    found: dict[str, list[int]] = {stage: [] for stage in STAGES}
    between = committed = False
    for number, label in enumerate(labels):
        if label.startswith("models/theme/versions") and label.endswith("after link"):
            between, committed = not committed, True
        if between:
            found["between candidates"].append(number)
        for stage, prefixes in STAGES.items():
            if prefixes and label.startswith(prefixes):
                found[stage].append(number)
        if between and label.endswith(": started"):
            between = False
    return found
