"""The model card: Hugging Face's own library reads it, and people do, in two languages."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from huggingface_hub.utils import validate_repo_id

from flows.training import card, pictures
from flows.training.evaluation import calibration, errors, evaluate, groups, label_problems, thresholds

LABELS = ["congé", "contrat", "paie"]
TRUTH = [0, 1, 2] * 40
METRICS = {
    "validation": evaluate(TRUTH, np.eye(3)[TRUTH], LABELS),
    "test": evaluate(TRUTH, np.eye(3)[[0, 1, 1] * 40], LABELS),
}
FACTS = {
    "title": "Thème d'une demande : « essai »",
    "task": "text-classification",
    "metric": "macro_f1",
    "ministry": "Ministère d'essai",
    "team": "Équipe",
    "email": "equipe@example.gouv.fr",
    "reference": "essai/theme",
    "dataset": {
        "reference": "essai/demandes@3",
        "title": "Demandes: reçues",
        "licence": "lov2",
        "load_id": "abc123",
        "rows": {"train": 12345, "validation": 120, "test": 120},
        "left_out": {"without_label": 2, "without_text": 3},
        "personal_data": "personal",
    },
    "candidate": {"kind": "transformer", "label": "mini", "epochs": 1.0, "train_layers": None, "lora": {"r": 8}},
    "base_model": {"name": "package:mini/model", "sha256": "f" * 64, "licence": "apache-2.0"},
    "metrics": METRICS,
    "labels": LABELS,
    "inputs": ["texte"],
    "cost": {
        "train_seconds": 12.4,
        "cores": 2.0,
        "parameters": 22_700_000.0,
        "trained_parameters": 100_000.0,
        "size_bytes": 90_900_000.0,
        "energy_kwh": 0.00123,
        "co2_kg": 0.00007,
    },
    "training": {
        "steps": 120,
        "epochs": 0.5,
        "stopped": "max_minutes",
        "resumed_from": 40,
        "notices": ["La mémoire a manqué."],
        "batch_size": 16,
        "took": {"energy": "estimated", "memory_gb": 1.106},
    },
    "made": {"at": "2026-11-24T01:00:00+00:00", "who": "socle", "run": "r", "code": "0.1.0"},
    "environment": {
        "code": {"version": "0.1.0", "revision": "a" * 40, "sha256": "b" * 64},
        "python": "3.11.7",
        "libraries": {"torch": "2.9.0"},
        "machine": {"system": "Linux x86_64", "processor": "Un processeur", "cores": 2, "gpu": ""},
    },
    "purpose": "Orienter vers le bon service.",
    "limits": ["Ne lit que le français."],
    "split": {"by": "key"},
    "reasons": {"without_label": "sans étiquette", "without_text": "sans texte"},
    "report": {},
    "about": {"kind": "transformer", "labels": LABELS, "max_length": 32, "temperature": 1.0},
    "sections": {"fr": "### Ce que dit la tâche", "en": "### What the task says"},
    "plots": [],
}


def written(**changes) -> tuple[str, ModelCard]:
    text = card.write(copy.deepcopy(FACTS) | changes)
    return text, ModelCard(text)


def report(personal_data: str = "none") -> dict:
    """A full report of a model that takes some `paie` for `contrat`, sure of itself."""
    draw = np.random.default_rng(1)
    truth = np.array([0, 1, 2] * 100)
    shown = np.where((truth == 2) & (draw.random(300) < 0.5), 1, truth)
    probabilities = 0.05 + 0.85 * np.eye(3)[shown]
    probabilities[shown != truth] = [0.02, 0.96, 0.02]
    side = (truth, probabilities)
    where = ["Paris" if t != 2 else "Lyon" for t in truth]
    return {
        "sides": {"pairs": [{"side": "test", "against": "train", "rows": 300, "exact": 4, "near": 2, "share": 0.02}]},
        "calibration": calibration.measure(*side),
        "thresholds": thresholds.promise(side, side, 0.7),
        "errors": errors.sample(*side, LABELS, lambda row: f"la ligne {row} | de Jean <b>Durand</b>", personal_data=personal_data),
        "label_problems": label_problems.find(*side, LABELS),
        "groups": groups.by_groups({"ville": where}, lambda rows: evaluate(truth[rows], probabilities[rows], LABELS), "accuracy"),
    }


def french(text: str) -> str:
    """With breakable spaces before colons and the like, as one types them."""
    return re.sub("\u00a0(?=[:;?!])", " ", text.partition(card.ENGLISH)[0])


def english(text: str) -> str:
    return text.partition(card.ENGLISH)[2]


# ---- for machines


def test_hugging_face_reads_its_metadata():
    _, loaded = written()
    data = loaded.data
    assert (data.language, data.license, data.pipeline_tag, data.library_name) == (
        "fr",
        "etalab-2.0",
        "text-classification",
        "transformers",
    )
    assert data.datasets == ["essai/demandes"] and sorted(data.metrics) == ["accuracy", "f1"]
    results = {r.metric_name: r for r in data.eval_results}
    assert set(results) == {"macro_f1", "accuracy"}
    assert results["accuracy"].metric_value == pytest.approx(2 / 3, abs=1e-4)
    assert (results["accuracy"].dataset_split, str(results["accuracy"].dataset_revision)) == ("test", "3")
    assert (results["macro_f1"].metric_type, results["macro_f1"].metric_config) == ("f1", "macro")


def test_its_results_survive_hugging_face_s_round_trip():
    data = written()[1].data
    name, again = model_index_to_eval_results(eval_results_to_model_index(data.model_name, data.eval_results))
    assert name == "essai/theme" and again == data.eval_results


def test_it_can_be_saved_and_loaded(tmp_path):
    _, loaded = written()
    loaded.save(tmp_path / "README.md")
    assert ModelCard.load(tmp_path / "README.md").data.to_dict() == loaded.data.to_dict()


@pytest.mark.parametrize(
    ("base", "named"), [("hub:org/name@abc", "org/name"), ("hub:bert@abc", "bert"), ("lake:a@1", None), ("path:a", None)]
)
def test_names_are_such_as_the_hub_accepts(base, named):
    """Its validation refuses anything else than names of repositories in `base_model` and `datasets`."""
    data = written(base_model=FACTS["base_model"] | {"name": base})[1].data
    assert data.base_model == named
    for name in [*data.datasets, *([named] if named else [])]:
        validate_repo_id(name)


@pytest.mark.parametrize(
    ("task", "kind", "pipeline", "library"),
    [
        ("text-similarity", "sentence-transformer", "sentence-similarity", "sentence-transformers"),
        ("masked-lm", "masked-lm", "fill-mask", "transformers"),
        ("causal-lm", "causal-lm", "text-generation", "transformers"),
        ("tabular-regression", "boosting", "tabular-regression", "sklearn"),
        ("token-classification", "dictionary", "token-classification", None),
    ],
)
def test_tasks_and_libraries_have_their_names_there(task, kind, pipeline, library):
    about = {"kind": kind, "columns": [], "labels": [], "temperature": 1.0}
    data = written(task=task, about=about)[1].data
    assert (data.pipeline_tag, data.library_name) == (pipeline, library)


@pytest.mark.parametrize(("licence", "named"), [("", "non-precisee"), ("une licence: à nous", "une licence: à nous")])
def test_a_licence_that_hugging_face_does_not_know(licence, named):
    data = written(dataset=FACTS["dataset"] | {"licence": licence})[1].data
    assert (data.license, data.license_name) == ("other", named)


def test_a_score_that_does_not_exist_is_no_result():
    test = {"rows": 3, "mae": {"value": 1.5, "low": 1.0, "high": 2.0}, "r2": {"value": None, "low": None, "high": None}}
    text, loaded = written(metrics={"validation": test, "test": test}, labels=[], metric="mae")
    assert [r.metric_name for r in loaded.data.eval_results] == ["mae"]
    assert "| R² | – | – |" in text


@pytest.mark.parametrize("evil", ["a | b", "a\n# b", "---\nlicense: mit\n---", "key: [", "'\"{}", "<script>x</script>", "![x](y)"])
def test_words_of_the_data_do_not_break_the_page(evil):
    labels = [evil, "contrat", "paie"]
    test = evaluate(TRUTH, np.eye(3)[TRUTH], labels)
    words = {"title": evil, "ministry": evil, "team": evil, "purpose": evil, "limits": [evil], "labels": labels}
    text, loaded = written(metrics={"validation": test, "test": test}, dataset=FACTS["dataset"] | {"title": evil}, **words)
    assert loaded.data.license == "etalab-2.0" and loaded.data.eval_results[0].dataset_name == evil
    body = text.split("\n---\n", 1)[1]
    assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(y\)|^# b", body, re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        counts = {re.sub(r"\\\|", "", line).count("|") for line in table.splitlines()}
        assert len(counts) == 1, table


# ---- for people


def test_what_people_read():
    text, _ = written()
    for piece in (
        "# Thème d'une demande : « essai »",
        "12\u202f345",
        "5, dont 3 sans texte, 2 sans étiquette",
        "0,667",
        "24/11/2026",
        "22\u202f700\u202f000 (100\u202f000)",
        "90,9 Mo",
        "énergie (CodeCarbon, estimée) | 1,23 Wh",
        "1,1 Go",
        "0,07 g CO₂e",
        "abc123",
        "f" * 64,
        "licence : apache-2.0",
        "équipe Équipe (equipe@example.gouv.fr)",
        "12 s",
        "arrêté avant la fin : budget de temps épuisé",
        "interrompu, et repris de l'étape 40",
        "La mémoire a manqué.",
        "Orienter vers le bon service.",
        "- Ne lit que le français.",
        "déclaré contenant des données personnelles",
        "### Ce que dit la tâche",
        "torch 2.9.0",
        "socle reproduce essai/theme@N",
    ):
        assert piece in french(text), piece
    assert "train_layers" not in text and "None" not in text


def test_the_same_in_english():
    text, _ = written(report=report())
    for piece in (
        "12,345",
        "without text",
        "0.667",
        "2026-11-24",
        "its time budget was spent",
        "resumed from step 40",
        "### What the task says",
    ):
        assert piece in english(text), piece
    assert "étiquette" not in english(text) and "entraînement" not in english(text)
    assert text.count("\n## ") - 1 == 2 * len(re.findall(r"^## ", french(text), re.MULTILINE)), "the same sections"


def test_no_line_of_french_begins_with_a_colon_and_code_stays_as_it_is():
    text = written(title="Où ? Ici ; là : voilà !", report=report())[0]
    prose = re.sub(r"```.*?```|`[^`]*`", "", text.partition(card.ENGLISH)[0].split("\n---\n", 1)[1], flags=re.DOTALL)
    assert "# Où\u00a0? Ici\u00a0; là\u00a0: voilà\u00a0!" in prose and not re.search(r"\S [:;?!]\s", prose)
    assert "\u00a0" not in re.search(r"```python.*?```", text, re.DOTALL)[0]


def test_the_interval_is_shown_with_the_test_score():
    text, _ = written()
    low, high = (f"{METRICS['test']['accuracy'][side]:.3f}".replace(".", ",") for side in ("low", "high"))
    assert f"0,667 ({low} – {high})" in text


def test_what_was_measured_besides_scores_is_said():
    text = french(written(report=report())[0])
    assert "dans le test et l'entraînement, 4 mot pour mot et 2 presque" in text
    assert "Pour 70\u00a0% de réponses justes" in text and "Promesse tenue" in text
    assert "| `ville` | Lyon | 100 |" in text and "Groupes nettement moins bien servis : `ville` = «\u00a0Lyon\u00a0»" in text
    assert "étiquette(s) du test" in text and "«\u00a0paie\u00a0» → «\u00a0contrat\u00a0»" in text
    assert "Jean \\<b\\>Durand" in text, "of data without personal data, texts are shown"


@pytest.mark.parametrize("declared", ["personal", "sensitive"])
def test_texts_of_persons_are_not_shown(declared):
    text = written(report=report(declared))[0]
    assert "Durand" not in text and "## Des erreurs" in text
    assert ("(non montré)" in text) == (declared == "sensitive")


def test_a_promise_that_cannot_be_given():
    found = report()
    promise = found["thresholds"] | {"threshold": None, "on_test": None, "on_validation": None, "at_least": 0.999}
    assert "Aucun seuil ne permet" in written(report=found | {"thresholds": promise})[0]


def test_limits_name_the_weakest_and_those_too_rare_to_judge():
    rare = evaluate([0] * 50 + [1] * 40 + [2] * 3, np.eye(3)[[0] * 50 + [1] * 30 + [0] * 13], LABELS)
    limits = french(written(metrics=METRICS | {"test": rare})[0]).split("## Limites")[1]
    assert "«\u00a0contrat\u00a0» (rappel 0,750)" in limits
    assert "Trop peu de lignes de test (moins de 30) pour juger : «\u00a0paie\u00a0»." in limits


def test_the_baseline_has_no_base_model():
    about = {"kind": "tfidf", "ngram_max": 1, "labels": LABELS, "temperature": 1.0}
    text, loaded = written(base_model={}, candidate={"kind": "tfidf", "label": "tfidf", "c": 10.0}, training={}, about=about)
    assert loaded.data.library_name == "sklearn" and loaded.data.base_model is None
    assert "Entraîné sans modèle préalable" in text and "c = `10.0`" in text


def test_an_older_manifest_has_its_libraries_as_a_sentence():
    text, _ = written(
        environment={},
        made=FACTS["made"] | {"libraries": "Python 3.11, torch 2.8"},
        cost={k: FACTS["cost"][k] for k in list(FACTS["cost"])[:5]},
    )
    assert "Socle 0.1.0 ; Python 3.11, torch 2.8." in french(text) and "kWh" not in text


def test_a_label_that_never_occurs_has_no_figures():
    text, _ = written(metrics=METRICS | {"test": evaluate([0, 1] * 40, np.eye(3)[[0, 1] * 40], LABELS)})
    assert "| paie | 0 | – | – | – |" in text


# ---- pictures


def test_pictures_lie_where_the_card_says(tmp_path):
    drawn = pictures.draw(METRICS["test"], report(), tmp_path)
    assert [p["file"] for p in drawn] == [f"plots/{n}.png" for n in ("confusion", "labels", "calibration", "thresholds", "groups-1")]
    text, _ = written(plots=drawn, report=report())
    for picture in drawn:
        assert (tmp_path / picture["file"]).read_bytes().startswith(b"\x89PNG")
        assert f"]({picture['file']})" in french(text) and f"]({picture['file']})" in english(text)


def test_nothing_to_draw(tmp_path):
    assert pictures.draw({"rows": 3, "mae": {"value": 1.0, "low": 0.5, "high": 2.0}}, {"groups": None, "sides": None}, tmp_path) == []
    assert list(tmp_path.iterdir()) == []
