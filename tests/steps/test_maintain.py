"""What retention deletes, and what it never touches."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.cli import maintenance
from flows.errors import Conflict, NotFound, StorageError
from flows.lake import keys
from flows.lake.datasets import Dataset
from flows.lake.delta_log import DeltaLog
from flows.lake.models import Models
from flows.lake.objects import UNKNOWN
from flows.lake.quarantine import Quarantine
from flows.lake.references import Reference, parse
from flows.steps import open_run
from flows.steps.maintain import maintain_dataset, maintain_project
from flows.steps.retention import Cutoffs, _young_of_others, undeclared
from flows.steps.rollback import rollback
from flows.texts import cleanup_summary
from tests.conftest import csv_text, rows
from tests.lake.support import MANIFEST, commit, content, load, model_folder, reader, record

LATER = timedelta(days=400)  # all that nothing refers to is older than any default then


def everything_old(run) -> Cutoffs:
    return Cutoffs.of(run, datetime.now(UTC) + LATER)


@pytest.fixture
def maintain(root):
    def run(dry_run=False, cutoffs=None):
        with open_run("essai") as opened:
            return maintain_project(opened, dry_run=dry_run, cutoffs=cutoffs or everything_old(opened))

    return run


@pytest.fixture
def lake_keys(root):
    def listed(prefix: str) -> list[str]:
        with open_run("essai") as run:
            return [o.key for o in run.lake.bucket("essai").list(prefix)]

    return listed


@pytest.fixture
def three(load, data, unchecked):
    """Versions with 10, 20 and 30 rows."""
    for count in (10, 20, 30):
        data(csv_text(rows(count)))
        load()


def test_a_dry_run_says_what_goes_and_deletes_nothing(three, maintain, lake_keys, served):
    before = lake_keys("")
    outcome = maintain(dry_run=True)
    parts = outcome.cleanup.datasets[0].parts
    assert (parts["versions"].count, parts["raw"].count, parts["checks"].count) == (2, 2, 2)
    assert parts["versions"].size > 0 and parts["versions"].oldest is not None
    assert lake_keys("") == before
    assert len(served(1)) == 10


def test_what_the_dry_run_said_is_what_goes(three, maintain, lake_keys, served, history):
    planned = maintain(dry_run=True).cleanup.datasets[0]
    before = set(lake_keys(""))
    done = maintain().cleanup.datasets[0]
    assert done.parts == planned.parts
    gone = before - set(lake_keys(""))
    assert gone == {o.key for o in [*planned.files, *planned.raw, *planned.checks]}
    assert len(served()) == 30
    assert history() == [3, 2, 1], "what is known of a version stays"


def test_of_a_refused_load_all_goes_together(load, data, maintain, lake_keys):
    load()
    data(csv_text([*rows(9), ("x", "", "paie")]))
    refused = load().report
    assert refused.verdict == "refused" and len(lake_keys("checks/demandes/refused/")) == 1
    assert maintain(dry_run=True).cleanup.datasets[0].parts["checks"].count == 1
    maintain()
    assert lake_keys("checks/demandes/refused/") == lake_keys(f"checks/demandes/{refused.load_id}/") == []


def test_it_says_what_goes_in_the_terminal_and_in_french(load, train, data, unchecked, maintain, root, capsys):
    for count in (60, 70, 80):
        data(csv_text(rows(count)))
        load()
        if count == 60:
            train()
    with open_run("essai") as run:
        run.lake.bucket("essai").put("tables/ancien/part-00000.parquet", b"")
        shown, done = maintain(dry_run=True), maintain()
        maintenance.show(shown)
        text, after = cleanup_summary.text(run, shown), cleanup_summary.text(run, done)
        nothing = cleanup_summary.text(run, maintain())
    said = capsys.readouterr().out
    assert "Would delete:\n  essai/demandes: replaced versions: 1 (" in said
    assert "@2 expire; 2 version(s) stay" in said and "essai/demandes@1 stays: modèle theme@1" in said
    assert "no longer declared, so left alone: ancien" in said
    assert text.startswith("# Ce que le ménage supprimerait : Demandes") and "**Rien n'a été supprimé**" in text
    assert "| `demandes` | versions remplacées | 1 |" in text and "`demandes` : versions 2 ; 2 version(s) restent." in text
    assert "restent, bien qu'anciennes : 1 (modèle theme@1)." in text
    assert "Le projet ne déclare plus `ancien` : rien n'en est supprimé." in text and "« Montrer seulement »" in text
    assert after.startswith("# Ce que le ménage a supprimé") and after.endswith("**À faire** : rien.")
    assert "Rien à supprimer" in nothing


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "–"), (999, "999 octets"), (1500, "1,5 ko"), (2_340_000, "2,3 Mo"), (5 * 10**12, "5\u202f000 Go")]
)
def test_sizes_are_written_as_people_write_them(count, shown):
    assert cleanup_summary.size(count) == shown


def test_nothing_goes_before_its_time(three, maintain, lake_keys, root):
    with open_run("essai") as run:
        young = Cutoffs.of(run)
    before = lake_keys("")
    outcome = maintain(cutoffs=young)
    assert outcome.did_nothing and lake_keys("") == before


def test_an_expired_version_is_known_as_expired(three, maintain, root):
    maintain()
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "demandes")
        assert [(v.number, v.expired and v.expired.cause) for v in table.history()] == [(3, None), (2, "retention"), (1, "retention")]
        with pytest.raises(NotFound) as gone:
            table.resolve(Reference("essai", "demandes", 1))
        assert "expired" in gone.value.message and "expirée le" in gone.value.french and "Versions gardées : 3" in gone.value.french
        with pytest.raises(NotFound, match="expired"):
            rollback(run, parse("demandes@1", "essai"), "pour voir")
        with pytest.raises(NotFound) as none:
            rollback(run, parse("demandes", "essai"), "pour voir")
        assert "antérieure" in none.value.french


def test_again_does_nothing_and_the_next_load_goes_on(three, maintain, load, data, served, history):
    maintain()
    assert maintain().did_nothing
    assert load().action == "nothing"
    data(csv_text(rows(40)))
    assert load().action == "loaded"
    assert len(served()) == 40 and history() == [5, 3, 2, 1]


def test_a_version_that_a_model_was_made_from_stays_whole(load, train, data, unchecked, maintain, served, lake_keys):
    data(csv_text(rows(60)))
    load()
    train()
    for count in (70, 80):
        data(csv_text(rows(count)))
        load()
    plan = maintain().cleanup.datasets[0]
    assert [v.number for v in plan.versions] == [2]
    assert plan.referred[1] == "modèle theme@1"
    assert len(served(1)) == 60
    assert sum(not k.endswith(".json") for k in lake_keys("raw/")) == 2


def test_what_a_rollback_brought_back_stays(three, maintain, root, served):
    with open_run("essai") as run:
        rollback(run, parse("demandes@1", "essai"), "la source s'est trompée")
    plan = maintain().cleanup.datasets[0]
    assert [v.number for v in plan.versions] == [3, 2]
    assert len(served()) == len(served(1)) == 10


def test_appended_rows_need_all_the_files_they_came_from(load, data, append, unchecked, maintain, lake_keys, served):
    data(None)
    for start in (0, 10, 20):
        data(csv_text(rows(10, start)), f"{start}.csv")
        load()
    maintain()
    assert sum(not k.endswith(".json") for k in lake_keys("raw/")) == 3
    assert len(served()) == 30


def test_refused_rows_go_with_their_versions(load, data, edit, unchecked, maintain, root):
    edit("on_failure: block", "on_failure: quarantine")
    for count in (10, 20):
        data(csv_text([*rows(count), rows(1)[0]]))
        load()
    done = maintain().cleanup.datasets[0]
    assert sum(done.quarantined.values()) == 1 and done.quarantine_files
    with open_run("essai") as run:
        table, loads = Quarantine(run.lake, "essai", "demandes"), Dataset(run.lake, "essai", "demandes").history()
        assert [len(table.rows(v.load.load_id)) for v in loads] == [1, 0]
        assert table.version_of(loads[1].load.load_id) is None, "they would be written again"
    assert maintain().did_nothing


def test_files_of_a_load_that_goes_on_stay_and_those_of_a_dead_one_go(three, maintain, root):
    with open_run("essai") as run:
        objects = run.lake.bucket("essai")
        objects.put("tables/demandes/part-00000-abandoned.parquet", b"half")
        objects.put(keys.model_files("theme", "abandoned") + "model.safetensors", b"half")
        young = Cutoffs(*[datetime.now(UTC) + LATER] * 4, datetime.now(UTC) - timedelta(days=1))
    maintain(cutoffs=young)
    assert objects.stat("tables/demandes/part-00000-abandoned.parquet")
    assert objects.stat(keys.model_files("theme", "abandoned") + "model.safetensors")
    maintain()
    assert objects.stat("tables/demandes/part-00000-abandoned.parquet") is None
    assert objects.stat(keys.model_files("theme", "abandoned") + "model.safetensors") is None


def test_models_stay_whole_also_when_the_project_no_longer_names_them(load, train, maintain, edit, root):
    load()
    train()
    text = (root / "projects/essai/project.yaml").read_text(encoding="utf-8").split("models:")[0]
    (root / "projects/essai/project.yaml").write_text(text, encoding="utf-8")
    maintain()
    with open_run("essai") as run:
        assert undeclared(run) == ["theme"]
        store = Models(run.lake, "essai", "theme")
        store.download(store.version(1), run.work / "model")


def test_bytes_that_came_again_meanwhile_stay(three, maintain, data, load, root, monkeypatch, lake_keys):
    """The source goes back to what it gave first while its bytes are about to go."""
    from flows.steps import maintain as module

    real = module._delete_raw

    def late(objects, plan, cutoffs):
        time.sleep(1)  # S3 says when an object was written in whole seconds; here days are a moment
        data(csv_text(rows(10)))
        load()
        real(objects, plan, cutoffs)

    monkeypatch.setattr(module, "_delete_raw", late)
    with open_run("essai") as run:
        past = Cutoffs(*[datetime.now(UTC)] * 5)
        maintain_dataset(run, "demandes", dry_run=False, cutoffs=past)
        table = Dataset(run.lake, "essai", "demandes")
        (sha,) = table.latest().load.raw.values()
        assert len(content(table, table.latest().number)) == 10
        assert run.lake.bucket("essai").stat(keys.raw("demandes", sha)) is not None


def test_a_load_or_a_rollback_that_comes_between_loses_nothing(three, maintain, root, monkeypatch, served):
    """Its commit is first: the plan is made anew. Ours is first: the rollback is refused, its version is gone."""
    real = Dataset.expire

    def late(table, *arguments, **more):
        monkeypatch.setattr(Dataset, "expire", real)
        with open_run("essai") as other:
            rollback(other, parse("demandes@1", "essai"), "la source s'est trompée")
        return real(table, *arguments, **more)

    monkeypatch.setattr(Dataset, "expire", late)
    plan = maintain().cleanup.datasets[0]
    assert [v.number for v in plan.versions] == [3, 2]
    assert len(served()) == len(served(1)) == 10


def test_a_rollback_that_was_planned_before_and_commits_after_is_refused(three, maintain, root, monkeypatch):
    real = Dataset.restore

    def late(table, *arguments):
        monkeypatch.setattr(Dataset, "restore", real)
        maintain()
        return real(table, *arguments)

    monkeypatch.setattr(Dataset, "restore", late)
    with open_run("essai") as run, pytest.raises(Conflict):
        rollback(run, parse("demandes@1", "essai"), "la source s'est trompée")


@pytest.mark.parametrize("dated", [True, False])
def test_what_another_program_committed_stays_for_its_days(three, maintain, load, data, root, dated):
    """It is no version of Socle's, but somebody may read it; a commit that does not say when it was made is young."""
    from deltalake import DeltaTable, write_deltalake

    with open_run("essai") as run:
        objects, uri = run.lake.bucket("essai"), Dataset(run.lake, "essai", "demandes").uri
        write_deltalake(uri, DeltaTable(uri).to_pyarrow_table().slice(0, 5), mode="overwrite")
        data(csv_text(rows(40)))
        load()
        if not dated:
            for version in (4, 5):
                key = keys.delta_commit("tables/demandes", version)
                objects.put(key, re.sub(rb'"timestamp":\d+,', b"", objects.get(key), count=1))
                assert DeltaLog(objects, "tables/demandes").commits()[version].at == UNKNOWN
        log = DeltaLog(objects, "tables/demandes")
        cutoff = datetime.now(UTC) - LATER if dated else datetime.now(UTC) + LATER
        assert list(_young_of_others(log.commits(), cutoff)) == [4]
        assert list(_young_of_others(log.commits(), datetime.now(UTC) + LATER)) == ([] if dated else [4])


