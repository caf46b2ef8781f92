"""`socle run` through its own Prefect, killed: nothing half-made is visible, and the same command goes through."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.world import Reader, add_rows, declare

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SOCLE = Path(sys.executable).parent / "socle"
LIMIT_S = 240
MOMENTS = {"before the load": "raw/demandes", "between commits": "tables/demandes/_delta_log", "in training": "models/theme/versions"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Begin `socle run essai --json`; whatever is left of it at the end of the test is killed."""
    started: list[psutil.Process] = []
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))} | {"SOCLE_ROOT": str(tmp_path)}

    def run() -> subprocess.Popen[str]:
        command = [str(SOCLE), "run", "essai", "--json"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(psutil.Process(process.pid))
        return process

    yield run
    for process in psutil.process_iter():  # the embedded server may outlive a client that was killed
        try:
            if process.environ().get("SOCLE_ROOT") == str(tmp_path):
                process.kill()
        except psutil.Error:
            continue


def finish(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, out + err
    return json.loads(out)


def files(folder: Path) -> set[str]:
    return {p.name for p in folder.glob("*") if not p.name.startswith(".")}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_through_prefect(start, tmp_path, zygote, moment):
    """Killed a random moment after a new file appears in one part of the lake, over a version that is served."""
    declare(tmp_path, "append")
    assert zygote.run(tmp_path)["runs"][0]["exit_code"] == 0
    reader = Reader(tmp_path)
    add_rows(tmp_path, "append", "second")
    before = reader.look()
    part = tmp_path / ".socle" / "lake" / "socle-essai" / MOMENTS[moment]
    there, deadline = files(part), time.monotonic() + LIMIT_S
    process = start()
    while not files(part) - there and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(random.Random(moment).uniform(0, 0.02))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert reader.look() >= before
    result = finish(start())
    assert result["exit_code"] == 0
    state = reader.state()
    assert [number for number, _ in state["loads"]] == [2, 1]
    assert len(state["quarantine"]) == 6 and len(state["rows"][2]) == 151
    assert [m["number"] for m in state["models"]] == [1, 2, 3, 4] and [n for n, _, _ in state["moves"]] == [2, 1]
    again = finish(start())
    assert {d["action"] for d in again["result"]["datasets"]} | {m["action"] for m in again["result"]["models"]} == {"nothing"}
    assert reader.state() == state
