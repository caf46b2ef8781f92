"""The nginx of infra/nginx in front of servers of a test: the same files, with a site of its own (ports, certificate, logins)."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

import httpx
import pytest

from tests.conftest import REPOSITORY

NGINX = REPOSITORY / "infra" / "nginx"
MODULE = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
PEOPLE = {"camille.martin@example.gouv.fr": "Mot-de-passe-é1", "dominique@example.gouv.fr": "autre"}
MACHINES = {"worker-essai": "clé-de-machine"}
HTPASSWD, OIDC = "include socle/login-htpasswd.conf;\n", "include socle/login-oidc.conf;\n"
START_S = 20


@dataclass
class Proxy:
    folder: Path
    people_port: int
    machines_port: int
    http_port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def people(self) -> str:
        return f"https://localhost:{self.people_port}"

    @property
    def machines(self) -> str:
        return f"https://localhost:{self.machines_port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def client(self, user: str | None = None, password: str | None = None, base: str | None = None, **more: object) -> httpx.Client:
        """Of a person, or of nobody."""
        auth = (user.encode(), (password or PEOPLE[user]).encode()) if user else None
        context = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(base_url=base or self.people, auth=auth, verify=context, timeout=30, **more)  # type: ignore[arg-type]

    def log(self, about: str = "") -> str:
        """Of requests, once there is a line about this: nginx writes it when the answer has gone."""
        deadline = time.monotonic() + START_S
        while about not in (text := (self.folder / "requests.log").read_text(encoding="utf-8")):
            assert time.monotonic() < deadline, f"no line about {about} in:\n{text}"
            time.sleep(0.1)
        return text


def require_nginx() -> None:
    if shutil.which("nginx") and MODULE.exists() and shutil.which("htpasswd"):
        return
    reason = "needs nginx with njs: apt-get install nginx-light libnginx-mod-http-js apache2-utils"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def lay_out(folder: Path, prefect: list[str], docs: str, *, login: str = HTPASSWD, oauth2_proxy: str = "") -> tuple[int, int, int]:
    """The repository's files, and a site: its ports."""
    from tests.platform import free_port

    shutil.copytree(NGINX / "socle", folder / "socle")
    shutil.copy(NGINX / "nginx.conf", folder)
    site = folder / "site"
    site.mkdir()
    _certificate(folder)
    for name, people in (("people", PEOPLE), ("machines", MACHINES)):
        for user, password in people.items():
            _htpasswd(site / f"{name}.htpasswd", user, password)
    ports = free_port(), free_port(), free_port()
    upstreams = "".join(f"    server {address} max_fails=3 fail_timeout=5s;\n" for address in prefect)
    oidc = f"upstream oauth2_proxy {{\n    server {oauth2_proxy};\n}}\n" if oauth2_proxy else ""
    files = {
        "main.conf": f"pid {folder}/nginx.pid;\nerror_log stderr warn;\ndaemon off;\nuser {_user()};\n",
        "http.conf": f"access_log {folder}/requests.log socle;\n{_temporary(folder)}"
        f"upstream prefect {{\n{upstreams}    keepalive 32;\n    keepalive_timeout 3s;\n}}\n"
        f"upstream docs {{\n    server {docs};\n}}\n{oidc}",
        "listen-people.conf": f"listen 127.0.0.1:{ports[0]} ssl http2;\n",
        "listen-machines.conf": f"listen 127.0.0.1:{ports[1]} ssl http2;\n",
        "listen-http.conf": f"listen 127.0.0.1:{ports[2]};\n",
        "certificate.conf": f"ssl_certificate {folder}/certificate.pem;\nssl_certificate_key {folder}/key.pem;\n",
        "login.conf": login,
        "passwords-people.conf": f"auth_basic_user_file {folder}/site/people.htpasswd;\n",
        "passwords-machines.conf": f"auth_basic_user_file {folder}/site/machines.htpasswd;\n",
    }
    for name, text in files.items():
        (site / name).write_text(text, encoding="utf-8")
    return ports


@contextlib.contextmanager
def running(folder: Path, prefect: list[str], docs: str, *, login: str = HTPASSWD, oauth2_proxy: str = "") -> Iterator[Proxy]:
    require_nginx()
    people, machines, plain = lay_out(folder, prefect, docs, login=login, oauth2_proxy=oauth2_proxy)
    command = ["nginx", "-p", f"{folder}/", "-c", str(folder / "nginx.conf")]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        proxy = Proxy(folder, people, machines, plain, process)
        deadline = time.monotonic() + START_S
        while not _answers(proxy):
            assert process.poll() is None and time.monotonic() < deadline, (folder / "nginx.log").read_text()
            time.sleep(0.1)
        yield proxy
    finally:
        process.terminate()
        process.wait(START_S)


def _answers(proxy: Proxy) -> bool:
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    with (
        contextlib.suppress(URLError, OSError),
        urllib.request.urlopen(f"{proxy.people}/proxy-health", timeout=2, context=context) as answer,
    ):
        return bool(answer.status == 200)
    return False


def _certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _htpasswd(path: Path, user: str, password: str) -> None:
    command = ["htpasswd", "-i", "-B", *([] if path.exists() else ["-c"]), str(path), user]
    subprocess.run(command, check=True, capture_output=True, input=password.encode(), timeout=60)
    path.chmod(0o644)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name  # pytest's folders are closed to www-data


def _temporary(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{kind}_temp_path {folder}/tmp-{kind};\n" for kind in kinds)
