"""Versions of a model, whole or not there; and its aliases, a history in which nothing is lost."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from flows.errors import Conflict, NotFound, SocleError, StorageError
from flows.lake import Lake
from flows.lake.models import AliasMove, Models
from flows.lake.objects import Objects
from flows.lake.references import parse
from tests.lake.support import MANIFEST, commit_model, model_folder

NAMES = ["README.md", "model.safetensors", "tokenizer/vocab.txt"]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- versions


def test_a_committed_version_comes_back_whole(models: Models, tmp_path: Path) -> None:
    sent: list[int] = []
    version = models.commit(model_folder(tmp_path / "made"), MANIFEST | {"base_model": {"name": "minilm", "sha256": "ab"}}, sent.append)
    assert (version.number, str(version)) == (1, "essai/theme@1")
    assert models.version(1) == version
    assert {name: asdict(version)[name] for name in MANIFEST} == MANIFEST
    assert sorted(version.files) == NAMES
    assert sum(sent) == sum(file["size"] for file in version.files.values())
    assert models.download(models.version(1), tmp_path / "copy") == tmp_path / "copy"
    assert tree(tmp_path / "copy") == tree(tmp_path / "made")
    assert models.read_file(version, "README.md").decode() == "# Thème d'une demande\n"


def test_versions_are_numbered_and_the_newest_comes_first(models: Models, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    for n in range(1, 12):
        (folder / "model.safetensors").write_bytes(b"weights %d" % n)
        assert models.commit(folder, MANIFEST | {"fingerprint": f"f{n}"}).number == n
    assert models.numbers() == list(range(1, 12))
    assert [version.fingerprint for version in models.versions()] == [f"f{n}" for n in range(11, 0, -1)]
    assert models.resolve(parse("essai/theme")).number == 11
    assert models.resolve(parse("essai/theme@9")).fingerprint == "f9"
    assert models.read_file(models.version(2), "model.safetensors") == b"weights 2"


def test_a_version_or_alias_that_is_not_there_is_not_found(models: Models, tmp_path: Path) -> None:
    for reference in ("essai/theme", "essai/theme@1", "essai/theme@champion"):
        with pytest.raises(NotFound, match="essai/theme"):
            models.resolve(parse(reference))
    commit_model(models, tmp_path)
    version = commit_model(models, tmp_path)
    with pytest.raises(NotFound) as caught:
        models.resolve(parse("essai/theme@3"))
    assert "1, 2" in caught.value.where
    with pytest.raises(NotFound, match=r"absent\.json"):
        models.read_file(version, "absent.json")


def test_files_without_a_manifest_are_no_version(models: Models, bucket: Objects, tmp_path: Path) -> None:
    """A run that was killed after its uploads."""
    commit_model(models, tmp_path)
    bucket.put("models/theme/files/ffff/model.safetensors", b"orphan")
    assert models.numbers() == [1]
    assert commit_model(models, tmp_path).number == 2


def test_models_of_a_project_are_numbered_apart(lake: Lake, models: Models, tmp_path: Path) -> None:
    commit_model(models, tmp_path)
    other = Models(lake, "essai", "theme-bis")  # a name that begins with the other's
    assert other.numbers() == []
    assert commit_model(other, tmp_path).number == 1
    assert models.numbers() == [1]


def test_an_interrupted_upload_is_no_version(models: Models, tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.commit(model_folder(tmp_path), MANIFEST, stop)
    assert models.numbers() == []


# -- downloading


@pytest.mark.parametrize("damage", [b"WEIGHTS", b"", b"weights and more", None])
def test_a_file_that_is_not_the_committed_one_is_refused(models: Models, bucket: Objects, tmp_path: Path, damage: bytes | None) -> None:
    version = commit_model(models, tmp_path / "made")
    key = f"models/theme/files/{version.upload_id}/model.safetensors"
    bucket.delete(key) if damage is None else bucket.put(key, damage)
    with pytest.raises(StorageError, match=r"model\.safetensors") as caught:
        models.download(version, tmp_path / "copy")
    assert "essai/theme@1" in str(caught.value)
    assert version.upload_id in caught.value.where
    assert not (tmp_path / "copy" / "model.safetensors").exists()
    assert [path.name for path in (tmp_path / "copy").rglob(".tmp-*")] == []


def test_a_download_keeps_what_is_right_and_replaces_what_is_not(models: Models, bucket: Objects, tmp_path: Path) -> None:
    version = commit_model(models, tmp_path / "made")
    models.download(version, tmp_path / "copy")
    bucket.delete(f"models/theme/files/{version.upload_id}/model.safetensors")
    (tmp_path / "copy" / "README.md").write_text("changed here")
    moved: list[int] = []
    models.download(version, tmp_path / "copy", moved.append)
    assert tree(tmp_path / "copy") == tree(tmp_path / "made")
    assert sum(moved) == version.files["README.md"]["size"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "ABSOLUTE"])
def test_a_manifest_cannot_write_outside_of_the_folder(models: Models, bucket: Objects, tmp_path: Path, name: str) -> None:
    """Whoever may write to a project's bucket may not write on the machine of a worker."""
    version = commit_model(models, tmp_path / "made")
    work = tmp_path / "work"
    name = name.replace("ABSOLUTE", str(work / "evil"))
    bucket.put(f"models/theme/files/{version.upload_id}/{Path(name).name}", b"weights")
    if name.startswith("/"):
        bucket.put(f"models/theme/files/{version.upload_id}/{name}", b"weights")
    forged = replace(version, files={name: version.files["model.safetensors"]})
    with pytest.raises((SocleError, ValueError)):
        models.download(forged, work / "copy")
    assert not list(work.rglob("evil"))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'"text"'])
