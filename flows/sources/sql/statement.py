"""What a source asks a database: which rows, in which order. The project's own SQL is put in brackets and not looked into."""

from __future__ import annotations

import difflib
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError
from flows.project.store_sources import SqlSource, dialect
from flows.sources.sql.columns import Column, quoted

if TYPE_CHECKING:
    from sqlalchemy import Connection


def rows_of(declared: SqlSource, connection: Connection) -> str:
    """SQL in brackets with an alias, from which everything else selects. The line break ends a comment that may be last."""
    if declared.query:
        inner = declared.query.strip().rstrip(";").rstrip()
    else:
        assert declared.table
        plain = connection.dialect.identifier_preparer.quote  # small letters stay as they are: some servers keep them as capitals
        table = ".".join(part if plain(part) == part else quoted(connection, part) for part in declared.table.split("."))
        columns = ", ".join(quoted(connection, name) for name in declared.columns) or "*"
        inner = f"SELECT {columns} FROM {table}" + (f" WHERE {declared.where}" if declared.where else "")
    return f"(\n{inner}\n) socle_rows"


def require_table(declared: SqlSource, connection: Connection) -> None:
    """Raises: ConfigurationError naming the tables with similar names, when the declared one is not there."""
    from sqlalchemy import inspect

    if declared.table is None or dialect(declared.url) not in ("postgresql", "mysql", "sqlite"):
        return  # others know of synonyms, links ...: they say themselves what is not there
    *schema, table = declared.table.split(".")
    inspector, place = inspect(connection), ".".join(schema) or None
    if inspector.has_table(table, place):
        return
    there = [*inspector.get_table_names(place), *inspector.get_view_names(place)]
    near = difflib.get_close_matches(table, there, n=3, cutoff=0.6) or sorted(there)[:8]
    raise ConfigurationError(
        f"the database has no table {declared.table!r}",
        where="source.table",
        hint=f"tables there: {', '.join(near)}" if near else "it has no table that we may see",
        french=f"La base de données n'a pas de table « {declared.table} ».",
    )


def primary_key(declared: SqlSource, connection: Connection) -> list[str]:
    from sqlalchemy import inspect

    if declared.table is None:
        return []
    *schema, table = declared.table.split(".")
    found = inspect(connection).get_pk_constraint(table, ".".join(schema) or None)
    return list(found.get("constrained_columns") or [])


def check_names(declared: SqlSource, columns: list[Column], place: str) -> None:
    """Raises: ConfigurationError for a column that is there twice, or that the source names and the rows do not have."""
    names = [column.name for column in columns]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(
            f"the query gives two columns named {', '.join(double)}", where=place, hint="give each a name of its own with AS"
        )
    for name in [*declared.order_by, *([declared.cursor] if declared.cursor else [])]:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"columns there: {', '.join(names[:20])}"
            raise ConfigurationError(f"the rows have no column {name!r}", where=f"source.cursor or source.order_by; {place}", hint=hint)


def ordering(declared: SqlSource, columns: list[Column], primary: list[str], key: list[str]) -> list[str]:
    """SQL to order by, so that the same rows always come in the same order: the cursor first, then the columns that are declared,
    else the primary key, else all columns, those that identify a row in the dataset first."""
    by_name = {column.name: column for column in columns}
    cursor = [by_name[declared.cursor].cursor or by_name[declared.cursor].order] if declared.cursor else []
    if declared.order_by:
        names = declared.order_by
    elif primary and all(name in by_name for name in primary):
        names = primary
    else:
        names = [name for name in dict.fromkeys([*key, *by_name]) if name in by_name]
    return list(dict.fromkeys([*cursor, *(by_name[name].order for name in names if by_name[name].order)]))


def select(columns: list[Column], rows: str, condition: str, order: list[str], connection: Connection) -> str:
    wanted = ", ".join(f"{column.select} AS {quoted(connection, column.name)}" for column in columns)
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT {wanted} FROM {rows}{where}" + (f" ORDER BY {', '.join(order)}" if order else "")


def literal(value: Any, connection: Connection) -> str:
    """A value as SQL. In the statement and not beside it: the project's own SQL may hold anything that looks like a parameter."""
    import sqlalchemy

    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime) and value.tzinfo and connection.dialect.name != "postgresql":
        value = value.replace(tzinfo=None)  # UTC, as the session is
    if not isinstance(value, int | str):
        value = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    made = str(sqlalchemy.literal(value).compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    return made.replace("%%", "%")