def test_without_a_whole_log_nothing_of_the_table_goes(three, maintain, lake_keys, root):
    with open_run("essai") as run:
        run.lake.bucket("essai").delete(keys.delta_commit("tables/demandes", 1))
    before = lake_keys("")
    with pytest.raises(StorageError):
        maintain()
    assert lake_keys("") == before


def test_a_damaged_manifest_stops_everything(three, maintain, lake_keys, root):
    with open_run("essai") as run:
        run.lake.bucket("essai").put(keys.model_version("theme", 1), b"{}")
    before = lake_keys("")
    with pytest.raises(StorageError, match="which data it needs"):
        maintain()
    assert lake_keys("") == before


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["replace", "append", "upsert"]), st.integers(1, 4)),
        st.tuples(st.just("rollback"), st.integers(0, 9)),
        st.tuples(st.just("model"), st.integers(0, 9)),
        st.tuples(st.just("maintain"), st.integers(0, 9)),
    ),
    min_size=3,
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_whatever_happened_what_is_referred_to_reads_as_before(operations, root, tmp_path_factory, monkeypatch):
    """Loads, rollbacks, models and cleanups with any cutoff, in any order."""
    folder = tmp_path_factory.mktemp("lake")
    monkeypatch.setenv("SOCLE_STORAGE", folder.as_uri())
    with open_run("essai") as run:
        table, models = Dataset(run.lake, "essai", "demandes"), Models(run.lake, "essai", "theme")
        told: dict[int, list] = {}
        protected: set[int] = set()
        for step, (what, n) in enumerate([*operations, ("maintain", 9)]):
            alive = [v.number for v in table.history() if v.expired is None]
            if what in ("replace", "append", "upsert"):
                lines = [{"id": f"{step}-{i}" if what == "append" else f"k{i}", "n": step} for i in range(n)]
                load(table, f"load{step}", lines, what)
            elif what == "rollback" and len(alive) > 1:
                try:
                    rollback(run, Reference("essai", "demandes", alive[n % len(alive)]), "essai")
                except NotFound:
                    raise AssertionError("an unexpired version can be gone back to") from None
            elif what == "model" and alive:
                _model(models, tmp_path_factory.mktemp("model"), table, alive[n % len(alive)])
                protected.add(alive[n % len(alive)])
            elif what == "maintain":
                _maintain(run, table, alive, n)
            history = table.history()
            if history and history[0].number not in told:
                told[history[0].number] = content(table, history[0].number)
            gone = {v.number for v in history if v.expired}
            assert not gone & (protected | {v.number for v in history[:1]})
            for v in history:
                if v.number not in gone:
                    assert content(table, v.number) == told[v.number]
                    assert v.load.rollback.get("to") not in gone
        data_files = {p.name for p in (folder / "socle-essai" / "tables" / "demandes").glob("*.parquet")}
        assert data_files == (_named(table) if told else set()), "what no kept version needs is gone"


