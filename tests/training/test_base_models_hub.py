"""Models of a hub: huggingface_hub downloads them from a server on loopback (hub.py), over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from flows.errors import ConfigurationError, Refused, SystemFailure
from flows.lake import Lake
from flows.lake.base_models import BaseModels
from flows.project import TransformerCandidate
from flows.settings import load_settings
from flows.training.base_models import locate
from flows.training.base_models.mirror import Wanted, mirror
from tests.lake.servers import closed_port
from tests.training.folders import APACHE, clutter, model, sentences, sha256, sharded
from tests.training.hub import COMMIT, run_hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with run_hub() as running:
        point_to(monkeypatch, running.address)
        running.models["org/mini"] = model(tmp_path / "hub" / "mini", card=APACHE)
        yield running


def point_to(monkeypatch, address):
    """What HF_ENDPOINT does, which the library reads when it is imported."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def add(root):
    def added(source="hub:org/mini", name="mini", revision=None, **wanted):
        return mirror(Wanted(source, name, revision, **wanted), Lake(load_settings()), root / ".socle" / "base-models", "Ada")

    return added


@pytest.fixture
def find(root):
    def located(base_model, sha256, licence=None):
        candidate = TransformerCandidate.model_validate({"base_model": base_model, "sha256": sha256, "licence": licence})
        return locate(candidate, Lake(load_settings()), root, root / ".socle" / "base-models")

    return located


@pytest.fixture
def store(root):
    return BaseModels(Lake(load_settings()))


@pytest.mark.parametrize("source", ["hub:org/mini", "hub:org/mini@main", f"hub:org/mini@{COMMIT}"])
def test_only_what_a_model_needs_is_downloaded(add, hub, source):
    unwanted = clutter(hub.models["org/mini"])
    version = add(source).version
    taken = {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    assert set(version.files) == taken and hub.sent == taken and not taken & set(unwanted)
    assert (version.revision, version.commit, version.licence) == (COMMIT, COMMIT, "apache-2.0")
    assert version.weights_sha256 == sha256(hub.models["org/mini"] / "model.safetensors")


def test_a_revision_of_the_lake_may_have_another_name(add, hub):
    version = add(revision="r1").version
    assert (str(version), version.commit) == ("mini@r1", COMMIT)


def test_shards_and_modules(add, hub, tmp_path):
    hub.models["org/grand"] = sharded(tmp_path / "grand", 1.0, 2.0, card=APACHE)
    hub.models["org/phrases"] = sentences(tmp_path / "phrases", card=APACHE)
    clutter(hub.models["org/grand"])
    grand, phrases = add("hub:org/grand", "grand").version, add("hub:org/phrases", "phrases").version
    assert {n for n in grand.files if n.endswith(".safetensors")} == {f"model-0000{n}-of-00002.safetensors" for n in (1, 2)}
    assert "1_Dense/model.safetensors" in phrases.files


def test_the_same_again_downloads_nothing(add, hub):
    add()
    hub.seen.clear()
    again = add()
    assert not again.created and hub.sent == set()


def test_what_is_refused_is_refused_before_its_weights_are_sent(add, hub, store):
    (hub.models["org/mini"] / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["tok.Mine", None]}}))
    with pytest.raises(Refused, match="its own code"):
        add()
    assert "config.json" in hub.sent and "model.safetensors" not in hub.sent
    assert store.references() == []


def test_so_is_a_licence(add, hub, monkeypatch):
    with pytest.raises(Refused, match="licence"):
        add(licence="mit")
    monkeypatch.setenv("SOCLE_LICENCES_ALLOWED", "mit")
    with pytest.raises(Refused, match="not among those"):
        add()
    assert "model.safetensors" not in hub.sent


