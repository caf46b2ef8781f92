"""A linear head on embeddings of a pretrained model that are computed once: the same texts are never read twice."""

from __future__ import annotations

import hashlib
import time
from importlib.metadata import version
from pathlib import Path

from safetensors.numpy import load_file, save_file

from flows.errors import ConfigurationError
from flows.models.classes import Classes
from flows.models.frozen import POOLING, FrozenPredictor, embed, read_encoder
from flows.project import FrozenCandidate
from flows.training import hardware, logistic
from flows.training.cache import Cache, key_of, tokeniser_sha256
from flows.training.quiet import quiet
from flows.training.tasks.base import Job, Trained
from flows.training.trainable import require_positions


def train(job: Job, several: bool = False) -> Trained:
    """`several`: examples have lists of labels, and each label has a regression of its own.

    Raises: ConfigurationError if the base model cannot read texts of that length.
    """
    candidate: FrozenCandidate = job.candidate
    assert job.base is not None
    quiet()
    hardware.use_threads()
    start, told = time.monotonic(), 0.0
    frame = job.examples.read("train", candidate.max_rows)
    texts = frame["text"].to_list()
    try:
        model, tokenizer = read_encoder(job.base.folder)
    except ValueError as error:
        raise ConfigurationError(f"{candidate.base_model} is not a model that embeds texts: {error}", where=candidate.label) from None
    require_positions(model, candidate.max_length, candidate.base_model)

    def advance(share: float) -> None:
        nonlocal told
        told += share
        job.advance(share)

    def make(path: Path) -> None:
        save_file({"embeddings": embed(model, tokenizer, texts, candidate.max_length, advance)}, path)

    key = key_of(
        base=job.base.sha256,
        tokenizer=tokeniser_sha256(job.base),
        max_length=candidate.max_length,
        pooling=POOLING,
        libraries={name: version(name) for name in ("transformers", "torch")},
        texts=_sha256(texts),
    )
    path, there = Cache(job.cache / "embeddings", job.cache_gb).get(key, make)
    labels = job.examples.labels
    coef, intercept = logistic.fit(load_file(path)["embeddings"], frame["label"], len(labels), candidate.c, several)
    job.advance(max(0.0, 1 - told))
    predictor = FrozenPredictor(model, tokenizer, coef, intercept, Classes(labels, several), candidate.max_length)
    head = int(coef.size + intercept.size)
    facts = {"embeddings_kept": there, "seconds": round(time.monotonic() - start, 2)}
    return Trained(predictor, sum(p.numel() for p in model.parameters()) + head, head, facts)


def _sha256(texts: list[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
