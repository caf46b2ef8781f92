"""10,000 CSV files of 10 kB to one committed version, against what people would use, and against the same rows in one file.

Each is a process of its own, imports not counted. Goal: at most 3 ms a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks import loaders, tables
from benchmarks.growth import ROWS_PER_MB
from benchmarks.loading import run
from benchmarks.measure import Sample, show

FILES = int(os.environ.get("SOCLE_BENCH_FILES", "10000"))
FILE_BYTES = 10_000
ROUNDS = 3
ONE, WRONG, FRENCH = "socle, the same rows in one file", "socle, a wrong row in every 9th file", "socle, cp1252 and decimal commas"
CONTENDERS = (loaders.ALONE, "polars to Parquet", "polars then Delta", "DuckDB to Parquet", "dlt to Parquet", "dlt to Delta")


def main() -> None:
    rows = FILES * FILE_BYTES // 1_000_000 * ROWS_PER_MB
    with tempfile.TemporaryDirectory(dir=os.environ.get("SOCLE_BENCH_FOLDER")) as name:
        folder = Path(name)
        one = tables.write_csv(folder / "one.csv", rows)
        many = cut(one, folder / "many")
        wrong = cut(tables.write_csv(folder / "wrong.csv", rows, every_wrong=1000), folder / "wrong")
        french = cut(tables.write_csv(folder / "french.csv", rows, french=True), folder / "french")
        asked = {name: (name, many) for name in CONTENDERS}
        asked |= {ONE: (loaders.ALONE, one), WRONG: (loaders.ALONE, wrong), FRENCH: (loaders.ALONE, french)}
        samples: dict[str, list[Sample]] = {name: [] for name in asked}
        for number in range(ROUNDS):
            for name in asked if number % 2 else reversed(asked):
                found = run(*asked[name])
                if found is not None:
                    samples[name].append(Sample(found["wall"], found["cpu"]))
        measured = {name: runs for name, runs in samples.items() if runs}
        show(measured, loaders.ALONE)
        for name, runs in measured.items():
            each = sorted(1000 * s.wall / FILES for s in runs)[len(runs) // 2], sorted(1000 * s.cpu / FILES for s in runs)[len(runs) // 2]
            print(f"   {name:<38} {each[0]:.2f} ms a file, {each[1]:.2f} of CPU")


def cut(whole: Path, folder: Path) -> Path:
    """The rows of a file as FILES files with its header."""
    folder.mkdir()
    header, *lines = whole.read_bytes().splitlines(keepends=True)
    each = -(-len(lines) // FILES)
    for number in range(FILES):
        (folder / f"{number:05}.csv").write_bytes(header + b"".join(lines[number * each : (number + 1) * each]))
    return folder
