"""A version of another dataset whose texts are pseudonymised: what is received is which version, and which model reads it.

A few bytes of JSON that are kept as raw bytes: a load says what it was made from, and nothing is done while neither has a new version.
The rows are made by flows/steps/pseudonymise.py. No text ever travels here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from flows.errors import ConfigurationError
from flows.lake import Lake
from flows.lake.models import Models, ModelVersion
from flows.lake.objects import Progress
from flows.lake.raw import RawFile
from flows.lake.references import parse_own
from flows.privacy.pseudonyms import PSEUDONYMS_REVISION
from flows.sources.base import Source
from flows.sources.datasets import version_of


class Pseudonymised(Source):
    def identify(self) -> list[RawFile]:
        return [self._file(self._named())]

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        folder.mkdir(parents=True, exist_ok=True)
        path, data = folder / "0.version.json", self._named()
        path.write_bytes(data)
        return [self._file(data, path)]

    def _named(self) -> bytes:
        version, model = version_of(self.declared.dataset, "dataset", self.context), self._model()
        said = {
            "project": version.project,
            "dataset": version.dataset,
            "version": version.number,
            "load_id": version.load.load_id,
            "model": str(model),
            "upload_id": model.upload_id,
            "revision": PSEUDONYMS_REVISION,
        }
        return json.dumps(said, indent=1).encode()

    def _model(self) -> ModelVersion:
        """The champion, unless the project names another version."""
        reference = parse_own(self.declared.model, self.context.project.name)
        if reference.version is None and reference.alias is None:
            reference = replace(reference, alias="champion")
        models = Models(Lake(self.context.settings), reference.project, reference.name)
        state = models.state()
        if reference.alias is not None and (state is None or reference.alias not in state.aliases):
            trained = (
                f"none of its versions ({', '.join(map(str, numbers))}) was promoted"
                if (numbers := models.numbers())
                else "it was never trained"
            )
            raise ConfigurationError(
                f"the model {reference.project}/{reference.name} has no {reference.alias} yet: {trained}",
                where=f"datasets.{self.context.dataset}.source.model",
                hint=f"socle run {reference.project} --flow finetune, then socle run {reference.project} --flow ingest"
                + (
                    f"; or look at its scores and promote one: socle promote {reference.project}/{reference.name}@{numbers[-1]}"
                    if numbers
                    else ""
                ),
                french=f"Le modèle « {reference.name} » n'est pas encore entraîné ou promu : lancez d'abord « finetune ».",
            )
        return models.resolve(reference)

    def _file(self, data: bytes, path: Path | None = None) -> RawFile:
        return RawFile(hashlib.sha256(data).hexdigest(), self.declared.dataset, len(data), f"dataset:{self.declared.dataset}", path)
