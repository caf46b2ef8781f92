"""Whether a copied bucket is whole by itself: every version that has not expired, of data and of models, finds all its files.

Raw bytes are not looked for: only maintenance and erasure delete them, and then nothing needs them any more."""

from __future__ import annotations

import json
from typing import Any, cast

from flows.backup.store import Copied
from flows.errors import StorageError
from flows.lake import keys
from flows.lake.delta_log import Commit, DeltaLog, intervals, needed
from flows.lake.objects import Objects

EXPIRED = "socle.expired"


def missing(copied: Copied) -> list[str]:
    """Keys that something in the copy names and that are not in it."""
    return sorted({*_of_tables(copied), *_of_models(copied)})


def _of_tables(copied: Copied) -> list[str]:
    tables = {key.partition("/_delta_log/")[0] for key in copied.entries if "/_delta_log/" in key}
    lacking: list[str] = []
    for table in tables:
        try:
            commits = DeltaLog(cast(Objects, copied), table).commits()
        except StorageError:
            lacking.append(keys.delta_log(table))
            continue
        kept = _kept(commits)
        for path, spans in intervals(commits).items():
            if f"{table}/{path}" not in copied.entries and needed(spans, kept):
                lacking.append(f"{table}/{path}")
    return lacking


def _kept(commits: list[Commit]) -> list[int]:
    """Versions that a reader may ask for: the newest state, and every load that no maintenance named as expired."""
    gone = {number for commit in commits for number in json.loads(commit.info.get(EXPIRED, "[]"))}
    loads = [c.version for c in commits if "socle.load_id" in c.info and c.version not in gone]
    return sorted({*loads, *([commits[-1].version] if commits else [])})


def _of_models(copied: Copied) -> list[str]:
    lacking: list[str] = []
    for key, entry in copied.entries.items():
        if not (key.startswith(keys.MODELS) and "/versions/" in key):
            continue
        manifest: dict[str, Any] = json.loads(copied.store.get(entry.sha256))
        for name, file in manifest["files"].items():
            path = keys.model_files(manifest["model"], manifest["upload_id"]) + name
            found = copied.entries.get(path)
            if found is None or (found.size, found.sha256) != (file["size"], file["sha256"]):
                lacking.append(path)
    return lacking
