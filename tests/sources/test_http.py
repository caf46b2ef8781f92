"""Files over HTTP: conditional requests, resumption, checksums, encodings, answers that lie. The server is real."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.lake.local import LocalObjects
from flows.lake.raw import RawStore
from flows.project.web_sources import HttpSource
from flows.sources.http import HttpFiles
from flows.sources.web.download import inflated
from tests.sources.context import context
from tests.sources.server import File, serving
from tests.sources.test_web import FAST, SECRET

DATA = b"".join(b"%d;ligne\r\n" % n for n in range(400_000))  # 5 MB


@pytest.fixture
def site():
    with serving() as opened:
        yield opened


@pytest.fixture
def raw(tmp_path) -> RawStore:
    objects = LocalObjects(tmp_path / "lake")
    objects.ensure()
    return RawStore(objects, "demandes")


@pytest.fixture
def source(site, raw, tmp_path):
    def make(*paths: str, settings: dict | None = None, **declared) -> HttpFiles:
        urls = [site.url + path for path in paths] or [f"{site.url}/a.csv"]
        block = HttpSource(type="http", url=urls if len(urls) > 1 else urls[0], **declared)
        return HttpFiles(block, context(tmp_path, raw, **(FAST | (settings or {}))))

    return make


def load(source: HttpFiles, folder: Path):
    """As a run does: ask, then bring and keep."""
    known = source.identify()
    if known is not None:
        return known, False
    files = source.fetch(folder)
    for file in files:
        assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256 and file.path.stat().st_size == file.size
        source.context.raw.keep(file)
    return files, True


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if ".part" in p.name)


# ---- nothing new ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marks", [{}, {"etag": 'W/"faible"'}, {"etag": None}, {"modified": None}])
def test_a_file_that_did_not_change_is_not_sent_again(site, source, tmp_path, marks):
    site.answers["/a.csv"] = file = File(b"a;b\n1;2\n", **marks)
    [first], new = load(source(), tmp_path / "1")
    assert new and first.path.read_bytes() == file.data and first.source == f"{site.url}/a.csv" and first.name == "a.csv"
    [again], new = load(source(), tmp_path / "2")
    assert not new and (again.sha256, again.name, again.size, again.source) == (first.sha256, first.name, first.size, first.source)
    assert len(site.requests) == 2 and not (tmp_path / "2").exists()
    file.data, file.etag, file.modified = b"a;b\n3;4\n", file.etag and '"v2"', file.modified and file.modified + 60
    [changed], new = load(source(), tmp_path / "3")
    assert new and changed.path.read_bytes() == file.data


def test_a_file_of_which_nothing_tells_is_brought_each_time(site, source, tmp_path):
    site.answers["/a.csv"] = File(b"un", etag=None, modified=None)
    assert [load(source(), tmp_path / str(n))[1] for n in range(2)] == [True, True]


def test_a_time_at_which_the_file_may_have_been_changing_tells_nothing(site, source, tmp_path):
    """Two versions within one second have one Last-Modified: the second would never be seen."""
    site.answers["/a.csv"] = lambda r: r.say(200, b"un", {"Last-Modified": r.date_time_string()})
    assert [load(source(), tmp_path / str(n))[1] for n in range(2)] == [True, True]
    assert "if-modified-since" not in site.requests[-1][1]


@pytest.mark.parametrize("marks", [{"ETag": '"v1"'}, {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}])
def test_a_server_that_names_versions_but_never_compares(site, source, tmp_path, marks):
    site.answers["/a.csv"] = lambda r: r.say(200, b"un", marks)
    load(source(), tmp_path / "1")
    assert not load(source(), tmp_path / "2")[1]
    site.answers["/a.csv"] = lambda r: r.say(200, b"trois", {name: text.replace("v1", "v2") for name, text in marks.items()})
    assert load(source(), tmp_path / "3")[1]


def test_bytes_that_left_the_lake_are_brought_again(site, source, raw, tmp_path):
    site.answers["/a.csv"] = File(b"un")
    [first], _ = load(source(), tmp_path / "1")
    for key in list(raw.objects.list(f"raw/demandes/{first.sha256}")):
        raw.objects.delete(key.key)
    [again], new = load(source(), tmp_path / "2")
    assert new and again.path.read_bytes() == b"un"


def test_bytes_that_were_withdrawn_are_known_and_can_be_brought(site, source, raw, tmp_path):
    """An erasure takes bytes away; what they were stays known, and a load that needs them asks for them again."""
    site.answers["/a.csv"] = File(b"un")
    [first], _ = load(source(), tmp_path / "1")
    raw.withdraw(first, "preuve")
    known = source().identify()
    assert [f.sha256 for f in known] == [first.sha256]
    [again] = source().fetch(tmp_path / "2", known)
    assert again.path.read_bytes() == b"un" and again.sha256 == first.sha256


def test_several_addresses_of_which_one_changed(site, source, raw, tmp_path):
    paths = ["/1.csv", "/2.csv", "/3.csv"]
    site.answers |= {path: File(path.encode(), etag=f'"{path}"') for path in paths}
    first, _ = load(source(*paths), tmp_path / "1")
    assert [f.name for f in first] == ["1.csv", "2.csv", "3.csv"]
    assert not load(source(*paths), tmp_path / "2")[1]
    site.answers["/2.csv"] = File(b"autre", etag='"autre"')
    again, new = load(source(*paths), tmp_path / "3")
    assert new and [f.path.read_bytes() for f in again] == [b"/1.csv", b"autre", b"/3.csv"]
    known = source(*paths).identify()
    assert [f.source for f in source(*paths).fetch(tmp_path / "4", known[1:2])] == [f"{site.url}/2.csv"]


def test_equal_names_stay_apart_and_are_the_same_each_time(site, source, tmp_path):
    paths = ["/2023/export.csv", "/2024/export.csv"]
    site.answers |= {path: File(path.encode()) for path in paths}
    first, _ = load(source(*paths), tmp_path / "1")
    assert first[0].name == "export.csv" and first[1].name.startswith("export-") and first[1].name.endswith(".csv")
    site.answers[paths[0]] = File(b"autre", etag='"2"')
    assert [f.name for f in load(source(*paths), tmp_path / "2")[0]] == [f.name for f in first]


def test_credentials_are_sent_and_never_kept(site, source, raw, tmp_path, monkeypatch):
    site.answers["/a.csv"] = lambda r: r.say(200 if r.headers.get("X-Api-Key") == SECRET else 401, b"un", {"ETag": '"1"'})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(source(credentials="cle", header="X-Api-Key"), tmp_path / "1")
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_CLE", SECRET)
    load(source(credentials="cle", header="X-Api-Key"), tmp_path / "1")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file())
    assert b"sha256" in kept and SECRET.encode() not in kept
    with pytest.raises(ConfigurationError, match="401"):
        source().fetch(tmp_path / "2")


def test_headers_with_accents_or_nonsense(site, source, tmp_path):
    """Servers send UTF-8 or latin-1 in headers, which are ASCII; a version with such a name is sent back as it came."""
    etag, name = '"v\u00e9"', "attachment; filename=d\u00e9p\u00f4t.csv"
    dates = {"Last-Modified": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "Date": "hier"}

    def answer(request) -> None:
        if request.headers.get("If-None-Match") == etag:
            request.say(304)
        else:
            request.say(200, b"un", {"ETag": etag, "Content-Disposition": name} | dates)

    site.answers["/a.csv"] = answer
    [file], _ = load(source(), tmp_path / "1")
    assert file.name == "dépôt.csv"
    assert not load(source(), tmp_path / "2")[1] and len(site.requests) == 2


# ---- resumption ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marks", [{}, {"etag": None}])
def test_a_file_that_is_cut_is_continued(site, source, tmp_path, marks):
    site.answers["/a.csv"] = file = File(DATA, **marks)
    file.cuts = [1_500_000, 1, 2_000_000, 70_000]
    moved = []
    [got] = source().fetch(tmp_path / "1", progress=moved.append)
    assert got.path.read_bytes() == DATA and sum(moved) == len(DATA)
    ranges = [int(headers["range"].removeprefix("bytes=").rstrip("-")) for headers in site.asked("/a.csv")[1:]]
    assert ranges == [1_500_000, 1_500_001, 3_500_001, 3_570_001] and leftovers(tmp_path / "1") == []
    assert all(headers["if-range"] == (file.etag or headers["if-range"]) for headers in site.asked("/a.csv")[1:])


def test_tries_that_bring_much_do_not_count(site, source, tmp_path):
    site.answers["/a.csv"] = file = File(DATA)
    file.cuts = [1_100_000] * 4
    [got] = source(settings={"http_retries": 1}).fetch(tmp_path / "1")
    assert got.path.read_bytes() == DATA


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_is_always_cut_fails_in_the_end(site, source, tmp_path, ranges):
    site.answers["/a.csv"] = file = File(DATA)
    file.cuts, file.ranges = ([3] if ranges else [2_000_000]) * 100, ranges
    with pytest.raises(SystemFailure, match="cut"):
        source().fetch(tmp_path / "1")
    assert len(site.requests) == 3
    assert leftovers(tmp_path / "1"), "what came stays for the next try"


def test_another_try_in_the_same_folder_goes_on_where_the_last_one_ended(site, source, tmp_path):
    site.answers["/a.csv"] = file = File(DATA)
    file.cuts = [2_000_000]
    with pytest.raises(SystemFailure):
        source(settings={"http_retries": 0}).fetch(tmp_path / "1")
    [got] = source().fetch(tmp_path / "1")
    assert got.path.read_bytes() == DATA and site.asked("/a.csv")[1]["range"] == "bytes=2000000-"


def test_a_file_that_changed_meanwhile_is_begun_anew(site, source, tmp_path):
    site.answers["/a.csv"] = file = File(DATA)
    file.cuts = [2_000_000]
    with pytest.raises(SystemFailure):
        source(settings={"http_retries": 0}).fetch(tmp_path / "1")
    file.data, file.etag = b"nouveau", '"v2"'
    [got] = source().fetch(tmp_path / "1")
    assert got.path.read_bytes() == b"nouveau"


def test_a_file_without_a_version_is_begun_anew(site, source, tmp_path):
    site.answers["/a.csv"] = file = File(DATA, etag=None, modified=None)
    file.cuts = [2_000_000]
    assert source().fetch(tmp_path / "1")[0].path.read_bytes() == DATA
    assert all("range" not in headers for headers in site.asked("/a.csv"))


@pytest.mark.parametrize(
    "rest",
    [
        {"Content-Range": "bytes 0-4/5"},
        {"Content-Range": "bytes 3-4/5"},
        {"Content-Range": "lignes 2-4/5"},
        {},
        {"Content-Range": "bytes 2-4/5", "ETag": '"autre"'},
        {"Content-Range": "bytes 2-4/5", "Content-Encoding": "gzip"},
    ],
)
def test_a_rest_that_is_not_the_rest(site, source, tmp_path, rest):
    """The server is asked for bytes from 2 on, and gives others: nothing is put together from both."""

    def answer(request) -> None:
        if "Range" in request.headers:
            request.say(206, b"CDE", rest)
        elif len(site.requests) == 1:
            request.say(200, b"ab", {"ETag": '"v1"'}, length=5)
            request.cut()
        else:
            request.say(200, b"abcde", {"ETag": '"v1"'})

    site.answers["/a.csv"] = answer
    assert source().fetch(tmp_path / "1")[0].path.read_bytes() == b"abcde"


def test_the_right_rest(site, source, tmp_path):
    def answer(request) -> None:
        if "Range" in request.headers:
            request.say(206, b"cde", {"Content-Range": "bytes 2-4/5"})
        else:
            request.say(200, b"ab", {"ETag": '"v1"'}, length=5)
            request.cut()

    site.answers["/a.csv"] = answer
    assert source().fetch(tmp_path / "1")[0].path.read_bytes() == b"abcde"


@pytest.mark.parametrize(("total", "whole"), [("bytes */2", b"ab"), ("bytes */9", b"abcde"), ("", b"abcde")])
def test_no_rest(site, source, tmp_path, total, whole):
    def answer(request) -> None:
        if "Range" in request.headers:
            request.say(416, b"", {"Content-Range": total} if total else {})
        elif len(site.requests) == 1:
            request.wfile.write(b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n')
            request.cut()
        else:
            request.say(200, b"abcde", {"ETag": '"v1"'})

    site.answers["/a.csv"] = answer
    assert source().fetch(tmp_path / "1")[0].path.read_bytes() == whole


# ---- what is announced ---------------------------------------------------------------------------------------------


def test_a_pinned_file_is_asked_for_once(site, source, tmp_path):
    site.answers["/a.csv"] = File(b"un", etag=None, modified=None)
    pin = hashlib.sha256(b"un").hexdigest()
    assert load(source(sha256=pin), tmp_path / "1")[1]
    site.answers.clear()
    assert not load(source(sha256=pin), tmp_path / "2")[1] and len(site.requests) == 1
    other = hashlib.sha256(b"deux").hexdigest()
    assert source(sha256=other).identify() is None, "another pin"


def test_bytes_that_are_not_the_pinned_ones(site, source, raw, tmp_path):
    site.answers["/a.csv"] = File(b"un")
    with pytest.raises(SourceRefused, match="sha256"):
        source(sha256="0" * 64).fetch(tmp_path / "1")
    assert not list((tmp_path / "1").iterdir()) and not list(raw.objects.list("raw/"))


def test_parts_of_two_files_are_found_out_by_a_pin(site, source, tmp_path):
    """A server that keeps its ETag while the file changes."""
    site.answers["/a.csv"] = file = File(b"A" * 3_000_000)
    file.cuts = [1_500_000]
    with pytest.raises(SystemFailure):
        source(settings={"http_retries": 0}).fetch(tmp_path / "1")
    file.data = b"B" * 3_000_000
    [got] = source(sha256=hashlib.sha256(file.data).hexdigest()).fetch(tmp_path / "1")
    assert got.path.read_bytes() == file.data


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large(site, source, tmp_path, announced):
    def stream(request) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(1000):
            request.wfile.write(b"x" * 100_000)

    site.answers["/a.csv"] = File(DATA) if announced else stream
    moved = []
    with pytest.raises(SourceRefused, match=r"larger than 0\.001 GB") as caught:
        source(settings={"http_max_gb": 0.001}).fetch(tmp_path / "1", progress=moved.append)
    assert "SOCLE_HTTP_MAX_GB" in caught.value.hint and sum(moved) <= 2_000_000 and not list((tmp_path / "1").iterdir())
    if announced:
        assert moved == []


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\xef\xbb\xbf\n <html lang='fr'>"])
def test_a_page_in_place_of_the_file(site, source, tmp_path, page):
    site.answers["/a.csv"] = lambda r: r.say(200, page, {"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(SourceRefused, match="web page"):
        source().fetch(tmp_path / "1")
    site.answers["/a.csv"] = lambda r: r.say(200, b"a;b\n", {"Content-Type": "text/html"})
    assert source().fetch(tmp_path / "2")[0].path.read_bytes() == b"a;b\n", "a type that lies does no harm"


def test_an_empty_file_is_a_file(site, source, tmp_path):
    site.answers["/a.csv"] = lambda r: r.say(200)
    assert source().fetch(tmp_path / "1")[0].size == 0


# ---- encodings -----------------------------------------------------------------------------------------------------


def encoded(coding: str, data: bytes) -> bytes:
    return zlib.compress(data) if coding == "deflate" else gzip.compress(data, mtime=0)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP", "identity, gzip"])
def test_raw_bytes_are_what_the_file_is(site, source, tmp_path, coding):
    site.answers["/a.csv"] = File(encoded(coding, DATA), Content_Encoding=coding)
    [got] = source().fetch(tmp_path / "1")
    assert got.path.read_bytes() == DATA and got.name == "a.csv"
    assert site.asked("/a.csv")[0]["accept-encoding"] == "identity"
    assert [p.name for p in (tmp_path / "1").iterdir()] == [got.path.name]


def test_a_file_that_is_cut_and_encoded(site, source, tmp_path):
    site.answers["/a.csv"] = file = File(encoded("gzip", DATA), Content_Encoding="gzip")
    file.cuts = [100_000, 50_000]
    assert source().fetch(tmp_path / "1")[0].path.read_bytes() == DATA


def test_twice(site, source, tmp_path):
    site.answers["/a.csv"] = File(gzip.compress(zlib.compress(DATA)), Content_Encoding="deflate, gzip")
    assert source().fetch(tmp_path / "1")[0].path.read_bytes() == DATA
    assert len(list((tmp_path / "1").iterdir())) == 1


@pytest.mark.parametrize("twice", [False, True])
def test_a_compressed_file_stays_one(site, source, tmp_path, twice):
    """Servers send `x.csv.gz` as the gzip of x.csv; some compress it once more."""
    data = gzip.compress(DATA, mtime=0)
    site.answers["/a.csv.gz"] = File(gzip.compress(data) if twice else data, Content_Encoding="gzip")
    [got] = source("/a.csv.gz").fetch(tmp_path / "1")
    assert got.path.read_bytes() == data and got.name == "a.csv.gz" and len(list((tmp_path / "1").iterdir())) == 1


@pytest.mark.parametrize(
    ("coding", "data"), [("br", b"un"), ("gzip", b"un"), ("gzip", b""), ("gzip", gzip.compress(DATA)[:-9]), ("gzip, br", b"")]
)
def test_encodings_that_are_wrong(site, source, tmp_path, coding, data):
    site.answers["/a.csv"] = File(data, Content_Encoding=coding)
    with pytest.raises(SourceRefused):
        source().fetch(tmp_path / "1")
    assert not list((tmp_path / "1").iterdir())


def test_a_bomb(site, source, tmp_path):
    site.answers["/a.csv"] = File(gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")
    with pytest.raises(SourceRefused, match="larger"):
        source(settings={"http_max_gb": 0.001}).fetch(tmp_path / "1")
    assert not list((tmp_path / "1").iterdir())


@given(st.lists(st.binary(max_size=5000), max_size=4), st.integers(0, 600), st.sampled_from([1, 7, 1 << 20]))
def test_members_and_filling_are_read_to_the_end(parts, zeros, piece):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(piece)

    packed = b"".join(gzip.compress(part) for part in [b"x", *parts]) + b"\0" * zeros
    assert b"".join(inflated(Slow(packed), 31)) == b"x" + b"".join(parts)


# ---- declarations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        {"url": "ftp://example.org/a"},
        {"url": "https://moi:secret@example.org/a"},
        {"url": "https://"},
        {"url": "https://example.org/a b"},
        {"url": "https://example.org:99999/a"},
        {"url": "https://example.org/a#b"},
        {"url": "https://[::1/a"},
        {"url": "https://example.org/\\a"},
        {"url": []},
        {"url": ["https://example.org/a", "https://example.org/a"]},
        {"url": ["https://example.org/a", "https://example.org/b"], "sha256": "0" * 64},
        {"url": "https://example.org/a", "sha256": "xyz"},
        {"url": "https://example.org/a", "headers": {"Authorization": "x"}},
        {"url": "https://example.org/a", "headers": {"X-Api-Key": "x"}},
        {"url": "https://example.org/a", "headers": {"Accept": "a\r\nX: b"}},
        {"url": "https://example.org/a", "headers": {"Range": "bytes=0-"}},
        {"url": "https://example.org/a", "credentials": "../autre"},
    ],
)
def test_declarations_that_are_wrong(block):
    with pytest.raises(ValidationError) as caught:
        HttpSource(type="http", **block)
    assert "secret" not in str([e["msg"] for e in caught.value.errors()]) or "secrets are never" in str(caught.value)


def test_declared_headers_are_sent(site, source, tmp_path):
    site.answers["/a.csv"] = File(b"un")
    source(headers={"Accept": "text/csv"}).fetch(tmp_path / "1")
    assert site.requests[0][1]["accept"] == "text/csv"


def test_a_full_disk_is_a_system_failure(site, source, tmp_path, monkeypatch):
    site.answers["/a.csv"] = File(b"un")

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SystemFailure, match="No space left"):
        source().fetch(tmp_path / "1")


def test_what_is_remembered_is_readable(site, source, raw, tmp_path):
    site.answers["/a.csv"] = File(b"un")
    load(source(), tmp_path / "1")
    [pin] = [o.key for o in raw.objects.list("raw/demandes/pins/")]
    said = json.loads(raw.objects.get(pin))
    assert said["address"] == f"{site.url}/a.csv" and said["marks"]["etag"] == '"v1"'
