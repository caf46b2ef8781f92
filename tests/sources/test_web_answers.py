"""Any bytes at all as the answers of a server: they give a file, or an error that says something; never a crash, a file in another
place, or a wait without end. Good answers are changed at random, the same ones each time."""

from __future__ import annotations

import gzip
import random
import socket
import threading

import pytest

from flows.errors import SocleError
from flows.lake.local import LocalObjects
from flows.lake.raw import RawStore
from flows.project.web_sources import HttpSource, RestSource
from flows.sources.http import HttpFiles
from flows.sources.rest import RestPages
from tests.sources.context import context

HEAD = b"HTTP/1.1 200 OK\r\n"
DATES = b"Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nDate: Wed, 21 Oct 2015 08:28:00 GMT\r\n"
GOOD = [
    HEAD + b'Content-Length: 9\r\nETag: "x"\r\nContent-Disposition: attachment; filename="a.csv"\r\n\r\n[{"a":1}]',
    HEAD + b"Content-Encoding: gzip\r\n" + DATES + b"\r\n" + gzip.compress(b'[{"a":1.5,"next":"x"}]', mtime=0),
    HEAD + b'Transfer-Encoding: chunked\r\nLink: </api?2>; rel=next\r\n\r\n5\r\n[{"a"\r\n4\r\n:1}]\r\n0\r\n\r\n',
    b'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 3-8/9\r\nETag: "x"\r\n\r\n"a":1}]',
    b"HTTP/1.1 302 Found\r\nLocation: /b?c\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
    b"HTTP/1.1 416 No\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
]
PIECES = [b"\r\n", b"\0", b";", b"%", b"..", b"//", b"\xff", b"-1", b"9" * 30, b"'", b'"', b"http://", b"@", b"\xc3\xa9"]
FAST = {"http_allowed": "127.0.0.1", "http_backoff_s": 0.0001, "http_retries": 2, "http_read_timeout_s": 1, "http_total_timeout_s": 3}


def changed(chance: random.Random) -> bytes:
    answer = bytearray(chance.choice(GOOD))
    for _ in range(chance.choice([0, 0, 1, 2, 5])):
        at = chance.randrange(len(answer)) if answer else 0
        match chance.randrange(4):
            case 0:
                answer[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del answer[at : at + chance.randrange(1, 10)]
            case 2:
                answer[at:at] = chance.choice(PIECES)
            case 3:
                del answer[at:]
    return bytes(answer)


@pytest.fixture
def server():
    """Answers whatever `next` gives."""
    listening, chance = socket.create_server(("127.0.0.1", 0)), random.Random(4)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(changed(chance))
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_any_answers_give_a_file_or_an_error(server, tmp_path):
    objects = LocalObjects(tmp_path / "lake")
    objects.ensure()
    raw, came, errors = RawStore(objects, "demandes"), 0, 0
    pages = [None, {"by": "link"}, {"by": "next", "path": "0.next"}]
    for number in range(300):
        opened = context(tmp_path, raw, rest_max_pages=5, **FAST)
        block = RestSource(type="rest", url=server, pages=pages[number % 3])
        source = RestPages(block, opened) if number % 2 else HttpFiles(HttpSource(type="http", url=server), opened)
        try:
            for file in source.fetch(tmp_path / "work") if source.identify() is None else []:
                assert file.path.parent == tmp_path / "work" and file.size == file.path.stat().st_size
                raw.keep(file)
                came += 1
        except SocleError as error:
            assert error.message and error.where
            errors += 1
    assert came > 20 and errors > 20
