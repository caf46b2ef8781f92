"""Data docs on S3 once there are many results: Socle's against those of Great Expectations, on one real gateway (Ceph RGW on loopback).

`python -m benchmarks data_docs`: 100 results; SOCLE_BENCH_RESULTS=1000 for as many (minutes: filling the stores is most of it). Both have
the same number of results of 20 expectations. Measured: what one more result costs, written and shown; for Great Expectations also the
whole site, which is what it builds when nobody tells it which result is new. Version 1.24 has no stores on S3 any more: gx_on_s3.py is
one for comparison, and the same is measured on a local folder, which is the best case there can be.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.measure import interleaved, show
from benchmarks.servers import gateway
from flows.settings import load_settings

RESULTS = int(os.environ.get("SOCLE_BENCH_RESULTS", "100"))
EXPECTATIONS, ROUNDS, COLUMNS = 20, 3, 5
OURS = "Socle on S3: one more result"
PROJECT = """\
title: Mesure
ministry: Essai
owner: {team: Essai, email: essai@example.gouv.fr}
datasets:
  demandes:
    title: Demandes
    source: {type: file, path: demandes.csv}
    columns: {c0: string, c1: string, c2: string, c3: string, c4: string}
    personal_data: none
"""


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("SOCLE_BENCH_FOLDER")) as name, gateway(Path(name) / "s3") as server:
        if server is None:
            return
        folder = Path(name)
        start = time.monotonic()
        contenders = {OURS: _ours(folder, server)}
        print(f"   {RESULTS} results of {EXPECTATIONS} expectations; filling: Socle {time.monotonic() - start:.0f} s", end="")
        start, sites = time.monotonic(), dict[str, float]()
        for name, place in (("GX on S3", _on_s3(folder, server)), ("GX on a folder", _on_folder(folder))):
            contenders[f"{name}: one more result"], sites[f"{name}: the whole site, once"] = _theirs(place)
        print(f", Great Expectations {time.monotonic() - start:.0f} s with its whole sites")
        samples = interleaved(contenders, ROUNDS)
        show(samples, OURS)
        usual = statistics.median(s.wall for s in samples[OURS])
        for name, seconds in sites.items():
            print(f"   {name:<38} {seconds:>8.2f} s  time x{seconds / usual:.0f}")


# ---- Socle ---------------------------------------------------------------------------------------------------------


def _ours(folder: Path, server: Any) -> Any:
    """Versions with their reports, and a docs server that somebody has looked at."""
    import pyarrow as pa
    from pyarrow import parquet
    from starlette.testclient import TestClient

    from flows.lake.data_files import DataFile
    from flows.lake.datasets import EMPTY, Dataset, LoadRecord
    from flows.serve import make_app
    from flows.steps import open_run
    from flows.steps.reports import write_report

    (folder / "projects" / "mesure").mkdir(parents=True)
    (folder / "projects" / "mesure" / "project.yaml").write_text(PROJECT, encoding="utf-8")
    user = server.users["socle"]
    access = {"ENDPOINT": server.endpoint, "ACCESS_KEY": user.access_key, "SECRET_KEY": user.secret_key}
    os.environ |= {"SOCLE_ROOT": str(folder), "SOCLE_STORAGE": "s3://docs"} | {f"SOCLE_S3_{k}": v for k, v in access.items()}
    run = ExitStack().enter_context(open_run("mesure"))
    run.lake.bucket("mesure").ensure()
    table, schema = Dataset(run.lake, "mesure", "demandes"), pa.schema([(f"c{n}", pa.string()) for n in range(COLUMNS)])
    table.create_table(schema)
    state: dict[str, Any] = {"number": 0, "based_on": EMPTY, "version": None}
    client = TestClient(make_app(load_settings()), base_url="http://127.0.0.1")

    def load() -> None:
        state["number"] += 1
        report = replace(_report(state["number"]), load_id=f"{state['number']:024x}")
        write_report(run, report, state["version"])
        path = folder / "rows.parquet"
        parquet.write_table(pa.table({f"c{n}": ["a"] for n in range(COLUMNS)}), path)
        load = LoadRecord(report.load_id, "i", "c", "replace", run.id, "x", "passed", rows=report.rows)
        state["version"] = table.commit([DataFile(path, 1)], schema, state["based_on"], load, [])
        state["based_on"] = state["version"].number

    def one_more() -> None:
        """The commit of the version included, which is no part of data docs and which Great Expectations does not have."""
        load()
        for address in ("/mesure/donnees/demandes", f"/mesure/donnees/demandes/{state['version'].load.load_id}"):
            assert client.get(address).status_code == 200

    load()
    load()
    _older(run, state)
    for _ in range(min(RESULTS, run.settings.trend_versions)):
        load()
    assert client.get("/mesure/donnees/demandes").status_code == 200
    return one_more


def _older(run: Any, state: dict[str, Any]) -> None:
    """Versions before those that the trend goes back: objects like those of the second load, without the work of making them. Their
    commits hold no rows."""
    from flows.lake import keys

    objects, like = run.lake.bucket("mesure"), f"{2:024x}"
    log = [json.loads(line) for line in objects.get(keys.delta_commit(keys.table("demandes"), 2)).splitlines()]
    (info,) = (action for action in log if "commitInfo" in action)
    wanted = [keys.check_docs("demandes", like), keys.check_trend("demandes", like), keys.check_result("demandes", like)]
    texts = {key: objects.get(key).decode() for key in wanted}
    made = []
    for number in range(3, RESULTS - run.settings.trend_versions + 1):
        load_id = f"{number:024x}"
        made += [(key.replace(like, load_id), text.replace(like, load_id).encode()) for key, text in texts.items()]
        made.append((keys.delta_commit(keys.table("demandes"), number), json.dumps(info).replace(like, load_id).encode()))
        state["number"] = state["based_on"] = number
    objects.create_all(made)


def _report(number: int) -> Any:
    from flows.quality.results import CheckReport, CheckResult

    kinds = ["expect_column_values_to_not_be_null", "expect_column_values_to_be_unique"] * (EXPECTATIONS // 2)
    figures = {"success": True, "checked_rows": 100_000}
    results = [
        CheckResult("s.json", kind, {"column": f"c{n % COLUMNS}"}, "critical", "row", **figures, unexpected=n * number % 50)
        for n, kind in enumerate(kinds)
    ]
    counts = {"read": 100_000, "kept": 100_000, "refused": 0, "total": 100_000}
    return CheckReport("mesure", "demandes", "", "c", "passed", "block", results, counts, {}, [])


# ---- Great Expectations --------------------------------------------------------------------------------------------


Place = Callable[[str], dict[str, Any]]
"""What a store keeps -> the configuration of its backend."""


def _on_s3(folder: Path, server: Any) -> Place:
    from minio import Minio

    user = server.users["socle"]
    access = {"endpoint": urlsplit(server.endpoint).netloc, "access_key": user.access_key, "secret_key": user.secret_key, "secure": False}
    Minio(**access).make_bucket("gx-docs")
    backend = {"class_name": "TupleMinioStoreBackend", "module_name": "benchmarks.gx_on_s3", "bucket": "gx-docs", "access": access}
    return lambda kind: backend | {"prefix": kind, "base_directory": str(folder / "unused")}


def _on_folder(folder: Path) -> Place:
    return lambda kind: {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder / "gx" / kind)}


def _theirs(place: Place) -> tuple[Callable[[], None], float]:
    """(one more result, seconds that the whole site took)."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with redirect_stderr(StringIO()):
        context, identifiers = _filled(place)

    def one_more() -> None:
        identifier = _store(context, len(identifiers))
        identifiers.append(identifier)
        context.build_data_docs(resource_identifiers=[identifier])

    start = time.monotonic()
    context.build_data_docs()
    return one_more, time.monotonic() - start


