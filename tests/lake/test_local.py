"""What only a folder can do to a bucket: full disks, refused permissions, leftovers of processes that were killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.errors import Conflict, NotFound, SocleError, StorageError
from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.lake.objects import Objects
from tests.lake.conftest import local_lake, ordinary_user
from tests.lake.support import SCHEMA, commit, content, reader, record

DISK = 1 << 20  # bytes


@pytest.fixture
def bucket(local: Lake) -> Objects:
    return local.bucket("essai")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# -- a full disk


def test_a_write_that_fills_the_disk_leaves_the_old_object_and_gives_the_space_back(small_disk: Path, tmp_path: Path) -> None:
    bucket = local_lake(small_disk / "lake").bucket("essai")
    (tmp_path / "big").write_bytes(bytes(2 * DISK))
    bucket.put("a", b"old")
    acts = (
        lambda: bucket.put("a", bytes(2 * DISK)),
        lambda: bucket.put_file("a", tmp_path / "big"),
        lambda: bucket.put_file("a", tmp_path / "big", lambda _: None),
        lambda: bucket.create("b", bytes(2 * DISK)),
    )
    for act in acts:
        with pytest.raises(StorageError, match="space") as caught:
            act()
        assert "space" in caught.value.hint
        assert str(small_disk) in caught.value.where
    assert bucket.get("a") == b"old"
    assert files(small_disk) == ["lake/socle-essai/a"]
    bucket.put("a", bytes(DISK // 2))
    assert bucket.stat("b") is None


def test_a_download_that_fills_the_disk_leaves_nothing(lake: Lake, small_disk: Path) -> None:
    bucket = lake.bucket("essai")
    bucket.put("a", bytes(2 * DISK))
    with pytest.raises(StorageError, match="space"):
        bucket.fetch("a", small_disk / "copy")
    assert files(small_disk) == []


def test_a_load_that_fills_the_disk_is_a_storage_error_and_no_version(small_disk: Path) -> None:
    dataset = Dataset(local_lake(small_disk / "lake"), "essai", "demandes")
    dataset.create_table(SCHEMA)
    commit(dataset, reader([{"id": "a", "n": 1}]), 0, record("load-1"), ["id"])
    rows = [{"id": os.urandom(5000).hex(), "n": n} for n in range(400)]
    for mode in ("replace", "append", "upsert"):
        with pytest.raises(StorageError, match="full") as caught:
            commit(dataset, reader(rows), 1, record("load-2", mode), ["id"])
        assert "space" in caught.value.hint
    assert [version.load.load_id for version in dataset.history()] == ["load-1"]
    assert content(dataset, 1) == [{"id": "a", "n": 1}]


@pytest.mark.parametrize("pages", [0, 1, 2, 3])
def test_a_disk_that_is_full_just_before_the_commit_is_not_taken_for_another_writer(small_disk: Path, pages: int) -> None:
    """With two or three pages left, the data file fits and the commit file may not."""
    dataset = Dataset(local_lake(small_disk / "lake"), "essai", "demandes")
    dataset.create_table(SCHEMA)
    commit(dataset, reader([{"id": "a", "n": 1}]), 0, record("load-1"), ["id"])
    with (small_disk / "filler").open("wb") as filler:
        while os.statvfs(small_disk).f_bavail > pages:
            filler.write(bytes(4096))
            filler.flush()
    try:
        commit(dataset, reader([{"id": "b", "n": 2}]), 1, record("load-2", "append"), ["id"])
        expected = ["load-2", "load-1"]
    except Conflict as error:
        pytest.fail(f"nobody else wrote: {error}")
    except StorageError as error:
        expected = ["load-1"]
        assert "free some space" in error.hint
    (small_disk / "filler").unlink()
    assert [version.load.load_id for version in dataset.history()] == expected
    assert commit(dataset, reader([{"id": "c", "n": 3}]), len(expected), record("load-3", "append"), ["id"]).number == len(expected) + 1


# -- permissions


def test_a_folder_that_may_not_be_read_is_an_error_and_not_an_empty_bucket(open_folder: Path) -> None:
    bucket = local_lake(open_folder / "lake").bucket("essai")
    bucket.put("models/theme/versions/1.json", b"{}")
    closed = open_folder / "lake/socle-essai/models/theme"
    closed.chmod(0o000)
    acts = {
        "list": lambda: list(bucket.list("models/theme/versions/")),
        "list of all": lambda: list(bucket.list()),
        "stat": lambda: bucket.stat("models/theme/versions/1.json"),
        "get": lambda: bucket.get("models/theme/versions/1.json"),
        "stream": lambda: list(bucket.stream("models/theme/versions/1.json")),
        "fetch": lambda: bucket.fetch("models/theme/versions/1.json", open_folder / "copy"),
        "put": lambda: bucket.put("models/theme/versions/1.json", b""),
        "create": lambda: bucket.create("models/theme/versions/2.json", b""),
        "delete": lambda: bucket.delete("models/theme/versions/1.json"),
    }
    outcomes = {}
    try:
        with ordinary_user():
            for name, act in acts.items():
                try:
                    outcomes[name] = act()
                except Exception as error:
                    outcomes[name] = type(error)
    finally:
        closed.chmod(0o700)
    assert outcomes == dict.fromkeys(acts, StorageError)


def test_a_lake_where_nothing_may_be_written_says_where_it_is(open_folder: Path) -> None:
    (open_folder / "lake").mkdir(mode=0o755)
    with ordinary_user(), pytest.raises(StorageError) as caught:
        local_lake(open_folder / "lake").bucket("essai")
    assert str(open_folder / "lake") in caught.value.where
    assert "permission" in caught.value.hint


# -- leftovers, and keys that are folders


def test_what_a_killed_writer_left_is_not_listed(bucket: Objects, local: Lake) -> None:
    bucket.put("models/theme/versions/1.json", b"{}")
    folder = local.settings.lake_folder / "socle-essai" / "models/theme/versions"
    (folder / ".tmp-0123456789abcdef").write_bytes(b"half of")
    assert [found.key for found in bucket.list()] == ["models/theme/versions/1.json"]
    assert bucket.create("models/theme/versions/2.json", b"{}") is True


def test_a_write_that_fails_while_it_is_made_lasting_leaves_the_old_object(bucket: Objects, local: Lake, monkeypatch) -> None:
    bucket.put("a", b"old")

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        for act in (lambda: bucket.put("a", b"new"), lambda: bucket.create("b", b"new")):
            with pytest.raises(StorageError, match="Input/output error"):
                act()
    assert bucket.get("a") == b"old"
    assert files(local.settings.lake_folder / "socle-essai") == ["a"]


@pytest.mark.parametrize("act", ["put", "create"])
@pytest.mark.parametrize("key", ["raw/demandes", "raw/demandes/a/b"])
def test_a_key_in_the_way_of_a_folder_is_refused_and_leaves_no_file_behind(bucket: Objects, local: Lake, act: str, key: str) -> None:
    bucket.put("raw/demandes/a", b"1")
    with pytest.raises(StorageError):
        getattr(bucket, act)(key, b"x")
    assert files(local.settings.lake_folder / "socle-essai") == ["raw/demandes/a"]


def test_a_bucket_that_was_removed_is_not_made_again_by_a_write(bucket: Objects, local: Lake) -> None:
    (local.settings.lake_folder / "socle-essai").rmdir()
    for act in (lambda: bucket.put("a", b"x"), lambda: bucket.create("a", b"x")):
        with pytest.raises(StorageError, match="bucket"):
            act()
    assert not bucket.bucket_exists()
    with pytest.raises(SocleError) as caught:
        bucket.get("a")
    assert isinstance(caught.value, NotFound | StorageError)


def test_a_file_to_upload_that_is_not_there_is_named(bucket: Objects, tmp_path: Path) -> None:
    with pytest.raises((OSError, SocleError), match=r"nulle-part\.csv"):
        bucket.put_file("a", tmp_path / "nulle-part.csv")
    assert bucket.stat("a") is None
