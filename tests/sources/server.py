"""A real HTTP server on loopback, whose every answer a test decides: files with ETags and ranges, and answers that lie."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request. `server.site` says what to answer."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.site.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.query = query
        self.site.answers.get(path, lambda request: request.say(404))(self)

    def say(self, status: int, body: bytes | str = b"", headers: dict[str, str] | None = None, length: int | None = None) -> None:
        """`length`: what Content-Length says, if not the truth."""
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status not in (304, 204):
            self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if status not in (304, 204):
            self.wfile.write(data)

    def cut(self) -> None:
        """Close the connection in the middle of what was announced."""
        self.close_connection = True
        self.wfile.flush()

    def log_message(self, *arguments: Any) -> None:
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: Any) -> None:
        """A client that goes away is what many tests are about."""


class Site:
    """The server: `answers` by path, `requests` as (path with query, headers) in their order."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        handler = type("Handler", (Request,), {"site": self})
        self.server = _Quiet(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def netloc(self) -> str:
        return self.url.removeprefix("http://")

    def asked(self, path: str) -> list[dict[str, str]]:
        """Headers of the requests for a path."""
        return [headers for asked, headers in self.requests if asked.partition("?")[0] == path]


class File:
    """A file as good servers give it: ETag, Last-Modified, conditional requests, ranges with If-Range."""

    def __init__(self, data: bytes, etag: str | None = '"v1"', modified: float | None = 1_700_000_000.0, **headers: str) -> None:
        self.data, self.etag, self.modified = data, etag, modified
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.cuts: list[int] = []
        """Each request takes one away: how many bytes are sent before the connection is closed."""
        self.ranges = True

    def __call__(self, request: Request) -> None:
        marks = self.headers | ({"ETag": self.etag} if self.etag else {})
        if self.modified is not None:
            marks["Last-Modified"] = formatdate(self.modified, usegmt=True)
        asked = request.headers
        if "If-None-Match" in asked:
            same = self.etag is not None and asked["If-None-Match"].removeprefix("W/") == self.etag.removeprefix("W/")
        else:
            same = "Last-Modified" in marks and asked.get("If-Modified-Since") == marks["Last-Modified"]
        if same:
            return request.say(304, headers=marks)
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.get("Range", ""))
        if wanted and self.ranges and asked.get("If-Range") in (marks.get("ETag"), marks.get("Last-Modified")):
            start, status = int(wanted[1]), 206
            if start >= len(self.data):
                return request.say(416, headers=marks | {"Content-Range": f"bytes */{len(self.data)}"})
            marks["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        rest = self.data[start:]
        sent = self.cuts.pop(0) if self.cuts else len(rest)
        request.say(status, rest[:sent], marks, length=len(rest))
        if sent < len(rest):
            request.cut()
        return None


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
