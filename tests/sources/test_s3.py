"""Objects of a bucket as a source. Globs and addresses here; a real server (Ceph RGW) for everything that is asked of one."""

from __future__ import annotations

import io
import json
import threading
import uuid

import pytest
from minio import Minio
from pydantic import ValidationError

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.lake.local import LocalObjects
from flows.lake.raw import RawStore
from flows.project.sources import S3Source
from flows.sources.s3 import S3Objects, glob_pattern, literal_prefix
from tests.sources.context import context


@pytest.mark.parametrize(
    ("glob", "fits", "not_these"),
    [
        ("a/*.csv", ["a/x.csv", "a/.csv"], ["a/b/x.csv", "x.csv", "a/x.csv.gz"]),
        ("a/**/*.csv", ["a/x.csv", "a/b/x.csv", "a/b/c/x.csv"], ["b/x.csv", "aa/x.csv"]),
        ("**/x.csv", ["x.csv", "a/x.csv"], ["ax.csv"]),
        ("a/**", ["a/x", "a/b/c"], ["b/a/x"]),
        ("a?[12].csv", ["ab1.csv", "ab2.csv"], ["a/1.csv", "ab3.csv"]),
        ("a[!1].csv", ["a2.csv"], ["a1.csv", "a/.csv"]),
        ("a(b)+.csv", ["a(b)+.csv"], ["ab.csv", "abb.csv"]),
        ("a[^]].csv", ["a^].csv"], ["ab.csv"]),
    ],
)
def test_globs(glob, fits, not_these):
    pattern = glob_pattern(glob)
    assert [key for key in [*fits, *not_these] if pattern.fullmatch(key)] == fits
    assert all(key.startswith(literal_prefix(glob)) for key in fits)


@pytest.mark.parametrize("endpoint", ["s3.example.org", "https://key:secret@h", "https://h/bucket", "ftp://h", "https://h?x=1"])
def test_what_is_no_endpoint(endpoint):
    with pytest.raises(ValidationError, match="an endpoint is"):
        S3Source(type="s3", endpoint=endpoint, bucket="b-b", key="k")


def test_nobody_there(tmp_path):
    source = S3Objects(
        S3Source(type="s3", endpoint="http://127.0.0.1:1", bucket="bbb", key="k"), context(tmp_path, s3_retries=0, s3_patience_s=0)
    )
    with pytest.raises(SystemFailure, match="cannot be used: connection refused"):
        source.identify()


class Bucket:
    def __init__(self, server, tmp_path, monkeypatch):
        user = server.users["socle"]
        self.client = Minio(server.endpoint.partition("://")[2], user.access_key, user.secret_key, secure=False)
        self.endpoint, self.name, self.tmp_path = server.endpoint, f"src{uuid.uuid4().hex[:10]}", tmp_path
        self.client.make_bucket(self.name)
        monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_CLES", f"access_key={user.access_key}\nsecret_key={user.secret_key}")
        lake = LocalObjects(tmp_path / "lake")
        lake.ensure()
        self.raw = RawStore(lake, "demandes")

    def put(self, **objects):
        for key, data in objects.items():
            key = key.replace("__", "/") + ".csv"
            self.client.put_object(self.name, key, io.BytesIO(data), len(data))

    def source(self, key="**/*.csv", state=None, mode="replace", settings=None, **more):
        declared = S3Source(**({"type": "s3", "endpoint": self.endpoint, "bucket": self.name, "key": key, "credentials": "cles"} | more))
        quick = {"s3_retries": 1, "s3_patience_s": 0} | (settings or {})
        source = S3Objects(declared, context(self.tmp_path, self.raw, state, **quick))
        source.mode = mode
        return source

    def load(self, state=None, committed=True, **more):
        """(keys that were brought, state after): what an ingest does with a source."""
        source = self.source(state=state, **more)
        files = source.fetch(self.tmp_path / f"work-{uuid.uuid4().hex[:6]}", source.identify())
        for file in files:
            assert file.path.stat().st_size == file.size
            self.raw.keep(file)
        return [file.name for file in files], json.loads(json.dumps(source.next_state)) if committed else state


@pytest.fixture
def bucket(s3_server, tmp_path, monkeypatch):
    return Bucket(s3_server, tmp_path, monkeypatch)


@pytest.mark.services
def test_all_objects_where_they_are_the_content(bucket, monkeypatch):
    bucket.put(b=b"2", a__c=b"", a__b__d=b"4" * 3_000_000)
    bucket.client.put_object(bucket.name, "dossier.csv/", io.BytesIO(b""), 0)
    moved = []
    source = bucket.source()
    assert source.identify() is None
    files = source.fetch(bucket.tmp_path / "w", progress=moved.append)
    assert next((f.name, f.path.read_bytes()[:1], f.source) for f in files) == (
        "a/b/d.csv",
        b"4",
        f"s3:{bucket.endpoint}/{bucket.name}/a/b/d.csv",
    )
    assert [f.name for f in files] == ["a/b/d.csv", "a/c.csv", "b.csv"] and sum(moved) == 3_000_001
    again = bucket.source(state=source.next_state)
    monkeypatch.setattr(again, "_bring", None)
    assert [f.sha256 for f in again.identify()] == [f.sha256 for f in files], "nothing is brought to know that nothing changed"


