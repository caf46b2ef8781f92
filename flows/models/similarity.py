"""Texts as vectors whose cosine says how near they are in meaning: TF-IDF, or a model of sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from flows.errors import ConfigurationError
from flows.models import DESCRIPTION
from flows.models.tfidf import load_vectorizer, save_vectorizer

BATCH = 32  # texts


class TfidfEmbedder:
    """Words in common: the cheap baseline."""

    def __init__(self, vectorizer: TfidfVectorizer) -> None:
        self.vectorizer = vectorizer

    def embed(self, texts: Sequence[str]) -> Any:
        """A sparse matrix, (rows, terms), each row of length 1 (0 for a text without a known word)."""
        return self.vectorizer.transform(texts)

    def save(self, folder: Path) -> None:
        description = {"kind": "sentence-tfidf", "labels": [], **save_vectorizer(self.vectorizer, folder)}
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> TfidfEmbedder:
        return cls(load_vectorizer(folder, description)[0])


class SentenceEmbedder:
    """A SentenceTransformer; its folder is also one of plain transformers (the vector is the mean over the tokens)."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32, (rows, dimensions), each row of length 1. Texts of similar length go together; answers come in the order of `texts`."""
        return np.asarray(
            self.model.encode(list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
        )

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
        (folder / DESCRIPTION).write_text(json.dumps({"kind": "sentence-transformer", "labels": []}, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> SentenceEmbedder:
        return cls(sentence_transformer(folder, {"use_safetensors": True}))


def sentence_transformer(folder: Path, arguments: dict[str, Any], max_length: int | None = None) -> Any:
    """A model of sentence-transformers as its folder says; an encoder without that gets the mean over its tokens.

    `arguments`: of from_pretrained. Raises: ConfigurationError if sentence-transformers is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    except ImportError:
        raise ConfigurationError("text-similarity needs sentence-transformers", hint='pip install "socle[similarity]"') from None
    passed = {k: v for k, v in arguments.items() if k not in ("trust_remote_code", "local_files_only")}
    if (folder / "modules.json").is_file():
        model = SentenceTransformer(str(folder), device=None, trust_remote_code=False, local_files_only=True, model_kwargs=passed)
    else:
        encoder = Transformer(str(folder), model_kwargs=passed | {"local_files_only": True, "trust_remote_code": False})
        model = SentenceTransformer(modules=[encoder, Pooling(encoder.get_embedding_dimension(), pooling_mode="mean")])
    if max_length is not None:
        model.max_seq_length = max_length
    return model
