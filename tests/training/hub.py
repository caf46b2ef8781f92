"""A hub of Hugging Face on loopback: the endpoints that huggingface_hub downloads a model with, over real HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """Models by name (`org/nom`), each a folder, all at COMMIT, which is also their branch main."""

    models: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    published: dict[str, str] = field(default_factory=dict)
    """File -> the sha256 that the hub claims, where it is not the one of the bytes that it sends."""
    cut: set[str] = field(default_factory=set)
    """Files whose first answer breaks off in the middle."""
    seen: list[str] = field(default_factory=list)
    """Method and path of each request."""
    address: str = ""

    @property
    def sent(self) -> set[str]:
        """Files of which bytes were sent."""
        return {line.rpartition(f"/resolve/{COMMIT}/")[2] for line in self.seen if line.startswith("GET ") and "/resolve/" in line}


@contextmanager
def run_hub() -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = hub = Hub(address=f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        hub.seen.append(f"{self.command} {path}")
        if path.startswith("/api/models/"):
            self._api(hub, path.removeprefix("/api/models/"), body)
        else:
            self._file(hub, path.strip("/"))

    do_HEAD = do_POST = do_GET

    def _api(self, hub: Hub, path: str, body: bytes) -> None:
        name = "/".join(path.split("/")[:2])
        what, _, revision = path.removeprefix(f"{name}/").partition("/")
        folder = hub.models.get(name)
        if folder is None:
            return self._error(404, "RepoNotFound")
        if revision not in (COMMIT, "main"):
            return self._error(404, "RevisionNotFound")
        files = [_facts(hub, folder, file) for file in sorted(folder.rglob("*")) if file.is_file()]
        if what == "revision":
            self._json(
                {"id": name, "modelId": name, "sha": COMMIT, "private": False, "siblings": [{"rfilename": f["path"]} for f in files]}
            )
        elif what == "tree":
            self._json(files)
        elif what == "paths-info":
            asked = parse_qs(body.decode()).get("paths", [])
            self._json([f for f in files if f["path"] in asked])
        else:
            self._error(404, "EntryNotFound")

    def _file(self, hub: Hub, path: str) -> None:
        name, _, file = path.partition(f"/resolve/{COMMIT}/")
        folder = hub.models.get(name)
        if folder is None or not (folder / file).is_file():
            return self._error(404, "RepoNotFound" if folder is None else "EntryNotFound")
        if name in hub.gated:
            return self._error(403, "GatedRepo")
        data = (folder / file).read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if self.command == "GET" and file in hub.cut:
            hub.cut.remove(file)
            self._answer(200, data, headers, sent=len(data) // 2)
            self.close_connection = True
        else:
            self._answer(206 if start else 200, data[start:], headers)

    def _json(self, value: Any) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str) -> None:
        self._answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code})

    def _answer(self, status: int, data: bytes, headers: dict[str, str], sent: int | None = None) -> None:
        self.send_response_only(status)
        for key, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:sent])

    def log_message(self, *_: object) -> None: ...


def _facts(hub: Hub, folder: Path, file: Path) -> dict[str, Any]:
    """Weights are large files, as on the real hub; the others have a hash of git."""
    data, path = file.read_bytes(), file.relative_to(folder).as_posix()
    facts: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
    if file.suffix in (".safetensors", ".bin"):
        facts["lfs"] = {"oid": hub.published.get(path) or hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return facts
