"""Runs the measurements named on the command line (all by default) and prints ratios. Figures of one run are compared with each
other only: another machine, or another day, gives other seconds."""

from __future__ import annotations

import importlib
import os
import sys
import time

ALL = (
    "cli",
    "overhead",
    "loading",
    "checks",
    "growth",
    "many_files",
    "upload",
    "data_docs",
    "training",
    "trigger",
    "throughput",
    "deploying",
)


def main() -> None:
    names = sys.argv[1:] or ALL
    unknown = [n for n in names if n not in ALL]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(ALL)}")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f} at the start")
    for name in names:
        start = time.monotonic()
        print(f"\n== {name}")
        importlib.import_module(f"benchmarks.{name}").main()
        print(f"   ({time.monotonic() - start:.0f} s to measure)")


if __name__ == "__main__":
    main()
