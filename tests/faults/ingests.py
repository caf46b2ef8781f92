"""Loads to be killed: every mode and source, each with what was there before and what comes then; and what a lake must be like after."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows.lake import Lake, keys
from flows.lake.datasets import Dataset
from flows.lake.delta_log import DeltaLog, intervals
from flows.lake.quarantine import Quarantine
from flows.settings import Settings
from tests.formats.workbooks import xlsx
from tests.sources.server import File, Site

PROJECT = """\
title: Essai
ministry: Ministère d'essai
owner: {{team: Équipe, email: equipe@example.gouv.fr}}
datasets:
  demandes:
    title: Demandes
    source: {source}
    {more}
    columns: {{id: string, n: {{type: integer, required: true}}, etat: string}}
    on_failure: quarantine
    personal_data: none
{others}"""
JOINED = """\
  sommes:
    title: Demandes par état
    source: {type: datasets, datasets: [demandes]}
    transform: transform.py:sommer
    key: [etat]
    columns: {etat: string, n: integer}
    personal_data: none
"""
TRANSFORM = """\
import polars as pl

def sommer(tables):
    return tables["demandes"].group_by("etat").agg(pl.col("n").sum()).sort("etat")
"""
Row = tuple[str, Any, str]


def good(count: int, start: int = 0, more: int = 0) -> list[Row]:
    return [(f"d{i:04}", i + more, "ouvert" if i % 3 else "clos") for i in range(start, start + count)]


def wrong(*names: str) -> list[Row]:
    return [(name, "faux", "ouvert") for name in names]


FIRST = [*good(50), *wrong("x1", "x2")]
SECOND = [*good(45, 30, 1000), *wrong("y1")]
"""For replace and upsert: 20 changed, 25 new, one wrong; what is appended comes after 50."""
LATER = [*good(45, 50), *wrong("y1")]
GONE = [(name, n, "supprimé") for name, n, _ in good(5, 10)]


def csv_of(rows: list[Row]) -> bytes:
    return "\n".join(["id,n,etat", *(",".join(map(str, row)) for row in rows), ""]).encode()


def jsonl_of(rows: list[Row]) -> bytes:
    return b"".join(json.dumps(dict(zip(("id", "n", "etat"), row, strict=True))).encode() + b"\n" for row in rows) + b"faux\n"


def file(name: str, data: bytes) -> Callable[[Path, Site], None]:
    return lambda folder, _: (folder / "data" / name).write_bytes(data) and None


def files(**data: bytes) -> Callable[[Path, Site], None]:
    def write(folder: Path, _: Site) -> None:
        for name, content in data.items():
            (folder / "data" / f"{name}.csv").write_bytes(content)

    return write


def archive(**members: bytes) -> Callable[[Path, Site], None]:
    def write(folder: Path, _: Site) -> None:
        with zipfile.ZipFile(folder / "data" / "demandes.zip", "w") as made:
            for name, content in members.items():
                made.writestr(f"{name}.csv", content)

    return write


def workbook(rows: list[Row]) -> Callable[[Path, Site], None]:
    return lambda folder, _: xlsx(folder / "data" / "demandes.xlsx", [["id", "n", "etat"], *map(list, rows)]) and None


def served(rows: list[Row], etag: str) -> Callable[[Path, Site], None]:
    return lambda _, site: site.answers.update({"/demandes.csv": File(csv_of(rows), etag)})


def inserted(rows: list[Row]) -> Callable[[Path, Site], None]:
    """Later rows of one key stand further down, as in a table of changes."""

    def write(folder: Path, _: Site) -> None:
        with sqlite3.connect(folder / "base.db") as base:
            base.execute("CREATE TABLE IF NOT EXISTS t (seq INTEGER PRIMARY KEY, id TEXT, n, etat TEXT)")
            base.executemany("INSERT INTO t (id, n, etat) VALUES (?, CAST(? AS TEXT), ?)", rows)
        base.close()

    return write


@dataclass(frozen=True)
class Ingest:
    source: str
    more: str
    before: Callable[[Path, Site], None]
    """What is there when the first load, which nobody kills, is made."""
    after: Callable[[Path, Site], None]
    rows: list[int]
    """Of the versions of `demandes` at the end."""
    refused: int
    """In quarantine at the end."""
    others: str = ""
    datasets: list[str] = field(default_factory=lambda: ["demandes"])

    def declare(self, root: Path, site: Site) -> Path:
        folder = root / "projects" / "essai"
        (folder / "data").mkdir(parents=True)
        source = self.source.replace("URL", site.url)
        (folder / "project.yaml").write_text(PROJECT.format(source=source, more=self.more, others=self.others), encoding="utf-8")
        (folder / "transform.py").write_text(TRANSFORM, encoding="utf-8")
        return folder


CSV = "{type: file, path: data/*.csv}"
SQL = "{type: sql, url: 'sqlite:///base.db', query: 'SELECT seq, id, n, etat FROM t', order_by: [seq], cursor: seq}"
SQL_MORE = "columns: {seq: integer, id: string}"
DELETES = "key: [id]\n    mode: upsert\n    deletes: {column: etat, values: [supprimé]}"
INGESTS = {
    "replace, file": Ingest(CSV, "key: [id]", file("a.csv", csv_of(FIRST)), file("a.csv", csv_of(SECOND)), [50, 45], 3),
    "append, several files": Ingest(
        CSV,
        "mode: append",
        files(a=csv_of(good(30)), b=csv_of([*good(20, 30), *wrong("x1", "x2")])),
        files(c=csv_of(good(20, 50)), d=csv_of([*good(25, 70), *wrong("y1")])),
        [50, 95],
        3,
    ),
    "append, many little files": Ingest(
        CSV,
        "mode: append",
        files(**{f"a{i:02}": csv_of([*good(4, 4 * i), *(wrong(f"x{i}") if i in (5, 7) else [])]) for i in range(12)}),
        files(**{f"b{i:02}": csv_of([*good(2, 48 + 2 * i), *(wrong("y1") if i == 50 else [])]) for i in range(90)}),
        [48, 228],
        3,
    ),
    "upsert, file": Ingest(CSV, "key: [id]\n    mode: upsert", file("a.csv", csv_of(FIRST)), file("b.csv", csv_of(SECOND)), [50, 75], 3),
    "upsert with deletes": Ingest(CSV, DELETES, file("a.csv", csv_of(FIRST)), file("b.csv", csv_of([*SECOND, *GONE])), [50, 70], 3),
    "snapshot": Ingest(
        CSV, "key: [id]\n    mode: snapshot", files(a=csv_of(FIRST)), files(b=csv_of(SECOND), c=csv_of(good(80))), [50, 45, 80], 3
    ),
    "replace, http": Ingest("{type: http, url: 'URL/demandes.csv'}", "key: [id]", served(FIRST, '"1"'), served(SECOND, '"2"'), [50, 45], 3),
    "append, sql": Ingest(SQL, "mode: append\n    on_drift: evolve", inserted(FIRST), inserted(LATER), [50, 95], 3),
    "upsert, sql": Ingest(SQL, "key: [id]\n    mode: upsert\n    on_drift: evolve", inserted(FIRST), inserted(SECOND), [50, 75], 3),
    "append, json lines": Ingest(
        "{type: file, path: data/*.jsonl}",
        "key: [id]\n    mode: append",
        file("a.jsonl", jsonl_of(FIRST)),
        file("b.jsonl", jsonl_of(SECOND)),
        [50, 75],
        3 + 20 + 2,
    ),
    "replace, archive": Ingest(
        "{type: file, path: data/*.zip}",
        "key: [id]",
        archive(a=csv_of(good(25)), b=csv_of([*good(25, 25), *wrong("x1", "x2")])),
        archive(a=csv_of(good(25)), b=csv_of([*good(20, 25), *wrong("y1")])),
        [50, 45],
        3,
    ),
    "upsert, workbook": Ingest(
        "{type: file, path: data/*.xlsx}", "key: [id]\n    mode: upsert", workbook(FIRST), workbook(SECOND), [50, 75], 3
    ),
    "joined": Ingest(
        CSV,
        "key: [id]",
        file("a.csv", csv_of(FIRST)),
        file("a.csv", csv_of(SECOND)),
        [50, 45],
        3,
        others=JOINED,
        datasets=["demandes", "sommes"],
    ),
}


class IngestReader:
    """What somebody who reads the lake sees, opened afresh at each look."""

    def __init__(self, root: Path, ingest: Ingest) -> None:
        self.root, self.ingest = root, ingest

    def look(self) -> dict[str, list[int]]:
        """Check all that must hold at any moment. Returns: numbers of versions, by dataset."""
        lake = Lake(Settings(root=self.root))
        return {name: self._look(lake, name) for name in self.ingest.datasets}

    def _look(self, lake: Lake, name: str) -> list[int]:
        table, objects = Dataset(lake, "essai", name), lake.bucket("essai")
        quarantine = Quarantine(lake, "essai", name)
        history = table.history()
        for version in history:
            load = version.load
            frame = table.scan(version.number).collect()
            assert frame.height == load.rows["total"], version
            assert load.rows["read"] == load.rows["kept"] + load.rows["refused"]
            refused = quarantine.rows(load.load_id)
            assert len(refused) == load.rows["refused"]
            assert len({(r["file"], r["row_number"]) for r in refused}) == len(refused), "a refused row is there twice"
            for sha256 in load.raw.values() if name == "demandes" else ():
                assert hashlib.sha256(objects.get(keys.raw(name, sha256))).hexdigest() == sha256
        return [version.number for version in reversed(history)]

    def rows(self, name: str) -> dict[int, list[Any]]:
        table = Dataset(Lake(Settings(root=self.root)), "essai", name)
        return {v.number: sorted(table.scan(v.number).collect().rows(), key=str) for v in table.history()}

    def state(self) -> dict[str, Any]:
        """All that loads leave behind, without times, names of runs and what a killed one left unreferenced."""
        lake = Lake(Settings(root=self.root))
        found: dict[str, Any] = {}
        for name in self.ingest.datasets:
            quarantine = Quarantine(lake, "essai", name)
            held = quarantine.delta_version()
            lines = quarantine.scan(held).collect().drop("run").to_dicts() if held else []
            loads = [_without(vars(v.load), "run", "who", "quarantine_version") for v in Dataset(lake, "essai", name).history()]
            found[name] = (loads, self.rows(name), sorted(map(str, lines)))
        found["raw"] = [o.key for o in lake.bucket("essai").list("raw/") if "/seen" not in o.key]
        return found

    def staged(self) -> set[str]:
        """Data files that no commit names."""
        objects = Lake(Settings(root=self.root)).bucket("essai")
        found: set[str] = set()
        for name in self.ingest.datasets:
            for folder in (keys.table(name), keys.quarantine(name)):
                log = DeltaLog(objects, folder)
                found |= set(log.data_files()) - set(intervals(log.commits()))
        return found


def swept() -> Any:
    """Only what no commit names is old enough to go."""
    from flows.steps import open_run
    from flows.steps.maintain import maintain_project
    from flows.steps.retention import Cutoffs

    never, now = datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
    with open_run("essai") as run:
        return maintain_project(run, dry_run=False, cutoffs=Cutoffs(versions=never, raw=never, quarantine=never, checks=never, uploads=now))


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if k not in names}
