"""Fine-tuning a very small BERT: what is trained, what is saved, and whose answers are whose."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flows.errors import ConfigurationError, Refused
from flows.models import load
from flows.models.transformer import TransformerPredictor
from flows.project import TransformerCandidate
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset
from flows.training.base_models import BaseModel, weights_sha256
from tests.conftest import rows
from tests.training import tiny

SHORT_AND_LONG = [" ".join(tiny.WORDS[i % 17] for i in range(n)) for n in (1, 40, 2, 55, 3, 1, 30, 5) * 9]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tiny.make(tmp_path_factory.mktemp("tiny") / "model")
    return BaseModel("path:tiny", folder, weights_sha256(folder))


@pytest.fixture(autouse=True)
def _one_thread():
    """So small a model is only slowed down by threads that wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def candidate(**changes) -> TransformerCandidate:
    fields = {"base_model": "path:tiny", "epochs": 1, "max_length": 32, "batch_size": 8, "learning_rate": 1e-3}
    return TransformerCandidate.model_validate(fields | changes)


@pytest.fixture
def train(examples, base, tmp_path):
    from flows.training import trainer

    def run(lines=None, advance=lambda share: None, name="model", **changes):
        folder, work = tmp_path / name, tmp_path / f"{name}-work"
        work.mkdir()
        return trainer.train(candidate(**changes), base, examples(lines), folder, work, advance)

    return run


def test_it_learns_and_tells_how_far_it_is(train, examples):
    shares = []
    predictor, parameters = train(epochs=14, learning_rate=5e-3, advance=shares.append)
    texts, truth = examples().read("test")
    assert (predictor.predict(texts).argmax(1) == truth).mean() > 0.8
    assert sum(shares) == pytest.approx(1.0) and len(shares) > 5
    assert parameters == sum(p.numel() for p in predictor.model.parameters())


def test_the_saved_one_gives_the_same_probabilities(train, tmp_path):
    predictor, _ = train()
    loaded = load(tmp_path / "model")
    assert loaded.labels == predictor.labels == ["congé", "contrat", "paie"]
    np.testing.assert_allclose(loaded.predict(SHORT_AND_LONG), predictor.predict(SHORT_AND_LONG), atol=1e-6)
    assert not [p.name for p in (tmp_path / "model").rglob("*") if p.suffix in (".bin", ".pt", ".pkl", ".pickle", ".py")]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["label2id"] == {"congé": 0, "contrat": 1, "paie": 2}


def test_answers_are_in_the_order_of_the_texts_however_long_they_are(train):
    predictor, _ = train()
    together = predictor.predict(SHORT_AND_LONG)
    alone = np.vstack([predictor.predict([text]) for text in SHORT_AND_LONG])
    assert len({tuple(row) for row in alone.round(6).tolist()}) > 3, "the texts can be told apart"
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-5)


def test_no_texts_no_answers(train):
    assert train()[0].predict([]).shape == (0, 3)


