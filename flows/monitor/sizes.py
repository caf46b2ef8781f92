"""How much each project keeps, by kind. Every object is listed once, which takes long in a large lake: asked for rarely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from flows.lake import Lake, keys
from flows.monitor import Samples
from flows.monitor.lake import require_answer

KINDS = ("raw", "tables", "quarantine", "checks", "models", "audit", "base-models")


class Sizes:
    def __init__(self, lake: Lake, projects: Callable[[], list[str]]) -> None:
        self.lake, self.projects = lake, projects
        self.before: dict[str, tuple[Counter[str], Counter[str]]] = {}

    def collect(self) -> Samples:
        """Raises: StorageError if the storage does not answer at all."""
        samples = Samples()
        for project in [*self.projects(), keys.COMMON]:
            if not samples.attempt(f"sizes of {project}", lambda: self._list(project)):  # noqa: B023 - called at once
                require_answer(self.lake)
            for kind, size in self.before.get(project, (Counter(), Counter()))[0].items():
                samples.add("socle_storage_bytes", size, project=project, kind=kind)
                samples.add("socle_storage_objects", self.before[project][1][kind], project=project, kind=kind)
        return samples

    def _list(self, project: str) -> None:
        sizes: Counter[str] = Counter()
        objects: Counter[str] = Counter()
        bucket = self.lake.bucket(project)
        if bucket.bucket_exists():
            for item in bucket.list():
                first = item.key.partition("/")[0]
                kind = first if first in KINDS else "other"
                sizes[kind] += item.size
                objects[kind] += 1
        self.before[project] = sizes, objects
