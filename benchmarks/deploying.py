"""How long it takes to deploy 10 and 200 projects: `socle deploy` against `prefect deploy --all` with a prefect.yaml of the same list, each
on a new server on PostgreSQL; and again with nothing changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.projects import environment, small_project
from benchmarks.servers import BIN, Api, database, server

SIZES = (10, 200)
OURS, PLAIN = "socle deploy", "prefect deploy --all"
LIMIT_S = 1800


def main() -> None:
    for size in SIZES:
        seconds = {name: _deploy(name, size) for name in (OURS, PLAIN)}
        for name, (first, again, count) in seconds.items():
            base = seconds[PLAIN]
            ratios = f"time x{first / base[0]:.2f}, x{again / base[1]:.2f} of {PLAIN}"
            print(f"   {size:>3} projects, {count} deployments  {name:<22} {first:>7.1f} s new, {again:>7.1f} s unchanged   {ratios}")


def _deploy(name: str, size: int) -> tuple[float, float, int]:
    """Seconds on a server that has nothing, seconds once more, and how many deployments are there then."""
    with tempfile.TemporaryDirectory() as folder, database() as address:
        root = Path(folder)
        _projects(root, size)
        with server(root, address) as api:
            env = environment(root) | {"PREFECT_API_URL": api.url, "PREFECT_HOME": str(root / "prefect")}
            env["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
            command = ["socle", "deploy"]
            if name == PLAIN:
                command = ["prefect", "--no-prompt", "deploy", "--all"]
                _prepare(root, env, api)
            times = []
            for _ in range(2):
                start = time.monotonic()
                subprocess.run([BIN / command[0], *command[1:]], cwd=root, env=env, check=True, capture_output=True, timeout=LIMIT_S)
                times.append(time.monotonic() - start)
            return times[0], times[1], api("deployments/count", {})


def _prepare(root: Path, env: dict[str, str], api: Api) -> None:
    """What `prefect deploy` takes for granted: the list, the pool and its queues."""
    subprocess.run([BIN / "socle", "deploy", "--prefect-yaml"], env=env, check=True, capture_output=True)
    api("work_pools/", {"name": "socle", "type": "process"})
    for folder in (root / "projects").iterdir():
        api("work_pools/socle/queues", {"name": folder.name})


def _projects(root: Path, size: int) -> None:
    folder = small_project(root, count=50)
    for number in range(size - 1):
        shutil.copytree(folder, folder.with_name(f"mesure-{number:03}"))
