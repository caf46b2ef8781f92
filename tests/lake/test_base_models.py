"""Base models of the common bucket: whole or not there, never changed, verified when they are copied to a machine."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows.errors import ConfigurationError, NotFound, Refused, StorageError
from flows.lake import keys
from flows.lake.base_models import BaseModels, BaseModelVersion, file_sha256, new_upload, parse
from flows.lake.touched import noting

FILES = {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"w" * 5000, "1_Pooling/config.json": b"{}"}


@pytest.fixture
def store(lake):
    lake.bucket(keys.COMMON).ensure()
    return BaseModels(lake)


@pytest.fixture
def add(store, tmp_path):
    """Add `files`, written to a folder first, as mini@r1."""

    def added(files=FILES, licence="mit", who="Ada", **steps):
        paths, facts = {}, {}
        folder = tmp_path / new_upload()
        for name, data in files.items():
            paths[name] = folder / name
            paths[name].parent.mkdir(parents=True, exist_ok=True)
            paths[name].write_bytes(data)
            facts[name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        version = BaseModelVersion("mini", "r1", new_upload(), "path:ici", "", licence, "0" * 64, facts, "2026-11-28T00:00:00+00:00", who)
        return store.add(version, paths, **steps)

    return added


def objects_of(store):
    return [o.key.removeprefix("base-models/mini/r1/") for o in store.objects.list("base-models/")]


def read(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def place(store, name):
    return keys.base_model_files("mini", "r1", store.get("mini", "r1").upload_id) + name


def test_what_was_added_is_copied_whole(store, add, tmp_path):
    with noting() as touched:
        added = add()
    assert added.created and touched.wrote == ["commun/mini@r1"]
    assert store.references() == [("mini", "r1")] and store.get("mini", "r1") == added.version
    assert added.version.size == sum(map(len, FILES.values()))
    assert read(store.download(added.version, tmp_path / "copy")) == FILES


def test_the_same_again_changes_nothing(store, add):
    first, before = add().version, objects_of(store)
    with noting() as touched:
        again = add(who="Grace")
    assert (again.created, again.repaired, again.version) == (False, [], first)
    assert objects_of(store) == before and not touched.wrote


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"files": FILES | {"config.json": b"{}"}}, "config.json"),
        ({"files": FILES | {"vocab.txt": b"a"}}, "vocab.txt"),
        ({"files": {"config.json": FILES["config.json"]}}, "model.safetensors"),
        ({"licence": "apache-2.0"}, "apache-2.0"),
    ],
)
def test_something_else_under_the_same_revision_is_refused(store, add, tmp_path, other, said):
    first = add().version
    with pytest.raises(Refused, match=said):
        add(**other)
    assert store.get("mini", "r1") == first
    assert read(store.download(first, tmp_path / "copy")) == FILES


class Ended(Exception):
    """The process is gone at this point."""


@pytest.mark.parametrize("at", range(len(FILES) + 1))
def test_an_add_that_is_ended_leaves_nothing_that_counts(store, add, tmp_path, monkeypatch, at):
    """After each of the files, and before the manifest."""
    done = []

    def put_file(self, key, path, progress=None):
        if len(done) == at:
            raise Ended
        done.append(key)
        return real(self, key, path, progress)

    def create(self, key, data):
        raise Ended

    real = type(store.objects).put_file
    with monkeypatch.context() as patch:
        patch.setattr(type(store.objects), "put_file", put_file)
        patch.setattr(type(store.objects), "create", create)
        with pytest.raises(Ended):
            add()
    assert len(objects_of(store)) == at
    assert store.find("mini", "r1") is None and store.references() == [] and store.without_manifest() == []
    version = add(FILES | {"config.json": b'{"other": 1}'}).version
    assert {key.partition("/")[0] for key in objects_of(store)} == {version.upload_id, "manifest.json"}
    assert read(store.download(version, tmp_path / "copy"))["config.json"] == b'{"other": 1}'


def test_what_changes_while_it_is_copied_is_not_committed(store, add):
    def changed():
        raise Refused("changed")

    with pytest.raises(Refused, match="changed"):
        add(before_commit=changed)
    assert store.find("mini", "r1") is None


def test_of_writers_of_one_revision_one_wins_and_its_bytes_stay(store, add, tmp_path):
    def write(number):
        try:
            return add(FILES | {"model.safetensors": b"%d" % number * 3000}).created
        except Refused:
            return False

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(write, range(4)))
    assert sum(won) == 1
    version = store.get("mini", "r1")
    assert read(store.download(version, tmp_path / "copy"))["model.safetensors"] == b"%d" % won.index(True) * 3000
    assert {key.partition("/")[0] for key in objects_of(store)} == {version.upload_id, "manifest.json"}


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_copy_in_the_lake_is_refused_and_adding_it_again_repairs_it(store, add, tmp_path, damage):
    version = add().version
    key = place(store, "model.safetensors")
    if damage == "gone":
        store.objects.delete(key)
    else:
        store.objects.put(key, b"v" * 5000 if damage == "changed" else b"w" * 4999)
    with pytest.raises(StorageError, match=r"model\.safetensors") as caught:
        store.download(version, tmp_path / "copy")
    assert "socle base-model add path:ici --name mini --revision r1" in caught.value.hint
    assert not (tmp_path / "copy" / "model.safetensors").exists()
    again = add()
    assert (again.created, again.repaired) == (False, ["model.safetensors"])
    assert read(store.download(version, tmp_path / "copy")) == FILES


def test_a_copy_on_this_machine_is_made_right_and_intact_files_are_not_fetched_again(store, add, tmp_path, monkeypatch):
    version, folder = add().version, tmp_path / "copy"
    store.download(version, folder)
    outside = tmp_path / "outside.json"
    outside.write_bytes(FILES["config.json"])
    (folder / "model.safetensors").write_bytes(b"v" * 5000)
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(outside)  # the same bytes, of a file that somebody else may change
    (folder / "adapter_config.json").write_text("{}")
    (folder / "2_Dense").symlink_to(tmp_path)
    (folder / ".tmp-of-another-process").write_text("")
    fetched = []
    real = type(store.objects).fetch
    monkeypatch.setattr(
        type(store.objects), "fetch", lambda self, key, path, progress=None: (fetched.append(path.name), real(self, key, path, progress))
    )
    store.download(version, folder)
    assert sorted(fetched) == ["config.json", "model.safetensors"]
    assert read(folder) == FILES | {".tmp-of-another-process": b""} and not (folder / "2_Dense").exists()
    assert not (folder / "config.json").is_symlink() and outside.read_bytes() == FILES["config.json"]


def test_a_folder_of_copies_that_is_a_link_is_not_written_through(store, add, tmp_path):
    version = add().version
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "copy").symlink_to(tmp_path / "elsewhere")
    store.download(version, tmp_path / "copy")
    assert list((tmp_path / "elsewhere").iterdir()) == [] and read(tmp_path / "copy") == FILES


@pytest.mark.parametrize(
    "name",
    [
        "../x.json",
        "/etc/x.json",
        "a/../../x.json",
        "a//x.json",
        "./x.json",
        ".hidden",
        "a\\x.json",
        "",
        "a/",
        "x\n.json",
        "x" * 300,
    ],
)
def test_a_manifest_cannot_lead_out_of_its_folder(store, add, tmp_path, name):
    version = add().version
    key = keys.base_model_manifest("mini", "r1")
    manifest = json.loads(store.objects.get(key))
    manifest["files"] = {name: version.files["config.json"]}
    store.objects.put(key, json.dumps(manifest).encode())
    for use in (store.get, store.find):
        with pytest.raises(StorageError, match="damaged"):
            use("mini", "r1")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"3", b"null", b"\xff", b"{}"],
)
def test_a_damaged_manifest_is_said(store, add, data):
    add()
    store.objects.put(keys.base_model_manifest("mini", "r1"), data)
    with pytest.raises(StorageError, match=r"mini@r1 is damaged"):
        store.get("mini", "r1")


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", "autre"), ("revision", "r2"), ("upload_id", "../../r2"), ("upload_id", ""), ("files", {}), ("files", []), ("files", None)]
    + [
        ("files", {"x.json": facts})
        for facts in ({}, None, {"sha256": "0", "size": 1}, {"sha256": "0" * 64, "size": "x"}, {"sha256": "0" * 64})
    ]
    + [("more", 1)],
)
def test_a_manifest_of_another_shape_is_damaged(store, add, key, value):
    add()
    place = keys.base_model_manifest("mini", "r1")
    store.objects.put(place, json.dumps(json.loads(store.objects.get(place)) | {key: value}).encode())
    with pytest.raises(StorageError, match="damaged"):
        store.get("mini", "r1")


def test_what_is_not_there(store, add):
    add()
    with pytest.raises(NotFound, match="mini@r2") as caught:
        store.get("mini", "r2")
    assert "revisions of mini: r1" in caught.value.where
    with pytest.raises(NotFound, match="absent@main"):
        store.get(*parse("absent"))


def test_files_without_a_manifest_are_said_with_what_to_do(store, add):
    add()
    for name in FILES:
        store.objects.put(keys.base_model("ancien", "main") + name, b"{}")
    assert store.references() == [("mini", "r1")] and store.without_manifest() == [("ancien", "main")]
    assert sorted(store.by_hand("ancien", "main")) == sorted(FILES) and list(store.by_hand("mini", "r1")) == []
    with pytest.raises(ConfigurationError, match="no manifest") as caught:
        store.get("ancien", "main")
    assert "socle base-model add lake:ancien@main --name ancien --revision main" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "@r", "Mini", "mi ni", "../x", "mini@../x", "mini@a/b", "mini@a@b", "-mini", "mini-", "mini@.", "m" * 97]
)
def test_names_that_cannot_be(text):
    with pytest.raises(ConfigurationError, match="name@revision"):
        parse(text)


def test_names_that_can_be():
    assert parse("camembert-base") == ("camembert-base", "main")
    assert parse("all-minilm-l6-v2@c5f93f70") == ("all-minilm-l6-v2", "c5f93f70")
    assert parse("m@V1.0_b") == ("m", "V1.0_b")


def test_a_hash_is_of_the_bytes_that_are_there_now(tmp_path):
    path = tmp_path / "x"
    for data in (b"1", b"2", b"1"):  # of one size, one at once after the other
        path.write_bytes(data)
        assert file_sha256(path) == hashlib.sha256(data).hexdigest()