def _filled(place: Place) -> tuple[Any, list[Any]]:
    """A context, and the results that are in its stores."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import DataContextConfig

    stores = {
        "expectations": {"class_name": "ExpectationsStore", "store_backend": place("suites")},
        "results": {"class_name": "ValidationResultsStore", "store_backend": place("results")},
        "checkpoints": {"class_name": "CheckpointStore", "store_backend": place("checkpoints")},
        "validation_definition_store": {"class_name": "ValidationDefinitionStore", "store_backend": place("definitions")},
    }
    site = {"class_name": "SiteBuilder", "store_backend": place("site"), "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"}}
    config = DataContextConfig(
        stores=stores,
        expectations_store_name="expectations",
        validation_results_store_name="results",
        checkpoint_store_name="checkpoints",
        data_docs_sites={"s3": site},
    )
    context = gx.get_context(project_config=config, mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    suite = context.suites.add(gx.ExpectationSuite(name="demandes"))
    for n in range(EXPECTATIONS):
        made = gx.expectations.ExpectColumnValuesToNotBeNull if n % 2 == 0 else gx.expectations.ExpectColumnValuesToBeUnique
        suite.add_expectation(made(column=f"c{n % COLUMNS}", mostly=round(0.5 + n / 100, 2)))
    frame = pd.DataFrame({f"c{n}": [str(i) for i in range(100)] for n in range(COLUMNS)})
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    context._measured = batch.get_batch({"dataframe": frame}).validate(suite)
    return context, [_store(context, n) for n in range(RESULTS)]


def _store(context: Any, number: int) -> Any:
    from datetime import UTC, datetime, timedelta

    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier, ValidationResultIdentifier

    run = RunIdentifier(run_name=f"run-{number:05}", run_time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number))
    identifier = ValidationResultIdentifier(ExpectationSuiteIdentifier("demandes"), run, "a-b")
    context.validation_results_store.set(identifier, context._measured)
    return identifier


if __name__ == "__main__":
    main()
