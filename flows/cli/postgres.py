"""The PostgreSQL server of `socle up --profile team`: Debian's packages, data in a folder, a Unix socket and no port.

Its socket is in a folder that only its own user (and root) may enter, so that it needs no password.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from flows.errors import ConfigurationError, SystemFailure

if TYPE_CHECKING:
    from flows.cli.processes import Processes
    from flows.settings import Settings

DEBIAN = Path("/usr/lib/postgresql")  # Debian puts its programs in <version>/bin, out of the PATH
ROLE, DATABASE = "socle", "prefect"
RUNAS = "postgres"  # the user of Debian's package: PostgreSQL refuses to run as root
START_S = 60.0
STEP_S = 120.0  # longest time for initdb or createdb


def start(children: Processes, settings: Settings) -> str:
    """Start the server, its data made if missing; the address of Prefect's database in it.

    Raises: ConfigurationError if it is not installed or its folder cannot be used; SystemFailure if it does not start.
    """
    programs = find_programs()
    folder = settings.postgres_folder or settings.state_folder / "postgres"
    _make_folder(folder)
    if not (folder / "PG_VERSION").exists():
        _do([str(programs / "initdb"), "-D", str(folder), "-U", ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-k"])
    # Not in the data folder: the path of a Unix socket has 107 bytes at most.
    sockets = Path(children.keep(tempfile.TemporaryDirectory(prefix="socle-pg-", ignore_cleanup_errors=True)))
    _own(sockets)
    children.start("postgres", [*_as_user(), str(programs / "postgres"), "-D", str(folder), "-k", str(sockets), "-c", "listen_addresses="])
    reach = ["-h", str(sockets), "-U", ROLE]
    ready = [str(programs / "pg_isready"), *reach, "-q"]
    children.wait_until("postgres", lambda: subprocess.run(ready, check=False, timeout=STEP_S).returncode == 0, START_S)
    if not _has_database(programs, reach):
        _do([str(programs / "createdb"), *reach, DATABASE])
    return f"postgresql+asyncpg://{ROLE}@/{DATABASE}?host={quote(str(sockets))}"


def find_programs() -> Path:
    """The folder of initdb and postgres: of the newest version that Debian installed, else from the PATH."""
    installed = [p for p in DEBIAN.glob("*/bin") if (p / "initdb").exists() and p.parent.name.isdigit()]
    if installed:
        return max(installed, key=lambda p: int(p.parent.name))
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    raise ConfigurationError("PostgreSQL is not installed", where=f"{DEBIAN}/*/bin, PATH", hint="apt-get install postgresql")


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _own(folder)
    done = subprocess.run([*_as_user(), "test", "-w", str(folder)], check=False, capture_output=True, timeout=STEP_S)
    if done.returncode:
        raise ConfigurationError(
            f"the user {RUNAS} cannot reach the folder of the database",
            where=str(folder),
            hint="set SOCLE_POSTGRES_FOLDER to a folder that it may enter, or do not run as root",
        )


def _own(folder: Path) -> None:
    if os.getuid() == 0:
        user = _user()
        os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o700)


def _user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(RUNAS)
    except KeyError:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and there is no user {RUNAS}", where="/etc/passwd", hint="apt-get install postgresql"
        ) from None


def _as_user() -> list[str]:
    """What a command begins with to run as PostgreSQL's user; the kernel ends it if we are killed."""
    if os.getuid() != 0:
        return []
    user = _user()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "--pdeathsig", "TERM", "--"]


def _has_database(programs: Path, reach: list[str]) -> bool:
    return DATABASE in _do([str(programs / "psql"), *reach, "-d", "postgres", "-Atc", "SELECT datname FROM pg_database"]).split()


def _do(command: list[str]) -> str:
    done = subprocess.run([*_as_user(), *command], check=False, capture_output=True, text=True, cwd="/", timeout=STEP_S)
    if done.returncode:
        raise SystemFailure(f"{Path(command[0]).name} failed: {done.stderr.strip()[-500:]}", where=" ".join(command))
    return done.stdout
