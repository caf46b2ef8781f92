"""Language models: masked words and answers, on models of a few thousand weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from flows.errors import ConfigurationError
from flows.models import load
from flows.models.language import IGNORED, conversation
from flows.project import CausalLanguageModel, MaskedLanguageModel
from flows.training.base_models import BaseModel
from flows.training.examples import Examples, prepare
from flows.training.tasks import task_of
from flows.training.tasks.base import Job, Task
from flows.training.tasks.causal_lm import TEMPLATE
from tests.conftest import rows
from tests.training.tiny import WORDS, make

SPLIT = {"validation": 0.2, "test": 0.2}
COMMON = {"title": "t", "dataset": "d", "split": SPLIT}


def llama(folder: Path, template: bool = False) -> Path:
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<unk>", "</s>", "<pad>", "###", "system", "user", "assistant", *WORDS, *(str(n) for n in range(200))]
    inner = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = "{% for m in messages %}user {{ m['content'] }}{% endfor %} {{ messages | length }}" if template else None
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **sizes, max_position_embeddings=128)).save_pretrained(folder)
    return folder


def prepared(model: Any, frame: pl.DataFrame, folder: Path) -> tuple[Task, Examples]:
    task = task_of(model)
    return task, prepare(frame.lazy(), task, ["id"], folder)


def job(candidate: Any, examples: Examples, base: Path, folder: Path) -> Job:
    for name in ("model", "work", "cache"):
        (folder / name).mkdir(parents=True)
    return Job(candidate, examples, folder / "model", folder / "work", folder / "cache", BaseModel("path:tiny", base, "0" * 64))


def trained(task: Task, examples: Examples, base: Path, folder: Path, kind: str):
    (candidate,) = [c for c in task.model.all_candidates if c.kind == kind]
    return task.trainer(candidate)(job(candidate, examples, base, folder / kind)).predictor


def texts() -> pl.DataFrame:
    return pl.DataFrame(rows(150), schema=["id", "texte", "theme"], orient="row")


def masked() -> MaskedLanguageModel:
    learned = {"base_model": "path:tiny", "epochs": 6, "max_length": 16, "learning_rate": 5e-3}
    return MaskedLanguageModel.model_validate(COMMON | {"task": "masked-lm", "inputs": ["texte"], "candidates": [learned]})


def causal(**changes: Any) -> CausalLanguageModel:
    learned = {"base_model": "path:tiny", "epochs": 6, "max_length": 48, "learning_rate": 1e-2} | changes.pop("candidate", {})
    fields = {"task": "causal-lm", "prompt": "texte", "answer": "theme", "candidates": [learned]}
    return CausalLanguageModel.model_validate(COMMON | fields | changes)


def test_reading_a_ministry_s_texts_makes_its_words_less_surprising(tmp_path):
    task, examples = prepared(masked(), texts(), tmp_path / "examples")
    base = make(tmp_path / "base")
    scores = {}
    for kind in ("pretrained", "transformer"):
        predictor = trained(task, examples, base, tmp_path, kind)
        test = examples.read("test")
        scores[kind] = task.evaluate(task.predict(predictor, test), test, [])
    before, after = (scores[kind]["perplexity"] for kind in ("pretrained", "transformer"))
    assert after["value"] < 0.7 * before["value"] and after["low"] <= after["value"] <= after["high"]
    assert scores["pretrained"]["tokens"] == scores["transformer"]["tokens"] > 0, "the same words are hidden"
    predictor.save(tmp_path / "transformer" / "model")
    again = load(tmp_path / "transformer" / "model")
    np.testing.assert_allclose(task.predict(again, test), task.predict(predictor, test), rtol=1e-5)
    found = task.paired(task.predict(again, test), task.predict(again, test), test, [])
    assert found.difference == 0


def test_a_long_text_is_read_to_its_end(tmp_path):
    from transformers import AutoTokenizer

    from flows.models.language import windows

    tokenizer = AutoTokenizer.from_pretrained(make(tmp_path / "base"))
    text = " ".join(WORDS[i % len(WORDS)] for i in range(100))
    found = windows(tokenizer, [text, "", "paie"], 16)
    assert [len(f) for f in found] == [math.ceil(100 / 14), 1, 1]
    inside = [t for ids in found[0] for t in ids if t not in tokenizer.all_special_ids]
    assert tokenizer.decode(inside) == text


@pytest.mark.parametrize("packing", [True, False])
def test_it_learns_to_answer(tmp_path, packing):
    pytest.importorskip("trl")
    task, examples = prepared(causal(packing=packing), texts(), tmp_path / "examples")
    base = llama(tmp_path / "base")
    test = examples.read("test")
    before = task.evaluate(task.predict(trained(task, examples, base, tmp_path, "pretrained"), test), test, [])
    predictor = trained(task, examples, base, tmp_path, "transformer")
    after = task.evaluate(task.predict(predictor, test), test, [])
    assert after["perplexity"]["value"] < 0.1 * before["perplexity"]["value"] and after["token_accuracy"]["value"] > 0.8
    predictor.save(tmp_path / "transformer" / "model")
    again = load(tmp_path / "transformer" / "model")
    messages = json.loads(test["messages"][0])
    assert again.answer(messages[:-1], 4).split()[0] in ("congé", "contrat", "paie")


def test_packed_examples_are_estimated(tmp_path):
    """Their batches also hold what is no tensor."""
    from flows.training import preflight

    task, examples = prepared(causal(), texts(), tmp_path / "e")
    (candidate,) = [c for c in task.model.all_candidates if c.kind == "transformer"]
    found = preflight.estimate(task, job(candidate, examples, llama(tmp_path / "base"), tmp_path / "j"))
    assert found is not None and found.steps > 0 and found.timed_steps > 0


def test_examples_that_share_a_sequence_do_not_see_each_other(tmp_path):
    """The loss of packed examples is that of the same examples alone, and a token of one changes nothing for the next."""
    pytest.importorskip("trl")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = llama(tmp_path / "base")
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base).eval()
    task, examples = prepared(causal(), texts(), tmp_path / "examples")
    what = job(task.model.all_candidates[1], examples, base, tmp_path / "job")
    batch = {"messages": examples.read("train")["messages"].to_list()[:9]}
    packed = task.encode(what, tokenizer)(batch)
    assert len(packed["input_ids"]) < 9
    inputs = task.collator(what, tokenizer)([dict(zip(packed, row, strict=True)) for row in zip(*packed.values(), strict=True)])
    with torch.no_grad():
        logits = model(**{name: value for name, value in inputs.items() if name != "labels"}).logits
    wanted = inputs["labels"][:, 1:].reshape(-1)
    losses = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), wanted, ignore_index=IGNORED, reduction="sum")
    alone = task.predictor(what, model, tokenizer).predict([json.loads(m) for m in batch["messages"]])
    assert alone[:, 1].sum() == (wanted != IGNORED).sum()
    assert float(losses) == pytest.approx(alone[:, 0].sum(), rel=1e-5)


def test_only_answers_are_learned_and_long_prompts_lose_their_beginning(tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(llama(tmp_path / "base"))
    tokenizer.chat_template = TEMPLATE
    talk = [{"role": "user", "content": " ".join(map(str, range(60)))}, {"role": "assistant", "content": "congé"}]
    ids, labels = conversation(tokenizer, talk, 128)
    said = [t for t, label in zip(ids, labels, strict=True) if label != IGNORED]
    assert tokenizer.decode(said).split() == ["congé", "</s>"]
    short, wanted = conversation(tokenizer, talk, 16)
    assert len(short) == 16 and short == ids[-16:] and [w for w in wanted if w != IGNORED] == said
    _, labels = conversation(tokenizer, [*talk, {"role": "user", "content": "1"}, {"role": "assistant", "content": "paie"}], 128)
    assert sum(label != IGNORED for label in labels) == 4


def test_a_template_that_rewrites_what_was_said_is_refused(tmp_path):
    pytest.importorskip("trl")
    from transformers import AutoTokenizer

    base = llama(tmp_path / "base", template=True)
    task, examples = prepared(causal(), texts(), tmp_path / "examples")
    encode = task.encode(job(task.model.all_candidates[1], examples, base, tmp_path / "job"), AutoTokenizer.from_pretrained(base))
    with pytest.raises(ConfigurationError, match="rewrites"):
        encode({"messages": examples.read("train")["messages"].to_list()[:2]})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "without_text"),
        (" ", "without_text"),
        ("bonjour", "not_a_conversation"),
        ("[]", "not_a_conversation"),
        ('[{"role": "user", "content": "x"}]', "not_a_conversation"),
        ('[{"role": "user"}, {"role": "assistant", "content": "y"}]', "not_a_conversation"),
        ('[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]', None),
    ],
)
def test_what_is_no_conversation_is_left_out(text, why):
    model = causal(prompt=None, answer=None, messages="m", system="Sois bref.")
    found = task_of(model).examples(pl.DataFrame({"m": [text]}, schema={"m": pl.String}))
    assert found["left_out"][0] == why
    if why is None:
        assert json.loads(found["messages"][0])[0] == {"role": "system", "content": "Sois bref."}
