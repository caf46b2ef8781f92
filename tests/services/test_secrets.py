"""Everything runs with marked secrets, well and badly; then they are looked for wherever something is kept or shown.

A secret is in the file that it comes from and in the memory of the processes that use it, and nowhere else: not in Prefect's
database, not in a log, an artifact, an error, an object of the lake, a command line or an environment.
"""

from __future__ import annotations

import base64
import io
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from flows.cli.diagnosis import diagnose
from flows.cli.postgres import DATABASE, ROLE, find_programs
from flows.errors import SocleError
from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.settings import Settings
from tests.conftest import PROJECT, csv_text, rows, write_project
from tests.faults.proxy import Network, network
from tests.platform import SOCLE, Platform, free_port, running

pytestmark = pytest.mark.services

WRONG_SECRET = "marque0mauvais0secret0" + "a1b2c3d4e5f6a7b8c9"
WRONG_KEY = "MARQUE0CLE0INCONNUE0"
TOKEN = "marque0jeton0de0messagerie"
PROJECTS = {"essai": "right keys", "voisin": "a wrong secret", "lointain": "an unknown key"}


@dataclass
class Watched:
    """A platform with every secret marked, and what its processes were seen with."""

    platform: Platform
    net: Network
    settings: Settings
    environment: dict[str, str]
    secrets: dict[str, str]
    seen: set[str] = field(default_factory=set)
    """Command lines and environments."""

    def found_in(self, what: bytes | str) -> list[str]:
        data = what.encode() if isinstance(what, str) else what
        return [name for name, secret in self.secrets.items() if any(form in data for form in _forms(secret))]


def _forms(secret: str) -> set[bytes]:
    plain = secret.encode()
    return {plain, quote(secret, safe="").encode(), base64.b64encode(plain).rstrip(b"="), plain.hex().encode()}


