"""Refused rows of a dataset: a Delta table beside it, one line a row, with every rule that refused it.

A refused row is never lost: it is written here before the load is committed or refused. Readers see the rows of loads that
ended one way or the other only (steps/ingest.py decides); rows of a load that was killed half-way are written once, when the
load is run again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flows.errors import Conflict
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset, numbered

if TYPE_CHECKING:
    import polars as pl

ATTEMPTS = 20
REWRITTEN = "socle.quarantine_rewritten"
ADDED, DELETED = "socle.quarantined", "socle.quarantine_expired"  # of a commit: a load_id, a list of them


class Quarantine(Dataset):
    versioned = False

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
                    properties = CommitProperties(custom_metadata={ADDED: load_id}, max_commit_retries=0)
                    write_deltalake(table, rows.to_arrow().cast(_schema()), mode="append", commit_properties=properties)
            except Conflict:
                continue  # somebody else's refused rows came first: both are kept
        raise Conflict(f"too many writers to the quarantine of {self.project}/{self.name}", where=self.uri, hint="run again")

    def counts(self) -> dict[str, int]:
        """load_id -> rows that are there."""
        newest = self.delta_version()
        if newest is None:
            return {}
        with self.reading():
            found = self.scan(newest).group_by("load_id").len().collect()
        return dict(zip(found["load_id"].to_list(), found["len"].to_list(), strict=True))

    def delete(self, load_ids: list[str]) -> None:
        """Take the rows of these loads out of the table. Older Delta versions still have them until their files are deleted.

        Raises: Conflict if somebody wrote refused rows meanwhile.
        """
        from deltalake import CommitProperties

        table = self.open()
        assert table is not None
        named = ", ".join("'" + load_id.replace("'", "''") + "'" for load_id in load_ids)
        properties = CommitProperties(custom_metadata={DELETED: json.dumps(load_ids)}, max_commit_retries=0)
        with self._errors():
            table.delete(f"load_id IN ({named})", commit_properties=properties)

    def replace_rows(self, rows: pl.DataFrame, based_on: int) -> None:
        """Replace all rows. Older Delta versions still have those that are left out until their files are deleted.

        Raises: Conflict if somebody wrote refused rows meanwhile.
        """
        from deltalake import CommitProperties, DeltaTable, write_deltalake

        with self._errors():
            table = DeltaTable(self.uri, version=based_on, storage_options=self.lake.storage_options)
            properties = CommitProperties(custom_metadata={REWRITTEN: "erasure"}, max_commit_retries=0)
            write_deltalake(table, rows.to_arrow().cast(_schema()), mode="overwrite", commit_properties=properties)

    def version_of(self, load_id: str) -> int | None:
        found = self.written().get(load_id)
        return found[0] if found else None

    def written(self) -> dict[str, tuple[int, datetime]]:
        """load_id -> Delta version that added its rows, and when; those that were deleted since are left out."""
        table = self.open()
        if table is None:
            return {}
        with self._errors():
            commits = numbered(table)
        found: dict[str, tuple[int, datetime]] = {}
        for commit in reversed(commits):
            if load_id := commit.get(ADDED):
                found[load_id] = (int(commit["version"]), datetime.fromtimestamp(commit["timestamp"] / 1000, UTC))
            for load_id in json.loads(commit.get(DELETED, "[]")):
                found.pop(load_id, None)
        return found

    def rows(self, load_id: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The refused rows of one load, as plain dictionaries (`row` parsed)."""
        import polars as pl

        if self.version_of(load_id) is None:
            return []
        newest = self.delta_version()  # the version that added them may be gone, its rows are in all that follow
        assert newest is not None
        found = self.scan(newest).filter(pl.col("load_id") == load_id)
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
