"""Any other database that SQLAlchemy has a dialect and this machine a driver for: rows as Python values. What a column holds is
seen in the first batch; later values that do not fit are refused, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flows.sources.sql.columns import FIRST_ROWS, Column, names_of, next_size, not_fitting, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection


class PythonValues:
    def describe(self, connection: Connection, rows: str) -> list[Column]:
        """Types come with the first rows: here all are text."""
        import pyarrow as pa

        found = connection.exec_driver_sql(f"SELECT * FROM {rows} WHERE 1 = 0")
        names = names_of(found.cursor.description) if found.cursor is not None else list(found.keys())
        found.close()
        columns = [
            Column(name, pa.string(), f"socle_rows.{quoted(connection, name)}", f"socle_rows.{quoted(connection, name)}") for name in names
        ]
        first = next(self._rows(connection, f"SELECT * FROM {rows}"), [])
        values = zip(*first, strict=True) if first else ((),) * len(columns)
        return [Column(column.name, _type(list(held)), column.select, column.order) for column, held in zip(columns, values, strict=True)]

    def batches(self, connection: Connection, statement: str, columns: list[Column]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema, done = pa.schema([(column.name, column.type) for column in columns]), 0
        for rows in self._rows(connection, statement):
            arrays = [_array(values, column, done + 1) for values, column in zip(zip(*rows, strict=True), columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
            done += len(rows)

    def _rows(self, connection: Connection, statement: str) -> Iterator[list[Any]]:
        result = connection.execution_options(stream_results=True).exec_driver_sql(statement)
        size = FIRST_ROWS
        try:
            while rows := result.fetchmany(size):
                yield list(rows)
                size = next_size(
                    len(rows), sum(len(str(value)) for row in rows[:FIRST_ROWS] for value in row) * len(rows) // len(rows[:FIRST_ROWS])
                )
        finally:
            result.close()


def _type(values: list[Any]) -> pa.DataType:
    """Decimals are text: how many digits they have further on is not known."""
    import pyarrow as pa

    held = [value for value in values if value is not None]
    if not held or any(isinstance(value, Decimal | str | dict | list) for value in held):
        return pa.string()
    if all(isinstance(value, datetime) for value in held):
        return pa.timestamp("us", "UTC" if held[0].tzinfo else None)
    try:
        found = pa.array(held).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.string()
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_date, pa.types.is_binary)
    return found if any(kind(found) for kind in kinds) else pa.string()


def _array(values: tuple[Any, ...], column: Column, first: int) -> pa.Array:
    import pyarrow as pa

    try:
        if pa.types.is_string(column.type):
            return pa.array([_text(value) for value in values], column.type)
        made = pa.array(values, column.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
        raise not_fitting(column, first, len(values)) from None
    if pa.types.is_integer(column.type) and made.to_pylist() != list(values):
        raise not_fitting(column, first, len(values))
    return made


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return value.hex() if isinstance(value, bytes) else str(value)
