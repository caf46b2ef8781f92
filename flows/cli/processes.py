"""The processes of `socle up`: started together, watched, ended together, none left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from flows.errors import ConfigurationError, SystemFailure

STOP_S = 15.0  # seconds that a process has to end by itself
RESTARTS, WITHIN_S = 6, 600.0  # a process that ended by itself is started again so often in so many seconds, not more
PAUSE_S = 0.5  # before it is started again, doubled each time
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
_LIBC = ctypes.CDLL(None)
TAIL = 15  # lines of a log that are shown when its process dies


@dataclass
class Processes:
    logs: Path | None
    """Where their output goes, a file each; None: where ours goes."""
    environment: dict[str, str]
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, tuple[list[str], dict[str, str] | None]] = field(default_factory=dict)
    revived: dict[str, list[float]] = field(default_factory=dict)
    """When each of them was started again."""
    folders: list[tempfile.TemporaryDirectory[str]] = field(default_factory=list)

    def start(self, name: str, command: list[str], extra: dict[str, str] | None = None) -> None:
        """In a session of its own, so that Ctrl-C in the terminal reaches only us, and we end things in order. On Linux the
        kernel ends it if we are killed."""
        self.commands[name] = (command, extra)
        with contextlib.ExitStack() as stack:
            log = None
            if self.logs is not None:
                self.logs.mkdir(parents=True, exist_ok=True)
                log = stack.enter_context((self.logs / f"{name}.log").open("ab" if name in self.revived else "wb"))
            self.started[name] = subprocess.Popen(
                command,
                env=self.environment | (extra or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT if log else None,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - we start no threads
            )

    def keep(self, folder: tempfile.TemporaryDirectory[str]) -> str:
        """A folder that is removed when the processes have ended."""
        self.folders.append(folder)
        return folder.name

    def wait_until(self, name: str, ready: Callable[[], bool], limit_s: float) -> None:
        """Raises: SystemFailure with the end of its log if the process dies or is not ready in time."""
        deadline = time.monotonic() + limit_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise SystemFailure(f"{name} was not ready after {limit_s:.0f} s:\n{self._tail(name)}", where=self._where(name))
            time.sleep(0.2)

    def check(self) -> None:
        """Raises: SystemFailure if one of them ended by itself."""
        for name, process in self.started.items():
            if process.poll() is not None:
                raise SystemFailure(f"{name} ended (exit code {process.returncode}):\n{self._tail(name)}", where=self._where(name))

    def revive(self, say: Callable[[str], None]) -> None:
        """Start again what ended by itself: the others, and the runs that go on, wait for it and are not ended with it.

        Raises: SystemFailure with the end of its log if that does not last.
        """
        for name, process in list(self.started.items()):
            if process.poll() is None:
                continue
            recent = [moment for moment in self.revived.get(name, []) if time.monotonic() - moment < WITHIN_S]
            if len(recent) >= RESTARTS:
                often = f"{RESTARTS + 1} times within {WITHIN_S / 60:.0f} minutes"
                raise SystemFailure(f"{name} ended {often} (exit code {process.returncode}):\n{self._tail(name)}", where=self._where(name))
            say(f"{name} ended (exit code {process.returncode}) and is started again. {self._where(name)}".rstrip())
            time.sleep(PAUSE_S * 2 ** len(recent))
            self.revived[name] = [*recent, time.monotonic()]
            self.start(name, *self.commands[name])

    def drain(self, name: str, limit_s: float) -> None:
        """Ask one of them to end when it has nothing left to do. Another signal to us ends the waiting."""
        process = self.started.get(name)
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            os.kill(process.pid, signal.SIGTERM)
            process.wait(limit_s + STOP_S)

    def stop(self) -> None:
        """The last started first; whatever is left of a process and its descendants after STOP_S is killed."""
        for process in reversed(self.started.values()):
            family = _family(process.pid)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGINT)
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            _end(family)
        self.started.clear()
        for folder in self.folders:
            folder.cleanup()

    def _where(self, name: str) -> str:
        return str(self.logs / f"{name}.log") if self.logs else ""

    def _tail(self, name: str) -> str:
        if self.logs is None:
            return "its output is above"
        text = (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-TAIL:])


def _end_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _family(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _end(family: list[psutil.Process]) -> None:
    for process in family:
        if process.is_running():
            process.terminate()
    _, alive = psutil.wait_procs(family, timeout=5)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=5)


def require_free_port(host: str, port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise ConfigurationError(
                f"port {port} is in use", where=f"{host}:{port}", hint=f"another port with {option}, or stop what uses it"
            ) from None


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own addresses
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
