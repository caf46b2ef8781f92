"""socle base-model as it is typed."""

from __future__ import annotations

import json

import pytest

from flows.lake import Lake, keys
from flows.settings import load_settings
from tests.training.folders import APACHE, model, sha256


@pytest.fixture
def folder(root, tmp_path):
    return model(tmp_path / "m", card=APACHE)


def audit(socle):
    return socle("audit", "commun", "--json").json["entries"]


def test_add_ls_show(socle, folder):
    assert "No base model yet" in socle("base-model", "ls").out
    done = socle("base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1")
    expected = sha256(folder / "model.safetensors")
    assert done.code == 0 and "mini@1 is in the lake: 4 files" in done.out and "apache-2.0" in done.out
    assert f'{{base_model: "lake:mini@1", sha256: {expected}}}' in done.out
    listed = socle("base-model", "ls").out
    assert "mini@1" in listed and "apache-2.0" in listed  # a long path is cut there, and whole here
    assert [v["source"] for v in socle("base-model", "ls", "--json").json["base_models"]] == [f"path:{folder}"]
    shown = socle("base-model", "show", "mini@1").out
    assert f"from path:{folder}" in shown and expected in shown and "tokenizer.json" in shown
    assert socle("base-model", "show", "lake:mini@1").out == shown


def test_the_same_as_json(socle, folder):
    added = socle("base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1", "--json").json
    assert (added["created"], added["repaired"], added["licence"]) == (True, [], "apache-2.0")
    assert socle("base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1", "--json").json["created"] is False
    listed = socle("base-model", "ls", "--json").json
    assert [one["revision"] for one in listed["base_models"]] == ["1"] and listed["without_manifest"] == []
    shown = socle("base-model", "show", "mini@1", "--json").json
    assert shown["files"] == added["files"] and shown == listed["base_models"][0]


def test_who_added_what_is_on_record(socle, folder, monkeypatch):
    monkeypatch.setenv("SOCLE_WHO", "Ada")
    typed = ("base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1")
    assert socle(*typed).code == 0 and socle(*typed).code == 0
    assert socle(*typed, "--licence", "mit").code == 1
    refused, nothing, added = audit(socle)
    assert (added["who"], added["what"], added["outcome"], added["wrote"]) == ("Ada", "base-model add", "done", ["commun/mini@1"])
    assert added["parameters"] == {"source": f"path:{folder}", "name": "mini", "revision": "1"}
    assert (nothing["outcome"], nothing["wrote"]) == ("nothing", [])
    assert (refused["outcome"], refused["wrote"]) == ("refused", []) and "licence" in refused["message"]


def test_a_repair_is_said_and_on_record(socle, folder):
    typed = ("base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1")
    upload = socle(*typed, "--json").json["upload_id"]
    bucket = Lake(load_settings()).bucket(keys.COMMON)
    bucket.put(keys.base_model_files("mini", "1", upload) + "config.json", b"{}")
    done = socle(*typed)
    assert done.code == 0 and "whole again: config.json" in done.out
    assert "already, with the same bytes" in socle(*typed).out
    assert audit(socle)[1]["details"] == {"repaired": "mini@1: config.json"}


def test_other_bytes_are_refused_with_exit_code_1(socle, folder, tmp_path):
    assert socle("base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1").code == 0
    other = model(tmp_path / "autre", value=5.0, card=APACHE)
    done = socle("base-model", "add", f"path:{other}", "--name", "mini", "--revision", "1")
    assert done.code == 1 and "another model is mini@1 already" in done.err and "--revision" in done.err
    assert socle("base-model", "add", f"path:{other}", "--name", "mini", "--revision", "2").code == 0


@pytest.mark.parametrize(
    "typed",
    [
        ("add", "camembert-base", "--name", "mini", "--revision", "1"),
        ("add", "path:m", "--name", "mini"),
        ("add", "path:m", "--name", "Mini", "--revision", "1"),
        ("add", "path:m", "--revision", "1"),
        ("show", "mini@9"),
        ("show", "../mini"),
    ],
)
def test_bad_usage_ends_with_2_and_is_not_on_record(socle, folder, typed):
    done = socle("base-model", *typed, "--json")
    assert done.code == 2 and json.loads(done.out)["error"]["message"]
    assert audit(socle) == []


def test_files_that_were_put_there_by_hand_are_said(socle, folder):
    bucket = Lake(load_settings()).bucket(keys.COMMON)
    for path in folder.iterdir():
        bucket.put_file(keys.base_model("ancien", "main") + path.name, path)
    done = socle("base-model", "ls")
    command = "socle base-model add lake:ancien@main --name ancien --revision main --licence LICENCE"
    assert done.code == 0 and f"ancien@main has no manifest and is not loaded. Next: {command}" in done.out
    assert socle("base-model", "ls", "--json").json == {"base_models": [], "without_manifest": ["ancien@main"]}
    assert "no manifest" in socle("base-model", "show", "ancien@main").err
    assert socle(*command.replace("LICENCE", "apache-2.0").split()[1:]).code == 0
    assert "no manifest" not in socle("base-model", "ls").out


def test_nothing_heavy_is_loaded(modules, folder, monkeypatch):
    done, loaded = modules("base-model", "add", f"path:{folder}", "--name", "mini", "--revision", "1")
    assert done.code == 0
    assert not loaded & {"torch", "transformers", "sklearn", "prefect", "huggingface_hub", "polars", "deltalake"}
    assert not modules("base-model", "--help")[1] & {"safetensors", "numpy", "minio", "pydantic_settings"}
