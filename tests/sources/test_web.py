"""The HTTP client that sources share, against a real server on loopback: what may be reached, redirects, patience, secrets."""

from __future__ import annotations

import base64
import pickle
import select
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.settings import Settings
from flows.sources.web import Auth, Web, shown
from flows.sources.web.client import retry_after
from flows.sources.web.names import LONGEST, file_name, safe
from flows.sources.web.reach import Allowed, plain, special
from tests.sources.server import File, serving

SECRET = "jeton-s3cr3t"
FAST = {"http_allowed": "127.0.0.1", "http_backoff_s": 0.001, "http_retries": 2, "http_read_timeout_s": 5, "http_total_timeout_s": 20}


@pytest.fixture
def site():
    with serving() as opened:
        yield opened


def client(tmp_path, auth=None, **settings) -> Web:
    return Web(Settings(root=tmp_path, **(FAST | settings)), auths=[auth])


def body(web: Web, address: str, **headers) -> bytes:
    ends = web.deadline()

    def attempt() -> bytes:
        with web.get(address, headers, ends) as answer:
            return b"".join(answer.chunks())

    with web:
        return web.patiently(address, ends, attempt)


# ---- what may be reached -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "168.63.129.16",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:53aa:64c::1",
        "::127.0.0.1",
        "fe80::1%1",
        "::ffff:169.254.169.254",
    ],
)
def test_addresses_that_are_not_public(address):
    assert special(plain(ip_address(address)))


