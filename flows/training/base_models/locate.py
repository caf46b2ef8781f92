"""The base model of a candidate as a folder on this machine: found, verified, and of the hash and licence that were declared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.errors import ConfigurationError, Refused
from flows.lake import Lake
from flows.lake.base_models import BaseModels, parse
from flows.project import BaseModelCandidate
from flows.training.base_models import contents, hub, licences, sources


@dataclass(frozen=True)
class BaseModel:
    name: str
    """As declared: `package:...`, `path:...`, `lake:...`, `hub:...`."""
    folder: Path
    sha256: str
    """Of the weights: see contents.weights_sha256."""
    licence: str = ""
    """Of its manifest or card; empty: not known."""


def locate(candidate: BaseModelCandidate, lake: Lake, root: Path, cache: Path) -> BaseModel:
    """A local folder with the model, verified. `root`: what `path:` is relative to; `cache`: where copies of the lake and the hub are kept.

    Raises: ConfigurationError if it is not there; Refused if its hash or licence is not the declared one, its licence is not accepted,
    it is not safetensors, or it wants to run its own code; StorageError if the lake's copy is damaged; SystemFailure if the hub does
    not answer.
    """
    name = candidate.base_model
    scheme, _, place = name.partition(":")
    licence = ""
    if scheme == "lake":
        folder, licence = _of_lake(place, lake, cache)
    elif scheme == "hub":
        folder, _commit = hub.fetch(place, cache, lambda texts: contents.require_texts(texts, name))
    else:
        folder = sources.package(place) if scheme == "package" else root / place
    if not (folder / contents.CONFIG).is_file():
        raise ConfigurationError(f"there is no model at {name!r}", where=str(folder), hint="check base_model in project.yaml")
    contents.require_no_adapter(folder, name)
    contents.require_texts(folder, name)
    contents.require_weights(folder, name)
    licence = _licence(candidate, licence or licences.licence_of(folder), lake, folder)
    found = contents.weights_sha256(folder)
    if candidate.sha256 and found != candidate.sha256:
        raise Refused(f"the weights of {name!r} have sha256 {found}, not the declared {candidate.sha256}", where=str(folder))
    return BaseModel(name, folder, found, licence)


def _of_lake(place: str, lake: Lake, cache: Path) -> tuple[Path, str]:
    """(folder, licence), every file of it verified against the manifest."""
    store = BaseModels(lake)
    version = store.get(*parse(place))
    return store.download(version, cache / "lake" / version.name / version.revision), version.licence


def _licence(candidate: BaseModelCandidate, found: str, lake: Lake, folder: Path) -> str:
    name = candidate.base_model
    if candidate.licence and not found:
        hint = "leave `licence` out, or mirror the model: socle base-model add ... --licence"
        raise Refused(f"nothing says which licence {name!r} has", where=str(folder), hint=hint)
    licences.agreed(candidate.licence, found, name, str(folder))
    licences.require_allowed(found, lake.settings.licences_allowed, name, str(folder))
    return found
