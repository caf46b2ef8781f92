"""MySQL and MariaDB: rows as the server prints them, one after the other, typed by Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flows.sources.sql.columns import FIRST_ROWS, Column, decimal_type, from_text, next_size, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

BINARY, UNSIGNED = 63, 32  # number of the character set of bytes; flag of a field


class PrintedRows:
    def describe(self, connection: Connection, rows: str) -> list[Column]:
        cursor = _raw(connection).cursor()
        cursor.execute(f"SELECT * FROM {rows} LIMIT 0")
        fields = cursor._result.fields  # the description of the DB-API leaves out signs and character sets
        return [_column(field, f"socle_rows.{quoted(connection, field.name)}") for field in fields]

    def batches(self, connection: Connection, statement: str, columns: list[Column]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pymysql.cursors import SSCursor

        raw = _raw(connection)
        raw.use_unicode, raw.decoders = False, {}  # bytes as they come
        cursor = SSCursor(raw)
        schema = pa.schema([(column.name, column.type) for column in columns])
        done, size, whole = 0, FIRST_ROWS, False
        try:
            cursor.execute(statement)
            while rows := cursor.fetchmany(size):
                arrays = [_array(values, column, done + 1) for values, column in zip(zip(*rows, strict=True), columns, strict=True)]
                batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
                yield batch
                done, size = done + len(rows), next_size(len(rows), batch.nbytes)
            whole = True
        finally:
            if not whole:  # closing the cursor would read the rest first: the connection is cut instead
                if cursor._result is not None:
                    cursor._result.unbuffered_active = False
                cursor.connection = None
                raw._result = None


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _column(field: Any, value: str) -> Column:
    import pyarrow as pa
    from pymysql.constants import FIELD_TYPE as KIND

    code, text = field.type_code, f"CAST({value} AS BINARY)"
    if code in (KIND.TINY, KIND.SHORT, KIND.INT24, KIND.LONG, KIND.LONGLONG, KIND.YEAR):
        return Column(field.name, pa.uint64() if code == KIND.LONGLONG and field.flags & UNSIGNED else pa.int64(), value, value)
    if code in (KIND.DECIMAL, KIND.NEWDECIMAL):
        return Column(field.name, decimal_type(*_digits(field)), value, value)
    if code == KIND.FLOAT:  # printed with six digits; as a double all of them are
        return Column(field.name, pa.float64(), f"({value} + 0e0)", value)
    simple = {KIND.DOUBLE: pa.float64(), KIND.DATE: pa.date32(), KIND.NEWDATE: pa.date32()}
    simple |= {KIND.DATETIME: pa.timestamp("us"), KIND.TIMESTAMP: pa.timestamp("us", "UTC")}
    if code in simple:
        return Column(field.name, simple[code], value, value)
    if code == KIND.JSON:
        return Column(field.name, pa.string(), value, text)
    if code == KIND.GEOMETRY:
        return Column(field.name, pa.binary(), value, "")
    if code == KIND.BIT or (field.charsetnr == BINARY and code in _TEXTS):
        return Column(field.name, pa.binary(), value, value)
    return Column(field.name, pa.string(), value, text if code in _TEXTS else value)


_TEXTS = {15, 247, 248, 249, 250, 251, 252, 253, 254}  # varchar, enum, set, blobs and texts, strings


def _digits(field: Any) -> tuple[int, int]:
    """(precision, scale) of a decimal, from the width that it is shown in: with a sign, and a point if it has a scale."""
    signed = not field.flags & UNSIGNED
    return field.length - signed - (field.scale > 0), field.scale


def _array(values: tuple[bytes | None, ...], column: Column, first: int) -> pa.Array:
    import pyarrow as pa

    raw = pa.array(values, pa.binary())
    return raw if pa.types.is_binary(column.type) else from_text(raw.cast(pa.string()), column, first)