def _model(models: Models, folder: Path, table: Dataset, number: int) -> None:
    version = table.resolve(Reference("essai", "demandes", number))
    models.commit(model_folder(folder), MANIFEST | {"dataset": {"reference": str(version), "load_id": version.load.load_id}})


def _maintain(run, table: Dataset, alive: list[int], n: int) -> None:
    """The cutoff is the moment of one of the loads, or now."""
    history = table.history()
    cutoff = history[n].at if n < len(history) else datetime.now(UTC) + timedelta(seconds=1)
    maintain_dataset(run, "demandes", dry_run=False, cutoffs=Cutoffs(*[cutoff] * 5))
    for version in table.history():
        if version.number in alive and version.expired:
            later = [v for v in table.history() if v.number > version.number]
            assert later and later[-1].at < cutoff, "not before it was replaced for long enough"


def _named(table: Dataset) -> set[str]:
    """File names that kept versions and the newest state need, by deltalake's own reading of the log."""
    kept = {v.number for v in table.history() if v.expired is None} | {table.delta_version() or 0}
    return {uri.rpartition("/")[2] for number in kept for uri in table.open(number).file_uris()}


def test_the_oldest_commits_stay_readable_through_a_checkpoint(root):
    """deltalake writes a checkpoint every hundred commits: the plan reads the log, not the checkpoint."""
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "demandes")
        for number in range(3):
            load(table, f"load{number}", [{"id": "a", "n": number}])
        table.open().create_checkpoint()
        base = table.delta_version()
        commit(table, reader([{"id": "b", "n": 9}]), base, record("last", "append"), ["id"])
        plan = maintain_dataset(run, "demandes", dry_run=False, cutoffs=everything_old(run))
        assert [v.number for v in plan.versions] == [3, 2, 1]
        assert content(table, 4) == [{"id": "a", "n": 2}, {"id": "b", "n": 9}]
        newest = json.loads(run.lake.bucket("essai").get(keys.delta_commit("tables/demandes", 5)).splitlines()[0])
        assert newest["commitInfo"]["socle.expired"] == "[3, 2, 1]"
