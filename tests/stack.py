"""The processes of docker-compose.yml without containers, with the settings of that file: PostgreSQL, Redis, two API servers,
background services, docs server and worker, behind the nginx of infra/nginx. Only addresses and secrets are this machine's."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows.cli import postgres
from flows.cli.processes import Processes, answers
from flows.settings import Settings
from tests.conftest import REPOSITORY, write_project
from tests.platform import Platform, free_port
from tests.proxy import MACHINES, Proxy, require_nginx
from tests.proxy import running as proxy_running

COMPOSE: dict[str, Any] = YAML(typ="safe").load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
READY_S = 180.0


@dataclass
class Stack:
    platform: Platform
    """To trigger and to wait, past the proxy."""
    proxy: Proxy
    children: Processes
    ports: dict[str, int]

    def kill(self, name: str) -> None:
        self.children.started.pop(name).kill()

    def start_redis(self) -> None:
        self.children.start("redis", redis_command(self.ports["redis"]))


def command(service: str) -> list[str]:
    """Of a service, without the reading of secrets."""
    words = [str(word) for word in COMPOSE["services"][service]["command"]]
    return words[words.index("--") + 1 :] if "--" in words else words


def environment(service: str) -> dict[str, str]:
    """Its variables that are the same everywhere: no address, no path in a container."""
    found = {k: str(v) for k, v in COMPOSE["services"][service]["environment"].items()}
    return {k: v for k, v in found.items() if k.startswith(("PREFECT_", "DO_NOT")) and "${" not in v and not v.startswith("/tmp")}


def redis_command(port: int) -> list[str]:
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]


@contextlib.contextmanager
def running(root: Path) -> Iterator[Stack]:
    require_nginx()
    if not shutil.which("redis-server"):
        reason = "needs Redis: apt-get install redis-server"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    ports = {name: free_port() for name in ("redis", "prefect-1", "prefect-2", "docs")}
    database = Path(tempfile.mkdtemp(prefix="socle-stack-pg-"))
    settings = Settings(root=root, postgres_folder=database)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    children = Processes(root / "logs", clean | {"PATH": path, "SOCLE_ROOT": str(root), "PREFECT_HOME": str(root / "prefect")})
    folder = root / "proxy"
    try:
        redis = f"redis://127.0.0.1:{ports['redis']}/0"
        children.start("redis", redis_command(ports["redis"]))
        server = environment("prefect-1") | {
            "PREFECT_API_DATABASE_CONNECTION_URL": postgres.start(children, settings),
            "PREFECT_REDIS_MESSAGING_URL": redis,
            "PREFECT_SERVER_DOCKET_URL": redis,
        }
        subprocess.run(command("migrate"), env=children.environment | server, check=True, capture_output=True, timeout=READY_S)
        for name in ("prefect-1", "prefect-2"):
            words = [{"0.0.0.0": "127.0.0.1", "4200": str(ports[name])}.get(word, word) for word in command(name)]
            children.start(name, words, server | {"PREFECT_SERVER_UI_STATIC_DIRECTORY": str(root / f"ui-{name}")})
            children.wait_until(name, lambda name=name: answers(f"http://127.0.0.1:{ports[name]}/api/ready"), READY_S)
        children.start("services", command("prefect-services"), server)
        apis = [f"127.0.0.1:{ports[name]}" for name in ("prefect-1", "prefect-2")]
        with proxy_running(folder, apis, f"127.0.0.1:{ports['docs']}") as proxy:
            docs = {"SOCLE_DOCS_PORT": str(ports["docs"]), "SOCLE_DOCS_URL": f"{proxy.people}/docs"}
            children.start("docs", command("docs"), docs)
            machine = _machine(proxy) | docs
            subprocess.run(command("deploy"), env=children.environment | machine, check=True, capture_output=True, timeout=READY_S)
            children.start("worker", ["socle", "worker"], machine)
            children.wait_until("docs", lambda: answers(f"http://127.0.0.1:{ports['docs']}/"), READY_S)
            platform = Platform(root, f"http://{apis[0]}", docs["SOCLE_DOCS_URL"], children.started["worker"])  # type: ignore[arg-type]
            yield Stack(platform, proxy, children, ports)
            children.stop()  # before the proxy that they speak through
    finally:
        children.stop()
        shutil.rmtree(database)


def _machine(proxy: Proxy) -> dict[str, str]:
    """How a worker or `socle deploy` on another machine reaches the API."""
    ((name, password),) = MACHINES.items()
    return {
        "PREFECT_API_URL": f"{proxy.machines}/api",
        "PREFECT_API_AUTH_STRING": f"{name}:{password}",
        "PREFECT_API_SSL_CERT_FILE": str(proxy.certificate),
    }


def created_by(run: dict[str, Any]) -> str | None:
    return (run.get("created_by") or {}).get("display_value")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    write_project(root)
    with running(root) as started:
        yield started
