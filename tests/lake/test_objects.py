"""What every storage must do alike: each test runs on a folder and, as a service test, on a real S3 server."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.errors import NotFound
from flows.lake.objects import CHUNK, ObjectInfo, Objects
from flows.settings import Settings

BIG = 12 << 20  # bytes: several parts of a multipart upload
same_bucket = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)

# A part of a key: any text that S3's XML and a file name can hold (no control character, no dot segment, at most 255 bytes).
parts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\ufffe\uffff"), min_size=1, max_size=40).filter(
    lambda part: part not in (".", "..") and not part.startswith(".tmp-") and len(part.encode()) <= 255
)
any_key = st.lists(parts, min_size=1, max_size=4).map("/".join)


@st.composite
def sets_of_keys(draw: st.DrawFn) -> set[str]:
    """Keys that look alike, none of which is a folder of another."""
    near = st.lists(st.text("ab-. é~!0", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)
    keys: set[str] = set()
    for key in draw(st.lists(near, min_size=1, max_size=8)):
        dots = {".", ".."} & set(key.split("/"))
        if not dots and not any(k == key or k.startswith(key + "/") or key.startswith(k + "/") for k in keys):
            keys.add(key)
    return keys or {"a"}


def listed(bucket: Objects, prefix: str = "", limit: int | None = None) -> list[str]:
    return [found.key for found in bucket.list(prefix, limit)]


@same_bucket
@given(key=any_key, data=st.binary(max_size=4000), more=st.binary(max_size=50))
def test_any_bytes_under_any_key_come_back(bucket: Objects, key: str, data: bytes, more: bytes) -> None:
    key = f"{uuid.uuid4().hex}/{key}"
    assert bucket.create(key, data) is True
    assert bucket.get(key) == data
    assert bucket.stat(key) == ObjectInfo(key, len(data))
    assert bucket.create(key, more) is False
    assert bucket.get(key) == data
    bucket.put(key, more)
    assert b"".join(bucket.stream(key)) == more
    assert list(bucket.list(key)) == [ObjectInfo(key, len(more))]
    bucket.delete(key)
    assert bucket.stat(key) is None
    assert listed(bucket, key) == []


@same_bucket
@given(keys=sets_of_keys(), data=st.data())
def test_list_gives_the_keys_of_a_prefix_in_the_order_of_their_bytes(bucket: Objects, keys: set[str], data: st.DataObject) -> None:
    base = uuid.uuid4().hex + "/"
    for key in keys:
        bucket.put(base + key, key.encode())
    start = data.draw(st.sampled_from(sorted(keys)))
    prefix = base + start[: data.draw(st.integers(0, len(start)))]
    expected = sorted((base + key for key in keys if (base + key).startswith(prefix)), key=str.encode)
    limit = data.draw(st.integers(1, 8))
    assert listed(bucket, prefix) == expected
    assert listed(bucket, prefix, limit) == expected[:limit]


def test_a_folder_whose_name_begins_another_is_in_its_place(bucket: Objects) -> None:
    for key in ("a/b", "a-b", "a.b", "a/b-c", "a0", "é", "z", "\U0001f600", "\uffee"):
        bucket.put(key, b"")
    assert listed(bucket) == ["a-b", "a.b", "a/b", "a/b-c", "a0", "z", "é", "\uffee", "\U0001f600"]
    assert listed(bucket, "a/") == ["a/b", "a/b-c"]
    assert listed(bucket, "a") == ["a-b", "a.b", "a/b", "a/b-c", "a0"]
    assert listed(bucket, "b") == []


def test_more_objects_than_one_page_are_all_listed_once(bucket: Objects) -> None:
    keys = [f"log/{n:05}" for n in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: bucket.put(key, b""), keys))
    assert listed(bucket, "log/") == keys
    assert listed(bucket, "log/", limit=1003) == keys[:1003]
    assert listed(bucket, "log/", limit=1) == keys[:1]


def test_a_limit_of_none_is_all_and_of_zero_is_nothing(bucket: Objects) -> None:
    bucket.put("a", b"")
    bucket.put("b", b"")
    assert listed(bucket, limit=None) == ["a", "b"]
    assert listed(bucket, limit=0) == []


def test_the_bucket_is_made_once(lake) -> None:
    other = lake.bucket("autre")
    other.ensure()
    assert other.ensure() is False
    assert other.bucket_exists()
    assert listed(other) == []


def test_what_is_not_there(bucket: Objects, tmp_path: Path) -> None:
    assert bucket.stat("rien/ici") is None
    bucket.delete("rien/ici")
    for act in (lambda: bucket.get("rien/ici"), lambda: list(bucket.stream("rien/ici")), lambda: bucket.fetch("rien/ici", tmp_path / "x")):
        with pytest.raises(NotFound) as caught:
            act()
        assert "rien/ici" in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_two_buckets_share_nothing(lake) -> None:
    lake.bucket("autre").ensure()
    lake.bucket("essai").put("a", b"essai")
    assert lake.bucket("autre").stat("a") is None
    assert lake.bucket("autre").create("a", b"autre")
    assert lake.bucket("essai").get("a") == b"essai"


def test_a_big_file_goes_up_and_down_whole_and_its_progress_adds_up(bucket: Objects, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(BIG + 12345))
    up: list[int] = []
    down: list[int] = []
    bucket.put_file("models/x/weights", source, up.append)
    assert bucket.stat("models/x/weights") == ObjectInfo("models/x/weights", BIG + 12345)
    bucket.fetch("models/x/weights", tmp_path / "deep" / "copy", down.append)
    assert sum(up) == sum(down) == BIG + 12345
    assert len(up) > 1
    pieces = list(bucket.stream("models/x/weights"))
    assert max(map(len, pieces)) <= CHUNK
    hashes = {hashlib.sha256(data).hexdigest() for data in (source.read_bytes(), (tmp_path / "deep/copy").read_bytes(), b"".join(pieces))}
    assert len(hashes) == 1


def test_an_empty_file_is_an_object(bucket: Objects, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    bucket.put_file("vide", tmp_path / "empty")
    bucket.fetch("vide", tmp_path / "copy")
    assert (bucket.get("vide"), (tmp_path / "copy").read_bytes()) == (b"", b"")
    assert list(bucket.stream("vide")) == []


class Stop(Exception):
    pass


def _stop(_: int) -> None:
    raise Stop


def test_an_upload_that_stops_in_the_middle_leaves_the_old_object(bucket: Objects, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(bytes(BIG))
    bucket.put("raw/a", b"old")
    for key in ("raw/a", "raw/b"):
        with pytest.raises(Stop):
            bucket.put_file(key, tmp_path / "new", _stop)
    assert bucket.get("raw/a") == b"old"
    assert listed(bucket) == ["raw/a"]


def test_a_download_that_stops_in_the_middle_leaves_the_old_file(bucket: Objects, tmp_path: Path) -> None:
    bucket.put("a", bytes(3 * CHUNK))
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "a").write_bytes(b"old")
    with pytest.raises(Stop):
        bucket.fetch("a", folder / "a", _stop)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("a", b"old")]


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
lake = pickle.loads(Path(sys.argv[1]).read_bytes())
lake.bucket("essai").put_file("raw/a", Path(sys.argv[2]), lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_an_upload_that_is_killed_leaves_the_old_object_and_nothing_that_can_be_seen(lake, tmp_path: Path) -> None:
    import pickle

    (tmp_path / "new").write_bytes(bytes(BIG))
    (tmp_path / "lake.pickle").write_bytes(pickle.dumps(lake))
    bucket = lake.bucket("essai")
    bucket.put("raw/a", b"old")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "lake.pickle"), str(tmp_path / "new")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert bucket.get("raw/a") == b"old"
    assert listed(bucket) == ["raw/a"]
    bucket.put_file("raw/a", tmp_path / "new")
    assert bucket.get("raw/a") == bytes(BIG)


@pytest.mark.parametrize("key", ["..", "../socle-autre/a", "a/../../socle-autre/a", "a/..", "tables/../../x"])
def test_no_key_leads_out_of_its_bucket(lake, key: str, tmp_path: Path) -> None:
    bucket, outside = lake.bucket("essai"), lake.bucket("autre")
    outside.ensure()
    outside.put("a", b"secret")
    (tmp_path / "file").write_bytes(b"x")
    acts = [
        lambda: bucket.put(key, b"x"),
        lambda: bucket.put_file(key, tmp_path / "file"),
        lambda: bucket.create(key, b"x"),
        lambda: bucket.get(key),
        lambda: bucket.stat(key),
        lambda: bucket.delete(key),
        lambda: bucket.fetch(key, tmp_path / "copy"),
    ]
    for act in acts:
        with pytest.raises(ValueError):
            act()
    assert outside.get("a") == b"secret"
    assert listed(outside) == ["a"]
    assert listed(bucket) == []


def test_settings_of_a_lake_hide_the_keys(lake) -> None:
    settings: Settings = lake.settings
    for secret in (settings.s3_secret_key.get_secret_value(), settings.s3_access_key.get_secret_value()):
        assert not secret or secret not in repr(settings) + repr(lake) + lake.place + repr(vars(lake))


def test_many_are_put_and_created_at_once(bucket: Objects, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(9)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number)
    bucket.put("f/3", b"before")
    bucket.put_all([(f"f/{path.name}", path) for path in paths])
    bucket.put_all([(f"f/{path.name}", path) for path in paths[:2]], given=True)
    assert [bucket.get(f"f/{path.name}") for path in paths] == [path.read_bytes() for path in paths]
    bucket.put("c/2", b"before")
    assert bucket.create_all([(f"c/{number}", b"x") for number in range(4)]) == [True, True, False, True]
    assert bucket.get("c/2") == b"before"
    assert listed(bucket) == sorted([f"f/{n}" for n in range(9)] + [f"c/{n}" for n in range(4)])
    bucket.put_all([])
    assert bucket.create_all([]) == []
