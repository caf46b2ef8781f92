"""Copies of a lake with a real data set and model: whole while others write, small when little changed, and restored into empty places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.backup import buckets
from flows.backup.store import Store
from flows.cli.backup import backup, restore
from flows.errors import ConfigurationError, NotFound, StorageError
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.lake.objects import ObjectInfo, Objects
from flows.lake.trail import Trail, newest
from flows.settings import Settings, load_settings
from flows.steps import open_run
from flows.steps.maintain import maintain_project
from flows.steps.pipeline import RunResult, run_plain
from flows.steps.retention import Cutoffs
from tests.conftest import PROJECT, csv_text, rows, write_project

Setup = Callable[[Path], Settings]


def quiet(*_: Any) -> None: ...


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.services)])
def settle(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Point the environment at an empty lake of this kind for the projects below a root."""

    def make(root: Path) -> Settings:
        monkeypatch.setenv("SOCLE_ROOT", str(root))
        if request.param == "s3":
            settings = request.getfixturevalue("s3_settings")()
            for name in ("storage", "s3_endpoint"):
                monkeypatch.setenv(f"SOCLE_{name.upper()}", getattr(settings, name))
            for name in ("s3_access_key", "s3_secret_key"):
                monkeypatch.setenv(f"SOCLE_{name.upper()}", getattr(settings, name).get_secret_value())
        settings = load_settings()
        Lake(settings).bucket("essai").ensure()
        Lake(settings).bucket("commun").ensure()
        return settings

    return make


@pytest.fixture
def lake(root: Path, settle: Setup) -> Lake:
    """With `demandes@1` and `theme@1`."""
    made = Lake(settle(root))
    run_here()
    return made


def run_here() -> RunResult:
    with open_run("essai") as run:
        return run_plain(run)


def load_more(root: Path, count: int) -> None:
    (root / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text(rows(count)), encoding="utf-8")
    run_here()


def versions(lake: Lake) -> dict[str, Any]:
    """Everything that a reader can see of the project."""
    dataset, models = Dataset(lake, "essai", "demandes"), Models(lake, "essai", "theme")
    seen: dict[str, Any] = {}
    for version in dataset.history():
        with dataset.reading():
            seen[str(version)] = (version.load, sorted(dataset.scan(version.number).collect().rows()))
    for model in models.versions():
        seen[str(model)] = (model, {name: models.read_file(model, name) for name in model.files})
    seen["aliases"] = models.state()
    return seen


def objects_of(store: Store) -> set[str]:
    return {path.name for path in (store.folder / "objects").glob("*/*")}


def test_restored_into_an_empty_lake_it_is_the_same_and_goes_on(root: Path, lake: Lake, settle: Setup, tmp_path: Path) -> None:
    load_more(root, 120)
    before = versions(lake)
    backup(tmp_path / "copies", no_database=True)
    other = tmp_path / "other"
    write_project(other, count=120)
    restored = Lake(settle(other))
    restore(tmp_path / "copies", no_database=True)
    assert versions(restored) == before
    (entry, *_) = newest([Trail(restored, "essai")], datetime.now(UTC).date() - timedelta(days=1))
    (copy,) = Store(tmp_path / "copies").names()
    assert (entry.what, entry.outcome, entry.parameters) == ("restore", "done", {"copy": copy})
    assert run_here().did_nothing
    load_more(other, 150)
    assert versions(restored).keys() > before.keys()


def test_a_second_copy_reads_only_what_is_new(root: Path, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "copies")
    read: list[str] = []
    add = Store.add
    monkeypatch.setattr(Store, "add", lambda self, pieces: read.append("one") or add(self, pieces))
    backup(store.folder, no_database=True)
    assert read
    read.clear()
    later(store)
    backup(store.folder, no_database=True)
    assert read == []
    load_more(root, 120)
    later(store)
    backup(store.folder, no_database=True)
    new = set(store.load().buckets["essai"]) - set(store.load(store.names()[-1]).buckets["essai"])
    assert len(new) <= len(read) <= len(new) + 6, "new objects, and the few that are written again"


