"""From trigger to the first step of a run: `socle worker` against `prefect worker start` as it comes, one server for both, the
same flow on the same unchanged data. Then what each worker weighs while it waits."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.projects import environment, free_port, small_project

BIN = Path(sys.executable).parent
PLAIN, OURS = "prefect worker start", "socle worker"
ROUNDS, LIMIT_S = 7, 180


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small_project(root)
        with server(root) as api:
            env = environment(root) | {"PREFECT_API_URL": api.url, "PREFECT_HOME": str(root / "prefect")}
            env["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
            subprocess.run([BIN / "socle", "run", "mesure"], env=env, check=True, capture_output=True)
            subprocess.run([BIN / "socle", "deploy"], env=env, check=True, capture_output=True)
            ids = {OURS: api("deployments/name/ingest/mesure")["id"], PLAIN: _plain_deployment(api)}
            commands = {OURS: ["socle", "worker"], PLAIN: ["prefect", "worker", "start", "--pool", "plain", "--type", "process"]}
            with contextlib.ExitStack() as stack:
                workers = {name: stack.enter_context(process(command, env)) for name, command in commands.items()}
                _measure(api, ids)
                for name, worker in workers.items():
                    print(f"   {name:<24} {_memory_mb(worker):>6.0f} MB while it waits (proportional set size)")


def _measure(api: Api, ids: dict[str, str]) -> None:
    for deployment in ids.values():
        _times(api, deployment)  # the workers have started, and caches are warm
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ids}
    for number in range(ROUNDS):
        for name in ids if number % 2 else reversed(ids):
            seen[name].append(_times(api, ids[name]))
            time.sleep(0.3 * (number % 5))  # so that triggers fall anywhere between two polls
    base = [statistics.median(column) for column in zip(*seen[PLAIN], strict=True)]
    for name, pairs in seen.items():
        running, step = (statistics.median(column) for column in zip(*pairs, strict=True))
        spread = f"{min(p[1] for p in pairs):.1f}–{max(p[1] for p in pairs):.1f}"
        ratios = f"time x{running / base[0]:.2f}, x{step / base[1]:.2f}"
        print(f"   {name:<24} {running:>6.2f} s to Running, {step:>6.2f} s to the first step ({spread})   {ratios} of {PLAIN}")


def _times(api: Api, deployment: str) -> tuple[float, float]:
    """Seconds from the trigger to Running, and to the start of the first task."""
    start = time.time()
    run = api(f"deployments/{deployment}/create_flow_run", {"parameters": {"project": "mesure"}})["id"]
    while (found := api(f"flow_runs/{run}"))["state_type"] not in ("COMPLETED", "FAILED", "CRASHED"):
        assert time.time() - start < LIMIT_S, found["state"]
        time.sleep(0.3)
    assert found["state_type"] == "COMPLETED", found["state"]
    tasks = api("task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    return _seconds(found["start_time"]) - start, min(_seconds(t["start_time"]) for t in tasks) - start


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def _plain_deployment(api: Api) -> str:
    """The same flow as `prefect deploy` would deploy it, in a pool with Prefect's own template."""
    api("work_pools/", {"name": "plain", "type": "process"})
    flow = api("flows/", {"name": "ingest"})["id"]
    body = {"name": "plain", "flow_id": flow, "entrypoint": "flows.ingest.ingest", "work_pool_name": "plain"}
    return str(api("deployments/", body)["id"])


def _memory_mb(worker: subprocess.Popen[bytes]) -> float:
    family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    return float(sum(p.memory_full_info().pss for p in family)) / 1e6


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
