"""CSV to a committed dataset version, against what people would use: 4 million rows, 390 MB, one machine, each in a process of its own,
imports not counted. What Socle does more than all of them: raw copy, sha256, dialect and conventions found, contract, Delta commit.

"loading alone" is Socle without its look for personal data, which reads every value and is no part of loading.

Goals: 1.2x of Polars then Delta; a third of dlt; a cp1252 file with decimal commas in twice the time of the clean one."""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

from benchmarks import loaders, tables
from benchmarks.measure import Sample, in_its_own_process, show

ROUNDS = 3
FRENCH = "socle, cp1252 and decimal commas"
REFERENCE = "polars then Delta"


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("SOCLE_BENCH_FOLDER")) as folder:
        clean = tables.write_csv(Path(folder, "grand.csv"))
        french = tables.write_csv(Path(folder, "grand-cp1252.csv"), french=True)
        contenders = {name: (name, clean) for name in loaders.LOADERS} | {FRENCH: (loaders.ALONE, french)}
        samples: dict[str, list[Sample]] = {name: [] for name in contenders}
        peaks: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(ROUNDS):
            for name in contenders if number % 2 else reversed(contenders):
                loader, file = contenders[name]
                found = run(loader, file)
                if found is not None:
                    samples[name].append(Sample(found["wall"], found["cpu"]))
                    peaks[name].append(found["peak_mb"])
        measured = {name: runs for name, runs in samples.items() if runs}
        show(measured, REFERENCE)
        print("   peak memory, MB: " + ", ".join(f"{name} {statistics.median(peaks[name]):.0f}" for name in measured))


def run(loader: str, file: Path) -> dict[str, float] | None:
    """None if a library that it needs is not installed."""
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        return in_its_own_process(loader, "benchmarks.loaders", loader, str(file), folder)
