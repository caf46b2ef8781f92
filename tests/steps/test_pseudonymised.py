"""A dataset whose texts a model pseudonymises: made after the model, again when either changes; without one, it says what to run."""

from __future__ import annotations

import json

import pytest

from flows.errors import ConfigurationError
from flows.lake.datasets import Dataset
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from flows.steps.pipeline import run_plain
from flows.steps.plan import in_order, plan_project
from flows.validation import check_project, load_project

PROJECT = """\
title: Décisions
ministry: Ministère d'essai
owner: {team: Équipe, email: equipe@example.gouv.fr}
datasets:
  phrases:
    title: Phrases
    source: {type: file, path: data/*.jsonl}
    key: [id]
    columns: {id: string, dossier: string, texte: string, entites: string, secret: string}
    personal_data: personal
  propres:
    title: Phrases pseudonymisées
    source: {type: pseudonymised, dataset: phrases, model: noms, texts: [texte], document: dossier}
    key: [id]
    columns: {id: string, dossier: string, texte: string}
    personal_data: pseudonymised
models:
  noms:
    title: Noms
    task: token-classification
    dataset: phrases
    text: texte
    spans: entites
    split: {by: group, group: dossier, validation: 0.2, test: 0.2}
    candidates: [dictionary]
    promote: {metric: f1, at_least: 0.1}
"""
NAMES = ["Xavi Zubor", "Olda Krivan", "Timo Vestel"]
FORMS = ["{} demande une aide.", "La demande de {} est reçue.", "Vu la lettre de {}, appelé au 06 12 34 56 78."]


