"""A token-classification model as one more rule, on one that is made here."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from flows.errors import ConfigurationError, Refused
from flows.privacy import Limits, find

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "bonjour", "zorglub", "habite", "ici", "."]


def make(folder: Path, labels: tuple[str, ...] = ("O", "B-PER"), **options: bool) -> Path:
    """A model that says `PER` of the word zorglub and `O` of all others: its weights are set, not trained."""
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
    size = len(WORDS)
    config = BertConfig(
        vocab_size=size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        id2label=dict(enumerate(labels)),
        label2id={label: n for n, label in enumerate(labels)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for norm in (m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)):
            norm.weight.fill_(1)
        model.bert.embeddings.word_embeddings.weight[:, 1] = 1
        model.bert.embeddings.word_embeddings.weight[WORDS.index("zorglub")] = 0
        model.bert.embeddings.word_embeddings.weight[WORDS.index("zorglub"), 0] = 1
        model.classifier.weight[1, 0] = 10
        model.classifier.weight[0, 1] = 10
    model.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("ner") / "model")


def test_what_only_the_model_knows_is_found(folder: Path) -> None:
    from flows.privacy.model import TokenModel

    model = TokenModel(folder)
    text = "bonjour zorglub habite ici . " * 20 + "zorglub"  # longer than its 32 positions
    (spans,) = model.entities([text])
    assert {text[e.start : e.end] for e in spans} == {"zorglub"} and len({e.start for e in spans}) == 21
    assert model.entities(["bonjour ici ."]) == [[]]
    report = find(pl.LazyFrame({"texte": ["bonjour zorglub", "bonjour ici"]}), Limits(), model=model, model_name="path:ner")
    (one,) = report.columns
    assert (one.kind, one.rows, one.why) == ("name", 1, "reconnu par le modèle")
    assert "path:ner" in " ".join(report.notes())


def test_models_that_are_refused(tmp_path: Path, folder: Path) -> None:
    from flows.privacy.model import TokenModel

    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(Refused, match="safetensors"):
        TokenModel(tmp_path / "pickled")
    with pytest.raises(ConfigurationError, match="none of the labels"):
        TokenModel(make(tmp_path / "other", labels=("O", "B-ORG")))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        TokenModel(tmp_path / "broken")
