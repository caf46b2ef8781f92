"""Adapters: few weights are trained, and what is saved is a plain model."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

from flows.errors import ConfigurationError
from flows.models import load
from flows.project import Lora
from flows.training import trainer
from flows.training.tasks import task_of
from flows.training.trainable import adapted, counts, merged

TEXTS = ["question sur congé et repos", "salaire", "embauche essai rupture"]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def train(examples, job_of, model):
    def run(name="model", **changes):
        job = job_of(examples(), name, **({"lora": {"r": 4, "alpha": 8}, "learning_rate": 2e-2} | changes))
        found = trainer.train(task_of(model()), job)
        found.predictor.save(job.folder)
        return found

    return run


def test_adapters_learn_and_are_merged(train, tmp_path, tiny_base):
    found = train(epochs=8)
    assert 0 < found.trained_parameters < found.parameters / 2
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert not [n for n, _ in plain.named_parameters() if "lora" in n]
    assert not list((tmp_path / "model").glob("*adapter*"))
    loaded = load(tmp_path / "model")
    np.testing.assert_allclose(loaded.predict(TEXTS), found.predictor.predict(TEXTS), atol=1e-6)
    before = AutoModelForSequenceClassification.from_pretrained(tiny_base.folder).state_dict()
    moved = {n for n, w in plain.state_dict().items() if not np.array_equal(w.numpy(), before[n].numpy())}
    assert any("query" in n for n in moved) and any("value" in n for n in moved) and any("classifier" in n for n in moved)
    assert not [n for n in moved if "embeddings" in n or "intermediate" in n], "only the layers that have adapters"


def test_the_best_of_them_is_kept(train, examples, monkeypatch):
    from flows.training.tasks.text_classification import TextClassificationTask

    scores, seen = iter([0.5, 0.7, 0.6]), []

    def evaluate(self, answers, frame, labels):
        seen.append(answers.copy())
        return {"macro_f1": {"value": next(scores)}}

    monkeypatch.setattr(TextClassificationTask, "evaluate", evaluate)
    found = train(epochs=3, patience=5)
    now = found.predictor.predict(examples().read("validation")["text"].to_list())
    np.testing.assert_allclose(now, seen[1], atol=1e-5)
    assert abs(now - seen[2]).max() > 1e-3


def test_layers_that_are_not_there(train):
    with pytest.raises(ConfigurationError, match="nowhere") as caught:
        train(lora={"targets": ["nowhere"]})
    assert "query" in caught.value.hint


def test_what_turns_states_into_words_is_not_trained(tiny_base):
    model = adapted(AutoModelForMaskedLM.from_pretrained(tiny_base.folder), Lora(r=2))
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained and all("lora" in n for n in trained)


def test_merging_leaves_a_plain_model_as_it_is(tiny_base):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base.folder)
    assert merged(model) is model and counts(model)[0] == counts(model)[1]
