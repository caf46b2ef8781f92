"""Data, models, sizes and the machine as metrics, from a real lake in a folder."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
import ssl
import threading
from pathlib import Path

import pytest

from flows.errors import StorageError, SystemFailure
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.monitor import Samples, machine
from flows.monitor.lake import LakeView
from flows.monitor.machine import Machine
from flows.monitor.sizes import Sizes
from flows.settings import Settings, load_settings
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset
from tests.conftest import csv_text, rows, write_project

DATASET = {"project": "essai", "dataset": "demandes"}


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    return {frozenset(k): v for k, v in samples.values.get(metric, {}).items()}.get(frozenset(labels.items()))


def load(root: Path) -> None:
    with open_run("essai") as run:
        load_dataset(run, "demandes")


def view(root: Path) -> LakeView:
    return LakeView(root, Lake(load_settings()))


def test_nothing_loaded_yet_is_no_number_and_no_error(root):
    found = view(root).collect()
    assert found.errors == []
    assert value(found, "socle_project_unreadable", project="essai") == 0
    assert not [m for m in found.values if m.startswith("socle_dataset")]


def test_rows_quality_and_freshness_of_the_latest_version(root, edit):
    edit("on_failure: block", "on_failure: quarantine\n    fresh_days: 2")
    looking = view(root)
    load(root)
    found = looking.collect()
    assert value(found, "socle_dataset_refused_ratio", **DATASET) == 0
    assert value(found, "socle_dataset_refused_ratio_usual", **DATASET) is None
    assert value(found, "socle_dataset_checks_passed_ratio", **DATASET) == 1

    more = [*rows(90), *((f"x{i}", "", "paie") for i in range(10))]
    (root / "projects/essai/data/demandes.csv").write_text(csv_text(more), encoding="utf-8")
    load(root)
    found = looking.collect()
    assert found.errors == []
    assert {dict(k)["kind"]: v for k, v in found.values["socle_dataset_rows"].items()} == {
        "read": 100,
        "kept": 90,
        "refused": 10,
        "total": 90,
    }
    assert value(found, "socle_dataset_refused_ratio", **DATASET) == pytest.approx(0.1)
    assert value(found, "socle_dataset_refused_ratio_usual", **DATASET) == 0
    assert value(found, "socle_dataset_checks_passed_ratio", **DATASET) == 1  # of what is served: those rows are not
    assert value(found, "socle_dataset_verdict", **DATASET, verdict="quarantined") == 1
    assert value(found, "socle_dataset_verdict", **DATASET, verdict="passed") == 0
    assert value(found, "socle_dataset_version", **DATASET) == 2
    assert value(found, "socle_dataset_fresh_limit_seconds", **DATASET) == 2 * 86_400
    at = Dataset(looking.lake, "essai", "demandes").history()[0].at.timestamp()
    assert value(found, "socle_dataset_version_timestamp_seconds", **DATASET) == at


def test_a_load_that_was_refused_is_seen_until_one_is_published(root):
    refused, file = "socle_dataset_load_refused_timestamp_seconds", root / "projects/essai/data/demandes.csv"
    looking, good = view(root), file.read_text(encoding="utf-8")
    file.write_text(csv_text([("x", "", "paie")]), encoding="utf-8")
    load(root)
    first = value(looking.collect(), refused, **DATASET)
    assert first and abs(first - dt.datetime.now(dt.UTC).timestamp()) < 120, "there is no version yet"
    file.write_text(good, encoding="utf-8")
    load(root)
    assert value(looking.collect(), refused, **DATASET) is None
    file.write_text(csv_text([*rows(9), ("x", "", "paie")]), encoding="utf-8")
    load(root)
    found = looking.collect()
    assert value(found, refused, **DATASET) > first and value(found, "socle_dataset_verdict", **DATASET, verdict="passed") == 1


def test_quality_is_the_share_of_the_checks_that_passed(root, edit):
    edit("on_failure: block", "on_failure: warn")
    (root / "projects/essai/data/demandes.csv").write_text(csv_text([*rows(9), ("x", "", "paie")]), encoding="utf-8")
    load(root)
    found = view(root).collect()
    assert value(found, "socle_dataset_checks_passed_ratio", **DATASET) == 0.5
    failed, passed = (value(found, "socle_dataset_checks", **DATASET, severity="critical", result=r) for r in ("failed", "passed"))
    assert (failed, passed) == (1, 1) and value(found, "socle_dataset_checks", **DATASET, severity="info", result="failed") is None
    assert value(found, "socle_dataset_verdict", **DATASET, verdict="warned") == 1


def test_a_table_that_did_not_change_is_not_read_again(root, monkeypatch):
    load(root)
    looking = view(root)
    before = looking.collect()
    monkeypatch.setattr(Dataset, "state", lambda self: pytest.fail("its history was read again"))
    assert looking.collect().values == before.values


def test_models_their_scores_and_what_they_cost(root):
    load(root)
    with open_run("essai") as run:
        finetune_model(run, "theme")
    looking = view(root)
    found = looking.collect()
    labels = {"project": "essai", "model": "theme"}
    manifest = Models(looking.lake, "essai", "theme").version(1)
    assert found.errors == []
    assert value(found, "socle_model_version", **labels, which="champion") == 1
    assert value(found, "socle_model_score", **labels, side="test", metric="macro_f1") == manifest.metrics["test"]["macro_f1"]["value"]
    assert value(found, "socle_model_score_wanted", **labels, metric="macro_f1") == 0.3
    assert value(found, "socle_model_training_seconds", **labels) == manifest.cost["train_seconds"]
    assert value(found, "socle_model_size_bytes", **labels) == manifest.cost["size_bytes"]
    assert value(found, "socle_model_training_energy_kwh", **labels) == manifest.cost.get("energy_kwh")

    objects = looking.lake.bucket("essai")
    manifest_key = keys.model_version("theme", 2)
    second = json.loads(objects.get(keys.model_version("theme", 1))) | {"number": 2}
    second["cost"] |= {"train_seconds": 5.0, "energy_kwh": 0.25}
    assert objects.create(manifest_key, json.dumps(second).encode())
    found = looking.collect()
    assert value(found, "socle_model_training_seconds", **labels) == manifest.cost["train_seconds"] + 5
    assert value(found, "socle_model_training_energy_kwh", **labels) == manifest.cost.get("energy_kwh", 0.0) + 0.25
    assert value(found, "socle_model_version", **labels, which="latest") == 2
    assert value(found, "socle_model_version", **labels, which="champion") == 1


def test_a_broken_project_is_a_number_and_hides_no_other(root):
    load(root)
    write_project(root, "casse", "title: [")
    shutil.rmtree(write_project(root, "abime") / "data")
    with open_run("abime") as run:
        table = run.lake.settings.lake_folder / "socle-abime" / keys.table("demandes") / "_delta_log"
    table.mkdir(parents=True)
    (table / "00000000000000000000.json").write_text("pas du json", encoding="utf-8")
    found = view(root).collect()
    broken = {dict(k)["project"]: v for k, v in found.values["socle_project_unreadable"].items()}
    assert broken == {"abime": 1, "casse": 1, "essai": 0}
    assert value(found, "socle_dataset_version", **DATASET) == 1
    assert len(found.errors) == 2
    assert "projects/casse/project.yaml:1" in " ".join(found.errors)


def test_sizes_by_kind_are_those_on_the_disk(root):
    load(root)
    lake = Lake(load_settings())
    lake.bucket("essai").put("ailleurs/x", b"12345")
    found = Sizes(lake, lambda: ["essai", "sans-rien"]).collect()
    by_kind = {dict(k)["kind"]: v for k, v in found.values["socle_storage_bytes"].items() if dict(k)["project"] == "essai"}
    bucket = lake.settings.lake_folder / "socle-essai"
    assert by_kind["raw"] == sum(p.stat().st_size for p in (bucket / "raw").rglob("*") if p.is_file())
    assert by_kind["tables"] == sum(p.stat().st_size for p in (bucket / "tables").rglob("*") if p.is_file())
    assert by_kind["other"] == 5
    assert sum(by_kind.values()) == sum(p.stat().st_size for p in bucket.rglob("*") if p.is_file())
    assert found.errors == []


def test_sizes_stay_when_a_bucket_cannot_be_listed(root, monkeypatch):
    load(root)
    lake = Lake(load_settings())
    looking = Sizes(lake, lambda: ["essai"])
    before = looking.collect()

    def refuse(self: Lake, project: str) -> None:
        raise OSError("clé-secrète")

    monkeypatch.setattr(Lake, "bucket", refuse)
    found = looking.collect()
    assert found.values == before.values
    assert len(found.errors) == 2 and "clé-secrète" not in str(found.errors)


def test_a_storage_that_does_not_answer_is_not_asked_for_every_project(root, monkeypatch):
    for number in range(20):
        write_project(root, f"p{number}")
    for name, text in {"STORAGE": "s3://socle", "S3_ENDPOINT": "http://127.0.0.1:9", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}.items():
        monkeypatch.setenv(f"SOCLE_{name}", text)
    monkeypatch.setenv("SOCLE_S3_RETRIES", "0")
    asked: list[str] = []
    opened = Dataset.open
    monkeypatch.setattr(Dataset, "open", lambda self: asked.append(self.project) or opened(self))
    looking = view(root)
    with pytest.raises(StorageError):
        looking.collect()
    assert len(asked) == 1
    with pytest.raises(StorageError):
        Sizes(looking.lake, lambda: ["essai", "p1"]).collect()


@pytest.mark.services
def test_on_a_real_s3_server_the_numbers_are_the_same(root, s3_settings, monkeypatch):
    load(root)
    local, local_sizes = view(root).collect(), Sizes(Lake(load_settings()), lambda: ["essai"]).collect()
    settings = s3_settings()
    keys_ = {"ACCESS_KEY": settings.s3_access_key, "SECRET_KEY": settings.s3_secret_key}
    for name, secret in keys_.items():
        monkeypatch.setenv(f"SOCLE_S3_{name}", secret.get_secret_value())
    monkeypatch.setenv("SOCLE_STORAGE", settings.storage)
    monkeypatch.setenv("SOCLE_S3_ENDPOINT", settings.s3_endpoint)
    missing = view(root).collect()
    assert value(missing, "socle_project_unreadable", project="essai") == 1  # its bucket is not there
    Lake(settings).bucket("essai").ensure()
    load(root)
    remote, sizes = view(root).collect(), Sizes(Lake(load_settings()), lambda: ["essai"]).collect()
    assert remote.errors == sizes.errors == []
    moment = "socle_dataset_version_timestamp_seconds"
    assert {k: v for k, v in remote.values.items() if k != moment} == {k: v for k, v in local.values.items() if k != moment}
    assert sizes.values["socle_storage_objects"].keys() == local_sizes.values["socle_storage_objects"].keys()
    assert value(look(load_settings()), "socle_reachable", service="storage") == 1


# -- the machine


def look(settings: Settings, database: str = "", answers: bool = True) -> Samples:
    return Machine(settings, Lake(settings), database, lambda: answers).collect()


def test_disks_and_a_database_in_a_file(root):
    database = root / ".socle" / "prefect" / "prefect.db"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"x" * 1000)
    database.with_name("prefect.db-wal").write_bytes(b"y" * 200)
    load(root)
    found = look(load_settings(), f"sqlite+aiosqlite:///{database}")
    assert value(found, "socle_database_bytes") == 1200
    assert {dict(k)["place"] for k in found.values["socle_disk_free_bytes"]} == {"work", "lake", "database"}
    free, size = (value(found, f"socle_disk_{what}_bytes", place="work") for what in ("free", "size"))
    assert free is not None and size is not None and 0 < free < size
    assert value(found, "socle_reachable", service="storage") == 1
    assert value(found, "socle_reachable", service="prefect") == 1
    assert look(load_settings(), "").errors == []


def test_services_that_do_not_answer(root, monkeypatch):
    monkeypatch.setenv("SOCLE_DOCS_PORT", "9")
    found = look(load_settings(), answers=False)
    assert value(found, "socle_reachable", service="docs") == 0
    assert value(found, "socle_reachable", service="prefect") == 0


def test_a_database_that_lets_nobody_in_does_not_say_the_password(root):
    found = look(load_settings(), "postgresql+asyncpg://socle:mot-de-passe@127.0.0.1:9/prefect")
    assert len(found.errors) == 1 and "PostgreSQL" in found.errors[0]
    assert "mot-de-passe" not in found.errors[0]


def test_when_a_certificate_ends(root, monkeypatch, tmp_path):
    ends = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=20)
    with _tls_server(tmp_path, ends) as port:
        monkeypatch.setenv("SOCLE_METRICS_CERTIFICATES", f"127.0.0.1:{port}, 127.0.0.1:9")
        found = look(load_settings())
    assert value(found, "socle_certificate_expiry_timestamp_seconds", address=f"127.0.0.1:{port}") == ends.timestamp()
    assert len(found.errors) == 1 and "127.0.0.1:9" in found.errors[0]


def test_certificates_of_what_is_served_over_https_are_watched(root, monkeypatch):
    monkeypatch.setenv("SOCLE_DOCS_URL", "https://docs.example.gouv.fr/socle")
    monkeypatch.setenv("SOCLE_S3_ENDPOINT", "http://s3.example:8000")
    settings = load_settings()
    assert Machine(settings, Lake(settings), "", lambda: True)._addresses() == ["docs.example.gouv.fr:443"]
    monkeypatch.setenv("SOCLE_METRICS_CERTIFICATES", "proxy:8443, proxy:8443")
    settings = load_settings()
    assert Machine(settings, Lake(settings), "", lambda: True)._addresses() == ["proxy:8443"]


def test_no_certificate_is_a_clear_failure():
    with pytest.raises(SystemFailure, match=r"127\.0\.0\.1:9"):
        machine._certificate(Samples(), "127.0.0.1:9")


class _tls_server:
    """Shows a certificate of its own making to whoever connects."""

    def __init__(self, folder: Path, ends: dt.datetime) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "essai")])
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), ends - dt.timedelta(days=90), ends)
        pem = folder / "essai.pem"
        pem.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)

    def __enter__(self) -> int:
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self.socket.getsockname()[1])

    def _serve(self) -> None:
        try:
            plain, _ = self.socket.accept()
            self.context.wrap_socket(plain, server_side=True).close()
        except OSError:
            pass

    def __exit__(self, *error: object) -> None:
        self.socket.close()
