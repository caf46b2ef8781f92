"""Refused rows of a dataset: a Delta table beside it, one line a row, with every rule that refused it and its place in the source.

A refused row is never lost: it is written here before the load is committed or refused. Readers see the rows of loads that
ended one way or the other only (steps/ingest.py decides); rows of a load that was killed half-way are written once, when the
load is run again.

A replay (steps/replay.py) is a load, too. It writes a line for each row that it tried: those that it refused again with their new
rules, those that it let in with no rule at all. `origin` says which row a line is about. Lines are never changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flows.errors import Conflict
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset, numbered

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

ATTEMPTS = 20
BATCH = 20_000  # rows in memory while they are written
REWRITTEN = "socle.quarantine_rewritten"
ADDED, DELETED = "socle.quarantined", "socle.quarantine_expired"  # of a commit: a load_id, a list of them


class Quarantine(Dataset):
    versioned = False

    def __init__(self, lake: Lake, project: str, name: str) -> None:
        super().__init__(lake, project, name)
        self.uri = lake.table_uri(project, keys.quarantine(name))

    def add(
        self,
        refused: pl.LazyFrame,
        load_id: str,
        run: str,
        *,
        rules_version: str | None = None,
        sha256: Mapping[str, str] | None = None,
        expected: int | None = None,
    ) -> int | None:
        """Write a load's refused rows, once. `refused` has file, row_number, rules (list of str) and row (JSON text), and where they
        are known line, offset, raw (text of the record), origin (id of the row that is tried again).

        `rules_version`: of the rules that refused them. `sha256`: name -> raw file. `expected`: how many rows have been refused.

        Returns: the Delta version that holds them; None if there is nothing to write.

        Raises: AssertionError if there are not as many as expected: a row would be lost, or counted twice.
        """
        import pyarrow as pa
        from deltalake import CommitProperties, DeltaTable, write_deltalake

        rows = _complete(refused, load_id, run, rules_version)
        count = _refused_in(rows)
        if expected is not None and count != expected:
            raise AssertionError(f"{self.project}/{self.name}: {expected} rows were refused, {count} would be in quarantine")
        if not _any(rows):
            return None
        self.create_table(schema())
        for _ in range(ATTEMPTS):
            based_on = self.delta_version()  # before looking: whoever commits after this makes ours a conflict
            written = self.version_of(load_id)
            if written is not None:
                return written
            try:
                with self._errors():
                    table = DeltaTable(self.uri, version=based_on, storage_options=self.lake.storage_options)
                    properties = CommitProperties(custom_metadata={ADDED: load_id}, max_commit_retries=0)
                    lines = pa.RecordBatchReader.from_batches(schema(), _lines(rows, sha256 or {}))
                    write_deltalake(table, lines, mode="append", schema_mode="merge", commit_properties=properties)
                return self.version_of(load_id)
            except Conflict:
                continue  # somebody else's refused rows came first: both are kept
        raise Conflict(f"too many writers to the quarantine of {self.project}/{self.name}", where=self.uri, hint="run again")

    def counts(self) -> dict[str, int]:
        """load_id -> refused rows that are there; rows that a replay let in are not counted."""
        import polars as pl

        newest = self.delta_version()
        if newest is None:
            return {}
        with self.reading():
            found = self.lines(newest).group_by("load_id").agg((pl.col("rules").list.len() > 0).sum().alias("n")).collect()
        return dict(zip(found["load_id"].to_list(), found["n"].to_list(), strict=True))

    def replays(self) -> dict[str, set[str]]:
        """load_id of a replay -> loads that had refused the rows that it tried."""
        import polars as pl

        newest = self.delta_version()
        if newest is None:
            return {}
        with self.reading():
            lines = self.lines(newest).select("load_id", "id", "origin").collect()
        tried = lines.filter(pl.col("origin").is_not_null())
        first = lines.filter(pl.col("origin").is_null()).select("id", pl.col("load_id").alias("first"))
        found: dict[str, set[str]] = {}
        for load_id, origin in tried.join(first, left_on="origin", right_on="id").select("load_id", "first").unique().iter_rows():
            found.setdefault(load_id, set()).add(origin)
        return found

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
            lines = rows.select(schema().names).to_arrow().cast(schema())
            write_deltalake(table, lines, mode="overwrite", schema_mode="overwrite", commit_properties=properties)

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

    def lines(self, version: int) -> pl.LazyFrame:
        """Every line of the table, in all columns of today: lines of an earlier Socle have null where it wrote nothing, but for
        their id. Collect it inside `reading()`."""
        import polars as pl

        found = self.scan(version)
        there = found.collect_schema().names()
        absent = [pl.lit(None, kind).alias(name) for name, kind in polars_schema().items() if name not in there]
        found = found.with_columns(absent).select(schema().names)
        return found.with_columns(pl.coalesce("id", _id_of_old_lines()).alias("id"))

    def rows(self, load_id: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The refused rows of one load, as plain dictionaries (`row` parsed)."""
        import polars as pl

        if self.version_of(load_id) is None:
            return []
        newest = self.delta_version()  # the version that added them may be gone, its rows are in all that follow
        assert newest is not None
        with self.reading():
            found = self.lines(newest).filter((pl.col("load_id") == load_id) & (pl.col("rules").list.len() > 0))
            lines = (found.head(limit) if limit else found).collect().to_dicts()
        return [line | {"row": json.loads(line["row"] or "{}")} for line in lines]


