"""A throw-away S3 server for the integration tests: one Ceph RADOS Gateway on loopback, its data in memory.

The tests talk to a real gateway, since what Socle leans on (conditional writes, error codes) differs between servers.
It needs Debian's packages, and neither systemd nor docker. Run it as a script (--help), or import start() and stop().
"""
# ruff: noqa: T201 (a script speaks by print)
# No `from __future__ import annotations`: it breaks dataclasses in a module that importlib left out of sys.modules.

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

HOST = "127.0.0.1"
PORT = 9100
MEMORY_GIB = 4
DIR = Path(os.environ.get("TMPDIR") or "/tmp") / "socle-s3"  # noqa: S108 (the folder is made private, or refused)
MARKER = ".socle-s3-server"
USERS = ("socle", "lecteur")
TENANTS = ("essai", "voisin", "lointain")  # one a project: they may own no bucket, and have the rights that policies give them
DAEMONS = ("client.rgw.a", "osd.0", "mon.a")  # in the order to end them: each would wait in vain for the next
PROGRAMS = ("ceph-authtool", "monmaptool", "ceph-mon", "ceph", "ceph-osd", "radosgw", "radosgw-admin")
STEP_SECONDS = 60.0
TERM_SECONDS = 10.0


class StartError(RuntimeError):
    """The server did not start: at which step, and the last lines of its logs."""


class MissingPackages(StartError):
    """Debian's Ceph packages are not installed; of its own class, so that a fixture can skip."""


@dataclass(frozen=True)
class Credentials:
    """The key pair of one user."""

    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Server:
    """What a client needs to know of a running server."""

    endpoint: str
    users: dict[str, Credentials]


def start(dir: Path | str, port: int = PORT, memory_gib: int = MEMORY_GIB) -> Server:
    """Start an empty server with new keys; one that already runs from `dir` is ended first, its data with it."""
    base = Path(dir).resolve()
    _check(base)
    stop(base)
    # Both ports are held until their daemons take them: a free one may otherwise go to a connection made in between.
    with socket.create_server((HOST, port)) as gateway, socket.create_server((HOST, 0)) as monitor, ExitStack() as undo:
        undo.callback(_end_daemons, base)
        _lay_out(base, _conf_text(base, gateway.getsockname()[1], monitor.getsockname()[1], memory_gib))
        try:
            with ThreadPoolExecutor(1) as apart:  # Ctrl-C and TERM cannot come between a fork and the note of its pid
                server = apart.submit(_boot, base, gateway, monitor).result()
        except StartError as error:
            raise StartError(f"{error}\n{_log_tails(base)}") from error
        undo.pop_all()
    return server


def stop(dir: Path | str) -> None:
    """End the server of `dir` and remove the folder; nothing to do is no error, so a fixture may always call it."""
    base = Path(dir).resolve()
    _end_daemons(base)
    if (base / MARKER).is_file():
        shutil.rmtree(base)


def _check(base: Path) -> None:
    """Say beforehand what would fail half-way, and refuse a folder that holds somebody's files."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        packages = "radosgw ceph-mon ceph-osd ceph-common"
        raise MissingPackages(f"{', '.join(missing)} not found: apt-get install --no-install-recommends {packages}")
    if base.exists() and not (base / MARKER).is_file() and (not base.is_dir() or any(base.iterdir())):
        raise StartError(f"{base} exists and was not made by this script")


def _lay_out(base: Path, conf: str) -> None:
    """Make the private folder that the daemons use; the marker comes first, so that a partial one can be removed."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    base.chmod(0o700)
    (base / MARKER).touch()
    for folder in ("mon", "osd", "rgw", "run", "log"):
        (base / folder).mkdir()
    (base / "ceph.conf").write_text(conf)


