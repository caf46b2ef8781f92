"""A training that is killed at any moment goes on elsewhere, and nobody can tell from its curve or its weights."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import rows

REPOSITORY = Path(__file__).resolve().parents[2]
CANDIDATE = {"epochs": 2, "patience": 9}
STEPS = 12  # of 24 rows by 4, twice


class Trainings:
    """Runs plans of tests/training/killed.py, and reads what they leave."""

    def __init__(self, folder: Path, base: Path, examples: Path, labels: list[str]) -> None:
        self.folder, self.shared = folder, {"base": str(base), "examples": str(examples), "labels": labels, "candidate": CANDIDATE}

    def run(self, *plan: dict[str, Any], place: str = "one") -> list[dict[str, Any]]:
        """`plan`: what each training in a row differs by; all of them see the same lake."""
        lines = [self.shared | {"folder": str(self.folder / place)} | one for one in plan]
        done = subprocess.run(
            [sys.executable, "-m", "tests.training.killed"],
            cwd=REPOSITORY,
            input=json.dumps(lines),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert not [one for one in found if one["exit"] == 1], done.stderr[-3000:]
        return found

    def curves(self, place: str = "one") -> list[dict[int, dict[str, float]]]:
        """Of each run: step -> values, as they were told first."""
        found = []
        for run in sorted((self.folder / place).glob("run-*")):
            points: dict[int, dict[str, float]] = {}
            for line in (run / "curve.jsonl").read_text().splitlines():
                step, values = json.loads(line)
                points[step] = values | points.get(step, {})
            found.append(points)
        return found

    def done(self, place: str = "one") -> dict[str, Any]:
        """Of the last run."""
        last = max((self.folder / place).glob("run-*"))
        return dict(json.loads((last / "done.json").read_text()))

    def notices(self, place: str = "one") -> str:
        path = max((self.folder / place).glob("run-*")) / "notices"
        return path.read_text() if path.is_file() else ""


@pytest.fixture
def trainings(tmp_path, examples, tiny_base):
    found = examples(rows(38))
    for name in ("train", "validation"):
        assert found.rows[name]
    frame = found.read("train").head(24)
    frame.write_parquet(found.path("train"))
    return Trainings(tmp_path, tiny_base.folder, found.folder, found.labels)


def same(trainings: Trainings, killed: str, whole: str = "whole") -> None:
    """The curve of the interrupted training, run by run and put together, is that of the whole one, bit for bit; and so are the weights."""
    expected = trainings.curves(whole)[0]
    assert set(expected) == set(range(1, STEPS + 1))
    assert len({p["loss"] for p in expected.values()}) == STEPS, "dropout and batches make every step another"
    for run in trainings.curves(killed):
        for step, values in run.items():
            assert values.items() <= expected[step].items()
    assert trainings.curves(killed)[-1] == expected, "the last run tells the whole curve"
    assert trainings.done(killed)["weights"] == trainings.done(whole)["weights"]


def test_killed_at_a_step_and_while_it_writes_a_checkpoint(trainings):
    """A step within an epoch, the first after one, and a checkpoint whose files are up but not its list."""
    trainings.run({}, place="whole")
    deaths = trainings.run({"kill_at_step": 3}, {"kill_at_step": 8}, {"kill_at_write": 7}, {})
    assert [d["signal"] for d in deaths] == [9, 9, 9, None]
    same(trainings, "one")
    facts = trainings.done()["facts"]
    assert facts["resumed_from"] == 7 and facts["steps"] == STEPS and not facts["damaged_checkpoints"]
    assert 0 < facts["seconds_before"] < facts["seconds"] and trainings.done("whole")["facts"]["seconds_before"] == 0
    assert facts["best_step"] == trainings.done("whole")["facts"]["best_step"]


def test_asked_to_end_it_writes_a_checkpoint_first(trainings):
    trainings.run({}, place="whole")
    deaths = trainings.run({"every_minutes": 60, "term_at_step": 5}, {"every_minutes": 60})
    assert [d["signal"] for d in deaths] == [15, None]
    assert trainings.done()["facts"]["resumed_from"] in (5, 6)
    same(trainings, "one")


@pytest.mark.parametrize("damage", ["bytes", "missing", "list"])
def test_a_damaged_checkpoint_is_seen_and_the_one_before_is_used(trainings, damage):
    trainings.run({}, place="whole")
    trainings.run({"kill_at_step": 6})
    lake = trainings.folder / "one" / "lake"
    newest = max(lake.rglob("whole/*.json"))
    files = newest.parents[1] / "files" / newest.stem
    if damage == "bytes":
        path = files / "optimizer.pt"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    elif damage == "missing":
        (files / "trainable.safetensors").unlink()
    else:
        newest.write_text('{"step": ')
    trainings.run({})
    facts = trainings.done()["facts"]
    assert facts["resumed_from"] == 4 and len(facts["damaged_checkpoints"]) == 1 and newest.stem in facts["damaged_checkpoints"][0]
    assert "illisible" in trainings.notices() and "étape 4" in trainings.notices()
    same(trainings, "one")


@pytest.mark.faults
@pytest.mark.parametrize("part", range(4))
def test_killed_at_random_steps_writes_and_moments(trainings, part):
    chance = random.Random(part)
    trainings.run({}, place="whole")
    for round_ in range(3):
        plan = [
            chance.choice(
                [
                    {"kill_at_step": chance.randint(1, STEPS)},
                    {"kill_at_write": chance.randint(0, 60)},
                    {"kill_after_s": chance.uniform(0.05, 3)},
                ]
            )
            for _ in range(5)
        ]
        deaths = trainings.run(*plan, {}, place=f"round-{round_}")
        assert deaths[-1]["signal"] is None and any(d["signal"] == 9 for d in deaths)
        same(trainings, f"round-{round_}")
