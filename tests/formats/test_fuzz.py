"""Spoilt files, for a bounded time: no reader crashes, hangs, takes all memory, or fails in any way but a clear error (see fuzz.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

LEAST = 50  # files; a fuzzer that reads hardly any says nothing


@pytest.mark.parametrize(
    ("seed", "seconds"),
    [(1, 20), *(pytest.param(seed, 60, marks=[pytest.mark.faults, pytest.mark.timeout(300)]) for seed in range(2, 7))],
)
def test_spoilt_files_are_rows_refused_rows_or_a_clear_error(tmp_path: Path, seed: int, seconds: int) -> None:
    command = [sys.executable, "-m", "tests.formats.fuzz", str(tmp_path), str(seed), str(seconds)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=seconds + 120, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    case = (tmp_path / "case").read_bytes() if (tmp_path / "case").exists() else b""
    which = (tmp_path / "which").read_text() if (tmp_path / "which").exists() else ""
    assert done.returncode == 0, f"ended by {done.returncode} at {which}: {case[:2000]!r}\n{done.stderr[-2000:]}"
    failures = [line for line in lines if "error" in line]
    assert failures == [], json.dumps(failures, indent=1)
    counts = lines[-1]["counts"]
    assert set(counts) == {"rows", "bad rows", "error"}, counts
    assert sum(counts.values()) > LEAST, counts
