"""Each kind of version is used as its card says: plain transformers, skops, safetensors or numpy, in a process that has no Socle."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from flows.models import load
from flows.models.classes import Classes
from flows.training.card import use
from tests.conftest import rows
from tests.training import tables
from tests.training.test_language import llama
from tests.training.tiny import make

TEXTS = ["question sur un congé", "question sur une paie"]
LABELS = ["congé", "contrat", "paie"]
WITHOUT = "import sys\nsys.modules['flows'] = None  # importing it is an error now\n"


def ran(folder: Path) -> str:
    """What the card's Python prints in the folder of the version."""
    import json

    snippet = use.snippet(json.loads((folder / "socle.json").read_text(encoding="utf-8")))
    assert "flows" not in snippet
    done = subprocess.run([sys.executable, "-c", WITHOUT + snippet], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(folder: Path) -> tuple[Any, Any]:
    """(labels, probabilities) that it prints."""
    labels, _, chances = ran(folder).strip().partition("] [")
    return ast.literal_eval(labels + "]"), np.array(ast.literal_eval("[" + chances))


def classes(**more: Any) -> Classes:
    return Classes(LABELS, **({"temperature": 1.7} | more))


def tfidf(folder: Path, **more: Any) -> Any:
    from flows.models.tfidf import TfidfPredictor, make_vectorizer

    folder.mkdir()
    lines = rows(60)
    vectorizer = make_vectorizer(2).fit([text for _, text, _ in lines])
    draw = np.random.default_rng(1)
    coef = draw.normal(0, 3, (3, len(vectorizer.vocabulary_))).astype(np.float32)
    TfidfPredictor(vectorizer, coef, np.array([0.1, 0.2, 0.3], dtype=np.float32), classes(**more)).save(folder)
    return load(folder)


def transformer(folder: Path, **more: Any) -> Any:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from flows.models.transformer import TransformerPredictor

    base = make(folder.parent / "base", head=3)
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    model.classifier.weight.data *= 50  # answers that are told apart
    folder.mkdir()
    TransformerPredictor(model, tokenizer, classes(**more), 32).save(folder)
    return load(folder)


def frozen(folder: Path, **more: Any) -> Any:
    from transformers import AutoModel, AutoTokenizer

    from flows.models.frozen import FrozenPredictor

    base = make(folder.parent / "base")
    folder.mkdir()
    head = np.random.default_rng(2).normal(0, 1, (3, 32)).astype(np.float32)
    model, tokenizer = AutoModel.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    FrozenPredictor(model, tokenizer, head, np.zeros(3, dtype=np.float32), classes(**more), 32).save(folder)
    return load(folder)


@pytest.mark.parametrize("kind", [tfidf, transformer, frozen])
def test_one_label(tmp_path, kind):
    wanted = kind(tmp_path / "model").predict(TEXTS)
    labels, chances = told(tmp_path / "model")
    assert labels == [LABELS[i] for i in wanted.argmax(1)]
    np.testing.assert_allclose(chances, wanted.max(1), rtol=1e-4)


@pytest.mark.parametrize("kind", [tfidf, transformer, frozen])
@pytest.mark.parametrize("thresholds", [[], [0.2, 0.5, 0.6]])
def test_several_labels(tmp_path, kind, thresholds):
    predictor = kind(tmp_path / "model", several=True, thresholds=thresholds)
    given = predictor.classes.given(predictor.predict(TEXTS))
    assert ast.literal_eval(ran(tmp_path / "model")) == [[label for label, yes in zip(LABELS, row, strict=True) if yes] for row in given]


@pytest.mark.parametrize("kind", ["linear", "boosting"])
def test_tables_give_labels(tmp_path, kind):
    task, examples = tables.prepared(tmp_path, tables.classification(inputs=[*tables.INPUTS, "vu"]))
    tables.trained(task, examples, tmp_path, kind)
    from datetime import date, datetime

    row = {"effectif": [12.5], "secteur": ["..."], "sociale": [True], "creation": [date(2024, 5, 6)], "activite": ["..."]}
    predictor = load(tmp_path / kind)
    wanted = predictor.predict(pl.DataFrame(row | {"vu": [datetime(2024, 5, 6, 10, 30)]}))[0]
    (found,) = ast.literal_eval(ran(tmp_path / kind))
    np.testing.assert_allclose([found[label] for label in predictor.classes.labels], wanted, rtol=1e-4)


def test_tables_give_numbers(tmp_path):
    task, examples = tables.prepared(tmp_path, tables.regression(inputs=["effectif", "secteur"], texts=[]))
    tables.trained(task, examples, tmp_path, "boosting")
    wanted = load(tmp_path / "boosting").predict(pl.DataFrame({"effectif": [12.5], "secteur": ["..."]}))
    np.testing.assert_allclose(ast.literal_eval(ran(tmp_path / "boosting")), wanted)


def test_texts_as_vectors_of_words(tmp_path):
    from flows.models.similarity import TfidfEmbedder
    from flows.models.tfidf import make_vectorizer

    TfidfEmbedder(make_vectorizer(1).fit([text for _, text, _ in rows(60)])).save(tmp_path)
    vectors = load(tmp_path).embed(TEXTS)
    np.testing.assert_allclose(_numbers(ran(tmp_path)), (vectors @ vectors.T).toarray(), rtol=1e-4)


def test_texts_as_vectors_of_a_model(tmp_path):
    pytest.importorskip("sentence_transformers")
    from flows.models.similarity import SentenceEmbedder, sentence_transformer

    SentenceEmbedder(sentence_transformer(make(tmp_path / "base"), {}, 32)).save(tmp_path / "model")
    vectors = load(tmp_path / "model").embed(TEXTS)
    np.testing.assert_allclose(_numbers(ran(tmp_path / "model")), vectors @ vectors.T, rtol=1e-3)


def test_entities_of_a_list(tmp_path):
    from flows.models.dictionary import DictionaryPredictor, Hasher

    salt = "00ff"
    entries = {("un", "congé"): "repos", ("un",): "nombre", ("question",): "acte"}
    hashed = Hasher(salt)
    predictor = DictionaryPredictor(
        {hashed(k): v for k, v in entries.items()}, {hashed(k[:1]) for k in entries}, salt, ["acte", "nombre", "repos"]
    )
    predictor.save(tmp_path)
    text = TEXTS[0]
    wanted = [f"{text[start:end]} {label}" for start, end, label in load(tmp_path).predict([text])[0]]
    assert ran(tmp_path).splitlines() == wanted == ["question acte", "un congé repos"]


def test_entities_of_a_model(tmp_path):
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    from flows.models.tokens import TokenPredictor
    from flows.training.tasks.token_classification import tags_of

    base, tags = make(tmp_path / "base"), tags_of(["acte", "repos"])
    model = AutoModelForTokenClassification.from_pretrained(base, num_labels=len(tags), id2label=dict(enumerate(tags)))
    tokenizer = AutoTokenizer.from_pretrained(base)
    ids = tokenizer.convert_tokens_to_ids(["question", "congé"])
    with torch.no_grad():  # each word its own answer, whatever stands beside it
        states = model.bert(**tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state[0]
        places = tokenizer(TEXTS[0])["input_ids"]
        targets = {places.index(ids[0]): "B-acte", places.index(ids[1]): "B-repos"}
        wanted = torch.tensor([[8.0 if tags[t] == targets.get(p, "O") else -8.0 for t in range(len(tags))] for p in range(len(places))])
        solved = torch.linalg.lstsq(torch.cat([states, torch.ones(len(places), 1)], 1), wanted).solution
        model.classifier.weight.data, model.classifier.bias.data = solved[:-1].T.contiguous(), solved[-1].contiguous()
    (tmp_path / "model").mkdir()
    TokenPredictor(model, tokenizer, ["acte", "repos"], 32).save(tmp_path / "model")
    spans = load(tmp_path / "model").predict([TEXTS[0]])[0]
    assert ran(tmp_path / "model").splitlines() == [f"{s} {e} {label}" for s, e, label in spans]
    assert [TEXTS[0][s:e] for s, e, _ in spans] == ["question", "congé"]


def test_masked_words(tmp_path):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    from flows.models.language import MaskedPredictor

    base = make(tmp_path / "base")
    (tmp_path / "model").mkdir()
    MaskedPredictor(AutoModelForMaskedLM.from_pretrained(base), AutoTokenizer.from_pretrained(base), 32).save(tmp_path / "model")
    lines = ran(tmp_path / "model").splitlines()
    assert len(lines) == 5 and all(0 < float(line.rpartition(" ")[2]) < 1 for line in lines)


def test_answers_of_a_generative_model(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from flows.models.language import CausalPredictor
    from flows.training.tasks.causal_lm import TEMPLATE

    base = llama(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = TEMPLATE
    (tmp_path / "model").mkdir()
    CausalPredictor(AutoModelForCausalLM.from_pretrained(base), tokenizer, 64).save(tmp_path / "model")
    wanted = load(tmp_path / "model").answer([{"role": "user", "content": TEXTS[0]}], max_new_tokens=50)
    assert ran(tmp_path / "model").strip() == wanted.strip() != ""


def test_every_kind_that_can_be_loaded_has_its_lines():
    from flows.models import PREDICTORS

    about = {"labels": LABELS, "columns": [], "temperature": 1.0}
    for kind in PREDICTORS:
        ast.parse(use.snippet(about | {"kind": kind}))
        assert use.snippet(about | {"kind": kind}), kind


def _numbers(printed: str) -> np.ndarray:
    return np.array([[float(n) for n in line.strip(" []").split()] for line in printed.strip().splitlines()])
