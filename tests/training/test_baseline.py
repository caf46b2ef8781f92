"""The cheap baseline: it learns, and what is saved is what was trained."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from flows.errors import StorageError
from flows.models import load
from flows.models.tfidf import make_vectorizer
from flows.project import Split, TfidfCandidate
from flows.training import baseline
from flows.training.split import side_of
from flows.training.tasks.base import Job
from tests.conftest import rows

SPLIT = Split(validation=0.2, test=0.2)
NEW = ["une question de salaire", "congé ou repos", "", "rien de connu ici"]


def trained(examples, folder, **settings):
    folder.mkdir()
    found = baseline.train(Job(TfidfCandidate(**settings), examples, folder, folder, folder))
    found.predictor.save(folder)
    return found.predictor, found.parameters


def read(examples, side):
    frame = examples.read(side)
    return frame["text"].to_list(), frame["label"].to_list()


def test_it_tells_themes_apart(examples, tmp_path):
    found = examples()
    predictor, parameters = trained(found, tmp_path / "model")
    texts, truth = read(found, "test")
    assert (predictor.predict(texts).argmax(1) == truth).mean() > 0.9
    assert parameters == predictor.coef.size + predictor.intercept.size > 0


@pytest.mark.parametrize("count", [2, 3], ids=["two classes", "three classes"])
def test_the_saved_one_gives_the_same_probabilities(examples, tmp_path, count):
    lines = [r for r in rows(150) if r[2] in ["congé", "paie", "contrat"][:count]]
    predictor, _ = trained(examples(lines), tmp_path / "model")
    loaded = load(tmp_path / "model")
    texts = [*NEW, *(t for _, t, _ in lines)]
    assert loaded.classes == predictor.classes and len(loaded.classes.labels) == count
    np.testing.assert_array_equal(loaded.predict(texts), predictor.predict(texts))


@pytest.mark.parametrize("count", [2, 3])
def test_probabilities_are_those_of_scikit_learn(examples, tmp_path, count):
    lines = [r for r in rows(150) if r[2] in ["congé", "paie", "contrat"][:count]]
    found = examples(lines)
    predictor, _ = trained(found, tmp_path / "model")
    texts, truth = read(found, "train")
    vectorizer = make_vectorizer(2, max_features=60_000)
    classifier = LogisticRegression(C=10.0, max_iter=200).fit(vectorizer.fit_transform(texts), truth)
    expected = classifier.predict_proba(vectorizer.transform(NEW))
    np.testing.assert_allclose(predictor.predict(NEW), expected, atol=1e-4)


def test_probabilities_sum_to_one_in_the_order_of_the_texts(examples, tmp_path):
    predictor, _ = trained(examples(), tmp_path / "model")
    together = predictor.predict(NEW)
    assert together.shape == (4, 3) and together.dtype == np.float32
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-6)
    for i, text in enumerate(NEW):
        np.testing.assert_allclose(predictor.predict([text])[0], together[i], atol=1e-7)


@pytest.mark.parametrize("others", [2, 3])
def test_a_label_that_training_never_saw_is_never_predicted(examples, tmp_path, others):
    unseen = [(f"u{i}", f"question retraite {i}", "a-retraite") for i in range(60) if side_of([f"u{i}"], SPLIT) != "train"]
    lines = [r for r in rows(150) if r[2] in ["congé", "paie", "contrat"][:others]]
    found = examples(lines + unseen)
    predictor, _ = trained(found, tmp_path / "model")
    assert found.labels[0] == "a-retraite" and 0 not in read(found, "train")[1]
    probabilities = predictor.predict(["question retraite", *NEW])
    assert (probabilities[:, 0] < 1e-6).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(load(tmp_path / "model").predict(NEW), predictor.predict(NEW))
    texts, truth = read(found, "train")
    assert (predictor.predict(texts).argmax(1) == truth).mean() > 0.9


def test_each_of_several_labels_has_a_probability_of_its_own(examples, tmp_path):
    lines = [(i, t + " vite" * (index % 3 == 0), f"{n}|urgent" if index % 3 == 0 else n) for index, (i, t, n) in enumerate(rows(150))]
    found = examples(lines, answer="several")
    folder = tmp_path / "model"
    folder.mkdir()
    predictor = baseline.train(Job(TfidfCandidate(), found, folder, folder, folder), several=True).predictor
    rows_of_test = found.read("test")
    given = predictor.classes.given(predictor.predict(rows_of_test["text"].to_list()))
    truth = np.array([[i in has for i in range(4)] for has in rows_of_test["label"].to_list()])
    assert (given == truth).mean() > 0.9 and given.sum(1).max() == 2
    predictor.save(folder)
    np.testing.assert_array_equal(load(folder).predict(NEW), predictor.predict(NEW))


def test_a_label_that_all_texts_have_is_always_given(examples, tmp_path):
    found = examples([(i, t, f"{n}|tous") for i, t, n in rows(150)], answer="several")
    predictor = baseline.train(Job(TfidfCandidate(), found, tmp_path, tmp_path, tmp_path), several=True).predictor
    assert predictor.classes.given(predictor.predict(NEW))[:, found.labels.index("tous")].all()


def test_settings_count(examples, tmp_path):
    small, _ = trained(examples(), tmp_path / "a", max_features=5, ngram_max=1)
    assert small.coef.shape == (3, 5)
    terms = json.loads((tmp_path / "a" / "vocabulary.json").read_text())
    assert not [t for t in terms if " " in t]
    trained(examples(), tmp_path / "b", ngram_max=2)
    assert [t for t in json.loads((tmp_path / "b" / "vocabulary.json").read_text()) if " " in t]


def test_nothing_that_is_saved_can_run_code(examples, tmp_path):
    trained(examples(), tmp_path / "model")
    assert {p.suffix for p in (tmp_path / "model").iterdir()} == {".safetensors", ".json"}


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_folder_without_a_model(tmp_path, text):
    if text is not None:
        (tmp_path / "socle.json").write_text(text)
    with pytest.raises(StorageError, match="no model description"):
        load(tmp_path)
