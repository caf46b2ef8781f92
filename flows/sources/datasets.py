"""Versions of other datasets, to be joined or filtered by a transform: what is received is which versions they are.

A few bytes of JSON a dataset: which version of it. They are kept as raw bytes like any other, so that a load says what it was made
from, and nothing is done while no input has a new version. The rows themselves stay where they are.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flows.errors import ConfigurationError
from flows.lake import Lake
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.objects import Progress
from flows.lake.raw import RawFile
from flows.lake.references import parse
from flows.sources.base import Context, Source


class OtherDatasets(Source):
    def identify(self) -> list[RawFile]:
        return [self._file(text, data) for text, data in self._versions().items()]

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number, (text, data) in enumerate(self._versions().items()):
            path = folder / f"{number}.version.json"
            path.write_bytes(data)
            files.append(self._file(text, data, path))
        return files

    def _versions(self) -> dict[str, bytes]:
        """Reference as declared -> which version it is now."""
        found = {}
        for text in self.declared.datasets:
            version = version_of(text, "datasets", self.context)
            said = {"project": version.project, "dataset": version.dataset, "version": version.number, "load_id": version.load.load_id}
            found[text] = json.dumps(said, indent=1).encode()
        return found

    def _file(self, text: str, data: bytes, path: Path | None = None) -> RawFile:
        return RawFile(hashlib.sha256(data).hexdigest(), text, len(data), f"dataset:{text}", path)


def version_of(text: str, key: str, context: Context) -> DatasetVersion:
    """What a reference to a dataset means now. `key`: of the source, where the project file has it.

    Raises: ConfigurationError if the dataset has no version yet.
    """
    reference = parse(text, context.project.name)
    table = Dataset(Lake(context.settings), reference.project, reference.name)
    if not table.history():
        raise ConfigurationError(
            f"{reference.project}/{reference.name} has no version yet",
            where=f"datasets.{context.dataset}.source.{key}",
            hint=f"load it first: socle run {reference.project} --flow ingest",
            french=f"« {reference.name} » n'a encore aucune version : il faut le charger d'abord.",
        )
    return table.resolve(reference)
