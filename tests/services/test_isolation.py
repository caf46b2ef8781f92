"""Every project with keys of its own on a real Ceph RGW: what they open, and that they open nothing else."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from flows.cli.diagnosis import diagnose
from flows.errors import ConfigurationError, StorageError
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset
from flows.lake.references import Reference
from flows.lake.trail import Trail
from flows.settings import Settings, load_settings
from flows.steps import open_run
from flows.steps.pipeline import RunResult, run_plain
from tests.conftest import PROJECT, csv_text, rows, write_project

pytestmark = pytest.mark.services

PROJECTS = ("essai", "voisin", "lointain")
OTHER = PROJECT[PROJECT.index("  demandes:") : PROJECT.index("models:")].replace("  demandes:", "  demandes-privees:")
SHARING = PROJECT.replace("    personal_data: none\n", "    personal_data: none\n    shared_with: [voisin]\n", 1).replace(
    "models:", OTHER + "models:", 1
)


@dataclass
class World:
    """A lake in which `essai` has run: its dataset `demandes` is shared with `voisin`, `demandes-privees` with nobody."""

    root: Path
    server: Any
    storage: str

    def settings(self, user: str, **more: Any) -> Settings:
        who = self.server.users[user]
        given = {
            "root": self.root,
            "storage": self.storage,
            "s3_endpoint": self.server.endpoint,
            "s3_access_key": who.access_key,
            "s3_secret_key": who.secret_key,
            "s3_retries": 1,
            "s3_principal": "arn:aws:iam:::user/{project}",
            "s3_admin_principal": "arn:aws:iam:::user/socle",
            "s3_reader_principal": "arn:aws:iam:::user/lecteur",
        }
        return Settings(**(given | more))

    def lake(self, user: str) -> Lake:
        return Lake(self.settings(user))

    def client(self, user: str | None) -> Minio:
        host = self.server.endpoint.removeprefix("http://")
        who = self.server.users[user] if user else None
        pair = {"access_key": who.access_key, "secret_key": who.secret_key} if who else {}
        return Minio(host, secure=False, region="us-east-1", **pair)

    def bucket(self, project: str) -> str:
        return self.lake("socle").bucket_name(project)

    @contextmanager
    def environment(self, user: str) -> Iterator[pytest.MonkeyPatch]:
        made = self.settings(user)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOCLE_ROOT", str(self.root))
            patch.setenv("SOCLE_STORAGE", made.storage)
            patch.setenv("SOCLE_S3_ENDPOINT", made.s3_endpoint)
            patch.setenv("SOCLE_S3_ACCESS_KEY", made.s3_access_key.get_secret_value())
            patch.setenv("SOCLE_S3_SECRET_KEY", made.s3_secret_key.get_secret_value())
            patch.setenv("SOCLE_S3_RETRIES", "1")
            yield patch

    def run(self, user: str, project: str = "essai") -> RunResult:
        with self.environment(user), open_run(project) as run:
            return run_plain(run)

    def content(self, project: str) -> dict[str, str]:
        """Key -> ETag of everything in a bucket, as its administrator sees it."""
        return {o.object_name: o.etag for o in self.client("socle").list_objects(self.bucket(project), recursive=True)}


@pytest.fixture(scope="module")
def world(s3_server: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("isolation")
    for name in PROJECTS:
        write_project(root, name, SHARING if name == "essai" else PROJECT)
    made = World(root, s3_server, f"s3://t{root.name[-1]}isolation")
    findings = diagnose(made.settings("socle"), create=True)
    assert [f for f in findings if f.what.startswith(("bucket", "access")) and f.state != "ok"] == []
    ran = made.run("essai")
    assert ran.exit_code == 0, ran.error()
    for project, key in itertools.product(
        PROJECTS, ("raw/demandes/x", "models/theme/files/x/model.safetensors", "audit/2026-11-24/x.json")
    ):
        made.client(project).put_object(made.bucket(project), key, io.BytesIO(b"x"), 1)
    made.client("socle").put_object(made.bucket("commun"), "base-models/petit/main/x", io.BytesIO(b"x"), 1)
    return made


# ---- what is granted ----------------------------------------------------------------------------------------------------


def test_a_project_does_all_of_its_work_with_its_own_keys(world: World) -> None:
    """The fixture has loaded, trained and promoted; doctor finds nothing to say; and a run finds nothing to do."""
    assert world.run("essai").did_nothing
    findings = diagnose(world.settings("socle"), create=False)
    assert {f.state for f in findings if f.what.startswith(("bucket", "access", "essai"))} == {"ok"}
    data = world.root / "projects" / "essai" / "data" / "demandes.csv"
    data.write_text(csv_text(rows(120)), encoding="utf-8")
    again = world.run("essai")
    assert again.exit_code == 0 and [d.action for d in again.datasets] == ["loaded", "loaded"], again.error()
    objects = world.lake("essai").bucket("essai")
    big = world.root / "big"
    big.write_bytes(bytes(12 << 20))
    objects.put_file("raw/demandes/big", big)  # in parts
    objects.delete("raw/demandes/big")


def test_a_shared_dataset_is_read_and_nothing_else_of_its_project(world: World) -> None:
    shared = Dataset(world.lake("voisin"), "essai", "demandes")
    version = shared.resolve(Reference("essai", "demandes", version=1))
    with shared.reading():
        assert shared.scan(version.number).collect().height == 90
    private = Dataset(world.lake("voisin"), "essai", "demandes-privees")
    with pytest.raises(StorageError, match="refuses access"):
        private.latest()
    with pytest.raises(StorageError, match="refuses access"):
        Dataset(world.lake("lointain"), "essai", "demandes").latest()
    with pytest.raises(StorageError, match="refuses access"):
        Trail(world.lake("voisin"), "essai").stems(version.at.date())


def test_whoever_a_dataset_is_shared_with_sees_it_with_socle_show(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli.lake import show

    with world.environment("voisin"):
        show("essai/demandes@1", rows=2, json=True)
        assert json.loads(capsys.readouterr().out)["version"]["number"] == 1
        with pytest.raises(StorageError, match="refuses access"):
            show("essai/demandes-privees@1")
        with pytest.raises(StorageError, match="refuses access"):
            show("essai/theme@1")


def test_the_reader_reads_everything_and_writes_nothing(world: World) -> None:
    for project in (*PROJECTS, "commun"):
        objects = world.lake("lecteur").bucket(project)
        for info in itertools.islice(objects.list(), 5):
            assert objects.get(info.key)
        with pytest.raises(StorageError):
            objects.put("raw/demandes/x", b"y")
        with pytest.raises(StorageError):
            objects.delete("raw/demandes/x")


def test_what_is_common_is_read_by_all(world: World) -> None:
    for project in PROJECTS:
        objects = world.lake(project).bucket(keys.COMMON)
        assert [o.key for o in objects.list("base-models/")] == ["base-models/petit/main/x"]
        assert objects.get("base-models/petit/main/x") == b"x"


def test_a_projects_own_keys_delete_nothing_of_its_audit_trail(world: World) -> None:
    client, bucket = world.client("essai"), world.bucket("essai")
    record = "audit/2026-11-24/x.json"
    with pytest.raises(S3Error, match="AccessDenied"):
        client.remove_object(bucket, record)
    errors = _refusals_of_many(client, bucket, record)
    assert errors == {"AccessDenied"}
    assert client.stat_object(bucket, record).size == 1
    assert world.lake("essai").bucket("essai").create(record, b"y") is False


# ---- what is refused ----------------------------------------------------------------------------------------------------

GRANTED = {
    ("voisin", "essai"): {"get", "stat", "copy from", "list"},
    **{(project, "commun"): {"get", "stat", "copy from", "list", "list all", "versioning"} for project in PROJECTS},
}
"""(who, whose) -> what is granted; of a project's bucket, only below `tables/demandes/`."""


