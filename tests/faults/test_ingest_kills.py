"""SIGKILL at random points of loads of every mode and source: versions are whole, no row is lost or doubled, the rerun completes,
refused rows are there once, the source's state is that of the rows, and `maintain` removes what was left lying, and nothing else.

`make test` kills about once in each; `make test-faults` at 200 points. Replays: test_replay_kills.py.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.ingests import INGESTS, Ingest, IngestReader, swept
from tests.faults.zygote import Zygote
from tests.sources.server import Site, serving

POINTS = 17  # of each of 12: 204
ENV = {"SOCLE_HTTP_ALLOWED": "127.0.0.0/8"}


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@dataclass(frozen=True)
class Ready:
    """A tree before the loads that are to be killed, and what they come to if nobody kills them."""

    ingest: Ingest
    tree: Path
    labels: list[str]
    state: dict[str, Any]
    rows: dict[str, dict[int, list[Any]]]
    served: Callable[[], None]


@pytest.fixture(scope="session")
def ready(zygote: Zygote, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ready]:
    known: dict[str, Ready] = {}

    def prepare(name: str) -> Ready:
        if name not in known:
            known[name] = _prepared(zygote, site, tmp_path_factory.mktemp("ingest"), INGESTS[name])
        known[name].served()
        return known[name]

    return prepare


def _prepared(zygote: Zygote, site: Site, folder: Path, ingest: Ingest) -> Ready:
    tree, whole = folder / "tree", folder / "whole"
    project = ingest.declare(tree, site)
    ingest.before(project, site)
    first = zygote.run(tree, env=ENV)["runs"][0]
    assert first["exit_code"] == 0, first
    ingest.after(project, site)
    shutil.copytree(tree, whole, ignore=shutil.ignore_patterns("killed"))
    traced = zygote.run(whole, trace=True, env=ENV)
    assert traced["runs"][0]["exit_code"] == 0, traced["runs"]
    reader = IngestReader(whole, ingest)
    reader.look()
    rows = {name: reader.rows(name) for name in ingest.datasets}
    served = dict(site.answers)
    return Ready(ingest, tree, traced["labels"], reader.state(), rows, lambda: site.answers.update(served))


@pytest.mark.parametrize("name", INGESTS)
def test_what_kills_are_compared_with(ready: Callable[[str], Ready], name: str) -> None:
    """The state that unkilled loads leave, in figures: nothing twice, nothing lost."""
    found = ready(name)
    assert [len(rows) for _, rows in sorted(found.rows["demandes"].items())] == found.ingest.rows
    assert len(found.state["demandes"][2]) == found.ingest.refused
    assert len(found.labels) > 15


def test_the_total_of_a_merge_with_deletes_is_that_of_the_table(ready: Callable[[str], Ready]) -> None:
    loads, rows, _ = ready("upsert with deletes").state["demandes"]
    assert loads[0]["rows"]["total"] == len(rows[2])


def survives(zygote: Zygote, found: Ready, root: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill at one event, look, sweep, run again."""
    shutil.copytree(found.tree, root, ignore=shutil.ignore_patterns("killed"))
    monkeypatch.setenv("SOCLE_ROOT", str(root))
    reader, where = IngestReader(root, found.ingest), found.labels[number]
    before = reader.look()
    answer = zygote.run(root, kill_at=number, env=ENV)
    assert answer["killed"], answer
    seen = reader.look()
    for name in found.ingest.datasets:
        assert seen[name][: len(before[name])] == before[name], where
        assert reader.rows(name).items() <= found.rows[name].items(), f"{where}: a version is not whole"
    if number % 2:  # while the load is not done yet, or after
        swept()
        assert reader.staged() == set(), where
        assert reader.look() == seen, where
    rerun = zygote.run(root, env=ENV)["runs"][0]
    assert rerun["exit_code"] == 0, (where, rerun)
    reader.look()
    assert reader.state() == found.state, where
    swept()
    assert reader.staged() == set(), where
    again = zygote.run(root, env=ENV)["runs"][0]
    assert again["exit_code"] == 0 and again["did_nothing"], (where, again)
    assert reader.state() == found.state, where
    shutil.rmtree(root)


def points(found: Ready, count: int, seed: int) -> list[int]:
    return random.Random(seed).sample(range(len(found.labels)), min(count, len(found.labels)))


@pytest.mark.parametrize("name", INGESTS)
def test_a_load_that_is_killed_somewhere_is_done_by_the_next(zygote, ready, tmp_path, monkeypatch, name) -> None:
    found = ready(name)
    for number in points(found, 1, len(name)):
        survives(zygote, found, tmp_path / str(number), number, monkeypatch)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", INGESTS)
def test_loads_killed_at_random_points_are_done_by_the_next(zygote, ready, tmp_path, monkeypatch, name) -> None:
    found = ready(name)
    for number in points(found, POINTS, 2026):
        survives(zygote, found, tmp_path / str(number), number, monkeypatch)


def test_files_that_a_killed_load_left_are_found(zygote, ready, tmp_path, monkeypatch) -> None:
    """Guards the tests above: there is a point where data files are in the table's folder and no commit names them."""
    found, root = ready("append, several files"), tmp_path / "tree"
    last = max(n for n, label in enumerate(found.labels) if label == "tables/demandes: before create_write_transaction")
    shutil.copytree(found.tree, root, ignore=shutil.ignore_patterns("killed"))
    monkeypatch.setenv("SOCLE_ROOT", str(root))
    assert zygote.run(root, kill_at=last, env=ENV)["killed"]
    reader = IngestReader(root, found.ingest)
    assert reader.staged()
    rows = reader.rows("demandes")
    swept()
    assert reader.staged() == set()
    assert reader.rows("demandes") == rows