def test_the_same_seed_gives_the_same_weights(train):
    one, same, other = (train(name=name, seed=seed)[0].predict(SHORT_AND_LONG) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    np.testing.assert_allclose(one, same, atol=1e-5)
    assert abs(one - other).max() > 1e-4


@pytest.mark.parametrize(("train_layers", "layers"), [(None, {0, 1, 2}), (0, set()), (1, {2}), (2, {1, 2}), (3, {0, 1, 2})])
def test_freezing_leaves_the_last_layers_and_the_head(base, train_layers, layers):
    from transformers import AutoModelForSequenceClassification

    from flows.training.trainer import freeze

    model = AutoModelForSequenceClassification.from_pretrained(base.folder)
    freeze(model, train_layers)
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {int(n.split("layer.")[1].split(".")[0]) for n in trainable if "encoder.layer." in n} == layers
    assert {n for n in trainable if n.startswith("classifier")} == {"classifier.weight", "classifier.bias"}
    assert any("pooler" in n for n in trainable)
    assert any("embeddings" in n for n in trainable) == (train_layers is None)
    whole = [n for n, _ in model.named_parameters() if any(f"layer.{i}." in n for i in layers)]
    assert set(whole) <= trainable


def test_frozen_weights_do_not_move_and_the_others_do(train, base):
    from safetensors.numpy import load_file

    predictor, _ = train(train_layers=1)
    before = load_file(base.folder / "model.safetensors")
    after = {n.removeprefix("bert."): v.cpu().numpy() for n, v in predictor.model.state_dict().items()}
    moved = {n for n, v in before.items() if not np.array_equal(v, after[n])}
    assert moved and not [n for n in moved if "embeddings" in n or "layer.0." in n or "layer.1." in n]
    assert any("layer.2." in n for n in moved)


def test_more_layers_than_there_are(train):
    with pytest.raises(ConfigurationError, match="has 3 layers") as caught:
        train(train_layers=4)
    assert caught.value.exit_code == 2


def test_a_max_length_over_what_the_model_can_read_is_a_clear_error(train):
    """The tiny model has 64 positions; longer texts must not end in an IndexError of torch."""
    long = [(i, " ".join([t] * 30), n) for i, t, n in rows(60)]
    with pytest.raises(ConfigurationError, match="max_length"):
        train(long, max_length=128)


def test_a_model_that_knew_other_labels_gets_a_head_of_its_own(examples, tmp_path):
    from flows.training import trainer

    folder = tiny.make(tmp_path / "seven", head=7)
    base = BaseModel("path:seven", folder, weights_sha256(folder))
    predictor, _ = trainer.train(candidate(), base, examples(), tmp_path / "model", tmp_path, lambda share: None)
    assert predictor.predict(["salaire"]).shape == (1, 3)


def test_a_loss_that_is_not_a_number_is_refused(train, monkeypatch):
    from transformers import Trainer
    from transformers.trainer_utils import TrainOutput

    monkeypatch.setattr(Trainer, "train", lambda self: TrainOutput(1, float("nan"), {}))
    with pytest.raises(Refused, match="not a number"):
        train()


def test_padding_goes_to_the_longest_of_the_batch_only(base, examples, tmp_path):
    from transformers import AutoTokenizer

    from flows.training.trainer import tokenised

    tokens = tokenised(candidate(max_length=16, max_rows=20), examples(), AutoTokenizer.from_pretrained(base.folder), tmp_path)
    assert len(tokens) == 20
    assert tokens["length"] == [len(ids) for ids in tokens["input_ids"]]
    assert max(tokens["length"]) <= 16 and len(set(tokens["length"])) > 1
    assert set(tokens.column_names) >= {"input_ids", "attention_mask", "labels"} and "text" not in tokens.column_names


def test_candidates_of_one_run_each_train_on_their_own_rows(root, edit, base, monkeypatch):
    """Token files of one candidate must not be taken for those of the next."""
    from flows.training import trainer

    form = "{{base_model: 'path:{}', epochs: 1, max_length: 32, max_rows: {}, learning_rate: 1.0e-3}}"
    edit("candidates: [tfidf]", f"candidates: [{form.format(base.folder, 10)}, {form.format(base.folder, 30)}]")
    seen, own = [], trainer.tokenised
    monkeypatch.setattr(trainer, "tokenised", lambda *arguments: seen.append(own(*arguments)) or seen[-1])
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        outcome = finetune_model(run, "theme")
        assert [len(tokens) for tokens in seen] == [10, 30]
    assert [v.candidate["kind"] for v in outcome.versions] == ["tfidf", "transformer", "transformer"]
    assert outcome.versions[1].base_model["sha256"] == base.sha256


def test_a_predictor_truncates_what_is_too_long(train, tmp_path):
    train()
    loaded = load(tmp_path / "model")
    assert isinstance(loaded, TransformerPredictor) and loaded.max_length == 32
    assert np.isfinite(loaded.predict([" ".join(tiny.WORDS * 50)])).all()
