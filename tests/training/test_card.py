"""The model card: Hugging Face's own library reads it, and people do."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from huggingface_hub import ModelCard

from flows.training import card
from flows.training.evaluation import evaluate

LABELS = ["congé", "contrat", "paie"]
TRUTH = [0, 1, 2] * 40
METRICS = {
    "validation": evaluate(TRUTH, np.eye(3)[TRUTH], LABELS),
    "test": evaluate(TRUTH, np.eye(3)[[0, 1, 1] * 40], LABELS),
}
FACTS = {
    "title": "Thème d'une demande : « essai »",
    "task": "text-classification",
    "ministry": "Ministère d'essai",
    "team": "Équipe",
    "email": "equipe@example.gouv.fr",
    "reference": "essai/theme",
    "dataset": {"reference": "essai/demandes@3", "title": "Demandes: reçues", "licence": "lov2", "load_id": "abc123"},
    "candidate": {"kind": "transformer", "label": "mini", "epochs": 1.0, "train_layers": None},
    "base_model": {"name": "package:mini/model", "sha256": "f" * 64},
    "metrics": METRICS,
    "rows": {"train": 12345, "validation": 120, "test": 120},
    "left_out": {"without_label": 2, "without_text": 3},
    "labels": LABELS,
    "inputs": ["texte"],
    "cost": {"train_seconds": 12.4, "cores": 2.0, "parameters": 22_700_000.0, "size_bytes": 90_900_000.0},
    "made": {"at": "2026-11-24T01:00:00+00:00", "who": "socle", "run": "r", "code": "0.1.0", "libraries": "Python 3.11"},
}


def written(**changes) -> tuple[str, ModelCard]:
    text = card.write(copy.deepcopy(FACTS) | changes)
    return text, ModelCard(text)


def test_hugging_face_reads_its_metadata():
    _, loaded = written()
    data = loaded.data
    assert (data.language, data.license, data.pipeline_tag, data.library_name) == (
        "fr",
        "etalab-2.0",
        "text-classification",
        "transformers",
    )
    assert data.datasets == ["essai/demandes@3"] and data.base_model == "package:mini/model"
    results = {r.metric_type: r for r in data.eval_results}
    assert set(results) == {"macro_f1", "accuracy"}
    assert results["accuracy"].metric_value == pytest.approx(2 / 3, abs=1e-4)
    assert results["accuracy"].dataset_split == "test"


def test_it_can_be_saved_and_loaded(tmp_path):
    _, loaded = written()
    loaded.save(tmp_path / "README.md")
    assert ModelCard.load(tmp_path / "README.md").data.to_dict() == loaded.data.to_dict()


def test_what_people_read():
    text, _ = written()
    for piece in (
        "# Thème d'une demande : « essai »",
        "12\u202f345",
        "5 ligne(s) n'ont pas pu servir",
        "0,667",
        "24/11/2026",
        "22\u202f700\u202f000 paramètres",
        "90,9 Mo",
        "abc123",
        "f" * 64,
        "équipe Équipe (equipe@example.gouv.fr)",
        "12 s d'entraînement",
    ):
        assert piece in text, piece
    assert "train_layers" not in text and "None" not in text


def test_the_interval_is_shown_with_the_test_score():
    text, _ = written()
    low, high = (f"{METRICS['test']['accuracy'][side]:.3f}".replace(".", ",") for side in ("low", "high"))
    assert f"0,667 ({low} – {high})" in text


def test_limits_name_the_weakest_and_those_too_rare_to_judge():
    rare = evaluate([0] * 50 + [1] * 40 + [2] * 3, np.eye(3)[[0] * 50 + [1] * 30 + [0] * 13], LABELS)
    limits = written(metrics=METRICS | {"test": rare})[0].split("## Limites")[1]
    assert "paie (rappel 0,000), contrat (rappel 0,750)" in limits
    assert "Trop peu de lignes" in limits and "congé" not in limits


def test_the_baseline_has_no_base_model():
    text, loaded = written(base_model={}, candidate={"kind": "tfidf", "label": "tfidf", "c": 10.0})
    assert loaded.data.library_name == "scikit-learn" and loaded.data.base_model is None
    assert "Entraîné sans modèle préalable" in text and "c = 10.0" in text


@pytest.mark.parametrize("licence", ["", "inconnue"])
def test_a_licence_that_hugging_face_does_not_know(licence):
    assert written(dataset=FACTS["dataset"] | {"licence": licence})[1].data.license == "other"


def test_a_label_that_never_occurs_has_no_figures():
    text, _ = written(metrics=METRICS | {"test": evaluate([0, 1] * 40, np.eye(3)[[0, 1] * 40], LABELS)})
    assert "| paie | 0 | – | – |" in text


@pytest.mark.parametrize("evil", ["a | b", "a\n# b", "---\nlicense: mit\n---", "key: [", "'\"{}"])
def test_words_of_the_data_do_not_break_the_page(evil):
    labels = [evil, "contrat", "paie"]
    test = evaluate(TRUTH, np.eye(3)[TRUTH], labels)
    text, loaded = written(
        labels=labels, metrics={"validation": test, "test": test}, dataset=FACTS["dataset"] | {"title": evil}, title=evil, ministry=evil
    )
    assert loaded.data.license == "etalab-2.0" and loaded.data.eval_results[0].dataset_name == evil
    table = text.split("| valeur |")[1].split("\n\n")[0].splitlines()
    assert [line.replace("\\|", "").count("|") for line in table[2:]] == [5, 5, 5]
