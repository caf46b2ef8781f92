"""How time and memory grow: one load of 200 MB and of 2 GB (10 GB with SOCLE_BENCH_HUGE=1), and
a file with wrong rows in it, which goes the long way. Each load is a process of its own; peak memory is that process's.

Goals: seconds grow as the file does; 2 GB takes no more memory than 200 MB; 10 GB stays under 1.5 GB."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from benchmarks import loaders, tables
from benchmarks.loading import run

ROWS_PER_MB = 11_100
SIZES_MB, HUGE_MB = (200, 2000), 10_000
WRONG = 1000  # one row in so many
ROOM = 4  # times the file: itself, its copy, the table


def main() -> None:
    sizes = [*SIZES_MB, HUGE_MB] if os.environ.get("SOCLE_BENCH_HUGE") else SIZES_MB
    with tempfile.TemporaryDirectory(dir=os.environ.get("SOCLE_BENCH_FOLDER")) as name:
        folder = Path(name)
        for size in sizes:
            if shutil.disk_usage(folder).free < ROOM * size * 1e6:
                print(f"   {size:>6} MB: left out, there is no room for it on the disk")
                continue
            _load(f"{size} MB", folder, lambda path, size=size: tables.write_csv(path, size * ROWS_PER_MB))  # type: ignore[misc]
        _load(f"200 MB, every {WRONG}th row wrong", folder, lambda path: tables.write_csv(path, 200 * ROWS_PER_MB, every_wrong=WRONG))


def _load(what: str, folder: Path, write: object) -> None:
    path = folder / "grand.csv"
    write(path)  # type: ignore[operator]
    found = run(loaders.ALONE, path)
    assert found is not None
    size = path.stat().st_size / 1e6
    rate = f"{size / found['wall']:>6.1f} MB/s, {size / found['cpu']:>6.1f} MB/CPU s"
    print(f"   {what:<34} {found['wall']:>7.1f} s  CPU {found['cpu']:>7.1f} s  {rate}  peak {found['peak_mb']:>5.0f} MB", flush=True)
    path.unlink()
