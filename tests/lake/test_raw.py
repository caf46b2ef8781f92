"""Bytes as received: kept once, found again, and never given out damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from flows.errors import NotFound, StorageError
from flows.lake.objects import Objects
from flows.lake.raw import RawFile, RawStore

DATA = "id;texte\n1;été\n".encode()
SHA = hashlib.sha256(DATA).hexdigest()
ADDRESS = "npm:@socialgouv/legi-data@2.513.0#data/é.json"


def received(folder: Path, data: bytes = DATA, name: str = "demandes été.csv") -> RawFile:
    path = folder / "received"
    path.write_bytes(data)
    return RawFile(hashlib.sha256(data).hexdigest(), name, len(data), f"file:data/{name}", path)


def test_kept_bytes_are_known_and_come_back(raw: RawStore, bucket: Objects, tmp_path: Path) -> None:
    file = received(tmp_path)
    raw.keep(file)
    known = raw.known(SHA)
    assert known == RawFile(SHA, "demandes été.csv", len(DATA), "file:data/demandes été.csv")
    copy = raw.fetch(known, tmp_path / "work" / "deep")
    assert copy.read_bytes() == DATA
    sidecar = json.loads(bucket.get(f"raw/demandes/{SHA}.json"))
    assert sidecar["source"] == "file:data/demandes été.csv"
    assert sidecar["received_at"].endswith("+00:00")
    assert str(tmp_path) not in json.dumps(sidecar)  # where it was on one machine is nobody's business


def test_bytes_that_were_received_before_keep_their_first_sidecar(raw: RawStore, bucket: Objects, tmp_path: Path) -> None:
    raw.keep(received(tmp_path))
    first = bucket.get(f"raw/demandes/{SHA}.json")
    moved: list[int] = []
    raw.keep(received(tmp_path, name="autre.csv"), moved.append)
    assert bucket.get(f"raw/demandes/{SHA}.json") == first
    assert moved == []


def test_bytes_without_sidecar_or_sidecar_without_bytes_are_not_known(raw: RawStore, bucket: Objects, tmp_path: Path) -> None:
    """A run that was killed between the two, or an object that somebody deleted."""
    assert raw.known(SHA) is None
    bucket.put(f"raw/demandes/{SHA}", DATA)
    assert raw.known(SHA) is None
    raw.keep(received(tmp_path))
    assert raw.known(SHA) is not None
    bucket.delete(f"raw/demandes/{SHA}")
    assert raw.known(SHA) is None
    raw.keep(received(tmp_path))
    assert raw.known(SHA) is not None
    assert raw.fetch(raw.known(SHA), tmp_path / "work").read_bytes() == DATA


@pytest.mark.parametrize("damage", [DATA[:-1], b"", DATA.replace(b"1", b"2"), DATA + b"\n"])
def test_damaged_bytes_are_refused_and_leave_no_file(raw: RawStore, bucket: Objects, tmp_path: Path, damage: bytes) -> None:
    raw.keep(received(tmp_path))
    bucket.put(f"raw/demandes/{SHA}", damage)
    with pytest.raises(StorageError, match="damaged") as caught:
        raw.fetch(raw.known(SHA), tmp_path / "work")
    assert SHA in caught.value.where
    assert list((tmp_path / "work").iterdir()) == []
    # what the hint says to do works
    bucket.delete(f"raw/demandes/{SHA}")
    raw.keep(received(tmp_path))
    assert raw.fetch(raw.known(SHA), tmp_path / "work").read_bytes() == DATA


def test_a_copy_that_is_already_there_is_not_downloaded_again_but_verified(raw: RawStore, tmp_path: Path) -> None:
    raw.keep(received(tmp_path))
    file, moved = raw.known(SHA), []
    copy = raw.fetch(file, tmp_path / "work", moved.append)
    assert sum(moved) == len(DATA)
    raw.fetch(file, tmp_path / "work", moved.append)
    assert sum(moved) == len(DATA)
    copy.write_bytes(b"autre chose")
    assert raw.fetch(file, tmp_path / "work").read_bytes() == DATA


def test_bytes_that_are_not_there_are_not_found(raw: RawStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=SHA):
        raw.fetch(RawFile(SHA, "a.csv", 1, "file:a.csv"), tmp_path / "work")


def test_datasets_do_not_share_raw_files(raw: RawStore, bucket: Objects, tmp_path: Path) -> None:
    raw.keep(received(tmp_path))
    assert RawStore(bucket, "autre").known(SHA) is None


def test_a_pinned_address_is_remembered_as_long_as_its_bytes_are_there(raw: RawStore, bucket: Objects, tmp_path: Path) -> None:
    file = received(tmp_path)
    assert raw.pinned(ADDRESS) is None
    raw.keep(file)
    raw.pin(ADDRESS, file)
    assert raw.pinned(ADDRESS) == raw.known(SHA)
    assert raw.pinned(ADDRESS + "x") is None
    assert RawStore(bucket, "autre").pinned(ADDRESS) is None
    bucket.delete(f"raw/demandes/{SHA}")
    assert raw.pinned(ADDRESS) is None


@pytest.mark.parametrize("given", [True, False])
def test_many_little_files_are_kept_at_once_and_known_ones_stay(raw: RawStore, bucket: Objects, tmp_path: Path, given: bool) -> None:
    data = [b"a;b\n%d;x\n" % i for i in range(30)] + [b"a;b\n3;x\n"]  # one comes twice
    files = []
    for number, content in enumerate(data):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(content)
        files.append(RawFile(hashlib.sha256(content).hexdigest(), path.name, len(content), "file:*.csv", path))
    raw.keep(files[5])
    first = bucket.get(f"raw/demandes/{files[5].sha256}.json")
    raw.withdraw(files[6], "E1")
    raw.keep_all(files, given=given)
    for file, content in zip(files, data, strict=True):
        assert bucket.get(f"raw/demandes/{file.sha256}") == content
        assert (raw.known(file.sha256), raw.withdrawn(file.sha256)) != (None, True)
    assert raw.known(files[30].sha256).name == "3.csv"
    assert bucket.get(f"raw/demandes/{files[5].sha256}.json") == first
    assert len(list(bucket.list("raw/demandes/"))) == 60
