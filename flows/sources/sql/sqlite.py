"""SQLite: each value has a type of its own, so that what a column holds is asked before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError
from flows.sources.sql.columns import FIRST_ROWS, Column, names_of, next_size, not_fitting, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

EXACT = 1 << 53  # up to here a double holds every integer
AT_ONCE = 500  # columns in one question: SQLite has a limit


class TypedValues:
    def describe(self, connection: Connection, rows: str) -> list[Column]:
        cursor = _raw(connection).cursor()
        names = names_of(cursor.execute(f"SELECT * FROM {rows} LIMIT 0").description)
        columns = list[Column]()
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            kinds = ", ".join(f"group_concat(DISTINCT typeof({quoted(connection, name)}))" for name in part)
            (found,) = cursor.execute(f"SELECT {kinds} FROM {rows}").fetchall()
            for name, held in zip(part, found, strict=True):
                columns.append(_column(name, quoted(connection, name), set((held or "null").split(",")) - {"null"}))
        return columns

    def batches(self, connection: Connection, statement: str, columns: list[Column]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        cursor, done, size = _raw(connection).cursor(), 0, FIRST_ROWS
        schema = pa.schema([(column.name, column.type) for column in columns])
        cursor.execute(statement)
        while rows := cursor.fetchmany(size):
            arrays = [_array(values, column, done + 1) for values, column in zip(zip(*rows, strict=True), columns, strict=True)]
            batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
            yield batch
            done, size = done + len(rows), next_size(len(rows), batch.nbytes)


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _column(name: str, value: str, kinds: set[str]) -> Column:
    import pyarrow as pa

    order = f"{value} COLLATE BINARY"
    if kinds == {"integer"}:
        return Column(name, pa.int64(), value, order)
    if kinds in ({"real"}, {"integer", "real"}):
        return Column(name, pa.float64(), value, order)
    if kinds == {"blob"}:
        return Column(name, pa.binary(), value, order)
    if "blob" in kinds:
        raise ConfigurationError(
            f"the column {name!r} holds bytes in some rows and {' and '.join(sorted(kinds - {'blob'}))} in others",
            hint="write a source.query that casts it to one of them",
        )
    return Column(name, pa.string(), value, order, empty=not kinds)


def _array(values: tuple[Any, ...], column: Column, first: int) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_string(column.type):
        values = tuple(value if value is None or isinstance(value, str) else repr(value) for value in values)
    elif pa.types.is_floating(column.type) and any(isinstance(value, int) and abs(value) > EXACT for value in values):
        raise not_fitting(column, first, len(values))
    return pa.array(values, column.type)