def test_a_damaged_manifest_is_a_storage_error_that_names_the_version(
    models: Models, bucket: Objects, tmp_path: Path, damage: bytes
) -> None:
    commit_model(models, tmp_path)
    bucket.put("models/theme/versions/1.json", damage)
    with pytest.raises(StorageError) as caught:
        models.version(1)
    assert "models/theme/versions/1.json" in str(caught.value) or "essai/theme@1" in str(caught.value)


# -- aliases


def move(models: Models, to: dict[str, int], expected: AliasMove | None, reason: str = "essai", **more) -> AliasMove:
    return models.move(to, expected=expected, who="moi", run="run-1", reason=reason, **more)


def test_a_model_without_moves_has_no_state(models: Models) -> None:
    assert models.state() is None
    assert list(models.moves()) == []


def test_moves_write_the_whole_state_and_the_history_stays(models: Models) -> None:
    first = move(models, {"champion": 1}, None)
    second = move(models, {"candidate": 2}, first)
    third = move(models, {"champion": 2, "candidate": 3}, second, "meilleur")
    assert models.state() == third
    assert [(m.number, m.before, m.aliases) for m in models.moves()] == [
        (3, {"champion": 1, "candidate": 2}, {"champion": 2, "candidate": 3}),
        (2, {"champion": 1}, {"champion": 1, "candidate": 2}),
        (1, {}, {"champion": 1}),
    ]
    assert (third.who, third.run, third.reason) == ("moi", "run-1", "meilleur")
    assert len({m.move_id for m in models.moves()}) == 3


def test_more_than_ten_moves_stay_in_order(models: Models) -> None:
    state = None
    for n in range(1, 13):
        state = move(models, {"champion": n}, state)
    assert [m.number for m in models.moves()] == list(range(12, 0, -1))
    assert [m.aliases["champion"] for m in models.moves(limit=2)] == [12, 11]


def test_an_alias_resolves_to_the_version_it_was_moved_to(models: Models, tmp_path: Path) -> None:
    for _ in range(3):
        commit_model(models, tmp_path)
    state = move(models, {"champion": 2}, None)
    assert models.resolve(parse("essai/theme@champion")).number == 2
    with pytest.raises(NotFound, match="candidate"):
        models.resolve(parse("essai/theme@candidate"))
    move(models, {"champion": 1}, state)
    assert models.resolve(parse("essai/theme@champion")).number == 1


@pytest.mark.parametrize("expected", ["none", "first"])
def test_a_move_decided_on_an_old_state_is_a_conflict_and_changes_nothing(models: Models, expected: str) -> None:
    first = move(models, {"champion": 1}, None)
    second = move(models, {"champion": 2}, first, "autre décision")
    with pytest.raises(Conflict) as caught:
        move(models, {"champion": 3}, None if expected == "none" else first)
    assert "autre décision" in str(caught.value)
    assert [m.move_id for m in models.moves()] == [second.move_id, first.move_id]


def test_a_move_follows_another_that_left_the_aliases_where_they_were(models: Models) -> None:
    first = move(models, {"champion": 1}, None, decision={"f": 1})
    same = move(models, {"champion": 1}, first, decision={"f": 2})
    ours = move(models, {"champion": 2}, first)
    assert (ours.number, ours.before) == (3, {"champion": 1})
    assert models.state() == ours
    assert ours.decision == same.decision


def test_the_last_decision_is_carried_over_by_moves_made_by_hand(models: Models) -> None:
    first = move(models, {"champion": 1}, None, decision={"fingerprint": "f1", "scores": {"1": 0.5}})
    second = move(models, {"champion": 2}, first)
    assert second.decision == {"fingerprint": "f1", "scores": {"1": 0.5}}
    third = move(models, {"champion": 3}, second, decision={})
    assert third.decision == {}
    assert models.state().decision == {}


def test_the_log_is_plain_json_for_other_tools(models: Models, bucket: Objects) -> None:
    move(models, {"champion": 1}, None, "évaluée")
    (found,) = bucket.list("models/theme/aliases/")
    stored = json.loads(bucket.get(found.key))
    assert (stored["aliases"], stored["reason"], stored["number"]) == ({"champion": 1}, "évaluée", 1)
