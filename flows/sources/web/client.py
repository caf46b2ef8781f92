"""HTTP for sources: one request with its redirects, and patience with servers that fail.

Nothing of the environment counts (no proxy, no .netrc, no cookies): what is allowed is in settings. Each request carries a
deadline for everything that it takes. A credential goes to the origin that it was declared for and nowhere else.
"""

from __future__ import annotations

import base64
import email.utils
import random
import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpcore
import httpx
from pydantic import SecretStr

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.settings import Settings
from flows.sources.credentials import credential, credential_pairs
from flows.sources.web.reach import Allowed, Network, UnknownHost, check_host

REDIRECTS = {301, 302, 303, 307, 308}
AGAIN = {408, 425, 429, 500, 502, 503, 504}  # what a server says that may answer another time
PORTS = {"http": 80, "https": 443}
LONGEST_PAUSE_S = 60.0  # between two tries, where the server does not say how long

T = TypeVar("T")


class Transient(Exception):
    """This try failed; another may not. Never leaves this package."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.why, self.retry_after = why, retry_after
        self.progressed = False
        """The try brought the work forward, so that it does not count as one."""


class Missing(ConfigurationError):
    """The server says that there is nothing at an address, or nothing any more."""


@dataclass(frozen=True)
class Auth:
    """A header with a secret, and the one origin that it is for."""

    header: str
    value: SecretStr = field(repr=False)
    origin: str

    @classmethod
    def of(cls, settings: Settings, project: str, name: str | None, address: str, header: str = "Authorization") -> Auth | None:
        """From credentials by name: a token (`Bearer` is put before one that is a single word), or lines `user=` and `password=`.

        Raises: ConfigurationError
        """
        if name is None:
            return None
        text = credential(settings, project, name).get_secret_value()
        if re.match(r"(?im)^\s*user\s*=", text):
            pair = credential_pairs(settings, project, name, ["user", "password"])
            login = ":".join(pair[key].get_secret_value() for key in ("user", "password"))
            text = "Basic " + base64.b64encode(login.encode()).decode()
        elif header.lower() == "authorization" and " " not in text:
            text = f"Bearer {text}"
        if not re.fullmatch(r"[\x20-\x7e]+", text):
            raise ConfigurationError(
                f"the credentials {name!r} cannot be sent in a header: they hold line ends or characters that are not ASCII",
                hint="one line with a token, or the lines user= and password=",
            )
        parts = urlsplit(address)
        if parts.scheme != "https" and not Allowed(settings.http_allowed).host(parts.hostname or "", parts.port or 80):
            raise ConfigurationError(
                f"the credentials {name!r} would travel in clear", where=shown(address), hint="use an https address in project.yaml"
            )
        return cls(header, SecretStr(text), origin(address))


@dataclass
class Answer:
    """A server's answer to the last of the requests, its body not read yet."""

    status: int
    headers: httpx.Headers
    address: str
    _body: Callable[[], Iterator[bytes]]

    def chunks(self) -> Iterator[bytes]:
        """The body as sent, not decoded. Raises: Transient when it ends before its end."""
        with _transport_errors(self.address):
            yield from self._body()

    @property
    def length(self) -> int | None:
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else None