def test_pickles_are_not_sent(add, hub, tmp_path):
    (hub.models["org/mini"] / "model.safetensors").rename(hub.models["org/mini"] / "pytorch_model.bin")
    with pytest.raises(Refused, match="safetensors"):
        add()
    hub.models["org/phrases"] = sentences(tmp_path / "phrases", dense="pytorch_model.bin", card=APACHE)
    with pytest.raises(Refused, match="pickle"):
        add("hub:org/phrases", "phrases")
    assert not any(name.endswith((".bin", ".safetensors")) for name in hub.sent)


def test_weights_that_are_not_those_that_were_published(add, hub, store):
    hub.published["model.safetensors"] = "0" * 64
    with pytest.raises(Refused, match="not what the hub published"):
        add()
    assert store.references() == []


def test_a_download_that_is_cut_goes_on(add, hub):
    hub.cut.add("model.safetensors")
    assert add().version.weights_sha256 == sha256(hub.models["org/mini"] / "model.safetensors")
    assert not hub.cut and sum("GET" in line and "model.safetensors" in line for line in hub.seen) == 2


@pytest.mark.parametrize("source", ["hub:org/absent", "hub:org/mini@v9", "hub:org/vide"])
def test_what_the_hub_does_not_have(add, hub, tmp_path, source):
    hub.models["org/vide"] = tmp_path / "vide"
    (tmp_path / "vide").mkdir()
    (tmp_path / "vide" / "data.csv").write_text("a")
    with pytest.raises(ConfigurationError, match=source.removeprefix("hub:").partition("@")[0]):
        add(source)


def test_a_model_behind_conditions(add, hub):
    hub.gated.add("org/mini")
    with pytest.raises(ConfigurationError, match="conditions") as caught:
        add()
    assert "HF_TOKEN" in caught.value.hint


def test_a_hub_that_cannot_be_reached_is_a_system_failure(add, root, monkeypatch):
    point_to(monkeypatch, closed_port().replace("http://", "http://quelquun:jeton@"))
    with pytest.raises(SystemFailure, match="org/mini") as caught:
        add()
    assert "jeton" not in str(caught.value) and "HF_ENDPOINT" in caught.value.hint


def test_a_candidate_is_trained_from_the_hub_and_later_without_it(find, hub, monkeypatch):
    clutter(hub.models["org/mini"])
    good = sha256(hub.models["org/mini"] / "model.safetensors")
    found = find("hub:org/mini@main", good, "apache-2.0")
    assert (found.sha256, found.licence) == (good, "apache-2.0")
    assert hub.sent == {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    point_to(monkeypatch, closed_port())
    for revision in ("main", COMMIT):
        assert find(f"hub:org/mini@{revision}", good).folder == found.folder
    with pytest.raises(Refused, match="not the declared"):
        find("hub:org/mini@main", "0" * 64)
    with pytest.raises(Refused, match="licence"):
        find("hub:org/mini@main", good, "mit")


def test_without_a_network_a_part_of_a_model_is_not_enough(find, hub, monkeypatch):
    good = sha256(hub.models["org/mini"] / "model.safetensors")
    find("hub:org/mini@main", good).folder.joinpath("model.safetensors").unlink()
    point_to(monkeypatch, closed_port())
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the library tries again, with pauses
    with pytest.raises(SystemFailure, match="org/mini"):
        find("hub:org/mini@main", good)


def test_the_command_with_the_librarys_own_settings(hub, root):
    """A process of its own: HF_ENDPOINT is read, bars of the library are not drawn."""
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(root / "hf"), "SOCLE_ROOT": str(root)}
    code = "import sys; from flows.cli import main; sys.argv = ['socle', *sys.argv[1:]]; main()"
    typed = [sys.executable, "-c", code, "base-model", "add", "hub:org/mini", "--name", "mini"]
    done = subprocess.run(typed, capture_output=True, text=True, timeout=120, check=False, env=os.environ | settings)
    assert done.returncode == 0, done.stderr
    assert f"mini@{COMMIT} is in the lake: 4 files" in done.stdout
    assert "mini: weights" in done.stderr and "it/s" not in done.stderr
