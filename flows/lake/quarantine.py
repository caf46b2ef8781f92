"""Refused rows of a dataset: a Delta table beside it, one line a row, with every rule that refused it.

A refused row is never lost: it is written here before the load is committed or refused. Readers see the rows of loads that
ended one way or the other only (steps/ingest.py decides); rows of a load that was killed half-way are written once, when the
load is run again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flows.errors import Conflict
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset, numbered

if TYPE_CHECKING:
    import polars as pl

ATTEMPTS = 20


class Quarantine(Dataset):
    def __init__(self, lake: Lake, project: str, name: str) -> None:
        super().__init__(lake, project, name)
        self.uri = lake.table_uri(project, keys.quarantine(name))

    def add(self, refused: pl.LazyFrame, load_id: str, run: str) -> int | None:
        """Write a load's refused rows, once. `refused` has file, row_number, rules (list of str) and row (JSON text).

        Returns: the Delta version that holds them; None if there is nothing to write.
        """
        import polars as pl
        from deltalake import CommitProperties, DeltaTable, write_deltalake

        rows = refused.select(pl.lit(load_id).alias("load_id"), pl.lit(run).alias("run"), "file", "row_number", "rules", "row").collect()
        if rows.is_empty():
            return None
        self.create_table(_schema())
        for _ in range(ATTEMPTS):
            based_on = self.delta_version()  # before looking: whoever commits after this makes ours a conflict
            written = self.version_of(load_id)
            if written is not None:
                return written
            try:
                with self._errors():
                    table = DeltaTable(self.uri, version=based_on, storage_options=self.lake.storage_options)
                    properties = CommitProperties(custom_metadata={"socle.quarantined": load_id}, max_commit_retries=0)
                    write_deltalake(table, rows.to_arrow().cast(_schema()), mode="append", commit_properties=properties)
            except Conflict:
                continue  # somebody else's refused rows came first: both are kept
        raise Conflict(f"too many writers to the quarantine of {self.project}/{self.name}", where=self.uri, hint="run again")

    def version_of(self, load_id: str) -> int | None:
        table = self.open()
        if table is None:
            return None
        with self._errors():
            commits = numbered(table)
        return next((int(c["version"]) for c in commits if c.get("socle.quarantined") == load_id), None)

    def rows(self, load_id: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The refused rows of one load, as plain dictionaries (`row` parsed)."""
        import polars as pl

        version = self.version_of(load_id)
        if version is None:
            return []
        found = self.scan(version).filter(pl.col("load_id") == load_id)
        with self.reading():
            lines = (found.head(limit) if limit else found).collect().to_dicts()
        return [line | {"row": json.loads(line["row"])} for line in lines]


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("load_id", pa.string()),
            ("run", pa.string()),
            ("file", pa.string()),
            ("row_number", pa.int64()),
            ("rules", pa.list_(pa.string())),
            ("row", pa.string()),
        ]
    )
