"""Files on a disk."""

from __future__ import annotations

import hashlib
import os

import pytest

from flows.errors import ConfigurationError, SystemFailure
from flows.lake import keys
from flows.project.sources import FileSource
from flows.sources.file import PIECE, LocalFiles, _copied
from tests.sources.context import context


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "projet" / "data" / "sous").mkdir(parents=True)
    return tmp_path / "projet"


def source(folder, pattern):
    return LocalFiles(FileSource(type="file", path=pattern), context(folder))


def test_identify_tells_what_fetch_brings(folder, tmp_path):
    (folder / "data" / "a.csv").write_bytes(b"un")
    files = source(folder, "data/a.csv")
    [identified], [fetched] = files.identify(), files.fetch(tmp_path / "work")
    assert identified.sha256 == fetched.sha256 == hashlib.sha256(b"un").hexdigest()
    assert (fetched.name, fetched.size, fetched.path.read_bytes()) == ("data/a.csv", 2, b"un")
    assert fetched.path != folder / "data" / "a.csv", "a copy: the source may change meanwhile"


def test_a_glob_in_the_order_of_names_with_equal_names_apart(folder, tmp_path):
    for name, text in [("data/b.csv", "2"), ("data/a.csv", "1"), ("data/sous/a.csv", "3"), ("data/c.txt", "4")]:
        (folder / name).write_text(text)
    assert [f.name for f in source(folder, "data/*.csv").identify()] == ["data/a.csv", "data/b.csv"]
    found = source(folder, "data/**/*.csv").fetch(tmp_path / "work")
    assert [f.path.read_text() for f in found] == ["1", "2", "3"]


def test_a_folder_is_no_file(folder):
    (folder / "data" / "a.csv").mkdir()
    with pytest.raises(ConfigurationError):
        source(folder, "data/*.csv").identify()


@pytest.mark.parametrize("pattern", ["data/absent.csv", "data/*.json", "ailleurs/*"])
def test_nothing_there_says_where_it_was_looked_for(folder, pattern):
    with pytest.raises(ConfigurationError) as caught:
        source(folder, pattern).identify()
    assert pattern in caught.value.message and str(folder) in caught.value.where and "source.path" in caught.value.hint


def test_a_project_folder_with_characters_of_globs(tmp_path):
    folder = tmp_path / "projets [2024]"
    folder.mkdir()
    (folder / "a.csv").write_text("un")
    assert [f.name for f in source(folder, "*.csv").identify()] == ["a.csv"]


def test_only_wanted_files_are_fetched(folder, tmp_path):
    for name in "abc":
        (folder / "data" / f"{name}.csv").write_text(name)
    files = source(folder, "data/*.csv")
    wanted = files.identify()[1:]
    moved = []
    assert [f.name for f in files.fetch(tmp_path / "work", wanted, moved.append)] == ["data/b.csv", "data/c.csv"]
    assert sum(moved) == 2


def test_a_file_that_goes_away_between_is_a_system_failure(folder, tmp_path):
    (folder / "data" / "a.csv").write_text("un")
    files = source(folder, "data/*.csv")
    wanted = files.identify()
    (folder / "data" / "a.csv").unlink()
    with pytest.raises(SystemFailure, match=r"a\.csv"):
        files.fetch(tmp_path / "work", wanted)


def test_a_disk_that_is_full_is_a_system_failure(folder, tmp_path, monkeypatch):
    (folder / "data" / "a.csv").write_text("un")

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flows.sources.file.sha256_file", full)
    with pytest.raises(SystemFailure, match="No space left"):
        source(folder, "data/a.csv").identify()


def test_a_copy_that_the_lake_took_is_not_written_again(folder, tmp_path):
    """A second attempt of a run copies a file that changed meanwhile: what is kept under the first sha256 stays as it is."""
    (folder / "data" / "a.csv").write_bytes(b"un")
    files = source(folder, "data/a.csv")
    [first] = files.fetch(tmp_path / "work")
    raw = files.context.raw
    raw.keep(first, given=True)
    kept = raw.objects.folder / keys.raw("demandes", first.sha256)
    assert kept.samefile(first.path), "no second copy in a lake on the same disk"
    (folder / "data" / "a.csv").write_bytes(b"deux")
    [second] = files.fetch(tmp_path / "work")
    assert (second.path, second.path.read_bytes(), kept.read_bytes()) == (first.path, b"deux", b"un")


def test_a_large_file_is_hashed_as_it_is_copied(folder, tmp_path):
    data = bytes(range(256)) * 10_000
    (folder / "data" / "a.bin").write_bytes(data)
    moved: list[int] = []
    [fetched] = source(folder, "data/a.bin").fetch(tmp_path / "work", progress=moved.append)
    assert fetched.sha256 == hashlib.sha256(data).hexdigest() == hashlib.sha256(fetched.path.read_bytes()).hexdigest()
    assert (sum(moved), fetched.size) == (len(data), len(data))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 17])
def test_a_copy_of_any_size_has_the_hash_of_its_bytes(tmp_path, size):
    data, moved = os.urandom(size), []
    path, copy = tmp_path / "source", tmp_path / "copy"
    path.write_bytes(data)
    assert _copied(path, copy, moved.append) == hashlib.sha256(data).hexdigest()
    assert copy.read_bytes() == data and sum(moved) == size
