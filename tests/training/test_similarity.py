"""Texts that mean the same: pairs are learned, answers are found, and what is saved is what was trained."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from flows.models import load
from flows.project import TextSimilarity
from flows.training.base_models import BaseModel
from flows.training.examples import prepare
from flows.training.tasks import task_of
from flows.training.tasks.base import Job
from tests.training.tiny import WORDS, make

FRENCH = dict(zip(WORDS[:8], WORDS[8:16], strict=True))  # what each word of a query is called in its answer


def frame(count: int = 240) -> pl.DataFrame:
    draw = random.Random(4)
    found = []
    for number in range(count):
        words = draw.sample(list(FRENCH), 3)
        found.append((str(number), " ".join(words), " ".join(FRENCH[w] for w in words), " ".join(draw.sample(list(FRENCH.values()), 3))))
    return pl.DataFrame(found, schema=["id", "q", "a", "n"], orient="row").unique("q", maintain_order=True)


def model(*candidates: Any, **changes: Any) -> TextSimilarity:
    split = {"validation": 0.2, "test": 0.2}
    fields = {"title": "t", "task": "text-similarity", "dataset": "d", "query": "q", "answer": "a", "split": split}
    return TextSimilarity.model_validate(fields | {"candidates": list(candidates) or ["tfidf"]} | changes)


def run(declared: TextSimilarity, kind: str, folder: Path, table: pl.DataFrame | None = None) -> tuple[Any, Any, pl.DataFrame, Path]:
    task = task_of(declared)
    examples = prepare((frame() if table is None else table).lazy(), task, ["id"], folder / "examples")
    (candidate,) = [c for c in declared.all_candidates if c.kind == kind]
    base = None
    if kind != "tfidf":
        base = BaseModel("path:tiny", folder / "base" if (folder / "base").is_dir() else make(folder / "base"), "0" * 64)
    places = [folder / kind / name for name in ("model", "work", "cache")]
    for place in places:
        place.mkdir(parents=True)
    predictor = task.trainer(candidate)(Job(candidate, examples, *places, base)).predictor
    return task, predictor, examples.read("test"), places[0]


def scores(task: Any, predictor: Any, test: pl.DataFrame) -> dict[str, Any]:
    return task.evaluate(task.predict(predictor, test), test, [])


@pytest.mark.parametrize(
    "more", [{}, {"lora": {"r": 8, "alpha": 16}, "learning_rate": 2e-2}, {"train_layers": 1}], ids=["all", "lora", "last layer"]
)
def test_pairs_are_learned(tmp_path, more):
    pytest.importorskip("sentence_transformers")
    learned = {"base_model": "path:tiny", "epochs": 15, "max_length": 16, "learning_rate": 5e-3, "batch_size": 32} | more
    declared = model({"kind": "pretrained", "base_model": "path:tiny", "max_length": 16}, learned)
    task, before, test, _ = run(declared, "pretrained", tmp_path)
    _, after, _, folder = run(declared, "transformer", tmp_path)
    old, new = scores(task, before, test), scores(task, after, test)
    assert new["mrr"]["value"] > old["mrr"]["value"] + 0.2 and new["mrr"]["low"] <= new["mrr"]["value"] <= new["mrr"]["high"]
    found = task.paired(task.predict(after, test), task.predict(before, test), test, [])
    assert found.difference == pytest.approx(new["mrr"]["value"] - old["mrr"]["value"]) and found.low > 0
    after.save(folder)
    texts = test["query"].to_list()
    np.testing.assert_allclose(load(folder).embed(texts), after.embed(texts), atol=1e-5)
    assert not [p for p in folder.rglob("*") if p.suffix in (".bin", ".pt", ".pkl")]


def test_a_version_is_a_folder_of_plain_transformers(tmp_path):
    """The mean over its tokens, as its card says."""
    pytest.importorskip("sentence_transformers")
    import torch
    from transformers import AutoModel, AutoTokenizer

    _, predictor, test, folder = run(model({"kind": "pretrained", "base_model": "path:tiny", "max_length": 16}), "pretrained", tmp_path)
    predictor.save(folder)
    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, use_safetensors=True).eval()
    text = test["query"][0]
    with torch.no_grad():
        vector = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state.mean(1)[0]
    np.testing.assert_allclose((vector / vector.norm()).numpy(), predictor.embed([text])[0], atol=1e-5)


def test_the_baseline_finds_words_in_common(tmp_path):
    table = frame().with_columns(a=pl.col("q") + " bulletin")
    task, predictor, test, folder = run(model(), "tfidf", tmp_path, table)
    assert scores(task, predictor, test)["mrr"]["value"] > 0.8
    predictor.save(folder)
    assert (load(folder).embed(["congé"]) != predictor.embed(["congé"])).nnz == 0
    blank = task.predict(predictor, pl.DataFrame({"query": ["zzz", "yyy"], "answer": ["xxx", "www"]}))
    assert [p.tolist() for p in blank] == [[2], [2]], "texts without a known word are found last, not first"


def test_all_right_answers_of_a_query_count(tmp_path):
    task, predictor, _, _ = run(model(), "tfidf", tmp_path)
    both = pl.DataFrame({"query": ["congé", "congé", "prime"], "answer": ["congé repos", "congé absence", "prime"]})
    assert [sorted(p.tolist()) for p in task.predict(predictor, both)] == [[1, 2], [1, 2], [1]]


def test_triplets_are_read_and_empty_texts_left_out(tmp_path):
    pytest.importorskip("sentence_transformers")
    declared = model({"base_model": "path:tiny", "epochs": 1, "max_length": 16, "batch_size": 16}, negative="n")
    task, predictor, test, _ = run(declared, "transformer", tmp_path)
    assert scores(task, predictor, test)["rows"] == len(test)
    found = task.examples(pl.DataFrame({"q": ["a", " ", "a"], "a": ["b", "b", None], "n": ["c", "c", "c"]}))
    assert found["left_out"].to_list() == [None, "without_text", "without_text"]


def test_an_answer_that_comes_twice_is_no_wrong_answer(tmp_path):
    from transformers import AutoTokenizer

    from flows.training.similarity import PairCollator

    rows = [
        {"query": [1, 2], "answer": [3], "input_ids": []},
        {"query": [4], "answer": [3], "input_ids": []},
        {"query": [5], "answer": [6, 7], "input_ids": []},
    ]
    batch = PairCollator(AutoTokenizer.from_pretrained(make(tmp_path / "base")))(rows)
    assert batch["query"]["input_ids"].tolist() == [[1, 2], [5, 0]] and batch["answer"]["attention_mask"].tolist() == [[1, 0], [1, 1]]
