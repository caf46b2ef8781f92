"""The rows of a table or a query -> one Parquet file, in a fixed order, of one snapshot; all of them, or those after a cursor."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError
from flows.lake.objects import Progress, sha256_file
from flows.lake.raw import RawFile
from flows.project.store_sources import SqlSource, dialect
from flows.sources.base import Context, Source
from flows.sources.parquet_file import ParquetFile
from flows.sources.sql import statement
from flows.sources.sql.columns import Column, Reader
from flows.sources.sql.database import Database
from flows.sources.sql.mysql import PrintedRows
from flows.sources.sql.other import PythonValues
from flows.sources.sql.position import Position, before, hashes, plain, require_cursor
from flows.sources.sql.postgresql import Copy
from flows.sources.sql.sqlite import TypedValues

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

READERS: dict[str, type[Reader]] = {"postgresql": Copy, "mysql": PrintedRows, "sqlite": TypedValues}


class SqlQuery(Source):
    declared: SqlSource

    def __init__(self, declared: SqlSource, context: Context) -> None:
        super().__init__(declared, context)
        dataset = context.project.datasets.get(context.dataset)
        self.mode = dataset.mode if dataset else "replace"
        self.key = [dataset.columns[name].source or name for name in dataset.key] if dataset and not dataset.transform else []
        self.reader: Reader = READERS.get(dialect(declared.url), PythonValues)()

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        database = Database(self.declared, self.context.project.name, self.context.project.folder, self.context.settings)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.declared.table or 'query'}.parquet"
        path = folder / name
        with database.snapshot() as connection:
            rows = statement.rows_of(self.declared, connection)
            columns = self._describe(connection, rows, database.place)
            position = self._position(columns)
            order = statement.ordering(self.declared, columns, self._primary_key(connection), self.key)
            condition = self._condition(connection, rows, columns, position, database.place)
            batches = self.reader.batches(connection, statement.select(columns, rows, condition, order, connection), columns)
            reading = _Reading(columns, self.declared, position)
            written = self._write(path, columns, reading.new(batches), progress)
        if self.declared.cursor:
            if not written:
                path.unlink()
                return []
            self.next_state = self._next(path, columns, reading, position)
        source = f"sql:{database.place} {self.declared.table or 'query'}"
        return [RawFile(sha256_file(path), name, path.stat().st_size, source, path)]

    def _describe(self, connection: Connection, rows: str, place: str) -> list[Column]:
        statement.require_table(self.declared, connection)
        columns = self.reader.describe(connection, rows)
        statement.check_names(self.declared, columns, place)
        return columns

    def _primary_key(self, connection: Connection) -> list[str]:
        return [] if self.declared.order_by else statement.primary_key(self.declared, connection)

    def _write(self, path: Path, columns: list[Column], batches: Iterator[pa.RecordBatch], progress: Progress | None) -> int:
        import pyarrow as pa

        schema = pa.schema([(column.name, column.type) for column in columns])
        with ParquetFile(path, schema, self.context.settings.sql_max_gb, "SOCLE_SQL_MAX_GB", progress) as file:
            for batch in batches:
                file.write(batch)
        return file.rows

    # ---- where an earlier load ended ----

    def _position(self, columns: list[Column]) -> Position | None:
        """Where to go on; None: from the beginning.

        Raises: ConfigurationError where nobody could tell any more which rows were read.
        """
        position = Position.from_state(self.context.state) if self.declared.cursor else None
        if position is None:
            return None
        if self.mode == "upsert" and position.asked != self._asked():
            return None  # other columns or other rows are asked for: all are merged again
        there = {column.name: position.type if column.empty else str(column.type) for column in columns}
        if position.column != self.declared.cursor or there[position.column] != position.type:
            changed = f"from {position.column} ({position.type}) to {self.declared.cursor} ({there.get(self.declared.cursor or '')})"
            raise ConfigurationError(
                f"the cursor changed {changed}: which rows were appended already cannot be told",
                where="source.cursor",
                hint="leave it as it was, use mode: upsert, or make a new dataset",
            )
        if lost := [name for name in position.columns if name not in there]:
            if self.mode == "upsert":
                return None
            raise ConfigurationError(
                f"the rows no longer have {', '.join(lost)}: which of them were appended already cannot be told",
                where="source",
                hint="keep these columns, use mode: upsert, or make a new dataset",
            )
        return position

    def _asked(self) -> str:
        what = self.declared.model_dump(include={"table", "columns", "where", "query", "cursor"})
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]

    def _condition(self, connection: Connection, rows: str, columns: list[Column], position: Position | None, place: str) -> str:
        if not self.declared.cursor:
            return ""
        cursor = next(column for column in columns if column.name == self.declared.cursor)
        if not cursor.empty:
            require_cursor(cursor.name, cursor.type, self.declared.lag_value, isinstance(self.declared.lag, str))
        value = cursor.cursor or cursor.order
        absent = connection.exec_driver_sql(f"SELECT COUNT(*) FROM {rows} WHERE {value} IS NULL").scalar()
        if int(absent or 0):
            raise ConfigurationError(
                f"{int(absent or 0)} rows have no value in the cursor {cursor.name!r}, and would never be read",
                where=place,
                hint="leave them out on purpose (where: ... IS NOT NULL), or give them a value in source.query (COALESCE)",
            )
        if cursor.empty:
            return "1 = 0"  # there is no row at all
        if position is None:
            return ""
        return f"{value} >= {statement.literal(before(position.value, self.declared.lag_value), connection)}"

    def _next(self, path: Path, columns: list[Column], reading: _Reading, position: Position | None) -> dict[str, Any]:
        assert self.declared.cursor
        kind = next(str(column.type) for column in columns if column.name == self.declared.cursor)
        names, greatest = [column.name for column in columns], reading.greatest
        start = before(greatest, self.declared.lag_value)
        seen = reading.still_seen(start)
        limit = self.context.settings.sql_boundary_rows
        for batch in _from(path, self.declared.cursor, start, exact=not self.declared.lag_value):
            seen.update(hashes(batch, names))
            if seen.total() > limit:
                break
        if seen.total() <= limit:
            return Position(self.declared.cursor, kind, greatest, names, self._asked(), seen).to_state()
        if self.mode == "upsert":  # rows that are read again are merged into themselves
            return Position(self.declared.cursor, kind, greatest, names, self._asked(), None).to_state()
        raise ConfigurationError(
            f"more than {limit} rows share the greatest value of {self.declared.cursor!r}, or lie within its lag: "
            "so many cannot be told from those that come later",
            where="source.cursor, source.lag",
            hint="a cursor that tells rows apart, a shorter lag, mode: upsert with a key, or SOCLE_SQL_BOUNDARY_ROWS",
        )


class _Reading:
    """Takes rows that were read before out of what comes, and notes how far it goes."""

    def __init__(self, columns: list[Column], declared: SqlSource, position: Position | None) -> None:
        self.names, self.cursor, self.position = [column.name for column in columns], declared.cursor, position
        self.greatest: Any = position.value if position else None
        self.left = Counter(position.seen) if position and position.seen else Counter[str]()
        self.again: list[tuple[Any, str]] = []
        """Rows that came again: value of the cursor, hash of the row as it is now."""

    def new(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if self.cursor is None:
                yield batch
                continue
            fresh = self._without_seen(batch) if self.left else batch
            last = plain(batch.column(self.cursor)[-1].as_py())
            if self.greatest is None or isinstance(last, str) or last > self.greatest:
                self.greatest = last
            if fresh.num_rows:
                yield fresh

    def _without_seen(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        assert self.position and self.cursor
        values = [plain(value) for value in batch.column(self.cursor).to_pylist()]
        # Ordered by the cursor: what was read comes first. Texts are in the server's order, which says only when they are equal.
        known = self.position.value
        end = sum(value == known if isinstance(known, str) else value <= known for value in values)
        keep = [True] * len(values)
        old, now = hashes(batch.slice(0, end), self.position.columns), hashes(batch.slice(0, end), self.names)
        for place, (before_, present) in enumerate(zip(old, now, strict=True)):
            if self.left[before_] > 0:
                self.left[before_] -= 1
                keep[place] = False
                self.again.append((values[place], present))
        self.left = +self.left if end == len(values) else Counter()
        return batch.filter(pa.array(keep))

    def still_seen(self, start: Any) -> Counter[str]:
        """Of the rows that came again, those that may come once more."""
        return Counter(row for value, row in self.again if (value == start if isinstance(start, str) else value >= start))


def _from(path: Path, cursor: str, start: Any, exact: bool) -> Iterator[pa.RecordBatch]:
    """The rows of a file, in pieces, whose cursor is `start` or beyond. `exact`: that is the greatest, so only equal ones."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import dataset

    rows = dataset.dataset(path, format="parquet")
    kind = rows.schema.field(cursor).type
    limit = pa.scalar(max(start, 0) if pa.types.is_unsigned_integer(kind) else start, kind)
    wanted = pc.field(cursor) == limit if exact else pc.field(cursor) >= limit
    yield from rows.scanner(filter=wanted, batch_size=1000).to_batches()
