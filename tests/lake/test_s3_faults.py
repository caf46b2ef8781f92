"""A network that loses and cuts answers between Socle and a real S3 server; and what is asked of that server."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.errors import Conflict, StorageError
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.lake.quarantine import Quarantine
from flows.settings import Settings
from tests.lake.servers import CUT, LOSE, Remote, Servers
from tests.lake.support import SCHEMA, commit, commit_model, content, load, reader, record
from tests.lake.test_quarantine import refused

pytestmark = pytest.mark.services


@pytest.fixture
def proxy(s3_server: Any, servers: Servers) -> Remote:
    return servers.proxy(s3_server.endpoint)


@pytest.fixture
def lake(proxy: Remote, s3_settings: Callable[..., Settings]) -> Lake:
    made = Lake(s3_settings(s3_endpoint=proxy.address, s3_retries=2))
    made.bucket("essai").ensure()
    return made


def test_the_proxy_passes_everything_on(lake: Lake, proxy: Remote) -> None:
    assert lake.bucket("essai").create("a b/é+%", b"1")
    assert lake.bucket("essai").get("a b/é+%") == b"1"
    assert load(Dataset(lake, "essai", "demandes"), "load-1", [{"id": "a", "n": 1}]) == 1
    assert len(proxy.seen()) > 5


def test_a_create_whose_answer_is_lost_writes_once(lake: Lake, proxy: Remote) -> None:
    proxy.fault(LOSE, "PUT", "/log/1")
    bucket = lake.bucket("essai")
    bucket.create("log/1", b"first")
    assert sum(line.startswith("PUT") and "/log/1" in line for line in proxy.seen()) == 2
    assert bucket.create("log/1", b"second") is False
    assert bucket.get("log/1") == b"first"


def test_a_model_version_whose_answer_is_lost_is_one_version(lake: Lake, proxy: Remote, tmp_path: Path) -> None:
    models = Models(lake, "essai", "theme")
    proxy.fault(LOSE, "PUT", "/versions/")
    assert commit_model(models, tmp_path).number == 1
    assert models.numbers() == [1]


def test_an_alias_move_whose_answer_is_lost_is_one_move(lake: Lake, proxy: Remote) -> None:
    models = Models(lake, "essai", "theme")
    first = models.move({"champion": 1}, expected=None, who="moi", run="r", reason="1")
    proxy.fault(LOSE, "PUT", "/aliases/")
    second = models.move({"champion": 2}, expected=first, who="moi", run="r", reason="2")
    assert [move.aliases for move in models.moves()] == [{"champion": 2}, {"champion": 1}]
    assert models.state() == second


@pytest.mark.parametrize("mode", ["replace", "append", "upsert"])
def test_a_load_whose_answer_is_lost_is_in_the_history_or_a_conflict_but_not_both(lake: Lake, proxy: Remote, mode: str) -> None:
    dataset = Dataset(lake, "essai", "demandes")
    dataset.create_table(SCHEMA)
    proxy.fault(LOSE, "PUT", "_delta_log/00000000000000000001.json")
    try:
        committed = [commit(dataset, reader([{"id": "a", "n": 1}]), 0, record("load-1", mode), ["id"]).load.load_id]
    except Conflict:
        committed = []
    assert [version.load.load_id for version in dataset.history()] == committed


def test_a_table_whose_making_is_not_answered_is_made(lake: Lake, proxy: Remote) -> None:
    dataset = Dataset(lake, "essai", "demandes")
    proxy.fault(LOSE, "PUT", "_delta_log/00000000000000000000.json")
    assert dataset.create_table(SCHEMA) == 0


def test_refused_rows_whose_answer_is_lost_are_kept_once(lake: Lake, proxy: Remote) -> None:
    quarantine = Quarantine(lake, "essai", "demandes")
    proxy.fault(LOSE, "PUT", "_delta_log/00000000000000000001.json")
    assert quarantine.add(refused(3), "load-1", "run-1") == 1
    dataset = Dataset(lake, "essai", "demandes")
    dataset.uri = quarantine.uri
    assert len(content(dataset, quarantine.delta_version())) == 3


def test_an_answer_that_is_cut_is_an_error_and_no_file(lake: Lake, proxy: Remote, tmp_path: Path) -> None:
    bucket = lake.bucket("essai")
    bucket.put("a", bytes(3 << 20))
    proxy.fault(CUT, "GET", "-essai/a", times=100)
    for act in (lambda: bucket.get("a"), lambda: list(bucket.stream("a")), lambda: bucket.fetch("a", tmp_path / "here" / "a")):
        with pytest.raises(StorageError, match="cut"):
            act()
    assert list((tmp_path / "here").iterdir()) == []


def test_a_download_that_is_cut_goes_on_where_it_ended(lake: Lake, proxy: Remote) -> None:
    bucket, data = lake.bucket("essai"), os.urandom(3 << 20)
    bucket.put("a", data)
    proxy.fault(CUT, "GET", "-essai/a", times=3)
    assert bucket.get("a") == data
    assert sum(line.startswith("GET") for line in proxy.seen()) == 4


def test_a_big_upload_that_fails_leaves_no_parts_on_the_server(lake: Lake, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        raise Stop

    (tmp_path / "big").write_bytes(bytes(12 << 20))
    with pytest.raises(Stop):
        lake.bucket("essai").put_file("big", tmp_path / "big", stop)
    assert lake._client._list_multipart_uploads(lake.bucket_name("essai")).uploads == []


def test_the_present_state_of_aliases_is_one_list_of_one_key_and_one_get(lake: Lake, proxy: Remote) -> None:
    models, move = Models(lake, "essai", "theme"), None
    for n in range(12):
        move = models.move({"champion": n}, expected=move, who="moi", run="r", reason=str(n))
    proxy.seen()
    assert models.state() == move
    listing, get = proxy.seen()
    assert "list-type=2" in listing
    assert "max-keys=1&" in listing + "&"
    assert get.endswith(keys.alias_move("theme", 12))


def test_a_server_error_that_passes_is_asked_again(lake: Lake, proxy: Remote) -> None:
    bucket = lake.bucket("essai")
    bucket.put("a", b"1")
    proxy.fault(LOSE, "GET", "/a")
    assert bucket.get("a") == b"1"
