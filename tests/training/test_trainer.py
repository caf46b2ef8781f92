"""Fine-tuning a very small BERT: what is trained, what is saved, and whose answers are whose."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from transformers import AutoModelForSequenceClassification

from flows.errors import ConfigurationError, Refused
from flows.models import load
from flows.models.transformer import TransformerPredictor
from flows.project import Budget
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset
from flows.training import trainer
from flows.training.base_models import BaseModel, weights_sha256
from flows.training.tasks import task_of
from tests.conftest import rows
from tests.training import tiny

SHORT_AND_LONG = [" ".join(tiny.WORDS[i % 17] for i in range(n)) for n in (1, 40, 2, 55, 3, 1, 30, 5) * 9]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def train(examples, job_of, model):
    """Trains and saves, as steps/finetune.py does."""

    def run(lines=None, name="model", job=None, block=None, **changes):
        made = job_of(examples(lines), name, job=job, **changes)
        found = trainer.train(task_of(model(**(block or {}))), made)
        found.predictor.save(made.folder)
        return found

    return run


@pytest.fixture
def curve():
    """(points, what to give a job): the loss by step."""
    points = {}

    def log(step, values):
        points.setdefault(step, {}).update(values)

    return points, {"log": log}


def test_it_learns_and_tells_how_far_it_is(train, examples, curve):
    shares, (points, job) = [], curve
    found = train(epochs=14, learning_rate=5e-3, seed=2, job=job | {"advance": shares.append})
    test = examples().read("test")
    assert (found.predictor.predict(test["text"].to_list()).argmax(1) == test["label"].to_numpy()).mean() > 0.8
    assert sum(shares) == pytest.approx(1.0) and len(shares) > 5
    assert found.parameters == found.trained_parameters == sum(p.numel() for p in found.predictor.model.parameters())
    losses = [points[step]["loss"] for step in sorted(points)]
    assert sorted(points) == list(range(1, found.facts["steps"] + 1)), "a point a step"
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2
    assert max(points[s]["learning_rate"] for s in points) == pytest.approx(5e-3)


def test_what_the_manifest_keeps_of_it(train, examples):
    facts = train(epochs=2, batch_size=4, accumulate=2).facts
    rows_there = examples().rows["train"]
    assert facts["steps"] == 2 * -(-rows_there // 8) and facts["epochs"] == 2
    assert (facts["batch_size"], facts["accumulate"], facts["processes"], facts["out_of_memory"]) == (4, 2, 1, 0)
    assert facts["stopped"] is None and facts["resumed_from"] is None and facts["precision"] == "fp32"
    assert facts["tokens"] % 2 == 0 and 2 * rows_there * 3 < facts["tokens"] <= 2 * rows_there * 32
    assert 0 < facts["seconds_a_step"] * facts["steps"] <= facts["seconds"] * 1.01 + 0.01
    json.dumps(facts)


def test_the_saved_one_gives_the_same_probabilities(train, tmp_path):
    predictor = train().predictor
    loaded = load(tmp_path / "model")
    assert loaded.classes == predictor.classes and loaded.classes.labels == ["congé", "contrat", "paie"]
    np.testing.assert_allclose(loaded.predict(SHORT_AND_LONG), predictor.predict(SHORT_AND_LONG), atol=1e-6)
    assert not [p.name for p in (tmp_path / "model").rglob("*") if p.suffix in (".bin", ".pt", ".pkl", ".pickle", ".py")]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["label2id"] == {"congé": 0, "contrat": 1, "paie": 2}


def test_answers_are_in_the_order_of_the_texts_however_long_they_are(train):
    predictor = train().predictor
    together = predictor.predict(SHORT_AND_LONG)
    alone = np.vstack([predictor.predict([text]) for text in SHORT_AND_LONG])
    assert len({tuple(row) for row in alone.round(6).tolist()}) > 3, "the texts can be told apart"
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-5)


def test_no_texts_no_answers(train):
    assert train().predictor.predict([]).shape == (0, 3)


def test_the_same_seed_gives_the_same_weights(train):
    one, same, other = (train(name=name, seed=seed).predictor.predict(SHORT_AND_LONG) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    np.testing.assert_array_equal(one, same)
    assert abs(one - other).max() > 1e-4


@pytest.mark.parametrize(("train_layers", "layers"), [(None, {0, 1, 2}), (0, set()), (1, {2}), (2, {1, 2}), (3, {0, 1, 2})])
def test_freezing_leaves_the_last_layers_and_the_head(tiny_base, train_layers, layers):
    from flows.training.trainable import freeze

    model = AutoModelForSequenceClassification.from_pretrained(tiny_base.folder)
    freeze(model, train_layers)
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {int(n.split("layer.")[1].split(".")[0]) for n in trainable if "encoder.layer." in n} == layers
    assert {n for n in trainable if n.startswith("classifier")} == {"classifier.weight", "classifier.bias"}
    assert any("pooler" in n for n in trainable)
    assert any("embeddings" in n for n in trainable) == (train_layers is None)
    whole = [n for n, _ in model.named_parameters() if any(f"layer.{i}." in n for i in layers)]
    assert set(whole) <= trainable


def test_frozen_weights_do_not_move_and_the_others_do(train, tiny_base):
    from safetensors.numpy import load_file

    found = train(train_layers=1)
    assert 0 < found.trained_parameters < found.parameters
    before = load_file(tiny_base.folder / "model.safetensors")
    after = {n.removeprefix("bert."): v.cpu().numpy() for n, v in found.predictor.model.state_dict().items()}
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


def test_a_model_that_knew_other_labels_gets_a_head_of_its_own(train, tmp_path):
    folder = tiny.make(tmp_path / "seven", head=7)
    found = train(base=BaseModel("path:seven", folder, weights_sha256(folder)))
    assert found.predictor.predict(["salaire"]).shape == (1, 3)


def test_several_labels(tmp_path, job_of, model):
    import polars as pl

    from flows.training.examples import prepare

    lines = [(i, t, n if int(i[1:]) % 2 else f"{n}|long") for i, t, n in rows(150)]
    task = task_of(model(answer="several"))
    frame = pl.DataFrame(lines, schema=["id", "texte", "theme"], orient="row")
    found = trainer.train(task, job_of(prepare(frame.lazy(), task, ["id"], tmp_path / "e"), epochs=3))
    probabilities = found.predictor.predict(SHORT_AND_LONG)
    assert probabilities.shape == (len(SHORT_AND_LONG), 4) and abs(probabilities.sum(1) - 1).max() > 1e-3


# ---- early stopping, budgets, numbers that are none ----------------------------------------------------------------


def test_without_progress_it_stops_and_keeps_the_best(train, curve, monkeypatch):
    """Scores are made up, the weights of each evaluation are not."""
    from flows.training.tasks.text_classification import TextClassificationTask

    scores, seen = iter([0.5, 0.7, 0.6, 0.65, 0.9]), []

    def evaluate(self, answers, frame, labels):
        seen.append(answers.copy())
        return {"macro_f1": {"value": next(scores)}}

    monkeypatch.setattr(TextClassificationTask, "evaluate", evaluate)
    notices, (points, job) = [], curve
    found = train(epochs=9, patience=2, learning_rate=5e-3, job=job | {"notice": notices.append})
    a_step = found.facts["steps"] // 4
    assert (found.facts["stopped"], found.facts["best_step"], found.facts["best_validation"]) == ("patience", 2 * a_step, 0.7)
    assert [points[s]["validation"] for s in sorted(points) if "validation" in points[s]] == [0.5, 0.7, 0.6, 0.65]
    assert len(notices) == 1 and f"étape {2 * a_step}" in notices[0] and "validation" in notices[0]


def test_the_weights_that_are_kept_are_those_of_the_best(examples, train, monkeypatch):
    from flows.training.tasks.text_classification import TextClassificationTask

    scores, seen = iter([0.5, 0.7, 0.6, 0.65]), []

    def evaluate(self, answers, frame, labels):
        seen.append(answers.copy())
        return {"macro_f1": {"value": next(scores)}}

    monkeypatch.setattr(TextClassificationTask, "evaluate", evaluate)
    found = train(epochs=9, patience=2, learning_rate=5e-3)
    now = found.predictor.predict(examples().read("validation")["text"].to_list())
    np.testing.assert_array_equal(now, seen[1])
    assert abs(now - seen[3]).max() > 1e-3


def test_a_metric_that_is_better_when_it_is_lower(train, monkeypatch):
    from flows.training.tasks.text_classification import TextClassificationTask

    scores = iter([0.5, 0.3, 0.4])
    monkeypatch.setattr(TextClassificationTask, "evaluate", lambda self, *a: {"macro_mae": {"value": next(scores)}})
    block = {"answer": "ordered", "order": ["congé", "contrat", "paie"], "promote": {"metric": "macro_mae"}}
    facts = train(epochs=3, patience=5, block=block).facts
    assert facts["best_validation"] == 0.3 and facts["stopped"] is None


def test_a_score_that_does_not_exist_is_no_progress(train, curve, monkeypatch):
    """As the F1 of entities where there is none on the validation side and none is answered."""
    from flows.training.tasks.text_classification import TextClassificationTask

    scores, (_, job) = iter([None, 0.3, None, None]), curve
    monkeypatch.setattr(TextClassificationTask, "evaluate", lambda self, *a: {"macro_f1": {"value": next(scores)}})
    facts = train(epochs=9, patience=2, job=job).facts
    assert (facts["best_validation"], facts["stopped"]) == (0.3, "patience")


def test_a_budget_of_time_stops_at_a_step(train):
    notices = []
    facts = train(epochs=50, job={"budget": Budget(max_minutes=0.005), "notice": notices.append}).facts
    assert facts["stopped"] == "max_minutes" and 0 < facts["steps"] < 50 * 10
    assert len(notices) == 1 and "budget de temps" in notices[0]


def test_a_budget_of_energy(train):
    used = iter(np.arange(0, 1, 0.001))
    facts = train(epochs=50, job={"budget": Budget(max_kwh=0.007), "energy": lambda: next(used)}).facts
    assert facts["stopped"] == "max_kwh" and facts["steps"] == 8


def test_a_loss_that_is_not_a_number_is_refused_with_its_place(train, examples, monkeypatch):
    import torch

    real, calls = torch.nn.functional.cross_entropy, []

    def third_is_none(*arguments, **named):
        calls.extend([1] * torch.is_grad_enabled())
        return real(*arguments, **named) * (float("nan") if len(calls) == 3 else 1.0)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", third_is_none)
    with pytest.raises(Refused, match="not a number") as caught:
        train()
    where = caught.value.where
    assert "step 3," in where and "learning rate" in where and "salaire" not in where and "question" not in where
    orders = {f"{order:.12f}" for order in examples().read("train")["order"].to_list()}
    said = where.split("order: ")[1].split(", ")
    assert len(said) == 8 and set(said) <= orders


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_after_an_evaluation_the_best_is_kept_instead(train, monkeypatch, value):
    import torch

    real, calls = torch.nn.functional.cross_entropy, []

    def later(*arguments, **named):
        calls.extend([1] * torch.is_grad_enabled())
        return real(*arguments, **named) * (value if len(calls) > 20 else 1.0)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", later)
    notices = []
    found = train(epochs=5, patience=9, job={"notice": notices.append})
    assert found.facts["stopped"] == "not_a_number" and found.facts["steps"] == 20 and found.facts["best_step"] <= 20
    assert np.isfinite(found.predictor.predict(SHORT_AND_LONG)).all()
    assert any("étape 21" in n for n in notices)


# ---- memory --------------------------------------------------------------------------------------------------------

CPU_SAYS = "[enforce fail at alloc_cpu.cpp:128] . DefaultCPUAllocator: not enough memory: you tried to allocate 123456 bytes."


def _memory_for(monkeypatch, rows_at_once, error):
    from flows.training.loop import Loop

    real = Loop.training_step

    def step(self, model, inputs, *arguments):
        if len(inputs["labels"]) > rows_at_once and self.state.global_step >= 3:
            raise error()
        return real(self, model, inputs, *arguments)

    monkeypatch.setattr(Loop, "training_step", step)


def _errors():
    import torch

    return [lambda: RuntimeError(CPU_SAYS), MemoryError, lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")]


@pytest.mark.parametrize("error", _errors(), ids=["cpu", "python", "cuda"])
def test_out_of_memory_goes_on_with_smaller_batches_of_the_same_steps(train, monkeypatch, curve, error):
    points, job = curve
    whole = dict(points) if train(name="whole", job=job) and points else {}
    whole = {step: values["loss"] for step, values in whole.items()}
    points.clear()
    _memory_for(monkeypatch, 3, error)
    notices = []
    facts = train(job=job | {"notice": notices.append}).facts
    assert (facts["batch_size"], facts["accumulate"], facts["out_of_memory"], facts["steps"]) == (2, 4, 2, len(whole))
    assert len(notices) == 2 and all("étape 4" in n for n in notices)
    assert sorted(points) == sorted(whole), "no step twice, none left out"
    assert [points[s]["loss"] for s in (1, 2, 3)] == [whole[s] for s in (1, 2, 3)]
    np.testing.assert_allclose([points[s]["loss"] for s in sorted(whole)], list(whole.values()), rtol=0.2)


def test_with_one_row_at_a_time_it_is_refused(train, monkeypatch):
    _memory_for(monkeypatch, 0, MemoryError)
    with pytest.raises(Refused, match="memory ran out at step 4") as caught:
        train()
    assert "max_length" in caught.value.hint and "mémoire" in caught.value.french


def test_another_error_is_not_taken_for_a_lack_of_memory(train, monkeypatch):
    _memory_for(monkeypatch, 0, lambda: RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        train()


def test_half_of_a_batch():
    from flows.training.memory import halved

    found = [(16, 1)]
    while (smaller := halved(*found[-1])) is not None:
        found.append(smaller)
    assert found == [(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)]
    assert halved(5, 2) == (2, 5) and halved(7, 1) == (1, 7) and halved(1, 3) is None
    assert all(a * b == c * d for (a, b), (c, d) in pairwise(found))


# ---- in a run ------------------------------------------------------------------------------------------------------


def test_candidates_of_one_run_each_train_on_their_own_rows(root, edit, tiny_base, monkeypatch):
    """Token files of one candidate must not be taken for those of the next."""
    form = "{{base_model: 'path:{}', epochs: 1, max_length: 32, max_rows: {}, learning_rate: 1.0e-3}}"
    edit("candidates: [tfidf]", f"candidates: [{form.format(tiny_base.folder, 10)}, {form.format(tiny_base.folder, 30)}]")
    seen, own = [], trainer.tokenised
    monkeypatch.setattr(trainer, "tokenised", lambda *arguments: seen.append(own(*arguments)) or seen[-1])
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        outcome = finetune_model(run, "theme")
        assert [len(tokens) for tokens, _ in seen] == [10, 30]
    assert [v.candidate["kind"] for v in outcome.versions] == ["tfidf", "transformer", "transformer"]
    assert outcome.versions[1].base_model["sha256"] == tiny_base.sha256
    assert outcome.versions[1].training["steps"] == 1 and outcome.versions[2].training["steps"] == 2


def test_a_predictor_truncates_what_is_too_long(train, tmp_path):
    train()
    loaded = load(tmp_path / "model")
    assert isinstance(loaded, TransformerPredictor) and loaded.max_length == 32
    assert np.isfinite(loaded.predict([" ".join(tiny.WORDS * 50)])).all()
