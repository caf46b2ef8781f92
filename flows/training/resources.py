"""What a process may have of this machine, or of its container, and what it takes: memory and disk, in bytes."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

CGROUP, SELF = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def memory_limit(cgroup: Path = CGROUP, own: Path = SELF) -> int:
    """Of the machine, or of the smallest of the control groups that this process is in (v1 and v2): a container has a part of it."""
    return min([int(psutil.virtual_memory().total), *_limits(cgroup, own)])


def _limits(cgroup: Path, own: Path) -> list[int]:
    found = []
    try:
        lines = own.read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, name = (cgroup, "memory.max") if not controllers else (cgroup / "memory", "memory.limit_in_bytes")
        place = top / path.strip("/")
        for folder in [place, *(p for p in place.parents if p == top or top in p.parents)]:
            try:
                found.append(int((folder / name).read_text(encoding="ascii")))
            except (OSError, ValueError):  # "max", or a group of the host that a container does not see
                continue
    return found


def device_limit() -> int:
    """Memory of the GPU that trains, else of this process."""
    cuda = _cuda()
    return int(cuda.mem_get_info()[1]) if cuda else memory_limit()


def disk_free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class Peak:
    """with Peak() as peak: ...; `peak.bytes` is the most memory that was in use meanwhile: of the GPU if there is one, else of this
    process, looked at every 20 ms."""

    EVERY_S = 0.02

    def __enter__(self) -> Peak:
        self.before = self.bytes = _now()
        if cuda := _cuda():
            cuda.reset_peak_memory_stats()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._end.wait(self.EVERY_S):
            self.bytes = max(self.bytes, _now())

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        cuda = _cuda()
        self.bytes = int(cuda.max_memory_reserved()) if cuda else max(self.bytes, _now())


def _now() -> int:
    cuda = _cuda()
    return int(cuda.memory_reserved() if cuda else psutil.Process().memory_info().rss)


def _cuda() -> Any:
    """torch.cuda, if there is a card; torch is not loaded for a training that does without."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # None also while another thread is loading torch
    return cuda if cuda is not None and hasattr(cuda, "is_available") and cuda.is_available() else None
