"""Where a pretrained model comes from, pinned by the hash of its weights: an installed package, a path, the lake, the hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from flows.errors import ConfigurationError, Refused, SystemFailure
from flows.lake import Lake, keys
from flows.lake.objects import sha256_file
from flows.project import TransformerCandidate

HUB_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model"]


@dataclass(frozen=True)
class BaseModel:
    name: str
    """As declared: `package:...`, `path:...`, `lake:...`, `hub:...`."""
    folder: Path
    sha256: str


def locate(candidate: TransformerCandidate, lake: Lake, root: Path, cache: Path) -> BaseModel:
    """A local folder with the model, verified.

    Raises: ConfigurationError if it is not there, Refused if its hash is not the declared one, it is not safetensors, or it
    wants to run its own code.
    """
    scheme, _, place = candidate.base_model.partition(":")
    if scheme == "package":
        folder = _package(place)
    elif scheme == "path":
        folder = root / place
    else:
        folder = _from_lake(place, lake, cache) if scheme == "lake" else _from_hub(place, cache)
    if not (folder / "config.json").is_file():
        raise ConfigurationError(
            f"there is no model at {candidate.base_model!r}", where=str(folder), hint="check base_model in project.yaml"
        )
    if "auto_map" in _configuration(folder, candidate.base_model):
        raise Refused(f"{candidate.base_model!r} brings its own code, which is never run", where=str(folder / "config.json"))
    found = weights_sha256(folder)
    if candidate.sha256 and found != candidate.sha256 and scheme == "lake":  # this machine's copy may be the damaged one
        shutil.rmtree(folder)
        folder = _from_lake(place, lake, cache)
        found = weights_sha256(folder)
    if candidate.sha256 and found != candidate.sha256:
        raise Refused(
            f"the weights of {candidate.base_model!r} have sha256 {found}, not the declared {candidate.sha256}", where=str(folder)
        )
    return BaseModel(candidate.base_model, folder, found)


def _configuration(folder: Path, name: str) -> dict[str, object]:
    try:
        configuration = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        configuration = None
    if not isinstance(configuration, dict):
        raise Refused(f"the configuration of {name!r} is damaged", where=str(folder / "config.json"))
    return configuration


def weights_sha256(folder: Path) -> str:
    """sha256 of model.safetensors; for weights in several files, of their hashes in the order of their names."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise Refused("only models with safetensors weights are loaded", where=str(folder), hint="convert it, then mirror it to the lake")
    hashes = [sha256_file(f) for f in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _package(place: str) -> Path:
    package, _, inside = place.partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"the Python package {package!r} is not installed", where=f"package:{place}", hint=f"pip install {package.replace('_', '-')}"
        )
    return Path(spec.submodule_search_locations[0]) / inside


def _from_lake(place: str, lake: Lake, cache: Path) -> Path:
    name, _, revision = place.partition("@")
    prefix = keys.base_model(name, revision or "main")
    objects = lake.bucket(keys.COMMON)
    folder = cache / "lake" / name / (revision or "main")
    note = folder.with_name(folder.name + ".tags.json")  # which state of each object the copies are of
    tags = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    for item in objects.list(prefix):
        target = folder / item.key.removeprefix(prefix)
        if not target.is_file() or tags.get(item.key) != item.tag:
            objects.fetch(item.key, target)
            tags[item.key] = item.tag
            note.write_text(json.dumps(tags), encoding="utf-8")
    return folder


def _from_hub(place: str, cache: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, _, revision = place.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=HUB_PATTERNS, cache_dir=cache / "hub"))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise SystemFailure(
            f"the hub cannot give {name} ({type(error).__name__})",
            where=f"hub:{place}",
            hint="check the network, or mirror the model into the lake",
        ) from None
