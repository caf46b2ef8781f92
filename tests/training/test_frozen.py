"""A linear head on kept embeddings: it learns, answers in order, loads without Socle, and reads no text twice."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel

from flows.errors import ConfigurationError
from flows.models import load
from flows.models.frozen import FrozenPredictor, embed, read_encoder
from flows.project import FrozenCandidate
from flows.training import frozen
from flows.training.tasks.base import Job
from tests.conftest import rows
from tests.training import tiny

SHORT_AND_LONG = [" ".join(tiny.WORDS[i % 17] for i in range(n)) for n in (1, 40, 2, 55, 3, 1, 30, 5) * 9]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def train(examples, tiny_base, tmp_path):
    def run(lines=None, name="model", several=False, found=None, job=None, **changes):
        folder = tmp_path / name
        folder.mkdir()
        candidate = FrozenCandidate.model_validate({"base_model": "path:tiny", "max_length": 32, "c": 100.0} | changes)
        made = Job(candidate, found or examples(lines), folder, folder, tmp_path / "cache", tiny_base, **(job or {}))
        trained = frozen.train(made, several)
        trained.predictor.save(folder)
        return trained

    return run


def test_it_learns_and_tells_how_far_it_is(train, examples):
    shares = []
    found = train(job={"advance": shares.append})
    test = examples().read("test")
    assert (found.predictor.predict(test["text"].to_list()).argmax(1) == test["label"].to_numpy()).mean() > 0.8
    assert sum(shares) == pytest.approx(1.0)
    assert found.trained_parameters == 3 * 32 + 3 < found.parameters


def test_the_saved_one_gives_the_same_and_plain_transformers_loads_it(train, tmp_path, tiny_base):
    found = train()
    loaded = load(tmp_path / "model")
    assert isinstance(loaded, FrozenPredictor) and loaded.classes == found.predictor.classes
    np.testing.assert_array_equal(loaded.predict(SHORT_AND_LONG), found.predictor.predict(SHORT_AND_LONG))
    plain, base = AutoModel.from_pretrained(tmp_path / "model"), AutoModel.from_pretrained(tiny_base.folder)
    for name, weight in base.state_dict().items():
        np.testing.assert_array_equal(plain.state_dict()[name].numpy(), weight.numpy())
    assert not [p.name for p in (tmp_path / "model").rglob("*") if p.suffix in (".bin", ".pt", ".pkl", ".pickle", ".py")]


def test_embeddings_are_means_of_tokens_without_padding_and_in_order(tiny_base):
    import torch

    model, tokenizer = read_encoder(tiny_base.folder)
    found = embed(model, tokenizer, SHORT_AND_LONG, 32)
    with torch.inference_mode():
        alone = [
            model(**tokenizer(t, truncation=True, max_length=32, return_tensors="pt")).last_hidden_state[0].mean(0) for t in SHORT_AND_LONG
        ]
    np.testing.assert_allclose(found, np.stack([a.numpy() for a in alone]), atol=1e-5)
    assert embed(model, tokenizer, [], 32).shape == (0, 32)


def test_the_head_is_scikit_learns(train, examples, tiny_base):
    found = train()
    frame = examples().read("train")
    features = embed(*read_encoder(tiny_base.folder), frame["text"].to_list(), 32)
    expected = LogisticRegression(C=100.0, max_iter=200).fit(features, frame["label"].to_numpy())
    np.testing.assert_allclose(found.predictor.coef, expected.coef_, rtol=1e-4, atol=1e-4)


def test_texts_are_read_once(train, tmp_path, monkeypatch):
    first = train()
    monkeypatch.setattr(frozen, "embed", lambda *a: pytest.fail("the texts are read again"))
    again = train(name="again", c=1.0)
    assert (first.facts["embeddings_kept"], again.facts["embeddings_kept"]) == (False, True)


@pytest.mark.parametrize("change", ["length", "rows", "texts", "damage"])
def test_other_texts_lengths_and_damaged_ones_are_read(train, tmp_path, change):
    first = train(max_rows=60)
    files = [p for p in (tmp_path / "cache" / "embeddings").iterdir() if p.suffix != ".json"]
    if change == "damage":
        data = bytearray(files[0].read_bytes())
        data[-1] ^= 1
        files[0].write_bytes(bytes(data))
    lines = [(i, f"{t} prime", n) for i, t, n in rows(150)] if change == "texts" else None
    again = train(lines, "again", max_length=8 if change == "length" else 32, max_rows=50 if change == "rows" else 60)
    assert not again.facts["embeddings_kept"]
    if change == "damage":
        np.testing.assert_array_equal(first.predictor.coef, again.predictor.coef)


def test_several_labels_and_one_that_training_never_saw(train, tmp_path, model):
    import polars as pl

    from flows.training.examples import prepare
    from flows.training.tasks import task_of

    lines = [(i, t, n if int(i[1:]) % 2 else f"{n}|long") for i, t, n in rows(150)]
    frame = pl.DataFrame(lines, schema=["id", "texte", "theme"], orient="row")
    several = prepare(frame.lazy(), task_of(model(answer="several")), ["id"], tmp_path / "e")
    found = train(several=True, found=several)
    assert found.predictor.predict(SHORT_AND_LONG).shape == (len(SHORT_AND_LONG), 4)
    one = train(name="one", max_rows=4)
    unseen = set(range(3)) - set(one.predictor.coef.any(1).nonzero()[0].tolist())
    assert len(unseen) <= 1 and all(one.predictor.predict(SHORT_AND_LONG)[:, label].max() == 0 for label in unseen)


def test_a_max_length_over_what_the_model_can_read(train):
    with pytest.raises(ConfigurationError, match="64 tokens"):
        train(max_length=128)
