"""Dataset versions as Delta tables. Delta version N is `dataset@N`; the first load is version 1 (0 is the empty table).

Only commits that carry a `socle.load_id` are versions in the eyes of readers: maintenance commits are not. What a load is
made from travels in the commit itself (LoadRecord), so the table tells its own history.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError, Conflict, NotFound, StorageError
from flows.lake import Lake, keys
from flows.lake.data_files import DataFile, reader, require_names, upload
from flows.lake.loads import PREFIX, Cause, DatasetVersion, Expiry, LoadRecord, expiries, moment
from flows.lake.references import Reference
from flows.lake.touched import note_expired, note_read, note_wrote

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable

    from flows.project import Deletes

LINE_START = re.compile(r"^[\s\x1b\[\dm↳:]*")  # colours, arrows and numbers before a cause
MIN_FREE = 64 << 10  # bytes; with less, a failed write is taken for a full disk
EMPTY = 0  # Delta version of a table that was made and never loaded
TABLE_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",  # old versions stay readable: models refer to them
    "delta.dataSkippingNumIndexedCols": "0",  # the log keeps no smallest and largest values: they can be a person's
}


class Dataset:
    """One table of the lake: its versions, reading one, committing the next."""

    versioned = True
    """Whether what is read and written here are versions of a dataset."""

    def __init__(self, lake: Lake, project: str, name: str) -> None:
        self.lake, self.project, self.name = lake, project, name
        self.uri = lake.table_uri(project, keys.table(name))

    # -- reading

    def open(self, version: int | None = None) -> DeltaTable | None:
        """None if the table was never made. Raises: NotFound for a version that is not there."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        with self._errors():
            try:
                return DeltaTable(self.uri, version=version, storage_options=self.lake.storage_options)
            except TableNotFoundError:
                return None

    def delta_version(self) -> int | None:
        """The newest Delta version, loads or not."""
        return self.state()[0]

    def history(self) -> list[DatasetVersion]:
        """Every load, the newest first."""
        return self.state()[1]

    def state(self) -> tuple[int | None, list[DatasetVersion]]:
        """(newest Delta version, loads or not; every load, the newest first), both of one moment.

        A commit has to be based on the version that its plan was made from: otherwise what another writer did in between
        would be loaded twice.
        """
        table = self.open()
        if table is None:
            return None, []
        with self._errors():
            commits = numbered(table)
        return commits[0]["version"], self.versions_of(commits)

    def versions_of(self, commits: list[dict[str, Any]]) -> list[DatasetVersion]:
        """The loads among commits of the table (the newest first): what each says of itself, and its `version`."""
        expired = expiries(commits)
        return [
            DatasetVersion(
                self.project,
                self.name,
                commit["version"],
                moment(commit["timestamp"]),
                LoadRecord.from_metadata(commit),
                expired.get(commit["version"]),
            )
            for commit in commits
            if PREFIX + "load_id" in commit
        ]

    def latest(self) -> DatasetVersion | None:
        return next(iter(self.history()), None)

    def resolve(self, reference: Reference) -> DatasetVersion:
        """Raises: NotFound, naming the versions there are, also for one whose rows were deleted."""
        history = self.history()
        there = ", ".join(str(v.number) for v in history if v.expired is None) or "none"
        for version in history:
            if reference.version is None or version.number == reference.version:
                if version.expired is not None:
                    raise self._gone(version, version.expired, there)
                return version
        raise NotFound(
            f"there is no dataset version {reference}",
            where=f"{self.uri} (versions there: {there})",
            hint=f"socle ls {self.project}",
            french=f"La version {reference.version} de « {self.name} » n'existe pas. Versions : {there}."
            if history
            else f"« {self.name} » n'a encore aucune version.",
        )

    def _gone(self, version: DatasetVersion, expiry: Expiry, there: str) -> NotFound:
        why = "a person's rows were erased from it" if expiry.cause == "erasure" else "it was kept as long as the project says"
        return NotFound(
            f"{version} expired on {expiry.at:%Y-%m-%d}: {why}, and its rows were deleted",
            where=f"{self.uri} (versions kept: {there})",
            hint=f"socle ls {self.project}",
            french=f"La version {version.number} de « {self.name} » est {expiry.french} : ses lignes ne sont plus gardées. "
            f"Versions gardées : {there}.",
        )

    def scan(self, version: int) -> pl.LazyFrame:
        """The rows of Delta version `version`. Nothing is read until collected: do that inside `reading()`."""
        import polars as pl
        from deltalake import DeltaTable

        if self.versioned and version != EMPTY:
            note_read(f"{self.project}/{self.name}@{version}")
        with self._errors():
            # Opened by us: Polars would open it without any retries.
            table = DeltaTable(self.uri, version=version, storage_options=self.lake.storage_options)
            table._storage_options = None  # Polars takes them over for itself, and refuses those that only deltalake knows
            return pl.scan_delta(table, storage_options=self.lake.reader_options)

    def has_checkpoint(self) -> bool:
        return self.lake.bucket(self.project).stat(keys.table_checkpoint(self.name)) is not None

    def ensure_checkpoint(self) -> None:
        """For readers who may read this table and nothing beside it: they are told that what is missing is forbidden, and a table
        without a checkpoint is then one that they cannot open."""
        if not self.has_checkpoint() and (table := self.open()) is not None:
            with self._errors():
                table.create_checkpoint()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Failures of the storage while rows of `scan` are read -> StorageError."""
        import polars as pl
        from deltalake.exceptions import DeltaError

        try:
            yield
        except (pl.exceptions.PolarsError, DeltaError, OSError) as error:
            text = _said(error)
            if "No space left" in str(error):  # reading the lake writes nothing there: what is full is where the rows go
                raise
            raise StorageError(f"rows of {self.project}/{self.name} cannot be read: {text}", where=self.uri, hint="socle doctor") from None

    # -- writing

    def create_table(self, schema: pa.Schema) -> int:
        """Make the empty table if there is none; the newest version of the table that is there then."""
        from deltalake import CommitProperties, DeltaTable
        from deltalake.exceptions import DeltaError

        if (there := self.delta_version()) is not None:
            return there
        try:
            with self._errors():
                DeltaTable.create(
                    self.uri,
                    schema,
                    mode="error",
                    configuration=TABLE_CONFIGURATION,
                    storage_options=self.lake.storage_options,
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
        except (Conflict, StorageError, DeltaError):
            if self.open() is None:  # nobody else made it in the meantime: a real failure
                raise
        made = self.delta_version()
        assert made is not None
        return made

    def commit(
        self,
        files: Sequence[DataFile],
        schema: pa.Schema,
        based_on: int,
        record: LoadRecord,
        key: list[str],
        *,
        evolve: bool = False,
        deletes: Deletes | None = None,
    ) -> DatasetVersion:
        """Make rows the version after `based_on`, in the record's mode. `files` hold them, in columns of `schema`.

        `evolve`: add columns that the table lacks. `deletes`: which rows of an upsert say that their key is gone.

        Raises: Conflict if anybody committed since `based_on`; nothing of ours is visible then.
        """
        return self._committed(lambda: self._write(files, schema, based_on, record, key, evolve, deletes), based_on, record)

    def restore(self, version: int, based_on: int, record: LoadRecord) -> DatasetVersion:
        """Make the version after `based_on` hold the rows and columns of `version` again. Nothing is copied.

        Raises: Conflict if anybody committed since `based_on`.
        """
        return self._committed(lambda: self._restore(version, based_on, record), based_on, record)

    def rewrite(self, rows: pa.RecordBatchReader, based_on: int, record: LoadRecord) -> DatasetVersion:
        """Make the version after `based_on` hold exactly these rows, whatever the record's mode.

        Raises: Conflict if anybody committed since `based_on`.
        """
        return self._committed(lambda: self._overwrite(rows, based_on, record), based_on, record)

    def _overwrite(self, rows: pa.RecordBatchReader, based_on: int, record: LoadRecord) -> None:
        from deltalake import DeltaTable, write_deltalake

        with self._errors():
            table = DeltaTable(self.uri, version=based_on, storage_options=self.lake.storage_options)
            write_deltalake(table, rows, mode="overwrite", schema_mode="overwrite", commit_properties=_commit_properties(record))

    def expire(self, versions: list[int], based_on: int, cause: Cause, **more: str) -> None:
        """Say in the table's own history that the rows of these versions go. Their files are deleted afterwards: whoever goes back
        to one of them at the same moment has a conflict, and then finds it expired. The commit is no version.

        Raises: Conflict if anybody committed since `based_on`.
        """
        from deltalake import CommitProperties, DeltaTable

        metadata = {PREFIX + "expired": json.dumps(versions), PREFIX + "cause": cause}
        properties = CommitProperties(custom_metadata=metadata | {PREFIX + k: v for k, v in more.items()}, max_commit_retries=0)
        with self._errors():
            table = DeltaTable(self.uri, version=based_on, storage_options=self.lake.storage_options)
            table.create_write_transaction([], "append", table.schema(), commit_properties=properties)
        if self.versioned:
            for number in versions:
                note_expired(f"{self.project}/{self.name}@{number}")

    def _committed(self, write: Callable[[], None], based_on: int, record: LoadRecord) -> DatasetVersion:
        try:
            write()
        except Conflict:
            # An answer that was lost is asked again, and then meets our own commit.
            ours = self._loaded_as(record, based_on)
            if ours is None or ours.load != record:  # another run's commit of the same load is not ours
                raise
            note_wrote(str(ours))
            return ours
        found = self._loaded_as(record, based_on)
        if found is None:
            raise StorageError("a commit was accepted but is not in the table's history", where=self.uri, hint="socle doctor")
        note_wrote(str(found))
        return found

    def _loaded_as(self, record: LoadRecord, after: int) -> DatasetVersion | None:
        return next((v for v in self.history() if v.load.load_id == record.load_id and v.number > after), None)

    def _write(
        self,
        files: Sequence[DataFile],
        schema: pa.Schema,
        based_on: int,
        record: LoadRecord,
        key: list[str],
        evolve: bool,
        deletes: Deletes | None,
    ) -> None:
        from deltalake import DeltaTable, write_deltalake

        with self._errors():
            table = DeltaTable(self.uri, version=based_on, storage_options=self.lake.storage_options)
            properties = _commit_properties(record)
            adds = record.mode in ("append", "upsert")
            wanted = self._merged(table, schema, evolve) if adds else schema
            require_names(wanted, self.uri)
            if record.mode == "upsert":
                return _merge(table, reader(files, schema), key, properties, evolve, deletes)
            if adds and len(wanted) > len(table.schema().fields):  # only this takes rows and new columns in one commit
                return write_deltalake(table, reader(files, schema), mode="append", schema_mode="merge", commit_properties=properties)
            actions = upload(self.lake.bucket(self.project), self.name, files)
            table.create_write_transaction(actions, "append" if adds else "overwrite", wanted, commit_properties=properties)

    def _merged(self, table: DeltaTable, schema: pa.Schema, evolve: bool) -> pa.Schema:
        """The table's columns and, if they may come, those that are new. Raises: StorageError for a column that is of another type
        there, or new and not let in."""
        import pyarrow as pa

        there = pa.schema(table.schema().to_arrow())
        new = [field for field in schema if field.name not in there.names]
        if new and not evolve:
            raise StorageError(f"the table has no column {', '.join(f.name for f in new)}", where=self.uri)
        for name in there.names:
            if name in schema.names and str(schema.field(name).type).removeprefix("large_") != str(there.field(name).type):
                raise ConfigurationError(
                    f"the column {name!r} is {there.field(name).type} in the table and declared as {schema.field(name).type}",
                    where=self.uri,
                    hint="rows that are added keep the types of the table: declare it as it was, or load with mode: replace",
                )
        return pa.schema([*there, *new])

    def _restore(self, version: int, based_on: int, record: LoadRecord) -> None:
        from deltalake import DeltaTable

        with self._errors():
            table = DeltaTable(self.uri, version=based_on, storage_options=self.lake.storage_options)
            table.restore(version, commit_properties=_commit_properties(record))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError

        try:
            yield
        except CommitFailedError:
            raise Conflict(f"another writer committed to {self.project}/{self.name} first", where=self.uri, hint="run again") from None
        except (DeltaError, DeltaProtocolError, OSError) as error:
            text = _said(error)
            if "specified end version" in str(error):
                raise NotFound(f"{self.project}/{self.name} has no such version", where=self.uri, hint=f"socle ls {self.project}") from None
            if "missing file" in str(error) and "restore" in str(error):
                raise Conflict(f"a version of {self.project}/{self.name} expired meanwhile", where=self.uri, hint="run again") from None
            if "No space left" in str(error) or self._disk_is_full():
                raise StorageError("the disk of the lake is full", where=self.uri, hint="free some space, then run again") from None
            self._explain()
            raise StorageError(f"the table cannot be used: {text}", where=self.uri, hint="socle doctor") from None

    def _explain(self) -> None:
        """Raises what the object client says of the bucket, if it fails too: deltalake does not say whether it is the key, the
        bucket or the network."""
        # A new client is not patient: deltalake has been already.
        if not self.lake.is_local and not Lake(self.lake.settings).bucket(self.project).bucket_exists():
            name = self.lake.bucket_name(self.project)
            raise StorageError("the bucket does not exist", where=f"{name} ({self.lake.place})", hint="socle doctor --create")

    def _disk_is_full(self) -> bool:
        """deltalake does not always say why a local write failed."""
        return self.lake.is_local and shutil.disk_usage(self.lake.settings.lake_folder).free < MIN_FREE


def _said(error: Exception) -> str:
    """What failed and why, of the many lines in which deltalake and Polars say it: the first and the last."""
    lines = [LINE_START.sub("", line).strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("<")] or [type(error).__name__]
    return lines[0][:200] + (f" … {lines[-1][:100]}" if len(lines) > 1 else "")


def numbered(table: DeltaTable) -> list[dict[str, Any]]:
    """Every commit that the log still has, the newest first, with its version.

    deltalake 1.6.6 lists the log anew but counts down from the version that the handle is at, so that a commit that lands in
    between shifts every number: the list is only believed if the handle was still the newest after it was made.
    """
    while True:
        commits, version = table.history(), table.version()
        table.update_incremental()
        if table.version() == version:
            return commits


def _commit_properties(record: LoadRecord) -> CommitProperties:
    from deltalake import CommitProperties

    # No retries: what was audited is based on one version, and must not land on another.
    return CommitProperties(custom_metadata=record.to_metadata(), max_commit_retries=0)


def _merge(
    table: DeltaTable, rows: pa.RecordBatchReader, key: list[str], properties: CommitProperties, evolve: bool, deletes: Deletes | None
) -> None:
    same = " AND ".join(f"old.`{column}` = new.`{column}`" for column in key)
    merge = table.merge(rows, predicate=same, source_alias="new", target_alias="old", commit_properties=properties, merge_schema=evolve)
    if deletes is not None:
        merge = merge.when_matched_delete(predicate=deletes.says("new"))
    present = None if deletes is None else f"NOT ({deletes.says('new')})"
    merge.when_matched_update_all(predicate=present).when_not_matched_insert_all(predicate=present).execute()


__all__ = ["EMPTY", "PREFIX", "Dataset", "DatasetVersion", "LoadRecord", "numbered"]