def _conf_text(base: Path, gateway_port: int, monitor_port: int, memory_gib: int) -> str:
    """Without cluster_addr, the OSD listens to everyone; without the tick, a request that beats it waits 5 s."""
    return f"""[global]
fsid = {uuid.uuid4()}
mon_host = v2:{HOST}:{monitor_port}/0
public_addr = {HOST}
cluster_addr = {HOST}
ms_bind_msgr1 = false
keyring = {base}/keyring
run_dir = {base}/run
crash_dir = {base}/run
admin_socket =
log_file = {base}/log/$name.log
mon_cluster_log_file = {base}/log/cluster.log
mon_data = {base}/mon
osd_data = {base}/osd
rgw_data = {base}/rgw
mon_data_avail_crit = 1
mon_allow_pool_size_one = true
paxos_propose_interval = 0.05
objecter_tick_interval = 0.25
osd_pool_default_size = 1
osd_pool_default_pg_num = 4
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = {memory_gib << 30}
rgw_frontends = beast endpoint={HOST}:{gateway_port} tcp_nodelay=1
rgw_thread_pool_size = 64
rgw_exit_timeout_secs = 1
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 5
"""


def _boot(base: Path, gateway: socket.socket, monitor: socket.socket) -> Server:
    """Start the daemons in the order in which they need each other, then make the users."""
    gateway_port, monitor_port, store = gateway.getsockname()[1], monitor.getsockname()[1], str(uuid.uuid4())
    _make_cephx_keys(base)
    _step(base, "monmaptool", "--create", "--addv", "a", f"v2:{HOST}:{monitor_port}", f"{base}/monmap")
    _step(base, "ceph-mon", "-i", "a", "--mkfs", "--monmap", f"{base}/monmap")
    monitor.close()
    _spawn(base, "mon.a", "ceph-mon", "-i", "a")
    _step(base, "ceph", "--connect-timeout", "30", "osd", "new", store, "0")
    _step(base, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
    _spawn(base, "osd.0", "ceph-osd", "-i", "0")
    gateway.close()
    _spawn(base, "client.rgw.a", "radosgw", "-n", "client.rgw.a")
    if not _within(STEP_SECONDS, _serves, base, gateway_port):
        raise StartError(f"the gateway did not answer within {STEP_SECONDS:.0f} s")
    server = Server(f"http://{HOST}:{gateway_port}", _create_users(base))
    _serves(base, gateway_port)  # what answered before may have been somebody else's server, ours ended by now
    return server


def _make_cephx_keys(base: Path) -> None:
    """Put every daemon's key in the file that the monitor takes in when made: no round trip for each afterwards."""
    (base / "keyring").touch(mode=0o600)
    for name in ("mon.", "client.admin", "osd.0", "client.rgw.a"):
        call = ("ceph-authtool", f"{base}/keyring", "--gen-key", "-n", name)
        _step(base, *call, "--cap", "mon", "allow *", "--cap", "osd", "allow *")


def _create_users(base: Path) -> dict[str, Credentials]:
    """Make ordinary users with keys of this run only: they are worth nothing elsewhere, and none is in the code."""
    users = {name: Credentials(secrets.token_hex(10).upper(), secrets.token_hex(20)) for name in (*USERS, *TENANTS)}
    for name, keys in users.items():  # one by one: the first makes the pools
        pair = ("--access-key", keys.access_key, "--secret-key", keys.secret_key)
        _step(
            base,
            "radosgw-admin",
            "user",
            "create",
            "--uid",
            name,
            "--display-name",
            name,
            *pair,
            *(("--max-buckets=-1",) if name in TENANTS else ()),
        )
    (base / "users.json").touch(mode=0o600)
    (base / "users.json").write_text(json.dumps({name: asdict(keys) for name, keys in users.items()}) + "\n")
    return users


def _step(base: Path, *command: str) -> None:
    """Run one command to its end."""
    process = _launch(base, *command)
    if not _within(STEP_SECONDS, lambda: process.poll() is not None) or process.returncode != 0:
        process.kill()
        process.wait()
        raise StartError(f"{command[0]} failed, or took more than {STEP_SECONDS:.0f} s")


def _spawn(base: Path, name: str, *command: str) -> None:
    """Start a daemon and note its pid at once: hence -f, since radosgw itself notes it some time after it forked."""
    daemon = _launch(base, *command, "-f")
    (base / "run" / f"{name}.pid").write_text(f"{daemon.pid}\n")
    _within(1, lambda: name in _running(base) or daemon.poll() is not None)  # Linux shows its arguments a moment later
    daemon.returncode = 0  # the pid file owns it from here on; otherwise Popen warns of a child left behind


def _launch(base: Path, *command: str) -> subprocess.Popen[bytes]:
    """Start a program that Ctrl-C does not reach (it is for the tests), its errors kept; its output may show keys."""
    call, none = [*command, "-c", f"{base}/ceph.conf"], subprocess.DEVNULL
    # Not ours: what leads Ceph to another cluster, or Debian's `ceph`, which is Python, to our packages.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CEPH_", "PYTHON"))}
    with (base / "log" / "out").open("ab") as log:
        return subprocess.Popen(call, stdin=none, stdout=none, stderr=log, env=env, start_new_session=True)


def _serves(base: Path, port: int) -> bool:
    """Whether the gateway answers as S3 does, its port being open before; an error if a daemon of ours has ended."""
    if ended := sorted(set(DAEMONS) - set(_running(base))):
        raise StartError(f"{', '.join(ended)} ended during the start")
    with suppress(OSError, HTTPException), closing(HTTPConnection(HOST, port, timeout=5)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    return False


def _log_tails(base: Path) -> str:
    """The last lines of every log: where CI shows the failure, the folder is gone."""
    tails = {path: path.read_text(errors="replace").splitlines()[-15:] for path in (base / "log").iterdir()}
    return "\n".join(line for path, tail in sorted(tails.items()) if tail for line in (f"--- {path}", *tail))


def _end_daemons(base: Path) -> None:
    """End what this script started in `base`, one after the other, and nothing else: ask, wait, then insist."""
    for pid in _running(base).values():
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            if _within(TERM_SECONDS, _ended, pid):
                break


def _within(seconds: float, done: Callable[..., bool], *arguments: object) -> bool:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not done(*arguments):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _running(base: Path) -> dict[str, int]:
    """The pids of our daemons, in the order to end them; by the arguments, as the number may be another's by now."""
    pids = {}
    for name in DAEMONS:
        with suppress(OSError, ValueError):
            pid = int((base / "run" / f"{name}.pid").read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
            if f"{base}/ceph.conf" in arguments and not _ended(pid):
                pids[name] = pid
    return pids


def _ended(pid: int) -> bool:
    """Whether a process has ended, if only to wait for its parent; it is collected if that is us."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


def _print_status(base: Path) -> None:
    """One line for each daemon, with its resident memory: the objects are in that of the OSD."""
    for name, pid in _running(base).items():
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        print(f"{name} pid {pid} {pages * os.sysconf('SC_PAGE_SIZE') >> 20} MiB")


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A Ceph RADOS Gateway on loopback for the integration tests")
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--dir", type=Path, default=DIR, help=f"its folder ({DIR})")
    parser.add_argument("--port", type=int, default=PORT, help=f"up: 0 picks a free one ({PORT})")
    parser.add_argument("--memory-gib", type=int, default=MEMORY_GIB, help=f"up: the most data it holds ({MEMORY_GIB})")
    return parser.parse_args()


def main() -> int:
    """Run one command; TERM is made an exception, so that a start that CI cuts off undoes itself."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    arguments = _arguments()
    try:
        if arguments.command == "up":
            print(json.dumps(asdict(start(arguments.dir, arguments.port, arguments.memory_gib))))
        elif arguments.command == "down":
            stop(arguments.dir)
        else:
            _print_status(arguments.dir.resolve())
    except (StartError, OSError, OverflowError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, MissingPackages) else 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
