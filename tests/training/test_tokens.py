"""Tokens are made once, by what they are made from; what is damaged is made again; the folder does not grow for ever."""

from __future__ import annotations

import os

import pytest
from transformers import AutoTokenizer

from flows.training.cache import Cache
from flows.training.tasks import task_of
from flows.training.tokens import LENGTH, ORDER, tokenised
from tests.conftest import rows


@pytest.fixture
def tokens(examples, job_of, model, tiny_base):
    tokenizer, count = AutoTokenizer.from_pretrained(tiny_base.folder), iter(range(100))

    def made(lines=None, block=None, base=tiny_base, **changes):
        job = job_of(examples(lines), f"m{next(count)}", base=base, **changes)
        return tokenised(task_of(model(**(block or {}))), job, tokenizer)

    return made


def test_padding_is_left_to_the_batch_and_long_texts_are_cut(tokens, examples):
    found, there = tokens([(i, t * (400 if k % 9 == 0 else 1), n) for k, (i, t, n) in enumerate(rows(150))], max_length=16, max_rows=20)
    assert len(found) == 20 and not there
    assert list(found[LENGTH]) == [len(ids) for ids in found["input_ids"]]
    assert max(found[LENGTH]) == 16 and len(set(found[LENGTH])) > 1
    assert set(found.column_names) >= {"input_ids", "attention_mask", "labels"} and "text" not in found.column_names
    assert list(found[ORDER]) == examples([(i, t, n) for i, t, n in rows(150)]).read("train", 20)["order"].to_list()


def test_a_run_again_tokenises_nothing(tokens, monkeypatch):
    from flows.training.tasks.text_classification import TextClassificationTask

    first, _ = tokens()
    monkeypatch.setattr(TextClassificationTask, "encode", lambda *a: pytest.fail("tokenised again"))
    again, there = tokens()
    assert there and again.to_dict() == first.to_dict()
    assert tokens(learning_rate=1e-5, epochs=7, batch_size=2, seed=5)[1], "what does not change tokens does not count"
    assert tokens(block={"title": "Un autre titre", "candidates": ["tfidf", "tfidf"]})[1]


def test_what_changes_tokens_makes_them_again(tokens, monkeypatch, tiny_base, tmp_path):
    from shutil import copytree

    from flows.training.base_models import BaseModel
    from flows.training.tasks.text_classification import TextClassificationTask

    tokens()
    assert not tokens(max_length=8)[1]
    assert not tokens(max_rows=30)[1]
    assert not tokens([(i, f"{t} prime", n) for i, t, n in rows(150)])[1]
    assert not tokens([(i, t, "congé" if n == "paie" else n) for i, t, n in rows(150)])[1], "labels are kept with them"
    other = copytree(tiny_base.folder, tmp_path / "other")
    (other / "vocab.txt").write_text((other / "vocab.txt").read_text() + "\nnouveau")
    assert not tokens(base=BaseModel("path:other", other, tiny_base.sha256))[1]
    monkeypatch.setattr(TextClassificationTask, "ENCODE_REVISION", "2")
    assert not tokens()[1]


@pytest.mark.parametrize("damage", ["byte", "cut", "note", "no note"])
def test_damaged_ones_are_made_again(tokens, tmp_path, damage):
    first = tokens()[0].to_dict()
    folder = tmp_path / "cache" / "tokens"
    (path,) = (p for p in folder.iterdir() if p.suffix != ".json")
    note = folder / f"{path.name}.json"
    if damage == "byte":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "note":
        note.write_text("{")
    else:
        note.unlink()
    again, there = tokens()
    assert not there and again.to_dict() == first and tokens()[1]


def test_the_oldest_go_when_there_are_too_many(tmp_path):
    cache = Cache(tmp_path, max_gb=2.5e-6)  # 2,500 bytes
    for age, key in enumerate(("old", "used", "new")):
        cache.get(key, lambda path: path.write_bytes(b"x" * 1000))
        os.utime(tmp_path / f"{key}.json", (age, age))
        if key == "used":
            assert cache.get("old", lambda path: pytest.fail("made again"))[1]
            os.utime(tmp_path / "old.json", (1.5, 1.5))
    assert {p.name for p in tmp_path.iterdir()} == {"old", "old.json", "new", "new.json"}
    cache.get("large", lambda path: path.write_bytes(b"x" * 9000))
    assert {p.name for p in tmp_path.iterdir()} == {"large", "large.json"}, "the newest stays whatever its size"


def test_nothing_is_left_of_what_could_not_be_made(tmp_path):
    def fails(path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Cache(tmp_path, 1).get("key", fails)
    assert not list(tmp_path.iterdir())
    assert Cache(tmp_path, 1).get("key", lambda path: path.write_bytes(b"whole"))[0].read_bytes() == b"whole"
