"""What messages are sent to in tests, on loopback: a Mattermost webhook, a Matrix home server (Tchap), a mail server."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from aiosmtpd.controller import Controller

from tests.platform import free_port

KEY, TOKEN, PASSWORD = "cle-de-mattermost-7f3a", "jeton-de-matrix-91bd", "mot-de-passe-de-courriel-5c0e"
SECRETS = (KEY, TOKEN, PASSWORD)
WAIT_S = 60


@dataclass
class Inbox:
    """Messages as they arrived; `down`: how often an HTTP request is answered with an error first."""

    port: int = 0
    got: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    down: int = 0

    def wait_for(self, pattern: str, limit_s: float = WAIT_S) -> str:
        deadline = time.monotonic() + limit_s
        while True:
            for text in list(self.got):
                if re.search(pattern, text, re.DOTALL):
                    return text
            assert time.monotonic() < deadline, f"no message matched {pattern!r}: {self.got}"
            time.sleep(0.1)


@contextlib.contextmanager
def http(kind: str) -> Iterator[Inbox]:
    inbox = Inbox()
    answer, read = {
        "mattermost": (_mattermost, _text_of),
        "matrix": (_matrix, _body_of),
    }[kind]

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            inbox.requests.append((self.command, unquote(self.path), {k.lower(): v for k, v in self.headers.items()}))
            status, said = (500, {}) if inbox.down > 0 else answer(self.command, self.path)
            inbox.down -= status == 500
            if status == 200 and (text := read(self.path, body)):
                inbox.got.append(text)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _any

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()


def _mattermost(method: str, path: str) -> tuple[int, dict[str, Any]]:
    return 200, {}


def _text_of(path: str, body: dict[str, Any]) -> str:
    return str(body.get("text", ""))


def _matrix(method: str, path: str) -> tuple[int, dict[str, Any]]:
    """As the client-server API of Matrix answers what is needed to speak in a room."""
    if "/whoami" in path:
        return 200, {"user_id": "@socle:tchap.example"}
    if "/joined_rooms" in path:
        return 200, {"joined_rooms": ["!salon:tchap.example"]}
    if "/join" in path:
        return 200, {"room_id": "!salon:tchap.example"}
    if "/state/m.room.encryption" in path:
        return 404, {"errcode": "M_NOT_FOUND", "error": "not encrypted"}
    return 200, {"event_id": "$1"}


def _body_of(path: str, body: dict[str, Any]) -> str:
    return str(body.get("body", "")) if "/send/m.room.message" in path else ""


@contextlib.contextmanager
def mail() -> Iterator[Inbox]:
    inbox = Inbox(port=free_port())

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            body = message.get_body(("plain",))
            assert body is not None
            inbox.got.append(f"{message['subject']}\n{body.get_content()}".replace("\r\n", "\n"))
            return "250 OK"

    server = Controller(Handler(), hostname="127.0.0.1", port=inbox.port)
    server.start()
    try:
        yield inbox
    finally:
        server.stop()


@dataclass
class Receivers:
    mattermost: Inbox
    matrix: Inbox
    mail: Inbox

    def lines(self, project: str) -> str:
        """The file of addresses: Mattermost and mail for all, Tchap for one project."""
        return (
            f"# {project} has a room of its own\n"
            f"* = mmost://127.0.0.1:{self.mattermost.port}/{KEY}\n"
            f"* = mailto://127.0.0.1:{self.mail.port}?from=socle@example.gouv.fr&to=exploitation@example.gouv.fr\n"
            f"{project} = matrix://{TOKEN}@127.0.0.1:{self.matrix.port}/!salon:tchap.example\n"
        )


@contextlib.contextmanager
def all_of_them() -> Iterator[Receivers]:
    with http("mattermost") as mattermost, http("matrix") as matrix, mail() as post:
        yield Receivers(mattermost, matrix, post)
