"""A database of an older Prefect, with runs in it, under the server of today; and a server that is not up to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import postgres
from flows.cli.prefect_server import server_environment
from flows.cli.processes import Processes, answers
from flows.settings import Settings
from tests.platform import ask, free_port

pytestmark = pytest.mark.services

START_S, LIMIT_S = 180, 180
OLD = 8  # migrations that are missing


@pytest.fixture
def old(tmp_path: Path) -> Iterator[tuple[Processes, str]]:
    """Processes with a PostgreSQL among them, and the address of a database that lacks the last migrations."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))}
    environment |= {"PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    folder = Path(tempfile.mkdtemp(prefix="socle-test-pg-"))
    children = Processes(tmp_path, environment)
    try:
        url = postgres.start(children, Settings(postgres_folder=folder))
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = url
        for command in (["upgrade", "-y"], ["downgrade", "-y", "-r", f"-{OLD}"]):
            subprocess.run([sys.executable, "-m", "prefect", "server", "database", *command], env=environment, check=True, timeout=LIMIT_S)
        yield children, url
    finally:
        children.stop()
        shutil.rmtree(folder)


def sql(url: str, query: str) -> list[tuple[object, ...]]:
    import asyncio

    import asyncpg

    async def run() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_server_migrates_the_database_that_it_finds(old: tuple[Processes, str]) -> None:
    children, url = old
    before = sql(url, "SELECT version_num FROM alembic_version")
    sql(url, "INSERT INTO flow (name, tags) VALUES ('ingest', '[]')")
    port = free_port()
    extra = server_environment(Settings(), port) | {"PREFECT_API_DATABASE_CONNECTION_URL": url}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    children.start("server", command, extra)
    children.wait_until("server", lambda: answers(f"http://127.0.0.1:{port}/api/health"), START_S)
    assert sql(url, "SELECT version_num FROM alembic_version") != before
    assert [flow["name"] for flow in post(port, "flows/filter")] == ["ingest"]
    assert allowed_origin(port, "https://ailleurs.example") is None
    assert allowed_origin(port, f"http://127.0.0.1:{port}") == f"http://127.0.0.1:{port}"


def post(port: int, path: str) -> list[dict[str, object]]:
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/{path}", b"{}", {"content-type": "application/json"})
    return list(ask(request))


def allowed_origin(port: int, origin: str) -> str | None:
    """Whom the server lets use its API from a page in a browser."""
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/health", headers={"origin": origin})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.headers["access-control-allow-origin"] or "") or None
