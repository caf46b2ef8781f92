"""`socle-launch`: what a process worker runs in place of `python -m prefect.engine`.

Its life is the run's life: signals are passed on, and it ends as the run ends. Without a warm process to ask, it becomes the
plain Prefect engine. Imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import NoReturn

from flows.worker import protocol

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # a signal that comes before there is a run waits for it
    path = os.environ.pop(protocol.SOCKET_VARIABLE, "")
    if not path:
        _become_engine()
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
        protocol.request(connection)
        pid = protocol.read_number(connection)
    except OSError:
        pid = None
    if pid is None:
        sys.stderr.write(f"socle-launch: no warm process answers at {path}: starting a new interpreter\n")
        _become_engine()
    _end_as(_follow(connection, pid))


def _follow(connection: socket.socket, pid: int) -> int:
    """The wait status of the run."""

    def pass_on(number: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    status = protocol.read_number(connection)
    return signal.SIGKILL if status is None else status  # the warm process is gone, and its runs with it


def _end_as(status: int) -> None:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def _become_engine() -> NoReturn:
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])  # noqa: S606 - our own interpreter


if __name__ == "__main__":
    main()
