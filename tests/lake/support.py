"""What several lake tests build: rows, load records, model folders, and the whole text of an error."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from flows.lake import Lake
from flows.lake.data_files import DataFile
from flows.lake.datasets import Dataset, DatasetVersion, LoadRecord
from flows.lake.models import Models, ModelVersion

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64())])
MANIFEST: dict[str, Any] = {
    "fingerprint": "f1",
    "candidate": {"label": "tfidf", "kind": "tfidf"},
    "dataset": {"reference": "essai/demandes@1", "load_id": "load-1", "rows": {"train": 8, "test": 2}},
    "metrics": {"test": {"macro_f1": 0.75}},
    "cost": {"train_seconds": 1.5},
    "labels": ["congé", "paie"],
    "inputs": ["texte"],
    "made": {"at": "2026-11-01T00:00:00+00:00", "run": "run-1", "who": "moi"},
}


def reader(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> pa.RecordBatchReader:
    """The rows as a stream of batches of two rows."""
    batches = [pa.RecordBatch.from_pylist(rows[i : i + 2], schema=schema) for i in range(0, len(rows), 2)]
    return pa.RecordBatchReader.from_batches(schema, batches)


def record(load_id: str, mode: str = "replace", **more: Any) -> LoadRecord:
    return LoadRecord(load_id=load_id, ingest="i-1", check="c-1", mode=mode, run="run-1", who="moi", verdict="passed", **more)


def commit(dataset: Dataset, rows: pa.RecordBatchReader, based_on: int, made: LoadRecord, key: list[str], **more: Any) -> DatasetVersion:
    """A commit of rows that come as a stream."""
    with tempfile.TemporaryDirectory() as folder:
        path, count = Path(folder, "rows.parquet"), 0
        with parquet.ParquetWriter(path, rows.schema) as out:
            for batch in rows:
                out.write_batch(batch)
                count += batch.num_rows
        return dataset.commit([DataFile(path, count)], rows.schema, based_on, made, key, **more)


def load(dataset: Dataset, load_id: str, rows: list[dict[str, Any]], mode: str = "replace") -> int:
    """Commit rows on whatever is the newest version; the number of the new one."""
    base = dataset.create_table(SCHEMA)
    return commit(dataset, reader(rows), base, record(load_id, mode), ["id"]).number


def content(dataset: Dataset, version: int) -> list[dict[str, Any]]:
    """The rows of a version, in the order of their id."""
    return read_rows(dataset.lake, dataset.uri, version)


def scanned(dataset: Dataset, version: int) -> list[dict[str, Any]]:
    """The rows of a version as the steps read them."""
    with dataset.reading():
        return dataset.scan(version).collect().to_dicts()


def read_rows(lake: Lake, uri: str, version: int) -> list[dict[str, Any]]:
    """Read a table past Socle, with deltalake alone: what any other tool would see."""
    from deltalake import DeltaTable

    table = DeltaTable(uri, version=version, storage_options=lake.storage_options).to_pyarrow_table()
    return sorted(table.to_pylist(), key=lambda row: tuple(str(value) for value in row.values()))


def model_folder(folder: Path, weights: bytes = b"weights") -> Path:
    (folder / "tokenizer").mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "README.md").write_text("# Thème d'une demande\n", encoding="utf-8")
    (folder / "tokenizer" / "vocab.txt").write_text("congé\npaie\n", encoding="utf-8")
    return folder


def commit_model(models: Models, folder: Path, weights: bytes = b"weights", **more: Any) -> ModelVersion:
    return models.commit(model_folder(folder, weights), MANIFEST | more)


def whole_text(error: BaseException) -> str:
    """Everything of an error that may reach a log: its text, its repr, the traceback with all that is chained."""
    return "\n".join([str(error), repr(error), repr(error.args), *traceback.format_exception(error)])
