"""Models of tables through the steps: trained, promoted, described, and left alone when nothing changed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml

from flows.errors import Refused
from flows.models import load
from flows.steps import open_run
from flows.steps.finetune import ModelOutcome, finetune_model
from flows.steps.ingest import load_dataset
from tests.training.tables import companies

COLUMNS = {"id": "string", "effectif": "number", "secteur": "string", "sociale": "boolean", "creation": "date", "activite": "string"}
INPUTS = ["effectif", "secteur", "sociale", "creation", "activite"]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shared = {"dataset": "entreprises", "inputs": INPUTS, "texts": ["activite"], "candidates": ["boosting"]}
    models = {
        "risque": {"title": "Risque", "task": "tabular-classification", "label": "risque", "positive": True, **shared}
        | {"promote": {"metric": "average_precision"}, "groups": ["secteur"], "purpose": "Ordonner.", "limits": ["Données inventées."]},
        "note": {"title": "Note", "task": "tabular-regression", "label": "note", **shared, "promote": {"metric": "mae", "at_most": 5}},
    }
    dataset = {"title": "Entreprises", "source": {"type": "file", "path": "data/*.csv"}, "key": ["id"], "personal_data": "none"}
    dataset |= {"columns": {**COLUMNS, "risque": "boolean", "note": "number"}}
    project = {"title": "Essai", "ministry": "Ministère", "owner": {"team": "É", "email": "e@example.gouv.fr"}}
    folder = tmp_path / "projects" / "essai"
    (folder / "data").mkdir(parents=True)
    (folder / "project.yaml").write_text(yaml.safe_dump(project | {"datasets": {"entreprises": dataset}, "models": models}))
    companies(800).drop("vu").write_csv(folder / "data" / "entreprises.csv")
    monkeypatch.setenv("SOCLE_ROOT", str(tmp_path))
    return tmp_path


def test_a_ranking_and_a_number(tables: Path) -> None:
    cards = {}
    for name in ("risque", "note"):
        with open_run("essai") as run:
            run.lake.bucket("essai").ensure()
            load_dataset(run, "entreprises")
            found = finetune_model(run, name)
            assert [v.candidate["label"] for v in found.versions] == ["linéaire", "boosting"] and found.decision.promoted
            folders = [run.lake.bucket("essai").folder / "models" / name / "files" / v.upload_id for v in found.versions]
            cards[name] = [(f / "README.md").read_text(encoding="utf-8") for f in folders]
            answers = load(folders[1]).predict(companies(10, seed=3))
            assert answers.shape == ((10, 2) if name == "risque" else (10,))
        with open_run("essai") as run:
            assert finetune_model(run, name).action == "nothing"
    for card in cards["risque"]:
        assert "### Le classement, sur le test" in card and "Ordonner." in card and "- Données inventées." in card
    assert "### Par valeur" not in cards["note"][0] and "### Ce qui compte le plus" in cards["note"][0]


def changed(root: Path, **inputs: object) -> None:
    path = root / "projects" / "essai" / "project.yaml"
    project = yaml.safe_load(path.read_text())
    project["models"]["risque"] |= inputs
    path.write_text(yaml.safe_dump(project))


def trained(name: str = "risque") -> ModelOutcome:
    with open_run("essai") as run:
        run.lake.bucket("essai").ensure()
        load_dataset(run, "entreprises")
        return finetune_model(run, name)


def test_a_champion_that_reads_other_columns_is_asked_with_its_own(tables: Path) -> None:
    first = trained()
    changed(tables, inputs=["effectif", "secteur"], texts=[])
    second = trained()
    assert second.decision.champion.version == first.decision.chosen.version
    assert second.decision.champion.test == pytest.approx(first.decision.chosen.test), "the same rows, the same answers"
    assert second.decision.difference is None or second.decision.difference["low"] <= second.decision.difference["high"]


def test_a_champion_whose_columns_are_gone_is_not_guessed_at(tables: Path) -> None:
    trained()
    changed(tables, inputs=["effectif", "secteur"], texts=[])
    path = tables / "projects" / "essai" / "project.yaml"
    project = yaml.safe_load(path.read_text())
    del project["datasets"]["entreprises"]["columns"]["creation"]
    project["models"]["note"]["inputs"].remove("creation")
    path.write_text(yaml.safe_dump(project))
    rows = pl.read_csv(tables / "projects" / "essai" / "data" / "entreprises.csv").drop("creation")
    rows.write_csv(tables / "projects" / "essai" / "data" / "entreprises.csv")
    with pytest.raises(Refused, match="reads columns that entreprises does not have any more: creation"):
        trained()
