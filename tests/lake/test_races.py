"""Several processes at once on one lake: one winner for each place, nothing lost, nothing twice."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from flows.lake import Lake
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.lake.objects import Objects
from flows.lake.quarantine import Quarantine
from tests.lake import workers
from tests.lake.support import SCHEMA, content
from tests.lake.test_quarantine import stored
from tests.lake.workers import Race


def test_each_numbered_key_has_one_winner_and_holds_what_it_wrote(race: Race, lake: Lake, bucket: Objects) -> None:
    won = race(workers.create_all, 4, lake, 25)
    winner = {key: process for process, keys in enumerate(won) for key in keys}
    assert Counter(key for keys in won for key in keys) == Counter(f"log/{n:05}" for n in range(25))
    assert [found.key for found in bucket.list("log/")] == sorted(winner)
    for n in range(25):
        assert bucket.get(f"log/{n:05}").decode() == f"process {winner[f'log/{n:05}']}, key {n}"


def test_a_numbered_log_of_four_writers_keeps_every_entry_and_has_no_gap(race: Race, lake: Lake, bucket: Objects) -> None:
    written = race(workers.append_all, 4, lake, 25)
    keys = [found.key for found in bucket.list("log/")]
    assert keys == [f"log/{n:05}" for n in range(100)]
    kept = [bucket.get(key).decode() for key in keys]
    assert sorted(kept) == sorted(entry for entries in written for entry in entries)
    for process, entries in enumerate(written):
        assert [entry for entry in kept if entry.startswith(f"process {process},")] == entries


def test_a_reader_sees_the_object_before_or_after_and_nothing_else(race: Race, lake: Lake, bucket: Objects) -> None:
    size = 3 << 20
    bucket.put("a", bytes(size))
    assert race(workers.rewrite, 3, lake, 25, size) == [[], [], []]


def test_model_versions_of_four_writers_are_all_there_and_whole(race: Race, lake: Lake, models: Models, tmp_path: Path) -> None:
    made = dict(pair for pairs in race(workers.commit_models, 4, lake, 4) for pair in pairs)
    assert sorted(made) == models.numbers() == list(range(1, 17))
    assert len(set(made.values())) == 16
    for version in models.versions():
        assert version.fingerprint == made[version.number]
        folder = models.download(version, tmp_path / str(version.number))
        assert (folder / "model.safetensors").read_text() == made[version.number]
    assert len({version.upload_id for version in models.versions()}) == 16


def test_alias_moves_of_four_writers_are_one_history(race: Race, lake: Lake, models: Models) -> None:
    results = race(workers.move_aliases, 4, lake, 8)
    moves = list(reversed(list(models.moves())))
    assert [move.number for move in moves] == list(range(1, 33))
    assert sorted(move.reason for move in moves) == sorted(reason for made, _ in results for reason in made)
    assert moves[0].before == {}
    assert all(later.before == earlier.aliases for earlier, later in pairwise(moves))
    assert len({move.move_id for move in moves}) == 32
    assert models.state() == moves[-1]
    assert sum(conflicts for _, conflicts in results) > 0  # they did race


@pytest.mark.parametrize("mode", ["append", "upsert", "replace"])
def test_a_load_is_in_the_history_once_or_it_is_a_conflict(race: Race, lake: Lake, dataset: Dataset, mode: str) -> None:
    dataset.create_table(SCHEMA)
    outcomes = dict(pair for pairs in race(workers.commit_loads, 3, lake, mode, 5) for pair in pairs)
    history = dataset.history()
    accepted = {load for load, outcome in outcomes.items() if outcome != "conflict"}
    assert {version.load.load_id: f"version {version.number}" for version in history} == {load: outcomes[load] for load in accepted}
    assert [version.number for version in history] == list(range(len(accepted), 0, -1))
    assert sum(outcomes[f"load-{process}-0"] != "conflict" for process in range(3)) <= 1  # all three on the empty table
    rows = [row["id"] for row in content(dataset, len(accepted))]
    assert rows == ([history[0].load.load_id] if mode == "replace" else sorted(accepted))


def test_a_table_is_made_once_by_writers_that_all_need_it(race: Race, lake: Lake) -> None:
    assert race(workers.make_table, 4, lake, 5) == [[0] * 5] * 4
    assert [Dataset(lake, "essai", f"table-{n}").delta_version() for n in range(5)] == [0] * 5


def test_refused_rows_of_one_load_in_several_runs_are_written_once(race: Race, lake: Lake, quarantine: Quarantine) -> None:
    versions = race(workers.quarantine_rows, 3, lake, 5, False)
    assert stored(quarantine) == [(f"load-{n}", row) for n in range(5) for row in (1, 2, 3)]
    assert versions[0] == versions[1] == versions[2]


def test_refused_rows_of_different_loads_are_all_kept(race: Race, lake: Lake, quarantine: Quarantine) -> None:
    race(workers.quarantine_rows, 3, lake, 3, True)
    assert stored(quarantine) == [(f"load-{p}-{n}", row) for p in range(3) for n in range(3) for row in (1, 2, 3)]
