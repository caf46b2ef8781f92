"""The pre-flight: what it estimates, what it refuses, and that it leaves no trace in the training that follows."""

from __future__ import annotations

import doctest
import random

import numpy as np
import pytest
import torch

from flows.errors import Refused
from flows.project import Budget, FrozenCandidate
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset
from flows.texts import summary
from flows.training import estimate as estimates
from flows.training import preflight, resources, tracking, trainer
from flows.training.checkpoints import Checkpoints
from flows.training.estimate import Estimate
from flows.training.tasks import task_of

pytestmark = pytest.mark.usefixtures("one_thread")
GIB = 2**30


@pytest.fixture
def estimate(examples, job_of, model):
    def made(name="estimate", job=None, **changes):
        return preflight.estimate(task_of(model()), job_of(examples(), name, job=job, **changes))

    return made


def _limit(monkeypatch, limit):
    monkeypatch.setattr(resources, "memory_limit", lambda: limit)


def test_examples_of_how_it_is_said():
    assert doctest.testmod(estimates).attempted >= 3 and not doctest.testmod(estimates).failed
    assert doctest.testmod(tracking).attempted >= 2 and not doctest.testmod(tracking).failed


def test_it_tells_how_many_steps_and_something_of_everything_else(estimate):
    found = estimate(epochs=2)
    assert found.steps == 2 * 12 and found.timed_steps >= 5  # 90 rows to train on, in batches of 8
    assert 0 < found.seconds < 600 and 0 < found.memory_bytes < found.memory_limit and 0 < found.disk_bytes < found.disk_free
    said = estimates.told(found)
    assert "24 étapes" in said and "de mémoire" in said and "de disque" in said


def test_time_grows_with_epochs(estimate):
    once, often = estimate("a", epochs=1), estimate("b", epochs=40)
    assert often.steps == 40 * once.steps and often.seconds > 4 * once.seconds


def test_the_training_that_follows_is_the_same_bit_for_bit(examples, job_of, model):
    task, rows = task_of(model()), examples()
    trained = trainer.train(task, job_of(rows, "without", epochs=2))
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    job = job_of(rows, "with", epochs=2)
    assert preflight.estimate(task, job).timed_steps
    assert random.getstate() == before[0] and np.array_equal(np.random.get_state()[1], before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    again = trainer.train(task, job)
    one, other = (t.predictor.model.state_dict() for t in (trained, again))
    assert one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_training_goes_on_with_the_tokens_of_the_estimate(examples, job_of, model):
    from flows.training.tokens import tokenised

    task, job = task_of(model()), job_of(examples(), "tokens")
    preflight.estimate(task, job)
    tokenizer = trainer.AutoTokenizer.from_pretrained(job.base.folder)
    assert tokenised(task, job, tokenizer)[1]


def test_embeddings_are_estimated_too_and_cheap_candidates_are_not(examples, job_of, model):
    from flows.project import TfidfCandidate

    task, job = task_of(model()), job_of(examples(), "frozen")
    job.candidate = FrozenCandidate(base_model="path:tiny", max_length=32)
    found = preflight.estimate(task, job)
    assert found.steps == 3 and found.seconds > 0  # 90 rows, 32 at once
    job.candidate = TfidfCandidate()
    assert preflight.estimate(task, job) is None


# ---- what cannot fit -----------------------------------------------------------------------------------------------


def test_weights_that_do_not_fit_are_refused_before_they_are_loaded(estimate, monkeypatch):
    _limit(monkeypatch, 1_000)
    monkeypatch.setattr(preflight, "_training", lambda *a: pytest.fail("it was loaded"))
    with pytest.raises(Refused, match="GB of memory") as caught:
        estimate()
    assert "mémoire" in caught.value.french and "execution.memory_gb" in caught.value.hint


def test_a_batch_that_does_not_fit_is_refused_before_it_is_tried_and_one_that_would_is_named(estimate, monkeypatch):
    monkeypatch.setattr(preflight, "_time", lambda *a, **k: pytest.fail("it was tried"))
    monkeypatch.setattr(preflight, "_kept_for_backward", lambda *a: 10_000_000_000)
    _limit(monkeypatch, 25_000_000_000)
    with pytest.raises(Refused) as caught:
        estimate(batch_size=8)
    assert "batch_size: 2 " in caught.value.hint and "batches of 8" in caught.value.where


def test_what_a_row_keeps_for_the_backward_pass_grows_with_its_length(tiny_base):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_base.folder)

    def kept(rows, length):
        ids = torch.ones(rows, length, dtype=torch.long)
        return preflight._kept_for_backward(model, {"input_ids": ids, "labels": torch.zeros(rows, dtype=torch.long)}, "fp32")

    assert kept(1, 60) > 3 * kept(1, 15) and 3.5 < kept(4, 30) / kept(1, 30) < 4.5
    hidden = 32 * 30 * 4  # bytes of one hidden state of 30 tokens
    assert kept(1, 30) > 10 * hidden