def attempts(client: Minio, own: str | None, bucket: str, key: str, mine: str) -> dict[str, Callable[[], Any]]:
    """Everything that somebody may try on an object of a bucket. `mine`: a policy that would give it to them."""
    folder = key.rpartition("/")[0] + "/"
    found: dict[str, Callable[[], Any]] = {
        "get": lambda: client.get_object(bucket, key).read(),
        "stat": lambda: client.stat_object(bucket, key),
        "put": lambda: client.put_object(bucket, key, io.BytesIO(b"z"), 1),
        "create": lambda: client._put_object(bucket, f"{folder}new", b"z", headers={"If-None-Match": "*"}),
        "delete": lambda: client.remove_object(bucket, key),
        "delete many": lambda: _denied_if_listed(client, bucket, key),
        "multipart": lambda: client._create_multipart_upload(bucket, f"{folder}new", {}),
        "copy into": lambda: client.copy_object(bucket, f"{folder}new", CopySource(bucket, key)),
        "list": lambda: list(client.list_objects(bucket, prefix=folder, recursive=True)),
        "list all": lambda: list(client.list_objects(bucket, recursive=True)),
        "list uploads": lambda: client._list_multipart_uploads(bucket),
        "read acl": lambda: _raw(client, "GET", bucket, key, "acl"),
        "write acl": lambda: _raw(client, "PUT", bucket, key, "acl", {"x-amz-acl": "public-read"}),
        "read bucket acl": lambda: _raw(client, "GET", bucket, None, "acl"),
        "write bucket acl": lambda: _raw(client, "PUT", bucket, None, "acl", {"x-amz-acl": "public-read"}),
        "read policy": lambda: client.get_bucket_policy(bucket),
        "write policy": lambda: client.set_bucket_policy(bucket, mine),
        "delete policy": lambda: client.delete_bucket_policy(bucket),
        "versioning": lambda: client.get_bucket_versioning(bucket),
        "lifecycle": lambda: client.delete_bucket_lifecycle(bucket),
        "tags": lambda: client.delete_bucket_tags(bucket),
        "remove bucket": lambda: client.remove_bucket(bucket),
    }
    if own is not None:
        found["copy from"] = lambda: client.copy_object(own, "raw/demandes/stolen", CopySource(bucket, key))
    return found