def lines(dossiers=40):
    for dossier in range(dossiers):
        for row in range(4):
            name = NAMES[(dossier + row // 2) % 3]
            text = FORMS[row % 3].format(name)
            start = text.index(name)
            spans = [{"start": start, "end": start + len(name), "label": "PER"}]
            yield {"id": f"{dossier:03}-{row}", "dossier": f"d{dossier}", "texte": text, "entites": json.dumps(spans), "secret": name}


def write(folder, rows):
    (folder / "data" / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "projects" / "essai"
    (folder / "data").mkdir(parents=True)
    (folder / "project.yaml").write_text(PROJECT, encoding="utf-8")
    write(folder, lines())
    monkeypatch.setenv("SOCLE_ROOT", str(tmp_path))
    with open_run("essai") as run:
        run.lake.bucket("essai").ensure()
    return folder


def everything():
    with open_run("essai") as run:
        return run_plain(run)


def rows(version):
    with open_run("essai") as run:
        return Dataset(run.lake, "essai", "propres").scan(version).collect().sort("id")


def test_the_model_comes_between_the_two(folder):
    project = load_project(folder.parent.parent, "essai")
    assert in_order(project) == [("dataset", "phrases"), ("model", "noms"), ("dataset", "propres")]
    result = everything()
    assert not result.failures and [d.action for d in result.datasets] == ["loaded", "loaded"]


def test_texts_have_no_name_left_and_the_same_one_the_same_mark(folder):
    everything()
    table = rows(1)
    assert table.columns == ["id", "dossier", "texte"] and table.height == 160
    whole = " ".join(table["texte"])
    assert not [word for name in NAMES for word in name.split() if word in whole] and "06 12" not in whole
    by_id = dict(table.select("id", "texte").iter_rows())
    assert by_id["000-0"] == "[PERSONNE 1] demande une aide."
    assert by_id["000-1"] == "La demande de [PERSONNE 1] est reçue."
    assert by_id["000-2"] == "Vu la lettre de [PERSONNE 2], appelé au [TÉLÉPHONE 1]."
    assert by_id["001-0"] == "[PERSONNE 1] demande une aide.", "numbers begin again with each document"


def test_no_name_is_anywhere_else_in_the_lake_of_the_new_dataset(folder):
    everything()
    with open_run("essai") as run:
        place = run.settings.root / ".socle" / "lake" / "socle-essai"
        written = [p for part in ("raw/propres", "checks/propres", "models") for p in (place / part).rglob("*") if p.is_file()]
        assert written
        for path in written:
            content = path.read_bytes()
            assert not [name for name in NAMES if name.split()[1].encode() in content], path.name


def test_a_person_is_told_the_recall_and_to_read(folder):
    everything()
    with open_run("essai") as run:
        version = Dataset(run.lake, "essai", "propres").latest()
        folder = run.settings.root / ".socle" / "lake" / "socle-essai" / "checks" / "propres"
        page = "".join(p.read_text(encoding="utf-8") for p in folder.rglob("index.html"))
    assert version is not None and "passages remplacés" in page and "doit les relire" in page


def test_nothing_changed_nothing_to_do_and_what_changed_is_made_again(folder):
    everything()
    with open_run("essai") as run:
        assert plan_project(run).is_empty
    write(folder, lines(41))
    with open_run("essai") as run:
        plan = plan_project(run)
        assert [(d.name, d.action) for d in plan.datasets] == [("phrases", "load"), ("propres", "load")]
    result = everything()
    assert not result.failures and result.datasets[-1].version.number == 2 and rows(2).height == 164


def test_without_a_model_the_error_says_what_to_run(folder):
    with open_run("essai") as run:
        load_dataset(run, "phrases")
        plan = plan_project(run, models=False)
        assert [d.action for d in plan.datasets] == ["nothing", "load"] and "noms" in plan.datasets[1].reasons[0]
        with pytest.raises(ConfigurationError, match="never trained") as caught:
            load_dataset(run, "propres")
    assert "socle run essai --flow finetune" in caught.value.hint and "finetune" in caught.value.french


def test_a_model_that_was_not_promoted_is_not_used(folder, monkeypatch):
    monkeypatch.setattr("flows.training.promotion.Rule.reached", lambda rule, value: False)
    result = everything()
    [(name, error)] = result.failures
    assert name == "propres" and "was promoted" in error.message and "socle promote" in error.hint


def test_rows_without_a_document_are_one_each(folder):
    path = folder / "project.yaml"
    path.write_text(path.read_text().replace(", document: dossier", ""))
    everything()
    assert {n for n in ("1", "2") if f"[PERSONNE {n}]" in " ".join(rows(1)["texte"])} == {"1"}


def test_a_document_longer_than_what_is_read_at_once_stays_whole(folder, monkeypatch):
    from flows.steps import pseudonymise

    everything()
    monkeypatch.setattr(pseudonymise, "SOME", 3)
    (folder / "project.yaml").write_text(PROJECT.replace("document: dossier", "document: dossier, replace: {PER: NOM}"), encoding="utf-8")
    everything()
    by_id = dict(rows(2).select("id", "texte").iter_rows())
    assert len(by_id) == 160 and by_id["000-1"] == "La demande de [NOM 1] est reçue." and by_id["039-3"].startswith("[NOM ")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("model: noms", "model: nom", "no model 'nom'"),
        ("dataset: phrases, model", "dataset: phrase, model", "no dataset 'phrase'"),
        ("texts: [texte]", "texts: [corps]", "'corps' is not one of the columns"),
        ("document: dossier", "document: affaire", "has no column 'affaire'"),
        (
            "columns: {id: string, dossier: string, texte: string}",
            "columns: {id: string, autre: string, texte: string}",
            "no column 'autre'",
        ),
        ("personal_data: pseudonymised", "personal_data: none", "not free of personal data"),
        ("texts: [texte], ", "", "texts"),
        ("    title: Phrases pseudonymisées\n", "    title: P\n    transform: t.py:f\n", "pseudonymised dataset has none"),
    ],
)
def test_mistakes_in_the_project_file_are_told(folder, old, new, says):
    assert old in PROJECT
    (folder / "project.yaml").write_text(PROJECT.replace(old, new), encoding="utf-8")
    _, problems = check_project(folder.parent.parent, "essai")
    assert [p for p in problems if says in str(p)], [str(p) for p in problems]
