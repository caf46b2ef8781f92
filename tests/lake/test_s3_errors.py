"""An S3 service that refuses, is not there, or is not S3: a StorageError that helps, and never a key in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.errors import ConfigurationError, NotFound, StorageError
from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.lake.quarantine import Quarantine
from flows.settings import Settings
from tests.lake.servers import Servers, closed_port
from tests.lake.support import SCHEMA, commit, load, reader, record, scanned, whole_text

ACCESS, SECRET = "AKIDQUATREVINGT", "secret-de-l-essai-0123456789"
HEADS = {"stat", "bucket_exists", "ensure"}  # HEAD requests: an answer without a body, so without a reason
MISTAKES = {
    "wrong access key": ({"s3_access_key": ACCESS}, "SOCLE_S3_ACCESS_KEY"),
    "wrong secret key": ({"s3_secret_key": SECRET}, "SOCLE_S3_SECRET_KEY"),
    "unreachable": ({"s3_endpoint": "closed", "s3_retries": 0}, "cannot be reached"),
    "missing bucket": ({"storage": "s3://t-nulle-part"}, "bucket does not exist"),
}
services = pytest.mark.services
mistakes = pytest.mark.parametrize("mistake", MISTAKES)


def object_acts(lake: Lake, folder: Path) -> dict[str, Callable[[], Any]]:
    bucket = lake.bucket("essai")
    (folder / "file").write_bytes(b"x")
    return {
        "put": lambda: bucket.put("a", b"x"),
        "put_file": lambda: bucket.put_file("a", folder / "file"),
        "create": lambda: bucket.create("a", b"x"),
        "get": lambda: bucket.get("a"),
        "stream": lambda: list(bucket.stream("a")),
        "fetch": lambda: bucket.fetch("a", folder / "copy"),
        "stat": lambda: bucket.stat("a"),
        "list": lambda: list(bucket.list()),
        "delete": lambda: bucket.delete("a"),
        "bucket_exists": bucket.bucket_exists,
        "ensure": bucket.ensure,
        "state": Models(lake, "essai", "theme").state,
    }


def table_acts(lake: Lake) -> dict[str, Callable[[], Any]]:
    dataset, quarantine = Dataset(lake, "essai", "demandes"), Quarantine(lake, "essai", "demandes")
    return {
        "history": dataset.history,
        "delta_version": dataset.delta_version,
        "create_table": lambda: dataset.create_table(SCHEMA),
        "commit": lambda: commit(dataset, reader([{"id": "a", "n": 1}]), 0, record("load-2"), ["id"]),
        "version_of": lambda: quarantine.version_of("load-1"),
    }


def outcomes(acts: dict[str, Callable[[], Any]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, act in acts.items():
        try:
            found[name] = act()
        except Exception as error:
            found[name] = error
    return found


def wrong(found: dict[str, object]) -> dict[str, str]:
    """What is not a clear StorageError."""
    return {name: repr(what) for name, what in found.items() if not isinstance(what, StorageError) or not (what.where and what.hint)}


def broken(s3_settings: Callable[..., Settings], mistake: str) -> Lake:
    """A lake that exists and has one load, seen through a mistake."""
    right = s3_settings()
    Lake(right).bucket("essai").ensure()
    load(Dataset(Lake(right), "essai", "demandes"), "load-1", [{"id": "a", "n": 1}])
    changes = dict(MISTAKES[mistake][0])
    if changes.get("s3_endpoint"):
        changes["s3_endpoint"] = closed_port()
    return Lake(s3_settings(**{"storage": right.storage, **changes}))


# -- against a real server


@services
@mistakes
def test_every_operation_on_objects_is_a_clear_storage_error(s3_settings: Any, mistake: str, tmp_path: Path) -> None:
    acts = object_acts(broken(s3_settings, mistake), tmp_path)
    if mistake == "missing bucket":
        acts = {name: act for name, act in acts.items() if name not in ("bucket_exists", "ensure", "stat")}
    found = outcomes(acts)
    assert wrong(found) == {}
    expected = MISTAKES[mistake][1]
    unclear = {name: str(what) for name, what in found.items() if name not in HEADS and expected not in str(what)}
    assert unclear == {}
    assert not (tmp_path / "copy").exists()


@services
def test_a_bucket_that_is_missing_is_said_to_be(s3_settings: Any) -> None:
    bucket = Lake(s3_settings()).bucket("essai")
    assert bucket.bucket_exists() is False
    with pytest.raises(StorageError, match="bucket does not exist"):
        bucket.get("a")  # a HEAD has no body: it cannot say why


@services
@mistakes
def test_every_operation_on_tables_is_a_storage_error(s3_settings: Any, mistake: str) -> None:
    assert wrong(outcomes(table_acts(broken(s3_settings, mistake)))) == {}


@services
@mistakes
def test_a_table_error_says_what_is_wrong_as_clearly_as_one_on_objects(s3_settings: Any, mistake: str) -> None:
    with pytest.raises(StorageError) as caught:
        Dataset(broken(s3_settings, mistake), "essai", "demandes").history()
    assert MISTAKES[mistake][1] in str(caught.value)
    assert "\x1b" not in str(caught.value)


@services
@pytest.mark.parametrize("mistake", [name for name in MISTAKES if name != "unreachable"])
def test_reading_rows_is_a_storage_error_too(s3_settings: Any, mistake: str) -> None:
    dataset = Dataset(broken(s3_settings, mistake), "essai", "demandes")
    with pytest.raises(StorageError):
        scanned(dataset, 1)


@services
@mistakes
def test_no_key_is_in_the_text_of_any_error(s3_settings: Any, mistake: str, tmp_path: Path) -> None:
    lake = broken(s3_settings, mistake)
    dataset = Dataset(lake, "essai", "demandes")
    acts = object_acts(lake, tmp_path) | table_acts(lake)
    del acts["ensure"]  # it would make the missing bucket
    if mistake != "unreachable":
        acts["scan"] = lambda: scanned(dataset, 1)
    found = outcomes(acts)
    texts = [whole_text(what) for what in found.values() if isinstance(what, Exception)]
    assert len(texts) >= 10
    for secret in (lake.settings.s3_secret_key.get_secret_value(), lake.settings.s3_access_key.get_secret_value()):
        assert [text for text in texts if secret in text] == []


@services
def test_another_user_is_refused_access_and_told_about_rights(s3_settings: Any, s3_server: Any, tmp_path: Path) -> None:
    right = s3_settings()
    Lake(right).bucket("essai").ensure()
    Lake(right).bucket("essai").put("a", b"x")
    other = s3_server.users["lecteur"]
    lake = Lake(s3_settings(storage=right.storage, s3_access_key=other.access_key, s3_secret_key=other.secret_key))
    found = outcomes({k: v for k, v in object_acts(lake, tmp_path).items() if k != "ensure"})
    assert wrong(found) == {}
    assert {name: str(what) for name, what in found.items() if "rights" not in str(what)} == {}
    assert Lake(right).bucket("essai").get("a") == b"x"


# -- against servers that are not S3; no real one is needed


def fake(endpoint: str, **more: Any) -> Lake:
    values = {"storage": "s3://essai", "s3_endpoint": endpoint, "s3_access_key": ACCESS, "s3_secret_key": SECRET, "s3_retries": 0}
    return Lake(Settings(**(values | more)))


@pytest.mark.parametrize("status", [400, 403, 404, 500, 502])
def test_a_page_in_place_of_an_answer_is_a_storage_error(servers: Servers, status: int, tmp_path: Path) -> None:
    address = servers.page(status).address
    lake = fake(address)
    acts = object_acts(lake, tmp_path)
    if status == 404:
        acts = {name: act for name, act in acts.items() if name not in HEADS}
    found = outcomes(acts)
    assert wrong(found) == {}
    text = "\n".join(whole_text(what) for what in found.values() if isinstance(what, Exception))
    assert ACCESS not in text
    assert SECRET not in text
    assert not (tmp_path / "copy").exists()


def test_a_page_with_status_200_is_not_believed(servers: Servers, tmp_path: Path) -> None:
    """A captive portal or a wrong port: nothing may be taken as written, nor as read."""
    address = servers.page(200).address
    acts = object_acts(fake(address), tmp_path)
    found = outcomes({name: act for name, act in acts.items() if name not in ("delete", "bucket_exists", "ensure")})
    assert wrong(found) == {}


def test_a_page_with_status_200_is_not_an_empty_lake(servers: Servers) -> None:
    """deltalake takes such a page for an empty listing; every command asks for the bucket first, and stops here."""
    with pytest.raises(StorageError, match="not S3's"):
        fake(servers.page(200).address).bucket("essai").bucket_exists()


def test_a_page_with_status_403_is_a_storage_error_for_tables(servers: Servers) -> None:
    address = servers.page(403).address
    found = outcomes(table_acts(fake(address)))
    assert wrong(found) == {}
    text = "\n".join(whole_text(what) for what in found.values() if isinstance(what, Exception))
    assert ACCESS not in text
    assert SECRET not in text


AMAZON = f"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match</Message>
<AWSAccessKeyId>{ACCESS}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 {ACCESS}</StringToSign></Error>"""


@pytest.mark.parametrize("text", [AMAZON, AMAZON.replace("\n", "")])
def test_an_answer_that_repeats_the_access_key_is_not_passed_on(servers: Servers, tmp_path: Path, text: str) -> None:
    """Amazon's does; Ceph's does not."""
    address = servers.page(403, text, "application/xml").address
    lake = fake(address)
    found = outcomes(object_acts(lake, tmp_path) | table_acts(lake))
    assert wrong(found) == {}
    assert {name: str(what) for name, what in found.items() if ACCESS in whole_text(what)} == {}


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "ftp://127.0.0.1", "http://", "http://127.0.0.1:9000/minio"])
def test_an_endpoint_that_is_no_address_is_a_configuration_error(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="SOCLE_S3_ENDPOINT") as caught:
        fake(endpoint).bucket("essai")
    assert not isinstance(caught.value, NotFound)
