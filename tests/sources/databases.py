"""Real PostgreSQL and MariaDB servers, from Debian's packages, as plain processes on free ports of the loopback interface."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.cli.postgres import find_programs
from flows.errors import ConfigurationError

USER, PASSWORD = "lecteur", "p@ss/w:rd très-secret"
START_S = 60.0


@dataclass
class Database:
    """`url` as project.yaml has it: without a password."""

    scheme: str
    port: int
    name: str = "essai"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{USER}@127.0.0.1:{self.port}/{self.name}"

    def connect(self):
        """As the owner of everything; each statement is committed."""
        if self.scheme == "postgresql":
            import psycopg

            return psycopg.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=self.name, autocommit=True)
        import pymysql

        return pymysql.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD.encode(), database=self.name, autocommit=True)

    def do(self, *statements: str) -> list[tuple]:
        """The rows of the last one."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()


@contextmanager
def postgresql() -> Iterator[Database]:
    programs = find_programs()
    with _folder("postgres") as (folder, as_user):
        data, password = folder / "data", folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        _own(password, "postgres")
        _do(
            as_user,
            programs / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            f"--pwfile={password}",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )
        database = Database("postgresql", _free_port())
        fast = ["-c", "fsync=off", "-c", "full_page_writes=off"]
        command = [*as_user, programs / "postgres", "-D", data, "-p", database.port, "-k", folder, "-h", "127.0.0.1", *fast]
        with _server(command, folder / "log", signal.SIGINT):
            admin = Database("postgresql", database.port, "postgres")
            _wait(lambda: admin.do("SELECT 1"), folder / "log")
            admin.do(f"CREATE DATABASE {database.name}")
            yield database


@contextmanager
def mariadb() -> Iterator[Database]:
    server, install = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin"), shutil.which("mariadb-install-db")
    if not server or not install:
        raise ConfigurationError("MariaDB is not installed", where="PATH", hint="apt-get install mariadb-server")
    with _folder("mysql") as (folder, as_user):
        data, init = folder / "data", folder / "init.sql"
        _do(as_user, install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db")
        escaped = PASSWORD.replace("'", "''")
        init.write_text(
            f"CREATE DATABASE IF NOT EXISTS essai CHARACTER SET utf8mb4;\n"
            f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{escaped}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1';\n",
            encoding="utf-8",
        )
        _own(init, "mysql")
        database = Database("mysql", _free_port())
        command = [
            *as_user, server, "--no-defaults", f"--datadir={data}", f"--port={database.port}", "--bind-address=127.0.0.1",
            f"--socket={folder}/s", f"--pid-file={folder}/pid", f"--init-file={init}", "--character-set-server=utf8mb4",
            "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
        ]  # fmt: skip
        with _server(command, folder / "log", signal.SIGTERM):
            _wait(lambda: database.do("SELECT 1"), folder / "log")
            yield database


@contextmanager
def _folder(user: str) -> Iterator[tuple[Path, list[str]]]:
    """Outside pytest's own folders, which another user may not enter; and what a command begins with to run as that user."""
    folder = Path(tempfile.mkdtemp(prefix="socle-db-"))
    try:
        _own(folder, user)
        yield folder, _as_user(user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own(path: Path, user: str) -> None:
    if os.getuid() == 0:
        entry = _entry(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _as_user(user: str) -> list[str]:
    if os.getuid() != 0:
        return []
    entry = _entry(user)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups", "--pdeathsig", "TERM", "--"]


def _entry(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(f"there is no user {user!r}", where="/etc/passwd", hint="install the server's Debian package") from None


@contextmanager
def _server(command: list[object], log: Path, stop: signal.Signals) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=subprocess.STDOUT, cwd="/")
    try:
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _do(as_user: list[str], *command: object) -> None:
    done = subprocess.run([*as_user, *map(str, command)], check=False, capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]


def _wait(ready: Callable[[], object], log: Path) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            ready()
            return
        except Exception as error:
            if time.monotonic() > end:
                raise AssertionError(f"the server does not start: {error}\n{log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def or_skip(server: Callable[[], Iterator[Database]]) -> Iterator[Database]:
    """Without Debian's packages: a failure in CI, a skip elsewhere."""
    opened = server()
    try:
        database = opened.__enter__()
    except ConfigurationError as error:
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"these tests need a real server: {error}", pytrace=False)
        pytest.skip(f"these tests need a real server: {error}")
    try:
        yield database
    finally:
        opened.__exit__(None, None, None)
