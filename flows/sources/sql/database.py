"""A connection to a database that only reads, in one snapshot, with a limit on every wait."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import SecretStr

from flows.errors import ConfigurationError
from flows.project.store_sources import SqlSource, dialect
from flows.settings import Settings
from flows.sources.credentials import credential, credential_pairs
from flows.sources.sql.failures import Failures

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
ALIVE_S = 30  # a connection on which nothing is heard so long is asked whether it lives
SLOW_READER_S = 3600  # how long a server waits for us while we write what it sent


class Database:
    """What one `sql` source connects to."""

    def __init__(self, declared: SqlSource, project: str, folder: Path, settings: Settings) -> None:
        from sqlalchemy.engine import make_url

        self.declared, self.folder, self.settings = declared, folder, settings
        self.dialect = dialect(declared.url)
        self.user, self.password = _login(declared, project, settings)
        self.url: URL = make_url(declared.url)
        secrets = [self.password] if self.password else []
        self.failures = Failures(self.place, declared.credentials, settings.sql_statement_timeout_s, secrets)

    @property
    def place(self) -> str:
        """Its address for people: no user, no options."""
        if self.dialect == "sqlite":
            return f"sqlite:///{self.url.database}"
        host = self.url.host or str(self.url.query.get("host") or self.url.query.get("unix_socket") or "localhost")
        return f"{self.dialect}://{host}" + (f":{self.url.port}" if self.url.port else "") + f"/{self.url.database or ''}"

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Everything read in it is of one moment. Nothing can be written.

        Raises: ConfigurationError, SystemFailure, also for what is read inside.
        """
        with self.failures.explained():
            engine = self._engine()
            try:
                with engine.connect() as connection:
                    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if self.dialect in _BEGIN else {}  # we begin it
                    connection = connection.execution_options(no_parameters=True, **options)
                    try:
                        for statement in self._opening(connection):
                            connection.exec_driver_sql(statement)
                        yield connection
                    except BaseException:
                        connection.invalidate()  # what was under way on it is not read to its end
                        raise
                    if self.dialect in _BEGIN:
                        connection.exec_driver_sql("ROLLBACK")
            finally:
                engine.dispose()

    def _opening(self, connection: Connection) -> list[str]:
        """What begins a snapshot, and makes the server print values in one way whatever its own settings."""
        if self.dialect not in _BEGIN:
            return []
        timeout, begin = self.settings.sql_statement_timeout_s, _BEGIN[self.dialect]
        if self.dialect == "postgresql":
            same = ["TIME ZONE 'UTC'", "datestyle = 'ISO'", "bytea_output = 'hex'", "intervalstyle = 'iso_8601'", "extra_float_digits = 3"]
            return [begin, f"SET LOCAL statement_timeout = {int(timeout * 1000)}", *(f"SET LOCAL {setting}" for setting in same)]
        if self.dialect == "mysql":
            mariadb = getattr(connection.dialect, "is_mariadb", False)
            limit = f"max_statement_time = {timeout:g}" if mariadb else f"max_execution_time = {int(timeout * 1000)}"
            zone, wait = "time_zone = '+00:00'", f"net_write_timeout = {SLOW_READER_S}"
            level = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            return [f"SET SESSION {zone}", f"SET SESSION {wait}", f"SET SESSION {limit}", level, begin]
        return [begin]

    def _engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool

        url = self.url
        if self.user:
            url = url.set(username=self.user)
        arguments: dict[str, Any] = {}
        if self.dialect in DRIVERS:
            url = url.set(drivername=DRIVERS[self.dialect])
            arguments = self._postgresql() if self.dialect == "postgresql" else self._mysql()
        elif self.password:
            url = url.set(password=self.password.get_secret_value())
        try:
            if self.dialect == "sqlite":
                return create_engine("sqlite://", creator=self._open_sqlite, poolclass=NullPool)
            return create_engine(url, connect_args=arguments, poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError, ArgumentError) as error:
            ours = self.dialect in DRIVERS
            name = error.name if isinstance(error, ModuleNotFoundError) else self.dialect
            raise ConfigurationError(
                f"there is no driver for {self.dialect} on this machine ({name})",
                where=self.place,
                hint="pip install 'socle[sql]'" if ours else "install a driver that SQLAlchemy knows (docs/sources.md)",
            ) from None

    def _postgresql(self) -> dict[str, Any]:
        """Nothing comes from the environment or the home of whoever runs this: their passwords are not for this project's server."""
        wait = self.settings.sql_connect_timeout_s
        return {
            "password": self.password.get_secret_value() if self.password else "",
            "passfile": str(self.folder / "no-such-file"),
            "connect_timeout": max(2, round(wait)),
            "keepalives_idle": ALIVE_S,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 1000 * (ALIVE_S + 30),
            "client_encoding": "utf8",
            "prepare_threshold": None,
            "application_name": str(self.url.query.get("application_name") or "socle"),
        }

    def _mysql(self) -> dict[str, Any]:
        return {
            "password": self.password.get_secret_value().encode() if self.password else b"",  # text would be sent as Latin-1
            "connect_timeout": max(1, round(self.settings.sql_connect_timeout_s)),
            "read_timeout": round(self.settings.sql_statement_timeout_s + 60),
            "charset": "utf8mb4",
            "program_name": "socle",
        }

    def _open_sqlite(self) -> Any:
        import sqlite3

        path = self.folder / (self.url.database or "")
        if not path.is_file():
            raise ConfigurationError(
                f"there is no file {self.url.database!r}",
                where=str(path),
                hint="check source.url: sqlite:///path, relative to the project's folder",
                french=f"Il n'y a aucun fichier « {self.url.database} » : il n'a pas été déposé, ou il a un autre nom.",
            )
        uri = f"file:{quote(str(path))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=self.settings.sql_connect_timeout_s, isolation_level=None)
        end = time.monotonic() + self.settings.sql_statement_timeout_s
        connection.set_progress_handler(lambda: time.monotonic() > end, 100_000)
        return connection


_BEGIN = {
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "mysql": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "sqlite": "BEGIN",
}


def _login(declared: SqlSource, project: str, settings: Settings) -> tuple[str | None, SecretStr | None]:
    """User (if the credentials say it) and password. Credentials are one password, or the lines `user=` and `password=`."""
    if declared.credentials is None:
        return None, None
    whole = credential(settings, project, declared.credentials)
    lines = [line for line in whole.get_secret_value().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not any(re.match(r"\s*password\s*=", line, re.IGNORECASE) for line in lines):
        return None, whole
    pairs = credential_pairs(settings, project, declared.credentials, ["password"])
    user = pairs.get("user") or pairs.get("username")
    return user.get_secret_value() if user else None, pairs["password"]