def _raw(client: Minio, method: str, bucket: str, key: str | None, what: str, headers: dict[str, str] | None = None) -> Any:
    return client._execute(method, bucket, object_name=key, query_params={what: ""}, headers=headers)


def _refusals_of_many(client: Minio, bucket: str, key: str) -> set[str]:
    """RGW answers a deletion of many with 200 and an error for each, or refuses it as a whole."""
    try:
        return {error.code for error in client.remove_objects(bucket, [DeleteObject(key)])}
    except S3Error as error:
        return {error.code}


def _denied_if_listed(client: Minio, bucket: str, key: str) -> None:
    if _refusals_of_many(client, bucket, key) == {"AccessDenied"}:
        raise PermissionError


def one_of_each_kind(content: dict[str, str]) -> list[str]:
    """A key of every kind and dataset or model."""
    return sorted({"/".join(key.split("/")[:3]): key for key in sorted(content)}.values())


@pytest.mark.parametrize(
    ("who", "whose"),
    [(who, whose) for who in (*PROJECTS, None) for whose in (*PROJECTS, "commun") if who != whose],
    ids=lambda name: name or "anonymous",
)
def test_all_that_is_not_granted_is_refused(world: World, who: str | None, whose: str) -> None:
    bucket, before = world.bucket(whose), world.content(whose)
    everything = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}/*"]}
    mine = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    client, own = world.client(who), world.bucket(who) if who else None
    done, tried = [], one_of_each_kind(before)
    for key in tried:
        granted = GRANTED.get((str(who), whose), set()) if whose == "commun" or key.startswith("tables/demandes/") else set()
        for name, attempt in attempts(client, own, bucket, key, mine).items():
            try:
                attempt()
                worked = True
            except (S3Error, PermissionError) as error:
                assert isinstance(error, PermissionError) or error.code in ("AccessDenied", "MethodNotAllowed"), (name, key, error)
                worked = False
            if worked != (name in granted):
                done.append((name, key))
    assert done == []
    assert world.content(whose) == before
    if whose == "essai":
        kinds = {key.split("/")[0] for key in tried}
        assert kinds == {"audit", "checks", "models", "raw", "tables"}


def test_a_project_may_not_take_the_name_of_a_bucket_to_come(world: World) -> None:
    with pytest.raises(S3Error, match="AccessDenied"):
        world.client("lointain").make_bucket(world.bucket("nouveau"))


@pytest.mark.parametrize(
    "what", ["read policy", "write policy", "delete policy", "write acl", "write bucket acl", "lifecycle", "remove bucket"]
)
def test_a_project_does_not_change_the_rights_in_its_own_bucket(world: World, what: str) -> None:
    bucket = world.bucket("voisin")
    with pytest.raises(S3Error, match="AccessDenied"):
        attempts(world.client("voisin"), bucket, bucket, "raw/demandes/x", "{}")[what]()


# ---- doctor -------------------------------------------------------------------------------------------------------------


def findings(world: World, project: str, *, create: bool) -> list[tuple[str, str]]:
    what = f"access to {world.bucket(project)}"
    return [(f.state, f.found) for f in diagnose(world.settings("socle"), create=create) if f.what == what]


def test_doctor_reports_a_policy_that_is_not_what_the_files_say_and_puts_it_right(world: World) -> None:
    client, bucket = world.client("socle"), world.bucket("lointain")
    right = client.get_bucket_policy(bucket)
    client.delete_bucket_policy(bucket)
    assert findings(world, "lointain", create=False) == [("error", "no policy")]
    assert findings(world, "lointain", create=True) == [("ok", "set now, as the project files say")]
    assert json.loads(client.get_bucket_policy(bucket)) == json.loads(right)
    changed = json.loads(right)
    changed["Statement"].append({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": [f"arn:aws:s3:::{bucket}/*"]})
    client.set_bucket_policy(bucket, json.dumps(changed))
    assert findings(world, "lointain", create=False) == [("error", "not what the project files say")]
    assert findings(world, "lointain", create=True) == [("ok", "set now, as the project files say")]
    trail = Trail(world.lake("lointain"), "lointain")
    entries = [trail.entry(day, stem) for day in {_today()} for stem in trail.stems(day)]
    assert {(e.what, e.outcome, e.details.get("policy")) for e in entries[:2]} == {("doctor", "done", "set")}


def test_a_project_that_does_not_load_changes_nobodys_rights(world: World) -> None:
    client = world.client("socle")
    before = {name: client.get_bucket_policy(world.bucket(name)) for name in (*PROJECTS, "commun")}
    file = world.root / "projects" / "voisin" / "project.yaml"
    good = file.read_text(encoding="utf-8")
    file.write_text("title: [", encoding="utf-8")
    try:
        ((state, found),) = findings(world, "voisin", create=True)
        assert state == "error" and "does not load" in found
        assert {name: client.get_bucket_policy(world.bucket(name)) for name in before} == before
    finally:
        file.write_text(good, encoding="utf-8")


def test_a_dataset_that_is_shared_later_can_be_read_after_doctor(world: World) -> None:
    """Without a checkpoint, Delta asks for one that is missing, and is told that it is forbidden."""
    file = world.root / "projects" / "essai" / "project.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace(OTHER, OTHER.rstrip() + "\n    shared_with: [lointain]\n"), encoding="utf-8")
    try:
        later = Dataset(world.lake("lointain"), "essai", "demandes-privees")
        diagnose(world.settings("socle"), create=True)
        version = later.latest()
        assert version is not None
        with later.reading():
            assert later.scan(version.number).collect().height == version.load.rows["total"]
    finally:
        file.write_text(before, encoding="utf-8")
        diagnose(world.settings("socle"), create=True)
    with pytest.raises(StorageError, match="refuses access"):
        later.latest()


def test_one_machine_runs_each_project_with_its_own_keys(world: World, tmp_path: Path) -> None:
    for name in ("essai", "voisin"):
        (tmp_path / name).mkdir()
        user = world.server.users[name]
        (tmp_path / name / "access_key").write_text(user.access_key + "\n", encoding="utf-8")
        (tmp_path / name / "secret_key").write_text(user.secret_key + "\n", encoding="utf-8")
    with world.environment("lointain") as patch:
        patch.setenv("SOCLE_S3_KEYS_FOLDER", str(tmp_path))
        assert load_settings().s3_keys_folder == tmp_path
        with open_run("essai") as run:
            assert run.lake.bucket("essai").bucket_exists()
            with pytest.raises(StorageError, match="refuses access"):
                run.lake.bucket("voisin").bucket_exists()
        with open_run("voisin") as run:
            assert run.lake.bucket("voisin").bucket_exists()
        with pytest.raises(ConfigurationError, match="'lointain' cannot be read"), open_run("lointain"):
            pass


def _today() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC).date()
