"""A small project with wrong rows, what any reader may rely on at any moment, and the whole state of a lake to compare."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from flows.lake import Lake, keys
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.models import Models, ModelVersion
from flows.lake.quarantine import Quarantine
from flows.lake.raw import RawStore
from flows.quality.results import CheckReport
from flows.settings import Settings
from tests.conftest import PROJECT, SUITE, csv_text, rows, write_project

MODES = ("replace", "append", "upsert")
SCENARIOS = ("first", "second", "refused")
"""first: an empty lake. second: a version and a champion are there, new rows came. refused: the same, but every new row is wrong."""
CANDIDATES = "[tfidf, {kind: tfidf, max_features: 1, ngram_max: 1}]"  # far apart: which is chosen never depends on time


def declare(root: Path, mode: str) -> Path:
    """The project `essai` under `root`, with 90 good rows and four wrong ones."""
    text = PROJECT.replace("on_failure: block", "on_failure: quarantine").replace("key: [id]", f"key: [id]\n    mode: {mode}")
    folder = write_project(root, text=text.replace("candidates: [tfidf]", f"candidates: {CANDIDATES}"), suite=SUITE)
    first = [*rows(90), ("x1", "", "paie"), ("x2", "", "congé"), ("x3", "deux fois", "paie"), ("x3", "deux fois", "congé")]
    (folder / "data" / "demandes.csv").write_text(csv_text(first), encoding="utf-8")
    return folder


def add_rows(root: Path, mode: str, scenario: str) -> None:
    """What came after the first run: new rows, for upsert also changed ones, and three wrong ones; or wrong ones only."""
    name = "demandes.csv" if mode == "replace" else "suite.csv"
    wrong = [("y1", "", "paie"), ("y2", "", "paie"), ("y3", "", "contrat")]
    start = {"replace": 0, "append": 90, "upsert": 60}[mode]
    good = [(i, text + " encore", theme) for i, text, theme in rows(60, start)] if scenario == "second" else []
    (root / "projects" / "essai" / "data" / name).write_text(csv_text([*good, *wrong]), encoding="utf-8")


class Reader:
    """What somebody who reads the lake sees, opened afresh at each look."""

    def __init__(self, root: Path, storage: str = "") -> None:
        self.settings = Settings(root=root, storage=storage)

    def open(self) -> tuple[Lake, Dataset, Models]:
        lake = Lake(self.settings)
        return lake, Dataset(lake, "essai", "demandes"), Models(lake, "essai", "theme")

    def look(self) -> tuple[int, int]:
        """Check all that must hold at any moment. Returns: (latest dataset version, champion), 0 if there is none."""
        lake, table, store = self.open()
        state = store.state()  # first, so that what it points at must be there already
        history = table.history()
        for version in history:
            self._whole_load(lake, table, version)
        numbers = store.numbers()
        assert numbers == list(range(1, len(numbers) + 1))
        loads = {v.load.load_id for v in table.history()}
        for number in numbers:
            self._whole_model(lake, store.version(number), loads)
        moves = list(store.moves())
        assert [m.number for m in moves] == list(range(len(moves), 0, -1))
        for move in moves:
            assert set(move.aliases.values()) <= set(store.numbers())
        for item in lake.bucket("essai").list():
            if item.key.endswith(".json") and "_delta_log" not in item.key:
                json.loads(lake.bucket("essai").get(item.key))
        return history[0].number if history else 0, state.aliases.get("champion", 0) if state else 0

    def _whole_load(self, lake: Lake, table: Dataset, version: DatasetVersion) -> None:
        load, objects = version.load, lake.bucket("essai")
        frame = table.scan(version.number).collect()
        assert frame.height == load.rows["total"], version
        assert load.rows["read"] == load.rows["kept"] + load.rows["refused"]
        report = CheckReport.from_json(objects.get(keys.check_result("demandes", load.load_id)))
        assert (report.load_id, report.verdict, report.rows) == (load.load_id, load.verdict, load.rows)
        assert objects.get(keys.check_docs("demandes", load.load_id)).rstrip().endswith(b"</html>")
        quarantine = Quarantine(lake, "essai", "demandes")
        assert quarantine.version_of(load.load_id) == load.quarantine_version
        refused = quarantine.rows(load.load_id)
        assert len(refused) == load.rows["refused"] > 0
        assert all(row["rules"] for row in refused)
        raw = RawStore(objects, "demandes")
        for sha256 in load.raw.values():
            assert hashlib.sha256(objects.get(keys.raw("demandes", sha256))).hexdigest() == sha256
            assert raw.known(sha256) is not None

    def _whole_model(self, lake: Lake, version: ModelVersion, loads: set[str]) -> None:
        assert version.dataset["load_id"] in loads
        assert {"README.md", "metrics.json"} < set(version.files)
        for name, expected in version.files.items():
            data = lake.bucket("essai").get(keys.model_files("theme", version.upload_id) + name)
            assert hashlib.sha256(data).hexdigest() == expected["sha256"], (version, name)

    def rows(self, version: int) -> list[dict[str, Any]]:
        return _sorted(self.open()[1].scan(version).collect().to_dicts()) if version else []

    def state(self) -> dict[str, Any]:
        """All that a run leaves behind, without times, names of runs and what a killed one left unreferenced."""
        lake, table, store = self.open()
        quarantine = Quarantine(lake, "essai", "demandes")
        held = quarantine.delta_version()
        objects = lake.bucket("essai")
        return {
            "delta version": table.delta_version(),
            "loads": [(v.number, _without(vars(v.load), "run", "who")) for v in table.history()],
            "rows": {v.number: _sorted(table.scan(v.number).collect().to_dicts()) for v in table.history()},
            "quarantine version": held,
            "quarantine": _sorted(_without(r, "run") for r in quarantine.scan(held).collect().to_dicts()) if held else [],
            "reports": {o.key: _report(objects.get(o.key)) for o in objects.list("checks/") if o.key.endswith("result.json")},
            "raw": [o.key for o in objects.list("raw/")],
            "models": [_model(store.version(n)) for n in store.numbers()],
            "moves": [(m.number, m.before, m.aliases) for m in store.moves()],
        }


def _sorted(lines: Any) -> list[dict[str, Any]]:
    return sorted(lines, key=lambda line: json.dumps(line, sort_keys=True, default=str))


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if k not in names}


def _report(data: bytes) -> dict[str, Any]:
    return _without(json.loads(data), "at", "run")


def _model(version: ModelVersion) -> dict[str, Any]:
    """The card holds times, so that only its presence can be compared."""
    files = {name: found["sha256"] if name != "README.md" else "" for name, found in version.files.items()}
    return {"number": version.number, "fingerprint": version.fingerprint, "files": files, "metrics": version.metrics}
