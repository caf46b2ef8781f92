"""Datasets that are made from other datasets."""

from __future__ import annotations

import pytest

from flows.errors import ConfigurationError
from flows.lake.datasets import Dataset
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from flows.steps.plan import plan_project
from flows.validation import check_project

JOINED = """\
  longueurs:
    title: Longueur des demandes
    source: {type: datasets, datasets: [demandes]}
    transform: transform.py:mesurer
    key: [id]
    columns: {id: string, longueur: integer}
    personal_data: none
models:
"""
TRANSFORM = """\
import polars as pl

def mesurer(tables):
    return tables["demandes"].select("id", longueur=pl.col("texte").str.len_chars())
"""


@pytest.fixture
def joined(root, edit, unchecked):
    edit("models:\n", JOINED)
    (root / "projects" / "essai" / "transform.py").write_text(TRANSFORM)


def load_all():
    with open_run("essai") as run:
        return {name: load_dataset(run, name) for name in run.project.datasets}


def test_rows_are_made_of_the_versions_that_are_served_and_only_when_those_change(joined, root):
    first = load_all()
    assert {o.action for o in first.values()} == {"loaded"}
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "longueurs").scan(1).collect()
        assert table.height == 90 and table.schema["longueur"].is_integer()
        assert plan_project(run, models=False).is_empty
    assert {o.action for o in load_all().values()} == {"nothing"}
    assert list(first["longueurs"].version.load.raw) == ["demandes"]


def test_a_changed_input_is_joined_again_in_the_same_run(joined, root):
    load_all()
    data = root / "projects" / "essai" / "data" / "demandes.csv"
    data.write_text(data.read_text() + "d99999,une question de plus,paie\n")
    with open_run("essai") as run:
        plan = plan_project(run, models=False)
    assert [(d.name, d.action) for d in plan.datasets] == [("demandes", "load"), ("longueurs", "load")]
    assert plan.datasets[1].reasons == ["after demandes"]
    assert load_all()["longueurs"].version.load.rows["total"] == 91


def test_an_input_without_a_version_is_named(joined):
    with open_run("essai") as run, pytest.raises(ConfigurationError, match="essai/demandes has no version yet"):
        load_dataset(run, "longueurs")


def test_inputs_are_declared_before_what_is_made_from_them(root, edit, joined):
    edit("datasets: [demandes]", "datasets: [longueurs]")
    _, problems = check_project(root, "essai")
    assert "longueurs has to be declared before longueurs" in str(problems[0])
    edit("datasets: [longueurs]", "datasets: [demande]")
    _, problems = check_project(root, "essai")
    assert "no dataset 'demande'" in str(problems[0]) and "demandes" in problems[0].hint


def test_a_join_that_fails_names_the_transform_and_its_line(joined, root):
    (root / "projects" / "essai" / "transform.py").write_text(TRANSFORM.replace('pl.col("texte")', 'pl.col("texte").nothing()'))
    with open_run("essai") as run, pytest.raises(ConfigurationError, match=r"transform\.py:mesurer failed .*line 4"):
        load_dataset(run, "demandes")
        load_dataset(run, "longueurs")