def later(store: Store) -> None:
    """Copies are named by the second: the ones there were made earlier."""
    for path in sorted((store.folder / "snapshots").glob("*.json")):
        plain = json.loads(path.read_text())
        plain["name"] = (datetime.strptime(plain["name"], "%Y-%m-%dT%H-%M-%SZ") - timedelta(days=1)).strftime("%Y-%m-%dT%H-%M-%SZ")
        path.with_name(plain["name"] + ".json").write_text(json.dumps(plain))
        path.unlink()


class Watched:
    """A bucket where something happens before each listing."""

    def __init__(self, objects: Objects, happen: Callable[[str], None]) -> None:
        self.objects, self.happen = objects, happen

    def list(self, prefix: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        self.happen(prefix)
        return self.objects.list(prefix, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objects, name)


@pytest.mark.parametrize("moment", [*sorted({p for prefixes, _ in buckets.FIRST for p in prefixes}), ""])
def test_a_copy_is_whole_whatever_is_committed_meanwhile(root: Path, lake: Lake, settle: Setup, tmp_path: Path, moment: str) -> None:
    """A load, its models and its alias move are committed while the bucket is copied: they are in the copy whole, or not at all."""
    before, happened = versions(lake), []

    def happen(prefix: str) -> None:
        if prefix == moment and not happened:
            happened.append(prefix)
            load_more(root, 120)

    store = Store(tmp_path / "copies")
    entries, lacking = buckets.copy("essai", Watched(lake.bucket("essai"), happen), store, {}, quiet)  # type: ignore[arg-type]
    assert lacking == [] and happened
    after = versions(lake)
    other = tmp_path / "other"
    write_project(other)
    restored = Lake(settle(other))
    buckets.restore("essai", restored.bucket("essai"), store, entries, quiet)
    seen = versions(restored)
    aliases = seen.pop("aliases")
    assert before.keys() - {"aliases"} <= seen.keys() and seen.items() <= {k: v for k, v in after.items() if k != "aliases"}.items()
    assert aliases in (before["aliases"], after["aliases"])
    named = {f"essai/theme@{number}" for number in aliases.aliases.values()}
    assert named <= seen.keys(), "aliases name versions that are there"
    with open_run("essai") as run:
        run_plain(run)  # and what follows is built on it


def test_what_maintenance_deletes_meanwhile_makes_another_pass(root: Path, settle: Setup, tmp_path: Path) -> None:
    write_project(root, text=PROJECT.split("models:")[0])  # without a model, nothing refers to old versions
    lake = Lake(settle(root))
    for count in (90, 120, 150):
        load_more(root, count)
    store, bucket, happened = Store(tmp_path / "copies"), lake.bucket("essai"), []

    def happen(prefix: str) -> None:
        if prefix == "" and not happened:  # the commits were read, the data files not yet
            happened.append(prefix)
            with open_run("essai") as run:
                maintain_project(run, dry_run=False, cutoffs=Cutoffs.of(run, datetime.now(UTC) + timedelta(days=5000)))

    entries, lacking = buckets.copy("essai", Watched(bucket, happen), store, {}, quiet)  # type: ignore[arg-type]
    assert happened and lacking == []
    assert [v.expired is None for v in Dataset(lake, "essai", "demandes").history()] == [True, False, False]
    assert {o.key for o in bucket.list("tables/")} <= set(entries)


def test_what_is_missing_in_the_lake_is_named_and_the_rest_is_kept(lake: Lake, tmp_path: Path) -> None:
    bucket = lake.bucket("essai")
    (file, *_) = [o.key for o in bucket.list("tables/") if o.key.endswith(".parquet")]
    bucket.delete(file)
    with pytest.raises(BaseException) as ended:
        backup(tmp_path / "copies", no_database=True)
    assert getattr(ended.value, "exit_code", None) == 3
    assert Store(tmp_path / "copies").load().missing == {"essai": [file]}


def test_a_copy_that_was_cut_off_is_none(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, add, count = Store(tmp_path / "copies"), Store.add, []

    def stop(self: Store, pieces: Any) -> tuple[str, int]:
        count.append(1)
        if len(count) > 5:
            raise KeyboardInterrupt
        return add(self, pieces)

    monkeypatch.setattr(Store, "add", stop)
    with pytest.raises(KeyboardInterrupt):
        backup(store.folder, no_database=True)
    assert store.names() == []
    monkeypatch.setattr(Store, "add", add)
    backup(store.folder, no_database=True)
    assert len(store.names()) == 1


def test_a_restore_that_was_cut_off_shows_no_version(lake: Lake, settle: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come first: nothing names what is not there yet. And the next restore refuses to mix."""
    backup(tmp_path / "copies", no_database=True)
    other = tmp_path / "other"
    write_project(other)
    restored, put, count = Lake(settle(other)), buckets._put, []

    def stop(objects: Objects, store: Store, key: str, entry: Any) -> Any:
        count.append(key)
        if "/_delta_log/" in key:
            raise KeyboardInterrupt
        return put(objects, store, key, entry)

    monkeypatch.setattr(buckets, "_put", stop)
    with pytest.raises(KeyboardInterrupt):
        restore(tmp_path / "copies", no_database=True)
    assert Dataset(restored, "essai", "demandes").history() == []
    assert list(restored.bucket("essai").list(keys.model_versions("theme"))) == []
    with pytest.raises(ConfigurationError, match="not empty"):
        restore(tmp_path / "copies", no_database=True)


def test_a_damaged_copy_is_found_and_not_restored(lake: Lake, settle: Setup, tmp_path: Path) -> None:
    store = Store(tmp_path / "copies")
    backup(store.folder, no_database=True)
    backup(store.folder, verify=True)
    entry = next(e for k, e in store.load().buckets["essai"].items() if k.endswith(".parquet"))
    path = store.path(entry.sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StorageError, match="damaged"):
        backup(store.folder, verify=True)
    other = tmp_path / "other"
    write_project(other)
    restored = Lake(settle(other))
    with pytest.raises(StorageError, match="damaged"):
        restore(store.folder, no_database=True)
    assert Dataset(restored, "essai", "demandes").history() == []
    path.unlink()
    with pytest.raises(StorageError, match="missing"):
        backup(store.folder, verify=True)


def test_a_full_lake_is_never_written_to(lake: Lake, tmp_path: Path) -> None:
    backup(tmp_path / "copies", no_database=True)
    before = versions(lake)
    with pytest.raises(ConfigurationError, match="not empty"):
        restore(tmp_path / "copies", no_database=True)
    assert versions(lake) == before


def test_old_copies_go_and_what_others_need_stays(root: Path, lake: Lake, tmp_path: Path) -> None:
    store = Store(tmp_path / "copies")
    backup(store.folder, no_database=True)
    for _ in range(40):
        later(store)
    bucket = lake.bucket("essai")
    only_old = {e.sha256 for e in store.load().buckets["essai"].values()}
    bucket.put("raw/demandes/extra", b"x")
    load_more(root, 120)
    backup(store.folder, no_database=True, keep_days=30)
    assert len(store.names()) == 1
    assert objects_of(store) == set(store.load().hashes())
    assert only_old & set(store.load().hashes())
    backup(store.folder, verify=True)
    assert store.prune(0, datetime.now(UTC) + timedelta(days=9)) == ([], 0), "the newest stays"


def test_an_unknown_copy_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no copy"):
        Store(tmp_path).load("2020-01-01T00-00-00Z")
    with pytest.raises(NotFound, match="socle backup"):
        Store(tmp_path).load()