def row_id(load_id: str, file: str, row_number: int, is_record: bool) -> str:
    """Says nothing of the row but where it was. `is_record`: a record that is no row; rows that a transform makes have numbers of
    their own."""
    text = json.dumps([load_id, file, row_number, is_record], ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:20]


def is_record(row: str | None, raw: str | None) -> bool:
    """A line about a record that is no row: there is its text, and no values."""
    return raw is not None and row in (None, "", "{}")


def schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("load_id", pa.string()),
            ("run", pa.string()),
            ("file", pa.string()),
            ("row_number", pa.int64()),
            ("rules", pa.list_(pa.string())),
            ("row", pa.string()),
            ("id", pa.string()),
            ("origin", pa.string()),
            ("sha256", pa.string()),
            ("member", pa.string()),
            ("line", pa.int64()),
            ("offset", pa.int64()),
            ("raw", pa.string()),
            ("rules_version", pa.string()),
        ]
    )


def polars_schema() -> dict[str, Any]:
    import polars as pl

    kinds = {"row_number": pl.Int64(), "line": pl.Int64(), "offset": pl.Int64(), "rules": pl.List(pl.String)}
    return {name: kinds.get(name, pl.String()) for name in schema().names}


def _complete(refused: pl.LazyFrame, load_id: str, run: str, rules_version: str | None) -> pl.LazyFrame:
    """All columns, but for those that `_lines` makes."""
    import polars as pl

    there = refused.collect_schema().names()
    given = {"load_id": load_id, "run": run, "rules_version": rules_version}
    always = ("load_id", "run")
    made = [pl.lit(given.get(name), kind).alias(name) for name, kind in polars_schema().items() if name not in there or name in always]
    return refused.with_columns(made).select(pl.col(name).cast(kind) for name, kind in polars_schema().items())


def _refused_in(rows: pl.LazyFrame) -> int:
    import polars as pl

    return int(rows.select((pl.col("rules").list.len() > 0).sum()).collect().item() or 0)


def _any(rows: pl.LazyFrame) -> bool:
    return not rows.head(1).collect().is_empty()


def _lines(rows: pl.LazyFrame, sha256: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Batch by batch, with ids and raw files."""
    import polars as pl

    for batch in rows.collect_batches(chunk_size=BATCH, maintain_order=True):
        files = [_raw_file(name, sha256) for name in batch["file"]]
        made = batch.with_columns(
            pl.Series("id", _ids(batch), pl.String),
            pl.coalesce("sha256", pl.Series("sha256", [sha for sha, _ in files], pl.String)).alias("sha256"),
            pl.coalesce("member", pl.Series("member", [member for _, member in files], pl.String)).alias("member"),
        )
        yield from made.to_arrow().cast(schema()).to_batches()


def _ids(batch: pl.DataFrame) -> list[str]:
    lines = batch.select("load_id", "file", "row_number", "row", "raw").iter_rows()
    return [row_id(load_id, file, number, is_record(row, raw)) for load_id, file, number, row, raw in lines]


def _id_of_old_lines() -> pl.Expr:
    """Lines that an earlier Socle wrote have none."""
    import polars as pl

    def made(batch: pl.Series) -> pl.Series:
        ids = [row_id(s["load_id"], s["file"], s["row_number"], False) if s["id"] is None else None for s in batch]
        return pl.Series(ids, dtype=pl.String)

    return pl.struct("id", "load_id", "file", "row_number").map_batches(made, return_dtype=pl.String)


def _raw_file(name: str, sha256: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(raw file, what it is inside it): a file of an archive is named after it, `archive.zip/member.csv`."""
    if name in sha256:
        return sha256[name], ""
    around = max((known for known in sha256 if name.startswith(known)), key=len, default=None)
    return (None, None) if around is None else (sha256[around], name.removeprefix(around))