def test_memory_that_is_estimated_is_about_what_is_taken(examples, job_of, model):
    """Of a model of 20 MB, with batches that keep more than that."""
    from transformers import BertConfig, BertModel

    from flows.training.base_models import BaseModel, weights_sha256
    from flows.training.resources import Peak
    from tests.training import tiny

    job = job_of(examples([(f"d{i}", " ".join(tiny.WORDS * 3), "ab"[i % 2]) for i in range(300)]), "big", batch_size=64, max_length=64)
    folder = job.work / "base"
    tiny.make(folder)
    config = BertConfig(vocab_size=60, hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=1024)
    BertModel(config).save_pretrained(folder)
    job.base = BaseModel("path:big", folder, weights_sha256(folder))
    task = task_of(model())
    found = preflight.estimate(task, job)
    with Peak() as peak:
        trainer.train(task, job)
    assert 0.6 < found.memory_bytes / peak.bytes < 1.7


def test_a_disk_that_is_full_is_refused(estimate, monkeypatch):
    monkeypatch.setattr(resources, "disk_free", lambda folder: 1_000)
    with pytest.raises(Refused, match="GB of disk") as caught:
        estimate()
    assert "disque" in caught.value.french


def test_checkpoints_and_the_best_take_disk(estimate, tmp_path):
    plain = estimate("a").disk_bytes
    kept = estimate("b", job={"checkpoints": Checkpoints(None, "m", "f")}, patience=2).disk_bytes
    assert kept == pytest.approx(6 * plain, rel=0.01)


def test_memory_of_a_container(tmp_path):
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    (groups / "pod" / "run").mkdir(parents=True)
    (groups / "pod" / "memory.max").write_text("2147483648\n")
    (groups / "pod" / "run" / "memory.max").write_text("max\n")
    own.write_text("0::/pod/run\n")
    assert resources.memory_limit(groups, own) == 2 * GIB
    (groups / "pod" / "run" / "memory.max").write_text("1073741824\n")
    assert resources.memory_limit(groups, own) == GIB
    (groups / "memory").mkdir()
    (groups / "memory" / "memory.limit_in_bytes").write_text("536870912\n")
    own.write_text("12:cpu,cpuacct:/x\n5:memory:/of/the/host\n")
    assert resources.memory_limit(groups, own) == GIB // 2
    own.write_text("")
    assert resources.memory_limit(groups, own) > 2 * GIB


# ---- in a run ------------------------------------------------------------------------------------------------------

LONG = Estimate(7200.0, 100, 10**9, 10**10, 10**8, 10**10, kwh=0.5, co2_kg=0.03)


def test_more_than_the_budget_is_said():
    assert estimates.notices(LONG, Budget(), "m") == [] and estimates.notices(LONG, Budget(max_minutes=121, max_kwh=1), "m") == []
    said = estimates.notices(LONG, Budget(max_minutes=10, max_kwh=0.1), "m")
    assert len(said) == 2 and "2 h 0 min" in said[0] and "10 min" in said[0] and "0,50 kWh" in said[1] and "0,10 kWh" in said[1]
    assert LONG.times(3).seconds == 21_600 and LONG.times(3).kwh == pytest.approx(1.5)


def test_a_run_keeps_what_was_expected_beside_what_it_took(root, edit, tiny_base, monkeypatch):
    """Over the budget: said beforehand, trained within it, and in the manifest, the summary and the card."""
    form = f"{{base_model: 'path:{tiny_base.folder}', epochs: 400, max_length: 32}}"
    edit("candidates: [tfidf]", f"candidates: [{form}]\n    budget: {{max_minutes: 0.02, max_kwh: 5}}")
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        outcome = finetune_model(run, "theme")
        cheap, dear = outcome.versions
        was, took = dear.training["estimated"], dear.training["took"]
        assert "estimated" not in cheap.training and cheap.training["took"]["seconds"] < took["seconds"]
        assert was["seconds"] > 1.2 and was["memory_gb"] > 0 and took["memory_gb"] > 0 and took["disk_gb"] > 0
        assert dear.training["stopped"] == "max_minutes"
        for version in outcome.versions:
            assert version.cost["energy_kwh"] == version.training["took"]["energy_kwh"] > 0 and version.cost["co2_kg"] > 0
        notices = dear.training["notices"]
        assert "plus que son budget" in notices[0] and "budget de temps" in notices[1]
        text = summary.model_text(run, outcome)
        assert notices[0].split(",")[1] in text and "prévus" in text and "Wh" in text
        card = (run.work / "models" / "theme" / "1" / "README.md").read_text("utf-8")
        assert "CodeCarbon" in card
        before = summary.estimate_text(run, "theme", "tiny", LONG)
        assert "2 h 0 min" in before and "**À savoir**" in before
