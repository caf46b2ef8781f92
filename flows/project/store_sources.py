"""Sources that are stores: buckets, databases, and what dlt has a connector for. Passwords and keys are never here."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, model_validator

from flows.project.base import Name, Strict

DURATION = r"^[0-9]{1,9} ?(s|min|h|d)$"
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
ADDRESS_OPTIONS = {
    "postgresql": {"host", "sslmode", "sslrootcert", "application_name", "target_session_attrs"},
    "mysql": {"unix_socket", "ssl_ca", "ssl_verify_cert", "ssl_verify_identity", "charset"},
}
"""What the query of a database's address may say. The drivers know more, such as files of theirs to read: not for a project."""
SECRET_OPTIONS = ("password", "passwd", "pwd", "token", "secret")


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError("an endpoint is of the form https://host or http://host:port; keys go into `credentials: NAME`")
    return value.rstrip("/")


class S3Source(Strict):
    """Objects of a bucket on any S3 service. Only those that are new, or that changed, are brought."""

    type: Literal["s3"]
    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(description="`https://host` or `http://host:port`.")
    bucket: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]+$", max_length=255)]
    key: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="A key or a glob: `*` and `?` stay in one folder, `**` goes through folders."
    )
    region: Annotated[str, Field(pattern=r"^[\w-]+$")] = "us-east-1"
    credentials: Name | None = Field(None, description="Name of `access_key=` and `secret_key=`; empty: the bucket is public.")


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        has_password, _ = parts.password is not None, parts.port
    except ValueError as error:
        raise ValueError(f"this is no address of a database: {error}") from None
    if not re.fullmatch(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?", parts.scheme) or "://" not in value:
        raise ValueError("an address begins with postgresql://, mysql://, mariadb:// or sqlite:///")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if has_password or any(word in name.lower() for name in options for word in SECRET_OPTIONS):
        raise ValueError("an address holds no password: use `credentials: NAME`")
    kind = dialect(value)
    if kind == "sqlite" and (parts.netloc or options or not parts.path.strip("/")):
        raise ValueError("the address of a SQLite file is sqlite:///path, relative to the project's folder")
    if odd := sorted(set(options) - ADDRESS_OPTIONS.get(kind, set(options))):
        raise ValueError(f"{odd[0]}: of the options of an address, {kind} has {', '.join(sorted(ADDRESS_OPTIONS[kind]))}")
    return value


def dialect(url: str) -> str:
    """postgresql, mysql (MariaDB, too), sqlite, or another name that SQLAlchemy knows."""
    name = url.partition("://")[0].partition("+")[0]
    return {"mariadb": "mysql", "postgres": "postgresql"}.get(name, name)


Sql = Annotated[str, Field(min_length=1, max_length=100_000)]
ColumnName = Annotated[str, Field(min_length=1, max_length=128)]


class SqlSource(Strict):
    """The rows of a table or of a query, read in one snapshot and in a fixed order."""

    type: Literal["sql"]
    url: Annotated[str, AfterValidator(_url)] = Field(
        description="`postgresql://user@host:port/base`, `mysql://...`, `mariadb://...`, `sqlite:///file`; without a password."
    )
    credentials: Name | None = Field(None, description="Name of a password, or of `user=` and `password=`.")
    table: Annotated[str, Field(pattern=r"^[^\s.\"'`;]+(\.[^\s.\"'`;]+){0,2}$", description="`table` or `schema.table`.")] | None = None
    columns: list[ColumnName] = Field(default_factory=list, description="Of the table; empty: all.")
    where: Sql | None = Field(None, description="A condition in SQL on the rows of the table.")
    query: Sql | None = Field(None, description="One SELECT, in place of a table.")
    order_by: list[ColumnName] = Field(
        default_factory=list, description="Columns that order the rows; empty: the primary key of the table, or all columns."
    )
    cursor: ColumnName | None = Field(
        None, description="A column that only grows, such as `modified_at` or `id`: only what was not read yet is read."
    )
    lag: Annotated[str, Field(pattern=DURATION)] | Annotated[int, Field(ge=0)] | None = Field(
        None, description="How far before the greatest value is read again, for rows that appear late: `15 min`, `2 h`, or a number."
    )

    @property
    def incremental(self) -> bool:
        return self.cursor is not None

    @property
    def lag_value(self) -> int | None:
        """Seconds for a duration, otherwise the number itself."""
        if not isinstance(self.lag, str):
            return self.lag
        number, unit = re.fullmatch(r"(\d+) ?(\w+)", self.lag).groups()  # type: ignore[union-attr]
        return int(number) * SECONDS[unit]

    @model_validator(mode="after")
    def _one_thing(self) -> SqlSource:
        if (self.table is None) == (self.query is None):
            raise ValueError("sql needs either a table or a query")
        if self.query and (self.columns or self.where):
            raise ValueError("columns and where belong to a table; a query says them itself")
        if self.lag is not None and not self.cursor:
            raise ValueError("lag belongs to a cursor")
        if self.columns and self.cursor and self.cursor not in self.columns:
            raise ValueError(f"cursor: {self.cursor!r} is not one of the columns ({', '.join(self.columns)})")
        return self


class DltSource(Strict):
    """What a resource of dlt gives, without dlt's own loading: its catalogue of connectors is ours."""

    type: Literal["dlt"]
    resource: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")] = Field(
        description="`module:function`: of a file in the project's folder, or of an installed package."
    )
    select: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Which resource, where the function gives several."
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Of the function. `{secret: KEY}` stands for that line of the credentials."
    )
    credentials: Name | None = Field(None, description="Name of lines `key=value` that dlt finds as its secrets.")
