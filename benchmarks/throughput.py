"""Runs per minute that two cores sustain: `socle worker` against `prefect worker start`, each with its defaults, one server on PostgreSQL
for both, the same flow on the same unchanged data, as many projects as runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.projects import environment, small_project
from benchmarks.servers import BIN, OURS, PLAIN, Api, database, plain_deployment, plain_pool, process, server

RUNS, ROUNDS, LIMIT_S = 20, 3, 900


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, database() as address:
        root = Path(folder)
        projects = _projects(root)
        with server(root, address) as api:
            env = environment(root) | {"PREFECT_API_URL": api.url, "PREFECT_HOME": str(root / "prefect")}
            env["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
            subprocess.run([BIN / "socle", "deploy"], env=env, check=True, capture_output=True)
            plain_pool(api)
            wanted = {
                OURS: [(api(f"deployments/name/ingest/{name}")["id"], name) for name in projects],
                PLAIN: [(plain_deployment(api, name), name) for name in projects],
            }
            commands = {OURS: ["socle", "worker"], PLAIN: ["prefect", "worker", "start", "--pool", "plain", "--type", "process"]}
            with contextlib.ExitStack() as stack:
                for command in commands.values():
                    stack.enter_context(process(command, env))
                for some in wanted.values():
                    _seconds(api, some[:2])  # the workers have started, and caches are warm
                _measure(api, wanted)


def _measure(api: Api, wanted: dict[str, list[tuple[str, str]]]) -> None:
    seen: dict[str, list[float]] = {name: [] for name in wanted}
    for number in range(ROUNDS):
        for name in wanted if number % 2 else reversed(wanted):
            seen[name].append(_seconds(api, wanted[name]))
    for name, seconds in seen.items():
        rates = sorted(60 * RUNS / each for each in seconds)
        ratio = statistics.median(base / own for own, base in zip(seconds, seen[PLAIN], strict=True))
        print(f"   {name:<24} {statistics.median(rates):>6.1f} runs a minute ({rates[0]:.1f}–{rates[-1]:.1f})   x{ratio:.1f} of {PLAIN}")


def _seconds(api: Api, wanted: list[tuple[str, str]]) -> float:
    """From the first trigger to the end of the last run."""
    start = time.monotonic()
    ids = [api(f"deployments/{deployment}/create_flow_run", {"parameters": {"project": name}})["id"] for deployment, name in wanted]
    while True:
        found = api("flow_runs/filter", {"flow_runs": {"id": {"any_": ids}}})
        if all(run["state_type"] in ("COMPLETED", "FAILED", "CRASHED") for run in found):
            break
        assert time.monotonic() - start < LIMIT_S, "the runs do not end"
        time.sleep(0.5)
    assert {run["state_type"] for run in found} == {"COMPLETED"}, [run["state"] for run in found]
    return time.monotonic() - start


def _projects(root: Path) -> list[str]:
    """Copies of one project and of its lake, so that there is nothing to load."""
    folder = small_project(root)
    subprocess.run([BIN / "socle", "run", "mesure"], env=environment(root), check=True, capture_output=True)
    names = [f"mesure-{number:02}" for number in range(RUNS)]
    for name in names:
        shutil.copytree(folder, folder.with_name(name))
        lake = root / ".socle" / "lake"
        shutil.copytree(lake / "socle-mesure", lake / f"socle-{name}")
    return names