@pytest.fixture(scope="module")
def watched(s3_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    root, secrets = tmp_path_factory.mktemp("secrets"), tmp_path_factory.mktemp("files")
    for name in PROJECTS:
        write_project(root, name, PROJECT)
    admin, own = s3_server.users["socle"], s3_server.users["essai"]
    pairs = {"essai": own, "voisin": _Pair(s3_server.users["voisin"].access_key, WRONG_SECRET), "lointain": _Pair(WRONG_KEY, WRONG_SECRET)}
    for name, pair in (*pairs.items(), ("socle", admin)):
        (secrets / name).mkdir()
        for key in ("access_key", "secret_key"):
            (secrets / name / key).write_text(getattr(pair, key) + "\n", encoding="utf-8")
    targets = secrets / "notify"
    targets.write_text(f"* = json://127.0.0.1:{free_port()}/{TOKEN}\n", encoding="utf-8")  # nobody listens there
    marked = {"the administrator's secret": admin.secret_key, "the project's secret": own.secret_key, "the wrong secret": WRONG_SECRET}
    with network(s3_server.endpoint) as net:
        environment = {
            "SOCLE_STORAGE": "s3://t-secrets",
            "SOCLE_S3_ENDPOINT": net.address,
            "SOCLE_S3_ACCESS_KEY_FILE": str(secrets / "socle" / "access_key"),
            "SOCLE_S3_SECRET_KEY_FILE": str(secrets / "socle" / "secret_key"),
            "SOCLE_S3_KEYS_FOLDER": str(secrets),
            "SOCLE_S3_PRINCIPAL": "arn:aws:iam:::user/{project}",
            "SOCLE_S3_ADMIN_PRINCIPAL": "arn:aws:iam:::user/socle",
            "SOCLE_S3_RETRIES": "1",
            "SOCLE_AUDIT_PATIENCE_S": "0",
            "SOCLE_NOTIFY_URLS_FILE": str(targets),
            "SOCLE_NOTIFY_TRIES": "1",
        }
        settings = Settings(root=root, **{k.removeprefix("SOCLE_").lower(): v for k, v in environment.items()})  # type: ignore[arg-type]
        assert not [f for f in diagnose(settings, create=True) if f.what.startswith(("bucket", "access")) and f.state == "error"]
        with running(root, settings=environment) as platform:
            made = Watched(platform, net, settings, environment, marked | {"the token": TOKEN})
            ended = threading.Event()
            watcher = threading.Thread(target=_watch, args=(made, ended))
            watcher.start()
            try:
                _everything_happens(made)
                yield made
            finally:
                ended.set()
                watcher.join()


@dataclass(frozen=True)
class _Pair:
    access_key: str
    secret_key: str


def _watch(watched: Watched, ended: threading.Event) -> None:
    while not ended.wait(0.3):
        with suppress(psutil.Error):
            for process in psutil.Process(watched.platform.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    watched.seen.add(" ".join(process.cmdline()))
                    watched.seen.add(str(process.environ()))


def _everything_happens(watched: Watched) -> None:
    """A run that goes well, one that is refused, one with a wrong secret, one with an unknown key, two on a storage that fails."""
    platform, net = watched.platform, watched.net

    def run(project: str, flow: str = "pipeline") -> str:
        ended = platform.wait(platform.trigger(f"{flow}/{project}", {"project": project}))
        return str(ended["state_type"])

    assert run("essai") == "COMPLETED", platform.log("worker")
    data = platform.root / "projects" / "essai" / "data" / "demandes.csv"
    data.write_text(csv_text([*rows(90), ("sans-texte", "", "paie")]), encoding="utf-8")
    assert run("essai", "ingest") == "FAILED"
    assert [run("voisin"), run("lointain")] == ["FAILED", "FAILED"]
    net.set(busy_one_in=1)
    assert run("essai", "check") == "FAILED"
    net.calm()
    net.down()
    assert run("essai", "check") == "FAILED"
    net.up()
    deadline = time.monotonic() + 120  # the automations and the notifier have their say
    while "not delivered" not in platform.log("notify"):
        assert time.monotonic() < deadline, platform.log("notify")
        time.sleep(1)


def test_a_secret_would_be_found(watched: Watched) -> None:
    folder = watched.settings.s3_keys_folder
    assert folder is not None
    found = [watched.found_in(p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "access_key"]
    assert sorted(name for names in found for name in names) == sorted([*watched.secrets, "the wrong secret"])  # two projects have it
    assert watched.found_in(base64.b64encode(TOKEN.encode())) == ["the token"]


def test_the_database_of_prefect_holds_no_secret(watched: Watched) -> None:
    """Runs, parameters, states with their messages, logs, artifacts, blocks, automations, work pools: all that it has, as text."""
    (postgres,) = (p for p in psutil.Process(watched.platform.process.pid).children() if p.name() == "postgres")
    sockets = postgres.cmdline()[postgres.cmdline().index("-k") + 1]
    command = [str(find_programs() / "pg_dump"), "-h", sockets, "-U", ROLE, "--inserts", DATABASE]
    dump = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    for table in ("flow_run", "log", "artifact", "flow_run_state", "automation", "block_document", "work_pool"):
        assert f"INSERT INTO public.{table} ".encode() in dump, table
    for said in ("refuses the secret key", "does not know this access key", "keeps answering with errors", "connection refused"):
        assert said.encode() in dump, said
    assert watched.found_in(dump) == []


def test_what_lies_on_the_disk_of_the_worker_holds_no_secret(watched: Watched) -> None:
    files = [p for p in watched.platform.root.rglob("*") if p.is_file()]
    assert {"worker.log", "server.log", "warm.log", "docs.log", "notify.log", "metrics.log"} <= {p.name for p in files}
    assert {str(p): found for p in files if (found := watched.found_in(p.read_bytes()))} == {}


def test_no_command_line_and_no_environment_holds_a_secret(watched: Watched) -> None:
    assert any("socle-launch" in line for line in watched.seen) and any("SOCLE_S3_KEYS_FOLDER" in line for line in watched.seen)
    assert [line[:200] for line in watched.seen if watched.found_in(line)] == []


def test_no_object_of_the_lake_holds_a_secret(watched: Watched) -> None:
    """Parquet is decoded: it is compressed, and a secret would not be seen in its bytes."""
    from pyarrow import parquet

    client = Lake(watched.settings)
    kinds = set()
    for project in (*PROJECTS, "commun"):
        objects = client.bucket(project)
        for info in objects.list():
            data = objects.get(info.key)
            kinds.add(info.key.split("/")[0])
            assert watched.found_in(data) == [], info.key
            if info.key.endswith(".parquet"):
                table = parquet.read_table(io.BytesIO(data))
                assert watched.found_in(str(table.to_pydict()) + str(table.schema.metadata)) == [], info.key
    assert kinds >= {"audit", "checks", "models", "raw", "tables"}


def test_commands_say_no_secret(watched: Watched) -> None:
    environment = watched.environment | {"SOCLE_ROOT": str(watched.platform.root), "SOCLE_S3_RETRIES": "0", "PATH": "/usr/bin:/bin"}
    codes = {}
    for words in (
        ("doctor",),
        ("ls", "voisin"),
        ("run", "lointain"),
        ("audit",),
        ("audit", "voisin"),
        ("show", "essai/demandes", "--json"),
    ):
        done = subprocess.run([str(SOCLE), *words], env=environment, capture_output=True, text=True, timeout=120, check=False)
        codes[words] = done.returncode
        assert watched.found_in(done.stdout + done.stderr) == [], words
        assert "Traceback" not in done.stderr, done.stderr
    assert [codes[words] for words in (("ls", "voisin"), ("run", "lointain"), ("audit",), ("audit", "voisin"))] == [3, 3, 0, 3], codes


@pytest.mark.parametrize("project", ["voisin", "lointain"])
def test_no_error_holds_a_secret(watched: Watched, project: str) -> None:
    """Of the three clients that reach the storage: minio, deltalake, and Polars, also with all that is chained to it."""
    settings = watched.settings.for_project(project)
    lake = Lake(settings)
    table = Dataset(lake, "essai", "demandes")

    def scan() -> None:
        with table.reading():
            table.scan(1).collect()

    attempts = {
        "minio": lambda: lake.bucket("essai").get("raw/x"),
        "minio, written": lambda: lake.bucket("essai").put("raw/x", b"x"),
        "deltalake": table.history,
        "polars": scan,
    }
    for name, attempt in attempts.items():
        with pytest.raises(Exception) as caught:
            attempt()
        text = "\n".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.args)
        assert watched.found_in(text) == [], name
        assert isinstance(caught.value, SocleError), name
    assert watched.found_in(repr(settings) + str(settings) + repr(lake.__dict__)) == []
