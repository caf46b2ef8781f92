"""Small HTTP servers that misbehave: pages in place of answers, and a proxy that loses or cuts what a real server says.

They live in a process of their own: deltalake holds the interpreter's lock during some requests, so that a server in the
same process could never answer them. Nothing heavy is imported here.
"""

from __future__ import annotations

import http.client
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

PAGE = "<html><body>Portail</body></html>"
LOSE, CUT = "pass it on and lose the answer", "cut the answer"


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


@dataclass(frozen=True)
class Remote:
    """One of the servers, as a test sees it."""

    address: str
    commands: Connection

    def fault(self, what: str, method: str, part: str, times: int = 1) -> None:
        """Do `what` to the next requests of this method whose path has this part."""
        self._ask("fault", (what, method, part, times))

    def seen(self) -> list[str]:
        """Requests since the last time this was asked: method and path."""
        return self._ask("seen", ())

    def _ask(self, what: str, arguments: tuple) -> Any:
        self.commands.send((what, self.address, arguments))
        return self.commands.recv()


class Servers:
    """Starts them in the other process."""

    def __init__(self, commands: Connection) -> None:
        self.commands = commands

    def page(self, status: int, text: str = PAGE, kind: str = "text/html") -> Remote:
        """Answers every request with the same page."""
        return self._start({"page": (status, text, kind)})

    def proxy(self, endpoint: str) -> Remote:
        """Stands before a real server."""
        return self._start({"upstream": urlsplit(endpoint).netloc})

    def _start(self, settings: dict[str, Any]) -> Remote:
        self.commands.send(("start", "", settings))
        return Remote(self.commands.recv(), self.commands)


@contextmanager
def run_servers() -> Iterator[Servers]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Servers(ours)
    finally:
        ours.close()  # ends it
        process.join(10)


# -- in the other process


@dataclass
class _State:
    page: tuple[int, str, str] | None = None
    upstream: str = ""
    seen: list[str] = field(default_factory=list)
    faults: list[list] = field(default_factory=list)

    def fault_for(self, method: str, path: str) -> str | None:
        for fault in self.faults:
            what, wanted, part, left = fault
            if left and method == wanted and part in path:
                fault[3] -= 1
                return what
        return None


def _serve(commands: Connection) -> None:
    states: dict[str, _State] = {}
    while True:
        try:
            what, address, arguments = commands.recv()
        except EOFError:
            return
        answer: Any = None
        if what == "start":
            server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
            server.state = state = _State(**arguments)  # type: ignore[attr-defined]
            server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that leave early
            threading.Thread(target=server.serve_forever, daemon=True).start()
            answer = f"http://127.0.0.1:{server.server_port}"
            states[answer] = state
        elif what == "fault":
            states[address].faults.append(list(arguments))
        else:
            answer, states[address].seen = states[address].seen, []
        commands.send(answer)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        state: _State = self.server.state  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state.seen.append(f"{self.command} {self.path}")
        if state.page:
            status, text, kind = state.page
            self._answer(status, [("Content-Type", kind)], text.encode())
        else:
            self._pass_on(state, body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None: ...

    def _pass_on(self, state: _State, body: bytes) -> None:
        fault = state.fault_for(self.command, self.path)
        connection = http.client.HTTPConnection(state.upstream, timeout=60)
        try:
            # The Host that the client signed goes through with the other headers.
            connection.request(self.command, self.path, body or None, dict(self.headers.items()))
            got = connection.getresponse()
            data = got.read()
        finally:
            connection.close()
        headers = [(k, v) for k, v in got.getheaders() if k.lower() not in ("content-length", "transfer-encoding", "connection")]
        length = int(got.headers.get("Content-Length") or 0) if self.command == "HEAD" else len(data)
        if fault == LOSE:
            self._answer(503, [("Content-Type", "application/xml")], b"")
        elif fault == CUT:
            self._answer(got.status, headers, data[: len(data) // 2], length)
            self.close_connection = True
        else:
            self._answer(got.status, headers, data, length)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
