"""Histories for a process that looks at them again and again: read whole once, and then followed commit by commit.

A table's log only grows, so what is known stays true, until a backup is restored: a log that has lost the newest commit that is known is
read anew. Looking again costs two questions to the storage, however many versions there are.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from flows.errors import NotFound
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset, DatasetVersion, numbered


class Followed:
    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._commits: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """The newest first, as deltalake gives them."""
        self._lock = threading.Lock()

    def history(self, project: str, name: str) -> list[DatasetVersion]:
        """Every load, the newest first."""
        table = Dataset(self.lake, project, name)
        with self._lock:
            known = self._commits.get((project, name))
        if known is not None and not self._is_there(project, name, known[0]["version"]):
            known = None
        commits = self._all(table) if known is None else [*reversed(list(self._since(project, name, known[0]["version"]))), *known]
        if commits:
            with self._lock:
                self._commits[project, name] = commits
        return table.versions_of(commits)

    def _is_there(self, project: str, name: str, version: int) -> bool:
        return self.lake.bucket(project).stat(keys.delta_commit(keys.table(name), version)) is not None

    def _all(self, table: Dataset) -> list[dict[str, Any]]:
        opened = table.open()
        return numbered(opened) if opened is not None else []

    def _since(self, project: str, name: str, version: int) -> Any:
        objects = self.lake.bucket(project)
        while True:
            version += 1
            try:
                lines = objects.get(keys.delta_commit(keys.table(name), version)).splitlines()
            except NotFound:
                return
            actions = [json.loads(line) for line in lines if line.strip()]
            yield next((a["commitInfo"] for a in actions if "commitInfo" in a), {}) | {"version": version}
