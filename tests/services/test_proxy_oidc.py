"""The login by OpenID Connect, from nginx's side: a small server that answers `auth_request` as oauth2-proxy does (202 with who it is,
401 otherwise), which is a Go program that this machine cannot have; its own configuration is not tried here."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import proxy
from tests.proxy import Proxy

pytestmark = pytest.mark.services

SEEN: list[dict[str, str]] = []


class Behind(BaseHTTPRequestHandler):
    """Prefect's place: says what reaches it."""

    def do_GET(self) -> None:
        SEEN.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, *_: Any) -> None: ...


class Oauth2Proxy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/oauth2/auth":
            known = "__Host-socle=bon" in self.headers.get("cookie", "")
            self.send_response(202 if known else 401)
            if known:
                self.send_header("X-Auth-Request-Email", "élodie@example.gouv.fr".encode().decode("latin-1"))
                self.send_header("X-Auth-Request-User", "sub-123")
                self.send_header("Set-Cookie", "__Host-socle=bon-renouvele; Secure; Path=/")
        else:
            self.send_response(302)
            self.send_header("Location", "https://proconnect.example/authorize" + self.path.partition("?")[2][:0])
            self.send_header("X-Seen", self.path)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy.require_nginx()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Behind, Oauth2Proxy)]
    for server in servers:
        Thread(target=server.serve_forever, daemon=True).start()
    behind, login = (f"127.0.0.1:{server.server_address[1]}" for server in servers)
    folder: Path = tmp_path_factory.mktemp("oidc")
    try:
        with proxy.running(folder, [behind], behind, login=proxy.OIDC, oauth2_proxy=login) as started:
            yield started
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def test_a_page_leads_to_the_login_and_comes_back(door: Proxy) -> None:
    with door.client() as client:
        answer = client.get("/runs?state=failed&tag=essai")
        assert answer.status_code == 302
        assert answer.headers["location"] == "/oauth2/start?rd=%2Fruns%3Fstate%3Dfailed%26tag%3Dessai"
        assert client.get("/oauth2/start?rd=/").headers["location"].startswith("https://proconnect.example/")


@pytest.mark.parametrize("headers", [{}, {"Cookie": "__Host-socle=faux"}, {"Authorization": "Basic YWRtaW46YWRtaW4="}])
def test_a_call_without_the_login_is_401(door: Proxy, headers: dict[str, str]) -> None:
    before = len(SEEN)
    with door.client(headers=headers) as client:
        assert client.post("/api/flows/filter", json={}).status_code == 401
        assert client.get("/docs/").status_code == 302
        assert client.get("/oauth2/auth").status_code == 404, "for nginx alone"
    assert len(SEEN) == before


def test_who_it_is_comes_from_the_login_alone(door: Proxy) -> None:
    forged = {
        "Cookie": "__Host-socle=bon",
        "Authorization": "Basic " + base64.b64encode(b"admin:x").decode(),
        "X-Auth-Request-Email": "admin@example.gouv.fr",
        "Prefect-Automation-Name": base64.b64encode(b"admin").decode(),
    }
    with door.client(headers=forged) as client:
        answer = client.post("/api/flows/filter", json={})
    assert answer.status_code == 200
    assert answer.headers["set-cookie"].startswith("__Host-socle=bon-renouvele"), "a session that was renewed reaches the browser"
    seen = SEEN[-1]
    assert base64.b64decode(seen["prefect-automation-name"]).decode() == "élodie@example.gouv.fr"
    assert "authorization" not in seen and "cookie" not in seen and "x-auth-request-email" not in seen
    assert "admin" not in door.log(about="élodie")


def test_the_door_of_machines_knows_no_cookie(door: Proxy) -> None:
    with door.client(base=door.machines, headers={"Cookie": "__Host-socle=bon"}) as client:
        assert client.get("/api/health").status_code == 401


def test_the_site_for_a_plain_debian_is_complete(tmp_path: Path) -> None:
    """Its own files, with a certificate and passwords that are there."""
    proxy.require_nginx()
    proxy.lay_out(tmp_path, ["127.0.0.1:4200"], "127.0.0.1:4201")
    made = {path.name for path in (tmp_path / "site").glob("*.conf")}
    assert (
        made
        == {path.name for path in (proxy.NGINX / "site-debian").iterdir()}
        == {path.name for path in (proxy.NGINX / "site").glob("*.conf")}
    )
    replaced = {"/etc/ssl/socle/fullchain.pem": "certificate.pem", "/etc/ssl/socle/key.pem": "key.pem", "/etc/nginx/site/": "site/"}
    for path in (proxy.NGINX / "site-debian").iterdir():
        text = path.read_text(encoding="utf-8")
        for old, new in replaced.items():
            text = text.replace(old, f"{tmp_path}/{new}")
        (tmp_path / "site" / path.name).write_text(
            text.replace("/var/log/nginx/", f"{tmp_path}/").replace("/run/", f"{tmp_path}/"), encoding="utf-8"
        )
    command = ["nginx", "-t", "-p", f"{tmp_path}/", "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "test is successful" in done.stderr, done.stderr
    assert "[warn]" not in done.stderr
