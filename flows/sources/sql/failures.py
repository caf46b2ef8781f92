"""What drivers raise -> our errors. Their texts hold statements, parameters and addresses: only the server's sentence is kept,
without any secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from flows.errors import ConfigurationError, SocleError, SourceRefused, SystemFailure
from flows.sources.credentials import hide

PG_AWAY = ("08", "40", "53", "55", "57", "58", "XX")  # classes of codes: the server's state, not what it was asked
PG_AWAY_WORDS = ("starting up", "shutting down", "too many", "recovery", "démarre", "s'arrête", "trop de", "restauration")
PG_LOGIN, PG_DATABASE, PG_TIMEOUT, PG_READ_ONLY = ("28",), "3D000", "57014", "25006"
MYSQL_AWAY = {1040, 1042, 1043, 1053, 1077, 1129, 1152, 1156, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1927}
MYSQL_LOGIN, MYSQL_TIMEOUT, MYSQL_READ_ONLY = {1044, 1045, 1130, 1698, 1862}, {1969, 3024}, {1792, 1290}
CLIENT = range(2000, 3000)  # MySQL's codes for what its client saw: no connection, or one that was lost


@dataclass(frozen=True)
class Failures:
    """Where a database is and what must not be said, for every error of it."""

    place: str
    credentials: str | None = None
    timeout_s: float = 0
    secrets: list[SecretStr] = field(default_factory=list)

    @contextmanager
    def explained(self) -> Iterator[None]:
        try:
            yield
        except SocleError:
            raise
        except Exception as error:
            explained = self._explain(error)
            if explained is None:
                raise
            raise explained from None

    def _explain(self, error: Exception) -> SocleError | None:
        """None: not of a database."""
        cause = getattr(error, "orig", None) or error
        module = type(cause).__module__.partition(".")[0]
        if module == "psycopg":
            return self._postgresql(cause)
        if module == "pymysql":
            return self._mysql(cause)
        if isinstance(cause, sqlite3.Error):
            return self._sqlite(cause)
        names = {kind.__name__ for kind in type(cause).__mro__}
        if not names & {"DBAPIError", "DatabaseError", "InterfaceError", "SQLAlchemyError"}:
            return None
        if names & {"OperationalError", "InterfaceError"}:
            return self.away(self._sentence(cause))
        return self.wrong(self._sentence(cause))

    def _postgresql(self, error: Any) -> SocleError:
        code, said = error.sqlstate or "", self._sentence(error.diag.message_primary or error)
        if not code and "FATAL" in said:  # refused while connecting: there is no code then, only words, in the server's language
            return self.away(said) if any(word in said for word in PG_AWAY_WORDS) else self.refused(said)
        if not code:
            return self.refused(said) if "fe_sendauth" in said else self.away(said)  # it wants a password, and we have none
        if code.startswith(PG_LOGIN) or code == PG_DATABASE:
            return self.refused(said)
        if code == PG_TIMEOUT and "timeout" in said:
            return self.too_long()
        if code == PG_READ_ONLY:
            return self.writes()
        return self.away(said) if code.startswith(PG_AWAY) else self.wrong(said)

    def _mysql(self, error: Any) -> SocleError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = self._sentence(error.args[1] if len(error.args) > 1 else error)
        if code in MYSQL_LOGIN or code == 1049:
            return self.refused(said)
        if code in MYSQL_TIMEOUT or (code == 2013 and "timed out" in said):
            return self.too_long()
        if code in MYSQL_READ_ONLY:
            return self.writes()
        return self.away(said) if code in MYSQL_AWAY or code in CLIENT or code == 0 else self.wrong(said)

    def _sqlite(self, error: sqlite3.Error) -> SocleError:
        name, said = getattr(error, "sqlite_errorname", "") or "", self._sentence(error)
        if name == "SQLITE_INTERRUPT":
            return self.too_long()
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return SourceRefused(f"this is no whole SQLite file: {said}", where=self.place)
        if name.startswith("SQLITE_READONLY") or "readonly" in said:
            return self.writes()
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_FULL")):
            return self.away(said)
        return self.wrong(said)

    def _sentence(self, said: object) -> str:
        lines = [line.strip() for line in str(said).splitlines() if line.strip()]
        return hide(lines[0] if lines else type(said).__name__, self.secrets)[:300]

    # ---- what they come to ----

    def away(self, said: str) -> SystemFailure:
        return SystemFailure(
            f"the database cannot be reached, or went away: {said}",
            where=self.place,
            hint="check that it runs and that this machine may reach it, then run again",
            french="La base de données ne répond pas ou a coupé la connexion. Relancez plus tard ; si cela dure, prévenez son équipe.",
        )

    def refused(self, said: str) -> ConfigurationError:
        return ConfigurationError(
            f"the database refuses us: {said}",
            where=self.place + (f", credentials {self.credentials!r}" if self.credentials else ", no credentials"),
            hint="check source.url and the credentials (docs/sources.md)",
            french="La base de données refuse la connexion : l'adresse, le nom d'utilisateur ou le mot de passe n'est pas le bon.",
        )

    def wrong(self, said: str) -> ConfigurationError:
        return ConfigurationError(f"the database cannot do what it is asked: {said}", where=self.place, hint="check source in project.yaml")

    def writes(self) -> ConfigurationError:
        return ConfigurationError("the query writes: a source only reads", where=self.place, hint="make it one SELECT")

    def too_long(self) -> SystemFailure:
        return SystemFailure(
            f"the database took longer than {self.timeout_s:g} s for one statement",
            where=self.place,
            hint="an index on the columns that order the rows, less rows, or SOCLE_SQL_STATEMENT_TIMEOUT_S",
        )
