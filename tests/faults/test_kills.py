"""SIGKILL at any moment: readers see whole versions only, the previous one is served, and the rerun goes through.

`make test` kills at one point of each stage; `make test-faults` at every event of every mode.
"""

from __future__ import annotations

import random
from itertools import cycle

import pytest

from tests.faults.events import STAGES
from tests.faults.world import MODES

SMALL = list(zip(STAGES, cycle(["second", "first"])))
FULL = [(stage, nth, scenario) for stage in STAGES for nth, scenario in enumerate(("second", "first", "second", "second"))]
PARTS = 6


def assert_survives(victim, number):
    """Kill at one event, look, run again."""
    answer = victim.kill(kill_at=number)
    assert answer["killed"] and answer["at"] == victim.prepared.labels[number]
    victim.recover()


def pick(prepared, stage, share):
    """An event of this stage: 0 its first, 1 its last."""
    events = prepared.points[stage]
    assert events, f"no event in stage {stage}: {prepared.labels}"
    return events[round(share * (len(events) - 1))]


@pytest.mark.parametrize(("stage", "scenario"), SMALL)
def test_a_kill_in_each_stage(victim, stage, scenario):
    killed = victim("replace", scenario)
    assert_survives(killed, pick(killed.prepared, stage, 0.5))


@pytest.mark.faults
@pytest.mark.parametrize(("stage", "nth", "scenario"), FULL)
def test_kills_spread_over_each_stage(victim, stage, nth, scenario):
    killed = victim("append", scenario)
    assert_survives(killed, pick(killed.prepared, stage, nth / 3))


def test_the_points_are_many_and_in_every_stage(prepared):
    """Guards the two tests above: a stage without events, or one event for all, would prove nothing."""
    found = prepared("append", "second").points
    spread = {events[round(nth / 3 * (len(events) - 1))] for events in found.values() for nth in range(4)}
    assert len(spread) >= 30
    assert len(found["between candidates"]) >= 2
    last_delta, first_training = max(found["delta"]), min(found["training"])
    assert max(found["raw"]) < min(found["quarantine"]) < min(found["delta"]) and last_delta < first_training < min(found["promotion"])


@pytest.mark.parametrize(("mode", "total"), [("replace", 60), ("append", 151), ("upsert", 121)])
def test_what_kills_are_compared_with(prepared, mode, total):
    """The state that an unkilled run leaves, in figures: nothing twice, nothing lost."""
    state = prepared(mode, "second").state
    assert [(number, load["rows"]["total"]) for number, load in state["loads"]] == [(2, total), (1, 91)]
    assert {number: len(found) for number, found in state["rows"].items()} == {2: total, 1: 91}
    assert len({row["id"] for row in state["rows"][2]}) == total
    assert sorted(line["row"].split('"')[3] for line in state["quarantine"]) == ["x1", "x2", "x3", "y1", "y2", "y3"]
    assert len(state["reports"]) == 2 and [m["number"] for m in state["models"]] == [1, 2, 3, 4]
    assert len(state["moves"]) == 2


@pytest.mark.parametrize("stage", ["quarantine", pytest.param("checks", marks=pytest.mark.faults)])
def test_a_kill_while_a_load_is_refused(victim, stage):
    killed = victim("replace", "refused")
    assert killed.prepared.exit_code == 1
    assert_survives(killed, pick(killed.prepared, stage, 0.5))
    assert killed.seen == killed.prepared.before


@pytest.mark.parametrize(
    ("folder", "suffix"),
    [
        ("tables/demandes", ".parquet"),
        pytest.param("tables/demandes/_delta_log", ".json", marks=pytest.mark.faults),
        pytest.param("tables/demandes/_delta_log", ".tmp", marks=pytest.mark.faults),
        pytest.param("quarantine/demandes", ".parquet", marks=pytest.mark.faults),
        pytest.param("quarantine/demandes/_delta_log", ".json", marks=pytest.mark.faults),
    ],
)
def test_a_kill_inside_the_delta_writer(victim, folder, suffix):
    """deltalake writes without Python: the kill comes from outside, as soon as its file appears."""
    killed = victim("append", "second")
    killed.kill(kill_when=[str(killed.root / ".socle" / "lake" / "socle-essai" / folder), suffix])
    killed.recover()


@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.faults) for s in range(2, 8))])
def test_kills_from_outside_at_random_times_in_a_row(victim, seed):
    rng = random.Random(seed)
    killed = victim(MODES[seed % 3], "second")
    hits = sum(killed.kill(kill_after=rng.uniform(0.0, limit))["killed"] for limit in (0.02, 0.3, 0.4, 0.5, 0.6))
    assert hits >= 1
    killed.recover()


@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.faults) for s in range(2, 8))])
def test_a_rerun_that_is_killed_too(victim, seed):
    """Wherever the first kill was, the second run is killed at a later or earlier event of its own."""
    rng = random.Random(seed)
    killed = victim(MODES[seed % 3], rng.choice(["first", "second"]))
    count = len(killed.prepared.labels)
    first, second = rng.randrange(count), rng.randrange(count // 3)
    assert killed.kill(kill_at=first)["killed"]
    killed.kill(kill_at=second)
    killed.recover()


@pytest.mark.parametrize(
    ("mode", "scenario"),
    [("replace", "second"), *(pytest.param(m, s, marks=pytest.mark.faults) for m in MODES for s in ("first", "second", "refused"))],
)
def test_a_reader_beside_a_run_never_sees_half_a_version(victim, zygote, mode, scenario):
    watched = victim(mode, scenario)
    zygote.start(watched.root, trace=True, pause_s=0.01)
    looks = set()
    try:
        while not (watched.root / "killed" / "result.json").exists():
            watched.look()
            looks.add(watched.seen)
            assert zygote.process.poll() is None
    finally:
        answer = zygote.finish()
    assert answer["runs"][0]["exit_code"] == watched.prepared.exit_code
    watched.look()
    assert watched.reader.state() == watched.prepared.state
    assert watched.prepared.before in looks  # it did look while the previous version was served


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("mode", "scenario"), [(m, "second") for m in MODES] + [("replace", "first"), ("append", "first"), ("replace", "refused")]
)
def test_a_kill_at_every_event(victim, prepared, mode, scenario, part):
    """Training and promotion are the same in every mode: they are gone through once."""
    found = prepared(mode, scenario)
    whole = (mode, scenario) == ("replace", "second") or not found.points["delta"]
    for number in range(part, len(found.labels) if whole else max(found.points["delta"]) + 3, PARTS):
        assert_survives(victim(mode, scenario), number)
