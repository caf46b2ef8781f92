"""What this machine, or this container, is good for: threads, and the precision of a training."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

CGROUP = Path("/sys/fs/cgroup")


def processors(cgroup: Path = CGROUP) -> int:
    """That this process may use: a container with two of a node's 64 processors is slowed down by 64 threads.

    Reads the limit of cgroup v2 (cpu.max) and of v1 (cpu.cfs_quota_us); a share of a processor counts as a whole one.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """Processors, of the limit that the container has; None: no limit."""
    try:
        if (limits := cgroup / "cpu.max").is_file():
            quota, period = limits.read_text(encoding="ascii").split()
            return None if quota == "max" else int(quota) / int(period)
        microseconds = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text(encoding="ascii"))
        return microseconds / period_us if microseconds > 0 else None
    except (OSError, ValueError):
        return None


def use_threads(processes: int = 1) -> int:
    """As many threads as processors, shared by the processes of one training; never more than torch would take by itself."""
    wanted = max(1, processors() // processes)
    if torch.get_num_threads() > wanted:
        torch.set_num_threads(wanted)
    return torch.get_num_threads()


def precision(wanted: str) -> str:
    """fp32 or bf16. `auto`: bf16 on a GPU that computes with it, and on a processor with AMX, where it was measured to pay;
    AVX-512 alone emulates too much of it."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu._is_amx_tile_supported() else "fp32"
