"""From trigger to the first step of a run: `socle worker` against `prefect worker start` as it comes, one server for both, the
same flow on the same unchanged data. Then what each worker weighs while it waits."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path

import psutil

from benchmarks.projects import environment, small_project
from benchmarks.servers import BIN, LIMIT_S, OURS, PLAIN, Api, plain_deployment, plain_pool, process, server

ROUNDS = 7


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small_project(root)
        with server(root) as api:
            env = environment(root) | {"PREFECT_API_URL": api.url, "PREFECT_HOME": str(root / "prefect")}
            env["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
            subprocess.run([BIN / "socle", "run", "mesure"], env=env, check=True, capture_output=True)
            subprocess.run([BIN / "socle", "deploy"], env=env, check=True, capture_output=True)
            plain_pool(api)
            ids = {OURS: api("deployments/name/ingest/mesure")["id"], PLAIN: plain_deployment(api, "mesure")}
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


def _memory_mb(worker: subprocess.Popen[bytes]) -> float:
    family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    return float(sum(p.memory_full_info().pss for p in family)) / 1e6