@pytest.mark.services
def test_what_was_brought_comes_from_the_lake_the_next_time(bucket, monkeypatch):
    bucket.put(a=b"1", b=b"2")
    bucket.load(committed=False)
    source = bucket.source()
    monkeypatch.setattr(source, "_stream", lambda *_: pytest.fail("asked of the source again"))
    known = source.identify()
    assert [f.name for f in known] == ["a.csv", "b.csv"]
    assert [f.path.read_bytes() for f in source.fetch(bucket.tmp_path / "w")] == [b"1", b"2"]


@pytest.mark.services
@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_only_new_and_changed_objects_where_rows_are_added(bucket, mode):
    bucket.put(a=b"1", b=b"2")
    keys, state = bucket.load(mode=mode)
    assert keys == ["a.csv", "b.csv"]
    bucket.put(a=b"1", c=b"3")
    keys, after = bucket.load(state, mode=mode)
    assert keys == ["c.csv"] and len(after["objects"]) == 3, "the same bytes were written again: the same object"
    bucket.put(b=b"changed")
    assert bucket.load(after, committed=False, mode=mode)[0] == ["b.csv"]
    assert bucket.source(state=after, mode=mode).fetch(bucket.tmp_path / "z")[0].path.read_bytes() == b"changed", "not committed: again"
    bucket.client.remove_object(bucket.name, "a.csv")
    assert bucket.source(state=after, mode=mode).fetch(bucket.tmp_path / "y")[0].name == "b.csv"


@pytest.mark.services
def test_an_object_that_changes_while_it_is_read(bucket, monkeypatch):
    bucket.put(a=b"x" * 100)
    source = bucket.source()
    present = source._present()
    bucket.put(a=b"y" * 100)
    with pytest.raises(SystemFailure, match=r"'a\.csv' changed while it was read"):
        source.fetch(bucket.tmp_path / "w")
    assert present[0].size == 100
    bucket.client.remove_object(bucket.name, "a.csv")
    with pytest.raises(SystemFailure, match="went away"):
        source.fetch(bucket.tmp_path / "w")


@pytest.mark.services
def test_nothing_there(bucket):
    with pytest.raises(ConfigurationError, match="no object matches") as caught:
        bucket.source().identify()
    assert bucket.endpoint in caught.value.where and "source.key" in caught.value.hint
    bucket.put(a=b"1")
    _, state = bucket.load(mode="append")
    bucket.client.remove_object(bucket.name, "a.csv")
    assert bucket.source(state=state, mode="append").identify() == []
    with pytest.raises(SourceRefused, match="any more"):
        bucket.source(state=state).identify()


@pytest.mark.services
def test_limits(bucket):
    bucket.put(a=b"1" * 2000, b=b"2")
    with pytest.raises(SourceRefused, match="SOCLE_S3_SOURCE_MAX_GB"):
        bucket.source(settings={"s3_source_max_gb": 1e-6}).identify()
    with pytest.raises(SourceRefused, match="more than 1 objects"):
        bucket.source(settings={"s3_source_objects": 1}).identify()


@pytest.mark.services
def test_keys_that_are_refused_are_never_said(bucket, monkeypatch):
    bucket.put(a=b"1")
    with pytest.raises(ConfigurationError, match="no bucket"):
        bucket.source(bucket=f"x{uuid.uuid4().hex[:8]}").identify()
    with pytest.raises(ConfigurationError, match="AccessDenied") as caught:
        bucket.source(credentials=None).identify()
    assert "no credentials" in caught.value.where
    access = bucket.source()._client()._provider.retrieve().access_key
    for keys, code in (
        (f"access_key={access}\nsecret_key=faux-secret", "SignatureDoesNotMatch"),
        ("access_key=x\nsecret_key=y", "Invalid"),
    ):
        monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_CLES", keys)
        with pytest.raises(ConfigurationError, match=code) as caught:
            bucket.source().identify()
        assert "faux-secret" not in str(caught.value) and access not in str(caught.value)


@pytest.mark.services
def test_a_public_bucket_needs_no_credentials(bucket):
    bucket.put(a=b"1")
    public = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": ["*"]},
                "Action": ["s3:ListBucket", "s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket.name}", f"arn:aws:s3:::{bucket.name}/*"],
            }
        ],
    }
    bucket.client.set_bucket_policy(bucket.name, json.dumps(public))
    assert bucket.source(credentials=None).fetch(bucket.tmp_path / "w")[0].path.read_bytes() == b"1"


@pytest.mark.services
def test_a_download_that_is_cut_goes_on_where_it_ended(bucket, monkeypatch):
    import urllib3

    data = bytes(range(256)) * 20_000
    bucket.put(a=data)
    real, cuts, lock = urllib3.HTTPResponse.stream, [], threading.Lock()

    def cut(self, *arguments, **more):
        for number, piece in enumerate(real(self, *arguments, **more)):
            yield piece
            with lock:
                if number == 1 and len(cuts) < 2 and len(piece) > 1000:
                    cuts.append(1)
                    raise urllib3.exceptions.ProtocolError("cut")

    monkeypatch.setattr(urllib3.HTTPResponse, "stream", cut)
    [file] = bucket.source().fetch(bucket.tmp_path / "w")
    assert file.path.read_bytes() == data and len(cuts) == 2
