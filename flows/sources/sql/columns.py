"""A column of a result: its Arrow type, how it is selected, and what it is ordered by. Text that a server printed -> that type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from flows.errors import SourceRefused

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

MAX_ROWS, MAX_BYTES = 50_000, 16 << 20  # of one batch in memory. Not settings: where rows are cut decides what the bytes are
FIRST_ROWS = 256  # before it is known how long rows are
DIGITS = 38  # of a decimal in Arrow; longer ones stay text, which is exact, too


@dataclass(frozen=True)
class Column:
    name: str
    type: pa.DataType
    select: str
    """SQL that gives the value so that nothing of it is lost on the way."""
    order: str
    """SQL that orders rows by it, down to the last byte; empty: it cannot."""
    cursor: str = ""
    """SQL to order and compare by where it is a cursor: an index may help; values that are equal there are the same value."""
    empty: bool = False
    """No row has a value in it, and so it has no type of its own."""


class Reader(Protocol):
    """How the rows of one kind of database come. `rows`: SQL in brackets, with the alias `socle_rows`."""

    def describe(self, connection: Connection, rows: str) -> list[Column]: ...

    def batches(self, connection: Connection, statement: str, columns: list[Column]) -> Iterator[pa.RecordBatch]:
        """Of `statement`, which selects these columns. Memory holds one batch; where rows are cut follows from the rows alone."""


def quoted(connection: Connection, name: str) -> str:
    """A name as the server takes it: exactly so. SQLAlchemy's own function doubles every %, for a driver that we go past."""
    preparer = connection.dialect.identifier_preparer
    return f"{preparer.initial_quote}{name.replace(preparer.escape_quote, preparer.escape_to_quote)}{preparer.final_quote}"


def decimal_type(precision: int | None, scale: int | None) -> pa.DataType:
    import pyarrow as pa

    if precision is None or scale is None or not 0 < precision <= DIGITS or not 0 <= scale <= precision:
        return pa.string()
    return pa.decimal128(precision, scale)


def from_text(texts: pa.Array, column: Column, first_row: int) -> pa.Array:
    """`first_row`: the number of the first of these rows, for what is said of one that does not fit."""
    import pyarrow as pa

    try:
        if pa.types.is_timestamp(column.type) and column.type.tz:
            return texts.cast(pa.timestamp(column.type.unit)).cast(column.type)  # as UTC, which the session is set to
        return texts.cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise not_fitting(column, first_row, len(texts)) from None


def not_fitting(column: Column, first_row: int, rows: int) -> SourceRefused:
    """The value itself is not said: it may be personal."""
    return SourceRefused(
        f"the column {column.name!r} holds a value that is no {column.type} (infinity, a date like 0000-00-00, NaN ...)",
        where=f"rows {first_row} to {first_row + rows - 1} of the result",
        hint="in source.query, turn it into what you want it to be: NULLIF(...), CASE, or a cast to text",
        french=f"La colonne « {column.name} » contient une valeur impossible à lire comme {column.type} (date infinie ou 0000-00-00 ...).",
    )


def next_size(rows: int, size: int) -> int:
    """How many rows to take next, from those that just came: a batch has MAX_ROWS and about MAX_BYTES at most."""
    return max(1, min(MAX_ROWS, MAX_BYTES // max(size // max(rows, 1), 1)))


def names_of(description: Any) -> list[str]:
    return [str(entry[0]) for entry in description or []]
