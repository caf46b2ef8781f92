"""The servers and workers that measurements talk to: each a process of its own, ended afterwards."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.projects import REPOSITORY, environment, free_port

BIN = Path(sys.executable).parent
PLAIN, OURS = "prefect worker start", "socle worker"
LIMIT_S = 180


class Api:
    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, path: str, body: Any = None) -> Any:
        """The JSON answer; asked again while SQLite is busy, as every client of Prefect does."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"content-type": "application/json"})
        for _ in range(100):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(0.1)
        raise TimeoutError(path)


@contextlib.contextmanager
def server(root: Path, database: str = "") -> Iterator[Api]:
    """A Prefect server of its own, on SQLite unless `database` is given."""
    port = free_port()
    env = environment(root) | {"PREFECT_HOME": str(root / "server"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    env |= {"PREFECT_API_DATABASE_CONNECTION_URL": database} if database else {}
    with process(["prefect", "server", "start", "--port", str(port)], env):
        api, deadline = Api(f"http://127.0.0.1:{port}/api"), time.monotonic() + LIMIT_S
        while True:
            try:
                api("health")
                break
            except OSError:
                assert time.monotonic() < deadline, "the Prefect server did not start"
                time.sleep(0.5)
        yield api


@contextlib.contextmanager
def process(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    started = subprocess.Popen([BIN / command[0], *command[1:]], env=env, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGINT)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The address of a new PostgreSQL server."""
    from flows.cli import postgres
    from flows.cli.processes import Processes
    from flows.settings import Settings

    folder = Path(tempfile.mkdtemp(prefix="socle-bench-"))  # PostgreSQL's own user has to reach it
    folder.chmod(0o755)
    children = Processes(folder / "logs", dict(os.environ))
    try:
        yield postgres.start(children, Settings(postgres_folder=folder / "data"))
    finally:
        children.stop()
        shutil.rmtree(folder)


@contextlib.contextmanager
def gateway(folder: Path) -> Iterator[Any]:
    """A Ceph RADOS Gateway of its own, its data in memory; None, and why, where its packages are not there."""
    spec = importlib.util.spec_from_file_location("s3_server", REPOSITORY / "infra" / "s3_server.py")
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    try:
        server = script.start(folder, 0)
    except script.MissingPackages as error:
        print(f"   left out: {error}")
        yield None
        return
    try:
        yield server
    finally:
        script.stop(folder)


def plain_pool(api: Api) -> None:
    """A pool with Prefect's own template."""
    api("work_pools/", {"name": "plain", "type": "process"})


def plain_deployment(api: Api, project: str) -> str:
    """The same flow as `prefect deploy` would deploy it, in that pool. A deployment has the name of its project, so that the flow
    needs another name than ours beside it."""
    flow = api("flows/", {"name": "ingest-plain"})["id"]
    body = {"name": project, "flow_id": flow, "entrypoint": "flows.ingest.ingest", "work_pool_name": "plain"}
    return str(api("deployments/", body)["id"])
