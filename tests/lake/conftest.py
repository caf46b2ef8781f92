"""One suite, two storages: `lake` is a local folder, and under `-m services` also a real S3 server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.lake.objects import Objects
from flows.lake.quarantine import Quarantine
from flows.lake.raw import RawStore
from flows.settings import Settings
from tests.lake.servers import Servers, run_servers
from tests.lake.workers import Race, run_races

NOBODY = 65534


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.services)])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake where the bucket of the project `essai` exists."""
    made = local_lake(tmp_path / "lake") if request.param == "local" else Lake(request.getfixturevalue("s3_settings")())
    made.bucket("essai").ensure()
    return made


@pytest.fixture
def local(tmp_path: Path) -> Lake:
    """A local lake only, for what only a folder can do to you."""
    return local_lake(tmp_path / "lake")


def local_lake(folder: Path) -> Lake:
    return Lake(Settings(root=folder.parent, storage=folder.as_uri()))


@pytest.fixture
def bucket(lake: Lake) -> Objects:
    return lake.bucket("essai")


@pytest.fixture
def dataset(lake: Lake) -> Dataset:
    return Dataset(lake, "essai", "demandes")


@pytest.fixture
def quarantine(lake: Lake) -> Quarantine:
    return Quarantine(lake, "essai", "demandes")


@pytest.fixture
def models(lake: Lake) -> Models:
    return Models(lake, "essai", "theme")


@pytest.fixture
def raw(bucket: Objects) -> RawStore:
    return RawStore(bucket, "demandes")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers that misbehave."""
    with run_servers() as started:
        yield started


@pytest.fixture(scope="session")
def race() -> Iterator[Race]:
    """race(work, processes, *arguments): see workers.py."""
    with run_races() as ready:
        yield ready


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root ignores permissions: act as nobody for a moment, if we are root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
