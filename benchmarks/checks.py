"""Checks of a Parquet file, against what people would use: one machine, each in a process of its own, imports not counted.

Goals: 1.5x of the hand-written query, a quarter of the memory of Great Expectations on pandas, 100 million rows in 4 GB.
SOCLE_BENCH_ROWS: numbers of rows, in millions (1,10 if it is not set); 100 takes 25 GB of disk and half an hour."""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

from benchmarks import tables, validators
from benchmarks.measure import Sample, in_its_own_process, show

REFERENCE = "Polars by hand"
ROUNDS = 3
SLOW = ("Great Expectations on Spark", "pointblank on Polars", "pandera on Polars", "Great Expectations on pandas")
"""Not tried beyond this many rows: they would take all memory."""
LIMIT = 10_000_000
TEXTS = 200_000


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("SOCLE_BENCH_FOLDER")) as folder:
        for millions in os.environ.get("SOCLE_BENCH_ROWS", "1,10").split(","):
            rows = int(float(millions) * 1_000_000)
            file = tables.write_parquet(Path(folder, f"{rows}.parquet"), rows)
            for size in (13, 40):
                print(f"   -- {rows:,} rows, {size} expectations")
                _compare([n for n in validators.VALIDATORS if rows <= LIMIT or n not in SLOW], file, size)
            file.unlink()
        print(f"   -- {TEXTS:,} texts of 2,000 characters, {len(validators.WIDE)} expectations")
        _compare(list(validators.VALIDATORS), tables.write_texts(Path(folder, "textes.parquet"), TEXTS), len(validators.WIDE))


def _compare(names: list[str], file: Path, size: int) -> None:
    samples: dict[str, list[Sample]] = {}
    peaks: dict[str, list[float]] = {}
    missing: set[str] = set()
    for number in range(ROUNDS):
        for name in names if number % 2 else reversed(names):
            found = None if name in missing else in_its_own_process(name, "benchmarks.validators", name, str(file), str(size))
            if found is None:
                missing.add(name)
                continue
            samples.setdefault(name, []).append(Sample(found["wall"], found["cpu"]))
            peaks.setdefault(name, []).append(found["peak_mb"])
    show({n: samples[n] for n in names if n in samples}, REFERENCE)
    print("   peak memory, MB: " + ", ".join(f"{n} {statistics.median(peaks[n]):.0f}" for n in names if n in peaks))
