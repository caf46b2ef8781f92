"""Attention during a training: the same figures as transformers', without dropout of its weights; what is saved knows nothing of it."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaConfig, LlamaForCausalLM

from flows.training import attention
from flows.training.trainable import freeze

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 60}


@pytest.fixture(params=["bert", "llama"])
def pair(request, tiny_base, tmp_path):
    """(a model that attends as transformers does, the same one as Socle trains it, a padded batch)."""
    torch.manual_seed(1)
    if request.param == "bert":
        kind, own = AutoModelForSequenceClassification, AutoModelForSequenceClassification.from_pretrained(tiny_base.folder)
    else:
        kind, own = AutoModelForCausalLM, LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=2))
    own.save_pretrained(tmp_path / "own")  # a new head as well
    theirs, ours = (kind.from_pretrained(tmp_path / "own") for _ in range(2))
    attention.use(ours)
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[1, 4:] = 0
    ids = torch.randint(5, 30, (3, 9))
    labels = torch.tensor([0, 1, 0]) if request.param == "bert" else ids.masked_fill(mask == 0, -100)
    return theirs, ours, {"input_ids": ids, "attention_mask": mask, "labels": labels}


def without_dropout(model):
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return model


def gradients(model, batch, low):
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        loss = model(**batch).loss
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_what_it_gives_is_what_transformers_gives(pair):
    theirs, ours, batch = pair
    assert ours.config._attn_implementation == attention.NAME
    for low in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=low):
            torch.testing.assert_close(ours.eval()(**batch).logits, theirs.eval()(**batch).logits, rtol=0, atol=0)


@pytest.mark.parametrize("low", [False, True], ids=["fp32", "bf16"])
def test_gradients_are_those_of_transformers(pair, low):
    theirs, ours, batch = pair
    found, exact = gradients(without_dropout(ours).train(), batch, low), gradients(without_dropout(theirs).train(), batch, False)
    assert found.keys() == exact.keys()
    for name, gradient in exact.items():
        largest = gradient.abs().max().item()
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=(0.05 * largest + 1e-4) if low else 1e-6)


def test_the_layers_that_learn_compute_it_in_fp32_and_the_others_in_bf16(tiny_base, monkeypatch):
    seen = []
    own = attention.sdpa_attention_forward
    monkeypatch.setattr(attention, "sdpa_attention_forward", lambda m, q, *a, **k: (seen.append(q.dtype), own(m, q, *a, **k))[1])
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base.folder)
    attention.use(model)
    freeze(model, 1)
    gradients(model.train(), {"input_ids": torch.randint(5, 30, (2, 7)), "labels": torch.tensor([0, 1])}, low=True)
    assert seen == [torch.bfloat16, torch.bfloat16, torch.float32]


def test_no_dropout_of_attention_nor_in_layers_that_do_not_learn(tiny_base):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base.folder)
    attention.use(model)
    freeze(model, 1)
    batch = {"input_ids": torch.randint(5, 30, (2, 7)), "output_hidden_states": True}
    first, second = (model.train()(**batch).hidden_states for _ in range(2))
    assert [torch.equal(a, b) for a, b in zip(first, second, strict=True)] == [True, True, True, False]
    dropped = [part for part in model.bert.encoder.layer[-1].modules() if isinstance(part, torch.nn.Dropout)]
    for part in set(dropped) - {model.bert.encoder.layer[-1].attention.self.dropout}:
        part.p = 0.0
    first, second = (model.train()(**batch).hidden_states for _ in range(2))
    assert torch.equal(first[-1], second[-1]), "that of attention weights is set, and not applied"


def test_what_is_saved_is_a_plain_model(pair, tmp_path):
    theirs, ours, batch = pair
    ours.save_pretrained(tmp_path / "saved")
    assert attention.NAME not in (tmp_path / "saved" / "config.json").read_text(encoding="utf-8")
    plain = type(theirs).from_pretrained(tmp_path / "saved")
    assert plain.config._attn_implementation == "sdpa"
    with torch.no_grad():
        assert torch.equal(plain.eval()(**batch).logits, theirs.eval()(**batch).logits)


def test_a_model_that_attends_in_another_way_is_left_alone(tiny_base):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base.folder, attn_implementation="eager")
    attention.use(model)
    assert model.config._attn_implementation == "eager"
