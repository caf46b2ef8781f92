"""`python -m flows.worker.warm SOCKET`: imports Prefect and the flows once, then forks each run from itself.

It must have a single thread when it forks (a forked process has no other, and their locks stay as they were), so libraries
that start threads on import, like polars, are left to the runs. What is imported here is code only: no connection, no secret.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import io
import os
import runpy
import selectors
import signal
import socket
import sys
from pathlib import Path

from flows.worker import protocol

PRELOADED = (
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.artifacts",
    "prefect.concurrency.asyncio",
    "prefect._internal.metrics",
    "flows.pipeline",
    "flows.check",
    "flows.replay",
    "flows.rollback",
)
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class Output(io.TextIOWrapper):
    """Of a run, which writes to a pipe of the worker: when that is killed, the run goes on and writes to nobody. With an ordinary
    stream, the first line of its log would end it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(open(descriptor, "wb", closefd=False), encoding="utf-8", errors="backslashreplace", line_buffering=True)  # noqa: SIM115

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._to_nobody()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._to_nobody()

    def _to_nobody(self) -> None:
        nobody = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):  # libraries write there as well
            os.dup2(nobody, descriptor)
        os.close(nobody)


def main() -> None:
    sys.stdout, sys.stderr = Output(1), Output(2)  # before anything keeps them
    for name in PRELOADED:
        importlib.import_module(name)
    if (threads := len(list(Path("/proc/self/task").iterdir()))) != 1:
        sys.exit(f"the warm process has {threads} threads after its imports: forking it would not be safe")
    gc.collect()
    gc.freeze()  # a collection in a run would otherwise touch, and so copy, every page that it shares with us
    warm = Warm(Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        environment = warm.serve()
    except KeyboardInterrupt:
        return
    _run_engine(environment)


def _run_engine(environment: dict[str, str]) -> None:
    """In a run: what `python -m prefect.engine` does, with this environment."""
    import prefect.context

    os.environ.clear()
    os.environ.update(environment)
    prefect.context.refresh_global_settings_context()
    sys.argv = ["prefect.engine"]
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


class Warm:
    """Listens on a socket that only this user may open; `runs` is the process id of each run and its launcher's connection."""

    def __init__(self, path: Path) -> None:
        self.pid = os.getpid()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.runs: dict[int, socket.socket] = {}
        self.listening = _listen(path)
        self.ended, self._wake = os.pipe()  # a child that ends wakes the selector through it
        for end in (self.ended, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listening, selectors.EVENT_READ)
        self.selector.register(self.ended, selectors.EVENT_READ)

    def serve(self) -> dict[str, str]:
        """Fork a run for each request. Returns in each of the runs, with its environment; in the warm process it never does."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listening:
                    if (environment := self._start()) is not None:
                        return environment
                elif key.fileobj == self.ended:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.ended, 4096)
                else:
                    self._launcher_died(key.data)
            self._report_ended()

    def _start(self) -> dict[str, str] | None:
        connection, _ = self.listening.accept()
        try:
            environment, folder, outputs = protocol.accept(connection)
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.stderr.write(f"a request was refused: {error}\n")
            sys.stderr.flush()  # a run would inherit what is not written yet
            connection.close()
            return None
        pid = os.fork()
        if pid == 0:
            self._become_run(connection, folder, outputs)
            return environment
        for descriptor in outputs:
            os.close(descriptor)
        self.runs[pid] = connection
        self.selector.register(connection, selectors.EVENT_READ, pid)
        _tell(connection, pid)
        return None

    def _become_run(self, connection: socket.socket, folder: Path, outputs: list[int]) -> None:
        """Nothing of the warm process stays open or installed, and the run does not outlive it: nobody would see it end."""
        self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self.pid:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        for each in (self.listening, connection, *self.runs.values()):
            each.close()
        for descriptor in (self.ended, self._wake):
            os.close(descriptor)
        os.chdir(folder)
        for standard, descriptor in zip((1, 2), outputs, strict=True):
            os.dup2(descriptor, standard)
            os.close(descriptor)

    def _launcher_died(self, pid: int) -> None:
        """A launcher says nothing after its request, so there is something to read only when it is gone."""
        self.selector.unregister(self.runs[pid])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _report_ended(self) -> None:
        while self.runs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self.runs.pop(pid)
            _tell(connection, status)
            with contextlib.suppress(KeyError):
                self.selector.unregister(connection)
            connection.close()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(mask)
    listening.listen(128)
    return listening


def _tell(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # a launcher that is gone is noticed by the selector
        connection.sendall(protocol.NUMBER.pack(number))


if __name__ == "__main__":
    main()
