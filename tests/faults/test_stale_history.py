"""A commit that lands while somebody reads a table's history must not shift the numbers of its versions."""

from __future__ import annotations

import pytest

from flows.lake.datasets import Dataset
from flows.lake.quarantine import Quarantine
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import csv_text, rows


@pytest.fixture
def meanwhile(root, edit, monkeypatch):
    """Another run loads new rows between the opening of a table and the reading of its log; once."""
    edit("on_failure: block", "on_failure: quarantine")
    data = root / "projects" / "essai" / "data" / "demandes.csv"

    def load(count: int) -> None:
        data.write_text(csv_text([*rows(count), (f"x{count}", "", "paie")]), encoding="utf-8")
        with open_run("essai") as run:
            assert load_dataset(run, "demandes").action == "loaded"

    load(40)

    def arrange(count: int) -> None:
        from deltalake import DeltaTable

        original = DeltaTable.history

        def history(self, *arguments):
            monkeypatch.setattr(DeltaTable, "history", original)
            load(count)
            return original(self, *arguments)

        monkeypatch.setattr(DeltaTable, "history", history)

    return arrange


def test_of_a_dataset(meanwhile, run):
    table = Dataset(run.lake, "essai", "demandes")
    meanwhile(50)
    found = table.history()
    assert found
    assert {v.number: v.load.rows["total"] for v in found}.items() <= {1: 40, 2: 50}.items()


def test_of_a_quarantine(meanwhile, run):
    load_id = Dataset(run.lake, "essai", "demandes").latest().load.load_id
    quarantine = Quarantine(run.lake, "essai", "demandes")
    meanwhile(50)
    assert quarantine.version_of(load_id) == 1
    assert [r["row"]["id"] for r in quarantine.rows(load_id)] == ["x40"]
