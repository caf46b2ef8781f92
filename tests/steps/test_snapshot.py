"""mode: snapshot – each file is a full picture of its moment, and becomes a version of its own."""

from __future__ import annotations

import re

import pytest

from flows.errors import Refused
from flows.lake.datasets import Dataset
from flows.steps import open_run
from flows.steps.pipeline import RunResult
from flows.texts.summary import dataset_text
from tests.conftest import csv_text, rows


@pytest.fixture
def pictures(root, edit, unchecked):
    edit("key: [id]", "key: [id]\n    mode: snapshot")
    folder = root / "projects" / "essai" / "data"
    (folder / "demandes.csv").unlink()

    def add(name: str, count: int, start: int = 0) -> None:
        (folder / f"{name}.csv").write_text(csv_text(rows(count, start)))

    add.folder = folder
    return add


def counts() -> list[int]:
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "demandes")
        return [table.scan(v.number).collect().height for v in reversed(table.history())]


def test_every_picture_is_a_version_in_the_order_of_the_names(pictures, load):
    pictures("2017-06-29", 20, 5)
    pictures("2017-04-20", 10)
    outcome = load()
    assert outcome.version.number == 2 and list(outcome.version.load.raw) == ["data/2017-06-29.csv"]
    assert counts() == [10, 20], "a picture replaces the one before: what is gone from the source is gone"
    assert load().action == "nothing"
    pictures("2017-08-22", 30)
    load()
    assert counts() == [10, 20, 30]


def test_a_picture_that_comes_too_late_is_refused_and_not_taken_for_the_present(pictures, load):
    pictures("2017-06-29", 20)
    load()
    pictures("2017-04-20", 10)
    with pytest.raises(Refused, match=r"2017-04-20\.csv comes before data/2017-06-29\.csv"):
        load()
    assert counts() == [20]


def test_the_same_name_with_other_bytes_is_the_next_picture(pictures, load):
    pictures("export", 10)
    load()
    pictures("export", 12)
    load()
    assert counts() == [10, 12]


def test_a_changed_rule_makes_the_last_picture_again(pictures, load, edit):
    pictures("a", 10)
    pictures("b", 20)
    load()
    edit("texte: string", "texte: {type: string, required: true}")
    assert load().version.number == 3
    assert counts() == [10, 20, 20]


def test_only_the_last_picture_of_a_run_is_said_to_be_served(pictures, load):
    for name, count in (("2017-04-20", 10), ("2017-06-29", 20), ("2017-08-22", 30)):
        pictures(name, count)
    outcome = load()
    with open_run("essai") as run:
        said = [dataset_text(run, o).splitlines()[2] for o in [*outcome.earlier, outcome]]
    assert [(bool(re.search(r"version \d+ est servie", line)), "reste dans l'historique" in line) for line in said] == [
        (False, True),
        (False, True),
        (True, False),
    ]


def test_the_picture_before_a_refused_one_is_served_still(pictures, load):
    pictures("2017-04-20", 10)
    pictures("2017-06-29", 20)
    (pictures.folder / "2017-08-22.csv").write_text("autre,en-tête\n1,2\n")
    result = RunResult("essai", "Demandes", "run")
    result.attempt("demandes", load)
    assert [(o.action, o.version.number, o.is_served) for o in result.datasets] == [("loaded", 1, False), ("loaded", 2, True)]
    assert result.exit_code == 1 and [name for name, _ in result.failures] == ["demandes"]
