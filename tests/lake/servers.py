"""Small HTTP servers that misbehave: one that answers anything with one page, one that stands before a real S3 server."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Fault = Callable[[str, str], str | None]
"""(method, path with query) -> "lose the answer", "cut the answer" or None."""


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.handle_any()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None: ...

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes, length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def _serving(handler: type[_Quiet]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def page_server(status: int, body: bytes = b"<html><body>Portail</body></html>", kind: str = "text/html") -> Iterator[str]:
    """Answers every request with the same page."""

    class Handler(_Quiet):
        def handle_any(self) -> None:
            self.body()
            self.answer(status, [("Content-Type", kind)], body)

    with _serving(Handler) as address:
        yield address


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


@dataclass
class Proxy:
    """Passes requests on to a real server, notes them, and does to the answers what `fault` says."""

    address: str = ""
    seen: list[str] = field(default_factory=list)
    fault: Fault = lambda method, path: None


@contextmanager
def proxy_before(endpoint: str) -> Iterator[Proxy]:
    proxy, upstream = Proxy(), urlsplit(endpoint).netloc

    class Handler(_Quiet):
        def handle_any(self) -> None:
            body = self.body()
            proxy.seen.append(f"{self.command} {self.path}")
            fault = proxy.fault(self.command, self.path)
            connection = http.client.HTTPConnection(upstream, timeout=60)
            try:
                # The Host that the client signed goes through with the other headers.
                connection.request(self.command, self.path, body or None, dict(self.headers.items()))
                got = connection.getresponse()
                data, length = got.read(), got.headers.get("Content-Length")
            finally:
                connection.close()
            headers = [(k, v) for k, v in got.getheaders() if k.lower() not in ("content-length", "transfer-encoding", "connection")]
            if fault == "lose the answer":
                self.answer(503, [("Content-Type", "application/xml")], b"")
            elif fault == "cut the answer":
                self.answer(got.status, headers, data[: len(data) // 2], len(data))
                self.close_connection = True
            elif self.command == "HEAD":
                self.answer(got.status, headers, b"", int(length or 0))
            else:
                self.answer(got.status, headers, data)

    with _serving(Handler) as proxy.address:
        yield proxy


def once(wanted: Callable[[str, str], bool], what: str) -> Fault:
    """A fault that happens to the first request that is wanted, and then no more."""
    left = [what]

    def fault(method: str, path: str) -> str | None:
        return left.pop() if left and wanted(method, path) else None

    return fault
