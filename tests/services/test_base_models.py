"""socle base-model on a real S3 server: a process that is killed while it uploads, and a machine that then trains from the lake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from flows.lake import Lake, keys
from flows.lake.base_models import BaseModels
from flows.project import TransformerCandidate
from flows.training.base_models import locate
from tests.training.folders import APACHE, model, sha256

pytestmark = pytest.mark.services
TYPE = "import sys; from flows.cli import main; sys.argv = ['socle', *sys.argv[1:]]; main()"


@pytest.fixture
def lake(s3_settings) -> Lake:
    made = Lake(s3_settings())
    made.bucket(keys.COMMON).ensure()
    return made


@pytest.fixture
def folder(tmp_path) -> Path:
    """64 MB of weights: uploaded in several parts."""
    made = model(tmp_path / "m", card=APACHE)
    save_file({"w": np.random.default_rng(0).random(8_000_000)}, made / "model.safetensors")
    return made


@pytest.fixture
def typed(lake):
    """`socle base-model add` in a process of its own."""
    settings = lake.settings
    environment = {
        "SOCLE_ROOT": str(settings.root),
        "SOCLE_STORAGE": settings.storage,
        "SOCLE_S3_ENDPOINT": settings.s3_endpoint,
        "SOCLE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "SOCLE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }

    def start(folder):
        command = [sys.executable, "-c", TYPE, "base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1"]
        return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def test_killed_while_it_uploads_then_added_and_trained_from(lake, folder, typed, tmp_path):
    store = BaseModels(lake)
    killed = typed(folder)
    deadline = time.monotonic() + 60
    while not (begun := [o.key for o in store.objects.list(keys.BASE_MODELS)]) and time.monotonic() < deadline:
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert begun and store.references() == [] == store.without_manifest()

    done = typed(folder)
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0 and "mini@1 is in the lake" in out, err
    version = store.get("mini", "1")
    left = {o.key.removeprefix(keys.base_model("mini", "1")).partition("/")[0] for o in store.objects.list(keys.BASE_MODELS)}
    assert left == {version.upload_id, "manifest.json"}

    candidate = TransformerCandidate(base_model="lake:mini@1", sha256=sha256(folder / "model.safetensors"), licence="apache-2.0")
    found = locate(candidate, lake, tmp_path, tmp_path / "cache")
    assert {name: sha256(found.folder / name) for name in version.files} == {name: sha256(folder / name) for name in version.files}
