"""Prefect's database into a file and back, with its own programs: pg_dump and pg_restore, or SQLite's online copy.

The address of a PostgreSQL database holds its password: it travels in the environment of those programs, never in their arguments.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from flows.errors import ConfigurationError, SystemFailure
from flows.settings import Settings

DEBIAN = Path("/usr/lib/postgresql")
LIMIT_S = 6 * 3600.0  # of a dump; a database of many gigabytes takes its time
VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE", "sslmode": "PGSSLMODE"}
ENV = "PREFECT_API_DATABASE_CONNECTION_URL"


def find(settings: Settings) -> str:
    """The address of the database: as Prefect has it, or that of a `socle up` on this machine; empty if there is none."""
    if url := os.environ.get(ENV, ""):
        return url
    if (running := _running_postgres(settings)) is not None:
        return running
    sqlite = settings.state_folder / "prefect" / "prefect.db"
    return f"sqlite+aiosqlite:///{sqlite}" if sqlite.exists() else ""


def _running_postgres(settings: Settings) -> str | None:
    """PostgreSQL writes where its socket is into its data folder (`socle up --profile team`)."""
    from urllib.parse import quote

    note = (settings.postgres_folder or settings.state_folder / "postgres") / "postmaster.pid"
    try:
        lines = note.read_text(encoding="utf-8").splitlines()
        return f"postgresql+asyncpg://socle@/prefect?host={quote(lines[4])}&port={lines[3]}"
    except (OSError, IndexError):
        return None


def kind(url: str) -> str:
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme not in ("postgresql", "sqlite"):
        raise ConfigurationError(
            "the database is neither PostgreSQL nor SQLite", where=ENV, hint="postgresql+asyncpg://... or sqlite+aiosqlite:///..."
        )
    return scheme


def dump(url: str, target: Path) -> None:
    """One moment of the database, whatever is written meanwhile. Raises: SystemFailure."""
    if kind(url) == "sqlite":
        source = _sqlite_path(url)
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
        return
    _run("pg_dump", url, ["--format=custom", "--no-owner", "--no-privileges", f"--file={target}"])


def require_empty(url: str) -> None:
    """Raises: ConfigurationError if there is a table in it."""
    if kind(url) == "sqlite":
        path = _sqlite_path(url)
        if path.exists() and path.stat().st_size:
            raise _not_empty(str(path))
        return
    count = _run("psql", url, ["-Atc", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"])
    if count.strip() != "0":
        raise _not_empty(ENV)


def _not_empty(where: str) -> ConfigurationError:
    return ConfigurationError(
        "the database is not empty: a copy is restored into an empty one only", where=where, hint="createdb, and its address in " + ENV
    )


def restore(url: str, dump_kind: str, source: Path) -> None:
    """All of it or nothing. Raises: SystemFailure."""
    if kind(url) != dump_kind:
        raise ConfigurationError(f"the copy is of a {dump_kind} database, and this one is {kind(url)}", where=ENV)
    if dump_kind == "sqlite":
        path = _sqlite_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        return
    _run(
        "pg_restore",
        url,
        ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={_parts(url)['dbname']}", str(source)],
    )


def _sqlite_path(url: str) -> Path:
    return Path(unquote(url.partition(":///")[2].partition("?")[0]))


def _parts(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    found = {
        "user": parts.username,
        "password": parts.password,
        "host": parts.hostname,
        "port": str(parts.port or ""),
        "dbname": parts.path.lstrip("/"),
    }
    query = {name: values[-1] for name, values in parse_qs(parts.query).items() if name in VARIABLES}
    return {name: unquote(value) for name, value in (found | query).items() if value}


def _run(program: str, url: str, arguments: list[str]) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != ENV}
    environment |= {VARIABLES[name]: value for name, value in _parts(url).items()}
    command = [_find(program), "--no-password", *arguments]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise SystemFailure(
            f"{program} failed: {done.stderr.strip()[-500:]}", where=ENV, hint="is its version that of the server, or newer?"
        )
    return done.stdout


def _find(program: str) -> str:
    """Of the newest version that is installed: an older one refuses a newer server."""
    installed = [p for p in DEBIAN.glob(f"*/bin/{program}") if p.parent.parent.name.isdigit()]
    if installed:
        return str(max(installed, key=lambda p: int(p.parent.parent.name)))
    if found := shutil.which(program):
        return found
    raise ConfigurationError(f"{program} is not installed", where=f"{DEBIAN}/*/bin, PATH", hint="apt-get install postgresql-client")
