"""Launcher and warm process, with a run that is a line of Python instead of the Prefect engine: what ends, how, and when."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows.worker import protocol

LIMIT_S = 20
WARM = """
import os, sys
from pathlib import Path
from flows.worker.warm import Warm
code = Warm(Path(sys.argv[1])).serve()["CODE"]
exec(code)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warm.sock"


@pytest.fixture
def warm(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", WARM, str(path)], stderr=subprocess.PIPE, text=True)
    wait(path.exists)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def launch(path: Path, tmp_path: Path, warm: object) -> Callable[..., subprocess.Popen[str]]:
    def start(code: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.worker.launch"],
            env={**os.environ, protocol.SOCKET_VARIABLE: str(path), "CODE": code, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    return start


def wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def said(process: subprocess.Popen[str]) -> tuple[str, str]:
    return process.communicate(timeout=LIMIT_S)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def running(process: subprocess.Popen[str]) -> int:
    """The process id that a run prints first."""
    assert process.stdout
    return int(process.stdout.readline())


RUNS_ON = "import time; print(os.getpid(), flush=True); time.sleep(60)"


def test_output_folder_and_exit_code_are_the_runs_own(launch, tmp_path: Path) -> None:
    run = launch("print(os.getcwd()); print('oops', file=sys.stderr); sys.exit(7)")
    assert said(run) == (f"{tmp_path}\n", "oops\n")
    assert run.returncode == 7


def test_a_run_sees_nothing_of_another(launch) -> None:
    first = launch("import json; json.mark = 'seen'; os.environ['MARK'] = 'seen'; print(os.getpid())")
    second = launch("import json; print(getattr(json, 'mark', 'unseen'), os.environ.get('MARK', 'unseen'))")
    one, two = said(first)[0].strip(), said(second)[0].strip()
    assert two == "unseen unseen"
    assert one != said(launch("print(os.getpid())"))[0].strip()


def test_many_runs_at_once_each_get_their_own_end(launch) -> None:
    runs = [launch(f"import time; time.sleep({(9 - n) / 20}); print({n}); sys.exit({n})") for n in range(10)]
    assert [(said(r)[0].strip(), r.returncode) for r in runs] == [(str(n), n) for n in range(10)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_run(launch, number: signal.Signals) -> None:
    run = launch(
        "import signal, time\n"
        f"signal.signal({int(number)}, lambda n, f: (print('told', flush=True), sys.exit(0)))\n" + RUNS_ON.removeprefix("import time; ")
    )
    running(run)
    run.send_signal(number)
    assert said(run)[0] == "told\n"
    assert run.returncode == 0


def test_a_run_that_is_killed_ends_its_launcher_the_same_way(launch) -> None:
    run = launch(RUNS_ON)
    os.kill(running(run), signal.SIGKILL)
    said(run)
    assert run.returncode == -signal.SIGKILL


def test_a_launcher_that_is_killed_takes_its_run_along(launch) -> None:
    run, other = launch(RUNS_ON), launch("import time; time.sleep(1); print('whole')")
    pid = running(run)
    run.kill()
    wait(lambda: gone(pid))
    assert said(other)[0] == "whole\n"


def test_no_run_outlives_the_warm_process(launch, warm: subprocess.Popen[str]) -> None:
    run = launch(RUNS_ON)
    pid = running(run)
    warm.kill()
    said(run)
    assert run.returncode == -signal.SIGKILL
    wait(lambda: gone(pid))


@pytest.mark.parametrize("sent", [b"", b"\0" * 8, b"\xff" * 8, protocol.NUMBER.pack(4) + b"null"])
def test_what_is_not_a_request_is_refused_and_the_next_is_served(launch, path: Path, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # closed with some of it unread
            assert connection.recv(1) == b""
    assert said(launch("print('served')"))[0] == "served\n"


def test_only_this_user_may_open_the_socket(path: Path, warm: object) -> None:
    assert path.stat().st_mode & 0o077 == 0


def test_without_a_warm_process_the_launcher_becomes_the_engine(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows.worker.launch"],
        env={**os.environ, protocol.SOCKET_VARIABLE: str(tmp_path / "none.sock"), "PREFECT__FLOW_RUN_ID": "no-id"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "no warm process answers" in done.stderr and "Invalid flow run id" in done.stderr


def test_what_is_preloaded_starts_no_thread() -> None:
    """Forking a process with threads can leave locks held for ever in the run."""
    code = "import importlib, os; from flows.worker.warm import PRELOADED; [importlib.import_module(m) for m in PRELOADED]; "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(len(os.listdir('/proc/self/task')))"], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "1"
