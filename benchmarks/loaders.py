"""One load in a process of its own: `python -m benchmarks.loaders NAME FILE FOLDER` imports what it needs, loads FILE (or all files of a
folder) into FOLDER, and prints seconds, CPU seconds and peak memory as JSON. Imports are not counted."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

DATES = ["jour"]


def polars_parquet(file: Path, folder: Path) -> Callable[[], object]:
    import polars as pl

    return lambda: pl.scan_csv(_pattern(file), try_parse_dates=True).sink_parquet(folder / "out.parquet")


def polars_delta(file: Path, folder: Path) -> Callable[[], object]:
    import deltalake  # noqa: F401
    import polars as pl

    return lambda: pl.read_csv(_pattern(file), try_parse_dates=True).write_delta(folder / "table")


def polars_delta_typed(file: Path, folder: Path) -> Callable[[], object]:
    """In the types that the data have: by itself, Polars takes SIRET and postal codes for numbers, and their leading zeros away."""
    import deltalake  # noqa: F401
    import polars as pl

    kinds = {"siret": pl.String, "code_postal": pl.String}
    return lambda: pl.read_csv(_pattern(file), try_parse_dates=True, schema_overrides=kinds).write_delta(folder / "table")


def duckdb(file: Path, folder: Path) -> Callable[[], object]:
    import duckdb

    return lambda: duckdb.sql(
        f"COPY (SELECT * FROM read_csv('{_pattern(file)}')) TO '{folder / 'out.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
    )


def pandas(file: Path, folder: Path) -> Callable[[], object]:
    import pandas as pd
    import pyarrow.parquet  # noqa: F401

    return lambda: pd.read_csv(file, engine="pyarrow", dtype={"siret": str, "code_postal": str}, parse_dates=DATES).to_parquet(
        folder / "out.parquet"
    )


def datasets(file: Path, folder: Path) -> Callable[[], object]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import datasets

    datasets.disable_progress_bars()
    return lambda: datasets.load_dataset("csv", data_files=str(file), cache_dir=str(folder / "cache"))["train"].to_parquet(
        folder / "out.parquet"
    )


def dlt(file: Path, folder: Path, **hints: str) -> Callable[[], object]:
    os.environ.update({"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder / "dlt"), "RUNTIME__LOG_LEVEL": "CRITICAL"})
    import deltalake  # noqa: F401
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv_duckdb

    pipeline = dlt.pipeline("mesure", destination=dlt.destinations.filesystem(f"file://{folder}/lake"), dataset_name="mesure")
    pattern = _pattern(file)
    files = filesystem(bucket_url=f"file://{pattern.parent}", file_glob=pattern.name)
    source = (files | read_csv_duckdb(chunk_size=200_000, use_pyarrow=True)).with_name("grand")
    if hints:
        source.apply_hints(**hints)
    return lambda: pipeline.run(source, loader_file_format="parquet")


def _pattern(file: Path) -> Path:
    return file / "*.csv" if file.is_dir() else file


def socle(file: Path, folder: Path, *, people: bool = True, **more: object) -> Callable[[], object]:
    from benchmarks.tables import write_project

    data = write_project(folder, **more)  # type: ignore[arg-type]
    for each in file.iterdir() if file.is_dir() else [file]:
        (data / each.name).symlink_to(each)
    os.environ["SOCLE_ROOT"] = str(folder)
    import deltalake  # noqa: F401
    import polars  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from flows.quality import expectations
    from flows.steps import fast, open_run  # noqa: F401
    from flows.steps.ingest import load_dataset

    if more.get("suite"):
        expectations._import()
    if not people:
        _look_for_nobody()

    def load() -> None:
        with open_run("mesure") as run:
            outcome = load_dataset(run, "grand")
            assert outcome.action == "loaded", outcome.reasons
            assert outcome.report is not None
            print(outcome.report.rows, file=sys.stderr)

    return load


def _look_for_nobody() -> None:
    """Loading alone: without reading every value for personal data, which the others do not do either."""
    from flows.privacy.report import PrivacyReport
    from flows.steps import privacy

    privacy.look = lambda run, name, rows: privacy.judge(PrivacyReport(rows=0), run.project.datasets[name])  # type: ignore[assignment]


ALONE = "socle, loading alone"
LOADERS: dict[str, Callable[[Path, Path], Callable[[], object]]] = {
    "socle": socle,
    ALONE: lambda file, folder: socle(file, folder, people=False),
    "socle, with a key": lambda file, folder: socle(file, folder, people=False, key=True),
    "socle, 13 expectations": lambda file, folder: socle(file, folder, suite=True),
    "polars to Parquet": polars_parquet,
    "polars then Delta": polars_delta,
    "polars then Delta, same types": polars_delta_typed,
    "DuckDB to Parquet": duckdb,
    "pandas to Parquet": pandas,
    "datasets to Parquet": datasets,
    "dlt to Parquet": dlt,
    "dlt to Delta": lambda file, folder: dlt(file, folder, table_format="delta"),
}


def main() -> None:
    name, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    work = LOADERS[name](file, folder)
    start, busy = time.perf_counter(), sum(os.times()[:4])
    work()
    wall, cpu = time.perf_counter() - start, sum(os.times()[:4]) - busy
    print(json.dumps({"wall": wall, "cpu": cpu, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """Of this program: getrusage would count what its parent had when it started it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