@pytest.mark.parametrize("address", ["8.8.8.8", "193.252.1.1", "2a01:e0a::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_are_public(address):
    assert special(plain(ip_address(address))) is None


@given(st.ip_addresses())
def test_what_python_does_not_call_global_is_never_public(address):
    if not plain(address).is_global:
        assert special(plain(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]"])
def test_loopback_is_refused_however_it_is_written(site, tmp_path, host):
    with pytest.raises(ConfigurationError) as caught:
        body(client(tmp_path, http_allowed=""), f"http://{host}:{site.server.server_port}/a")
    assert "SOCLE_HTTP_ALLOWED" in caught.value.hint and "interne" in caught.value.french
    assert site.requests == []


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "10.0.0.0/8, localhost", "LOCALHOST", "localhost:{port}", ".localhost"])
def test_what_the_settings_allow(site, tmp_path, allowed):
    site.answers["/a"] = File(b"un")
    port = site.server.server_port
    host = "x.localhost" if allowed.startswith(".") else "localhost"
    found = Allowed(allowed.format(port=port))
    assert found.host(host, port) or found.address(ip_address("127.0.0.1"))
    if host == "localhost":
        assert body(client(tmp_path, http_allowed=allowed.format(port=port)), f"http://{host}:{port}/a") == b"un"


@pytest.mark.parametrize("allowed", ["localhost:1", "autre", ".localhost", "10.0.0.0/8", "::1"])
def test_what_they_do_not_allow(site, tmp_path, allowed):
    with pytest.raises(ConfigurationError, match="loopback"):
        body(client(tmp_path, http_allowed=allowed), f"http://localhost:{site.server.server_port}/a")


@pytest.mark.parametrize("allowed", ["10.0.0.0/99", "deux mots", "http://hote", "hôte/8"])
def test_settings_that_allow_nothing_that_is(allowed):
    with pytest.raises(ValidationError):
        Settings(http_allowed=allowed)


def names(monkeypatch, *answers: list[str]) -> list[str]:
    """Every name resolves to these addresses, one list a call (the last again and again). The names that were asked for."""
    asked, left, real = [], list(answers), socket.getaddrinfo

    def resolve(host, port, *arguments, **named):
        if ip := (host if host.replace(".", "").isdigit() or ":" in host else None):
            return real(ip, port, *arguments, **named)
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_a_name_that_leads_inside_is_refused(site, tmp_path, monkeypatch):
    names(monkeypatch, ["127.0.0.1"])
    with pytest.raises(ConfigurationError, match="loopback"):
        body(client(tmp_path, http_allowed=""), f"http://example.org:{site.server.server_port}/a")


def test_one_address_of_several_that_leads_inside_is_enough(tmp_path, monkeypatch):
    names(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(ConfigurationError, match="private"):
        body(client(tmp_path, http_allowed=""), "http://example.org/a")


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(site, tmp_path, monkeypatch):
    """DNS rebinding: the second answer leads elsewhere. There is no second question."""
    site.answers["/a"] = File(b"un")
    asked = names(monkeypatch, ["127.0.0.1"], ["10.255.255.1"])
    assert body(client(tmp_path, http_allowed="127.0.0.1"), f"http://example.org:{site.server.server_port}/a") == b"un"
    assert asked == ["example.org"]
    assert site.asked("/a")[0]["host"] == f"example.org:{site.server.server_port}"


def test_a_redirect_inside_is_refused(site, tmp_path, monkeypatch):
    site.answers["/a"] = lambda r: r.say(302, headers={"Location": f"http://inside.example:{site.server.server_port}/b"})
    site.answers["/b"] = File(b"secret")
    names(monkeypatch, ["127.0.0.1"])
    with pytest.raises(ConfigurationError, match="inside"):
        body(
            client(tmp_path, http_allowed=site.netloc.replace("127.0.0.1", "public.example")),
            f"http://public.example:{site.server.server_port}/a",
        )
    assert not site.asked("/b")


def test_a_name_that_is_not_known(tmp_path, monkeypatch):
    def resolve(*arguments, **named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(SystemFailure, match=r"absent\.example"):
        body(client(tmp_path), "http://absent.example/a")


def test_the_environment_says_nothing(site, tmp_path, monkeypatch):
    site.answers["/a"] = File(b"un")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert body(client(tmp_path), f"{site.url}/a") == b"un"


def test_a_proxy_of_the_settings_is_used_for_what_is_not_allowed_by_name(site, tmp_path, monkeypatch):
    """The proxy resolves names: those that are known here are checked all the same."""
    site.answers["http://example.org/a"] = lambda r: r.say(200, "par le mandataire")
    names(monkeypatch, ["93.184.216.34"])
    proxy = f"http://moi:{SECRET}@{site.netloc}"
    web = client(tmp_path, http_allowed="", http_proxy=proxy)
    assert body(web, "http://example.org/a") == b"par le mandataire"
    [(_, headers)] = site.requests
    assert headers["proxy-authorization"].startswith("Basic ") and SECRET not in f"{web.settings}{vars(web)}"
    names(monkeypatch, ["10.0.0.1"])
    for host in ("example.org", "192.168.0.1"):
        with pytest.raises(ConfigurationError, match="private"):
            body(client(tmp_path, http_allowed="", http_proxy=proxy), f"http://{host}/b")
    assert len(site.requests) == 1


# ---- redirects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(site, tmp_path, status):
    site.answers |= {"/a": lambda r: r.say(status, headers={"Location": "/sous/b#rien"}), "/sous/b": File(b"un")}
    assert body(client(tmp_path), f"{site.url}/a") == b"un"


def test_redirects_end(site, tmp_path):
    site.answers["/a"] = lambda r: r.say(302, headers={"Location": "/a?encore"})
    with pytest.raises(SourceRefused, match="more than 3 times"):
        body(client(tmp_path, http_max_redirects=3), f"{site.url}/a")
    assert len(site.requests) == 4


@pytest.mark.parametrize("location", ["ftp://example.org/a", "file:///etc/passwd", "gopher://x/", "http://u:p@{host}/b", "//u@{host}/b"])
def test_where_redirects_may_not_lead(site, tmp_path, location):
    site.answers |= {"/a": lambda r: r.say(302, headers={"Location": location.format(host=site.netloc)}), "/b": File(b"un")}
    with pytest.raises(SourceRefused, match="redirects"):
        body(client(tmp_path), f"{site.url}/a")
    assert len(site.requests) == 1


def secret_for(tmp_path, address: str, header="Authorization", text=SECRET, **settings) -> Auth:
    (tmp_path / "essai").mkdir(exist_ok=True)
    (tmp_path / "essai" / "api").write_text(text)
    return Auth.of(Settings(root=tmp_path, credentials_folder=tmp_path, **(FAST | settings)), "essai", "api", address, header)


def test_credentials_go_to_no_other_host(site, tmp_path):
    with serving() as other:
        site.answers |= {"/a": lambda r: r.say(302, headers={"Location": f"{other.url}/b"}), "/c": File(b"un")}
        other.answers["/b"] = lambda r: r.say(307, headers={"Location": f"{site.url}/c"})
        web = client(tmp_path, secret_for(tmp_path, site.url))
        assert body(web, f"{site.url}/a") == b"un"
        assert site.asked("/a")[0]["authorization"] == f"Bearer {SECRET}"
        assert all("authorization" not in headers for _, headers in other.requests)
    assert SECRET not in f"{web.auths}{web!r}"


def test_cookies_are_not_kept(site, tmp_path):
    site.answers |= {"/a": lambda r: r.say(302, headers={"Location": "/b", "Set-Cookie": "a=1"}), "/b": File(b"un")}
    body(client(tmp_path), f"{site.url}/a")
    assert "cookie" not in site.asked("/b")[0]


@pytest.mark.parametrize(
    ("text", "header", "sent"),
    [
        (SECRET, "Authorization", f"Bearer {SECRET}"),
        (f"Token {SECRET}", "authorization", f"Token {SECRET}"),
        (SECRET, "X-Api-Key", SECRET),
        ("user=moi\npassword=é:x", "Authorization", "Basic bW9pOsOpOng="),
    ],
)
def test_forms_of_credentials(site, tmp_path, text, header, sent):
    site.answers["/a"] = File(b"un")
    body(client(tmp_path, secret_for(tmp_path, site.url, header, text)), f"{site.url}/a")
    assert site.asked("/a")[0][header.lower()] == sent


@pytest.mark.parametrize("text", [f"{SECRET}\nX-Autre: 1", f"{SECRET}é", f"user={SECRET}"])
def test_credentials_that_cannot_be_sent(tmp_path, text):
    with pytest.raises(ConfigurationError) as caught:
        secret_for(tmp_path, "https://example.org/a", text=text)
    assert SECRET not in f"{caught.value}{caught.value!r}"


def test_credentials_do_not_travel_in_clear(tmp_path):
    with pytest.raises(ConfigurationError, match="in clear"):
        secret_for(tmp_path, "http://example.org/a")
    assert secret_for(tmp_path, "https://example.org/a").origin == "https://example.org:443"


# ---- patience ------------------------------------------------------------------------------------------------------


def failing(times: int, status: int = 503, **headers: str):
    left = [times]

    def answer(request) -> None:
        left[0] -= 1
        request.say(status if left[0] >= 0 else 200, "x", headers if left[0] >= 0 else {})

    return answer


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_fails_twice(site, tmp_path, status):
    site.answers["/a"] = failing(2, status)
    assert body(client(tmp_path), f"{site.url}/a") == b"x"
    site.answers["/a"] = failing(3, status)
    with pytest.raises(SystemFailure, match=str(status)):
        body(client(tmp_path), f"{site.url}/a")


def test_the_pause_that_a_server_asks_for(site, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr("flows.sources.web.client.time.sleep", pauses.append)
    site.answers["/a"] = failing(1, 429, **{"Retry-After": "7"})
    assert body(client(tmp_path, http_total_timeout_s=60), f"{site.url}/a") == b"x"
    assert pauses == [7.0]
    site.answers["/a"] = failing(1, 429, **{"Retry-After": "3600"})
    with pytest.raises(SystemFailure, match="429") as caught:
        body(client(tmp_path), f"{site.url}/a")
    assert "3600 s" in caught.value.hint and pauses == [7.0]


def test_pauses_grow(tmp_path):
    web = client(tmp_path, http_backoff_s=1)
    pauses = [web._pause(n, None) for n in range(1, 9)]
    assert all(0.75 * 2**n <= pause <= 1.25 * 2**n for n, pause in enumerate(pauses[:6])) and max(pauses) <= 75


@pytest.mark.parametrize(
    "text", ["7", "Wed, 21 Oct 2015 07:28:00 GMT", "demain", "", "-3", "1.5", "9" * 40, "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"]
)
def test_forms_of_retry_after(text):
    expected = {"7": 7.0, "Wed, 21 Oct 2015 07:28:00 GMT": 0.0}
    assert retry_after(httpx.Headers({"retry-after": text})) == expected.get(text)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, SystemFailure), (401, ConfigurationError), (403, ConfigurationError), (404, ConfigurationError), (410, ConfigurationError)]
    + [(status, SystemFailure) for status in (204, 206, 300, 304, 416, 418, 501)],
)
def test_answers_that_no_other_try_changes(site, tmp_path, status, kind):
    site.answers["/a"] = lambda r: r.say(status)
    with pytest.raises(kind, match=str(status)):
        body(client(tmp_path), f"{site.url}/a?cle={SECRET}")
    assert len(site.requests) == 1


def test_a_server_that_is_not_there(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SystemFailure) as caught:
        body(client(tmp_path), f"http://127.0.0.1:{port}/a?cle={SECRET}")
    assert SECRET not in str(caught.value) and f"127.0.0.1:{port}/a?..." in caught.value.where


def raw_server(*pieces: bytes, pause: float = 0.0):
    """Sends these bytes to whoever connects, and closes. Returns its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(pause)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}/a"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x16\x03\x01",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nun",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nun",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"\x00" * 200000,
    ],
    ids=range(8),
)
def test_answers_that_are_no_http(tmp_path, sent):
    listening, address = raw_server(sent)
    with listening, pytest.raises(SystemFailure):
        body(client(tmp_path), address)


def test_a_header_that_never_ends_ends(tmp_path):
    """Each byte comes in time; all of them would take for ever."""
    listening, address = raw_server(b"HTTP/1.1 200 OK\r\n", *[b"A"] * 1000, pause=0.05)
    with listening, pytest.raises(SystemFailure, match="time"):
        body(client(tmp_path, http_total_timeout_s=0.5), address)


def test_a_body_that_never_ends_ends(site, tmp_path):
    def slow(request) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(1000):
            request.wfile.write(b"x")
            time.sleep(0.02)

    site.answers["/a"] = slow
    with pytest.raises(SystemFailure, match="time"):
        body(client(tmp_path, http_total_timeout_s=0.4), f"{site.url}/a")


def test_silence(site, tmp_path):
    site.answers["/a"] = lambda r: time.sleep(3)
    with pytest.raises(SystemFailure, match="no answer in time"):
        body(client(tmp_path, http_read_timeout_s=0.1, http_retries=1), f"{site.url}/a")
    assert len(site.requests) == 2


# ---- TLS -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            folder / "key",
            "-out",
            folder / "cert",
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def secure(certificate):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/http":
                self.send_response(302)
                self.send_header("Location", "http://localhost/")
            else:
                self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"un")

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_certificates_are_verified(secure, certificate, tmp_path):
    with pytest.raises(SystemFailure, match="not trusted") as caught:
        body(client(tmp_path), f"https://localhost:{secure}/")
    assert "SOCLE_HTTP_CA_FILE" in caught.value.hint
    ca = {"http_ca_file": certificate / "cert"}
    assert body(client(tmp_path, **ca), f"https://localhost:{secure}/") == b"un"
    with pytest.raises(SystemFailure, match="not trusted"):
        body(client(tmp_path, **ca), f"https://127.0.0.1:{secure}/")
    with pytest.raises(SourceRefused, match="https to http"):
        body(client(tmp_path, **ca), f"https://localhost:{secure}/http")


def test_https_through_a_proxy(secure, certificate, tmp_path, monkeypatch):
    """It is asked for a tunnel; what goes through it is between the client and the server that its certificate names."""
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            asked.append((self.path, self.headers.get("Proxy-Authorization")))
            self.send_response(200)
            self.end_headers()
            with socket.create_connection(("127.0.0.1", secure)) as server:
                ends = [self.connection, server]
                while ends:
                    for end in select.select(ends, [], [], 5)[0] or ends[:]:
                        data = end.recv(65536)
                        if not data:
                            return
                        (server if end is self.connection else self.connection).sendall(data)

        def log_message(self, *arguments):
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    names(monkeypatch, ["93.184.216.34"])
    more = {"http_ca_file": certificate / "cert", "http_allowed": "", "http_proxy": f"http://moi:{SECRET}@127.0.0.1:{proxy.server_port}"}
    assert body(client(tmp_path, **more), "https://localhost/") == b"un"
    assert asked == [("localhost:443", f"Basic {base64.b64encode(f'moi:{SECRET}'.encode()).decode()}")]
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("allowed", ["127.0.0.0/8", "interne.example", ".example"])
def test_what_is_allowed_does_not_go_through_the_proxy(site, tmp_path, monkeypatch, allowed):
    site.answers["/a"] = File(b"un")
    names(monkeypatch, ["127.0.0.1"])
    web = client(tmp_path, http_allowed=allowed, http_proxy="http://127.0.0.1:9")
    assert body(web, f"http://interne.example:{site.server.server_port}/a") == b"un"


def test_a_file_of_authorities_that_is_none(tmp_path):
    for name, text in (("absent", None), ("texte", "rien")):
        if text:
            (tmp_path / name).write_text(text)
        with pytest.raises(ConfigurationError, match="certificates") as caught:
            body(client(tmp_path, http_ca_file=tmp_path / name), "https://localhost/")
        assert name in caught.value.where


# ---- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "address", "kind", "name"),
    [
        ('attachment; filename="demandes.csv"', "http://h/a", "", "demandes.csv"),
        ("attachment; filename*=UTF-8''d%C3%A9partements%202024.csv", "http://h/a", "", "départements 2024.csv"),
        ("attachment; filename=x.csv; filename*=UTF-8''%C3%A9.csv", "http://h/a", "", "é.csv"),
        ('attachment; filename="d\u00c3\u00a9partements.csv"', "http://h/a", "", "départements.csv"),
        ('attachment; filename="../../etc/passwd"', "http://h/a", "", "passwd"),
        ('attachment; filename="..\\\\..\\\\x.csv"', "http://h/a", "", "x.csv"),
        ('attachment; filename="/"', "http://h/a.csv", "", "a.csv"),
        ("attachment", "http://h/dossier/a.csv?b=c.json", "", "a.csv"),
        ("attachment; filename*=utf-99''%zz", "http://h/a.csv", "", "a.csv"),
        ("", "http://h/d%C3%A9p%2Fa.csv", "", "a.csv"),
        ("", "http://h/export", "text/csv; charset=utf-8", "export.csv"),
        ("", "http://h/", "application/json", "file.json"),
        ("", "http://h", "", "file"),
        ("", "http://h/..", "", "file"),
        ("inline; filename=export", "http://h/a", "application/zip", "export.zip"),
    ],
)
def test_names(disposition, address, kind, name):
    headers = httpx.Headers([(b"content-disposition", disposition.encode("latin-1")), (b"content-type", kind.encode())])
    assert file_name(headers, address, address) == name


def test_the_name_of_an_address_that_is_redirected():
    declared, final = "http://h/datasets/r/0b5f6b3a", "http://static.h/resources/demandes-20240102.csv?X-Signature=abc"
    assert file_name(httpx.Headers(), declared, final) == "demandes-20240102.csv"
    assert file_name(httpx.Headers(), "http://h/demandes.csv", "http://stockage.h/a81f") == "demandes.csv"


@given(st.text())
def test_no_name_is_a_path(text):
    name = safe(text)
    assert "/" not in name and "\\" not in name and "\0" not in name and not name.startswith(".") and name.isprintable()
    assert len(name.encode()) <= LONGEST and safe(name) == name


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_headers_give_a_name(disposition, kind):
    headers = httpx.Headers([(b"content-disposition", disposition), (b"content-type", kind)])
    assert file_name(headers, "http://h/a", "http://h/b")


def test_what_is_shown_of_an_address():
    assert shown("https://u:p@h:1/a?cle=x#y") == "https://h:1/a?..."
    error = SystemFailure("x", where=shown(f"https://h/a?cle={SECRET}"))
    assert SECRET.encode() not in pickle.dumps(error)
