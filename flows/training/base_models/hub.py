"""The Hugging Face hub, through huggingface_hub: only the files that a model needs, those that say what it is before the weights.

Where the hub is, a token for it and proxies are that library's settings (HF_ENDPOINT, HF_TOKEN, HTTPS_PROXY).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import progress
from flows.errors import ConfigurationError, Refused, SystemFailure
from flows.lake.base_models import file_sha256
from flows.training.base_models import contents

if TYPE_CHECKING:
    from tqdm.std import tqdm

REPOSITORY = re.compile(r"([\w-][\w.-]*/)?[\w-][\w.-]*")
Check = Callable[[Path], object]
"""Looks at a folder that has the small files of a model, before its weights are copied; raises if it is refused."""


def fetch(place: str, cache: Path, check: Check) -> tuple[Path, str]:
    """(folder, commit of the hub) of `org/name@revision`; without a revision, its branch `main`.

    What is in the cache is not fetched again, and without a network it is enough if it is whole. A download that was cut goes on.
    Raises: SystemFailure if the hub does not give it, ConfigurationError if it has no such model, Refused by `check` or for its contents.
    """
    from huggingface_hub import get_cached_repo_tree, snapshot_download

    name, _, revision = place.partition("@")
    where = f"hub:{place}"
    if not REPOSITORY.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name of a model on the hub", where=where, hint="hub:organisation/name@revision")

    def load(what: str, revision: str, names: list[str]) -> Path:
        """The hub's names as they are, not as patterns. Its snapshot's folder is named by the commit."""
        wanted = [escape(n) for n in names]
        with _errors(place), progress.step(f"{name}: {what}", unit="bytes") as advance:
            found = snapshot_download(
                name, revision=revision, allow_patterns=wanted, cache_dir=cache / "hub", tqdm_class=_meter(advance), library_name="socle"
            )
        return Path(found)

    commit = load("configuration", revision or "main", [contents.CONFIG]).name
    with _errors(place):
        there = [file.path for file in get_cached_repo_tree(name, revision=commit, cache_dir=cache / "hub")]
    if contents.CONFIG not in there:
        raise ConfigurationError(f"there is no model at {name!r}: it has no config.json", where=where)
    folder = load("tokenizer and card", commit, contents.texts(there))
    contents.require_no_pickled_module(there, name, where)
    check(folder)
    load("weights", commit, contents.weights(there, lambda file: (folder / file).read_bytes(), where))
    return folder, commit


def require_published(place: str, commit: str, folder: Path) -> None:
    """The weights are those that their authors published: the hub names the sha256 of large files.

    Raises: Refused, SystemFailure.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    name, names = place.partition("@")[0], contents.weights_of(folder)
    with _errors(place):
        infos = HfApi().get_paths_info(name, names, revision=commit)
    published = {info.path: info.lfs.sha256 for info in infos if isinstance(info, RepoFile) and info.lfs is not None}
    for file, sha256 in published.items():
        if file in names and file_sha256(folder / file) != sha256:
            path = (folder / file).resolve()
            what = f"{file} is not what the hub published (its sha256 differs)"
            raise Refused(what, where=str(path), hint="delete that file, then run again")


@contextmanager
def _errors(place: str) -> Iterator[None]:
    """Its errors carry addresses with signatures, and proxies with passwords: only their kind is passed on."""
    from huggingface_hub import errors

    where = f"hub:{place}"
    try:
        yield
    except errors.GatedRepoError:
        what = f"the hub gives {place} only to those who accepted its conditions"
        raise ConfigurationError(what, where=where, hint="accept them there, then set HF_TOKEN") from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        what = f"the hub has no {place}, or does not show it without a token"
        raise ConfigurationError(what, where=where, hint="check name and revision, or set HF_TOKEN") from None
    except (errors.HTTPError, OSError, ValueError) as error:  # type: ignore[attr-defined] # HTTPError: of the httpx that it stands on
        raise SystemFailure(
            f"the hub cannot give {place} ({type(error).__name__})",
            where=where,
            hint="check the network, HF_ENDPOINT and the proxy, or mirror the model with socle base-model add where the hub is reached",
        ) from None


def _meter(advance: progress.Advance) -> type[tqdm]:
    """A bar of tqdm that draws nothing: the bytes that arrive go to our own progress."""
    from tqdm.std import tqdm

    class Meter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts = kwargs.get("unit") == "B" and not str(kwargs.get("desc", "")).startswith(
                "Downloading"
            )  # that bar counts them again
            super().__init__(*args, **(kwargs | {"disable": True}))

        def update(self, n: float | None = 1) -> bool | None:
            if self.counts and n:
                advance(n)
            return None

    return Meter