class Web:
    """A client for one source. Use it as a context manager."""

    def __init__(self, settings: Settings, headers: dict[str, str] | None = None, auths: Iterable[Auth | None] = ()) -> None:
        self.settings = settings
        self.auths = {auth.origin: auth for auth in auths if auth}
        self.allowed = Allowed(settings.http_allowed)
        self.headers = {"User-Agent": f"Socle/{version('socle')}", "Accept": "*/*"} | (headers or {})
        self.direct, self.through = Network(self.allowed), Network(None)
        self._pools: list[Any] = []
        self._checked = dict[tuple[str, int], bool]()

    def __enter__(self) -> Web:
        context = _tls(self.settings.http_ca_file)
        limits: dict[str, Any] = {"ssl_context": context, "max_connections": 4, "keepalive_expiry": 30.0}
        self._pools = [httpcore.ConnectionPool(network_backend=self.direct, **limits)]
        proxy = self.settings.http_proxy.get_secret_value()
        if proxy:
            url = httpx.URL(proxy)
            login = (url.username.encode(), url.password.encode()) if url.userinfo else None
            target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
            self._pools.append(httpcore.HTTPProxy(target, proxy_auth=login, network_backend=self.through, **limits))
        return self

    def __exit__(self, *error: object) -> None:
        for pool in self._pools:
            pool.close()

    def deadline(self) -> float:
        return time.monotonic() + self.settings.http_total_timeout_s

    @contextmanager
    def get(self, address: str, headers: dict[str, str], ends: float) -> Iterator[Answer]:
        """One request, and those that it is redirected to.

        Raises: Transient; ConfigurationError, SourceRefused or SystemFailure for what another try does not change. A 304, 206 or
        416 is an answer where it was asked for.
        """
        for _ in range(self.settings.http_max_redirects + 1):
            with self._request(address, headers, ends) as answer:
                if answer.status not in REDIRECTS or "location" not in answer.headers:
                    self._require_good(answer, headers)
                    yield answer
                    return
                address = self._follow(address, answer.headers["location"])
        raise SourceRefused(
            f"the server redirects more than {self.settings.http_max_redirects} times",
            where=shown(address),
            hint="check the address in a browser; SOCLE_HTTP_MAX_REDIRECTS is the limit",
        )

    def patiently(self, address: str, ends: float, attempt: Callable[[], T]) -> T:
        """Try until it works, with growing pauses, or those that the server asks for.

        Raises: SystemFailure when the tries or the time are over.
        """
        failures = 0
        while True:
            try:
                return attempt()
            except Transient as error:
                failures = 1 if error.progressed else failures + 1
                pause = self._pause(failures, error.retry_after)
                asked_for_more = pause > self.settings.http_retry_after_s
                if failures > self.settings.http_retries or asked_for_more or time.monotonic() + pause >= ends:
                    raise SystemFailure(
                        f"{urlsplit(address).hostname} does not give what it has: {error.why}",
                        where=shown(address),
                        hint=f"it asks to come again in {pause:.0f} s" if asked_for_more else "run again later",
                        french="Le serveur de la source ne répond pas comme il faut en ce moment. Relancez plus tard.",
                    ) from None
            time.sleep(pause)

    def _pause(self, failures: int, asked: float | None) -> float:
        own: float = min(self.settings.http_backoff_s * 2 ** (failures - 1), LONGEST_PAUSE_S) * random.uniform(0.75, 1.25)
        return max(own, asked or 0)

    @contextmanager
    def _request(self, address: str, headers: dict[str, str], ends: float) -> Iterator[Answer]:
        url = httpx.URL(address)
        port = url.port or PORTS[url.scheme]
        pool, network = self._pools[0], self.direct
        if len(self._pools) > 1 and not self._direct(url.host, port):
            pool, network = self._pools[1], self.through
        sent = self.headers | headers
        if auth := self.auths.get(origin(address)):
            sent[auth.header] = auth.value.get_secret_value()
        connect, read = self.settings.http_connect_timeout_s, self.settings.http_read_timeout_s
        network.ends = ends
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        timeouts = {"connect": connect, "read": read, "write": read, "pool": connect}
        stream = pool.stream(
            "GET", target, headers=[(k.encode(), v.encode("latin-1")) for k, v in sent.items()], extensions={"timeout": timeouts}
        )
        with _transport_errors(address):
            response = stream.__enter__()
        try:
            yield Answer(response.status, httpx.Headers(response.headers, encoding="latin-1"), address, response.iter_stream)
        finally:
            stream.__exit__(None, None, None)

    def _direct(self, host: str, port: int) -> bool:
        """Whether it is reached without the proxy: what SOCLE_HTTP_ALLOWED names, by its name or by where that leads."""
        if (host, port) not in self._checked:
            found = check_host(host, port, self.allowed, resolve=False)
            inside = bool(found) and all(self.allowed.address(ip_address(address)) for address in found)
            self._checked[host, port] = inside or self.allowed.host(host, port)
        return self._checked[host, port]

    def _follow(self, address: str, location: str) -> str:
        try:
            target = httpx.URL(address).join(location)
        except (httpx.InvalidURL, ValueError, UnicodeError):
            raise SourceRefused("the server redirects to what is no address", where=shown(address)) from None
        why = None
        if target.scheme not in PORTS or not target.host:
            why = "to something that is not http or https"
        elif target.userinfo:
            why = "to an address with a user or a password in it"
        elif target.scheme == "http" and httpx.URL(address).scheme == "https":
            why = "from https to http, which anybody on the way can change"
        if why:
            raise SourceRefused(f"the server redirects {why}", where=shown(address), hint="look for another address of the file")
        return str(target.copy_with(fragment=None))

    def _require_good(self, answer: Answer, headers: dict[str, str]) -> None:
        status, where = answer.status, shown(answer.address)
        asked = {name.lower() for name in headers}
        if (
            status == 200
            or (status in (206, 416) and "range" in asked)
            or (status == 304 and asked & {"if-none-match", "if-modified-since"})
        ):
            return
        if status in AGAIN:
            raise Transient(f"it answers {status}", retry_after(answer.headers))
        if status in (401, 403, 407):
            raise ConfigurationError(
                f"the server refuses access ({status})",
                where=where,
                hint="check the credentials" if self.auths else "it may want credentials: docs/sources.md, “Credentials”",
                french="Le serveur de la source refuse l'accès : les identifiants manquent, sont faux ou ont expiré.",
            )
        if status in (404, 410):
            raise Missing(
                f"there is nothing at this address ({status})",
                where=where,
                hint="check the address in project.yaml",
                french="La source n'est plus à cette adresse : elle a été déplacée ou retirée.",
            )
        raise SystemFailure(f"the server answers {status}", where=where, hint="try the address with curl")


def origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or PORTS.get(parts.scheme)}"


def shown(address: str) -> str:
    """For messages: without the query, where signatures and keys travel."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?..." if parts.query else "")


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the server asks to wait, which it says in seconds or as a date."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
        return max(0.0, at.timestamp() - time.time()) if at.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None


@cache  # reading all the certificates takes a tenth of a second
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates of the system, those that come with Python's packages, and those of SOCLE_HTTP_CA_FILE."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigurationError(
                f"the certificates cannot be read: {reason}", where=f"{ca_file} (SOCLE_HTTP_CA_FILE)", hint="a PEM file"
            ) from None
    return context


@contextmanager
def _transport_errors(address: str) -> Iterator[None]:
    try:
        yield
    except UnknownHost as error:
        if error.again:
            raise Transient("the resolver of this machine does not answer") from None
        raise
    except httpcore.TimeoutException as error:
        raise Transient(f"no answer in time ({_words(error)})") from None
    except (httpcore.NetworkError, httpcore.RemoteProtocolError, httpcore.ProxyError, ssl.SSLError) as error:
        if distrust := _distrust(error):
            raise SystemFailure(
                f"the server's certificate is not trusted: {distrust.verify_message}",
                where=shown(address),
                hint="if its authority is one of yours, name its certificate in SOCLE_HTTP_CA_FILE",
            ) from None
        raise Transient(_words(error)) from None
    except httpcore.LocalProtocolError:  # what it says may hold the header that is wrong
        raise ConfigurationError(
            "the request cannot be sent: a header is wrong", where=shown(address), hint="check source.headers"
        ) from None


def _distrust(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _words(error: BaseException) -> str:
    """What a library says of a failed connection holds no secret, but can be empty."""
    return str(error).split("\n")[0][:200] or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
