"""A token classifier of Hugging Face transformers, read from safetensors only; remote code is never run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer
from transformers.utils import logging

from flows.errors import ConfigurationError
from flows.models import DESCRIPTION
from flows.models.spans import Span, of_word_tags, word_at, words

BATCH = 32  # windows
LARGEST_STRIDE = 64  # pieces that two windows of one text share


def windows(tokenizer: Any, texts: Sequence[str], max_length: int) -> Any:
    """Pieces (sub-words) of texts, in windows of at most `max_length` that overlap by a quarter, so that nothing is cut: with offsets
    into the text, and `overflow_to_sample_mapping`, the text of each window."""
    return tokenizer(
        list(texts),
        truncation=True,
        max_length=max_length,
        stride=stride(tokenizer, max_length),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )


def stride(tokenizer: Any, max_length: int) -> int:
    room: int = max_length - tokenizer.num_special_tokens_to_add()
    if not tokenizer.is_fast or room < 2:
        raise ConfigurationError(
            "entities need a fast tokenizer, which says where each piece stands in the text"
            if not tokenizer.is_fast
            else f"max_length is {max_length}, which leaves no room for a text beside the model's own marks",
            hint="another base_model" if not tokenizer.is_fast else "a larger max_length",
        )
    return min(LARGEST_STRIDE, room // 4)


def anchor(text: str, start: int, end: int) -> int | None:
    """Of a piece: its first character that is no space. Some tokenizers count the space before a word; None for their own marks."""
    return next((i for i in range(start, end) if not text[i].isspace()), None)


class TokenPredictor:
    """`labels`: of entities, without B- and I-; the model's own (config.id2label) are O, B-<label>, I-<label>."""

    def __init__(self, model: Any, tokenizer: Any, labels: list[str], max_length: int) -> None:
        self.model, self.tokenizer, self.labels, self.max_length = model, tokenizer, labels, max_length
        self.tags = [model.config.id2label[i] for i in range(model.config.num_labels)]

    def predict(self, texts: Sequence[str]) -> list[list[Span]]:
        """The spans of each text, in characters. A word has one tag: that with the highest mean log-probability over its pieces."""
        found: list[list[Span]] = [[] for _ in texts]
        by_length = np.argsort([len(t) for t in texts], kind="stable")
        for start in range(0, len(texts), BATCH):
            rows = by_length[start : start + BATCH]
            for row, spans in zip(rows, self._some([texts[i] for i in rows]), strict=True):
                found[row] = spans
        return found

    def _some(self, texts: Sequence[str]) -> list[list[Span]]:
        encoded = windows(self.tokenizer, texts, self.max_length)
        of, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
        places = [words(text) for text in texts]
        scores: list[dict[tuple[int, int], tuple[int, np.ndarray]]] = [{} for _ in texts]
        for first in range(0, len(of), BATCH):
            part = slice(first, first + BATCH)
            for number, chances in enumerate(self._log_probabilities(encoded, part), first):
                _keep_best(scores[of[number]], offsets[number], chances)
        return [self._spans(t, p, s) for t, p, s in zip(texts, places, scores, strict=True)]

    @torch.inference_mode()
    def _log_probabilities(self, encoded: Any, part: slice) -> np.ndarray:
        """(windows, pieces, tags)"""
        self.model.eval()
        batch = self.tokenizer.pad({name: values[part] for name, values in encoded.items()}, padding=True, return_tensors="pt")
        logits = self.model(**batch.to(self.model.device)).logits.float()
        return np.asarray(logits.log_softmax(-1).cpu().numpy())

    def _spans(self, text: str, places: list[tuple[int, int]], scores: dict[tuple[int, int], tuple[int, np.ndarray]]) -> list[Span]:
        sums, counts = np.zeros((len(places), len(self.tags))), np.zeros(len(places))
        for (start, end), (_, chances) in scores.items():
            at = anchor(text, start, end)
            if at is not None and (word := word_at(places, at)) is not None:
                sums[word] += chances
                counts[word] += 1
        if not len(places):
            return []
        best = np.where(counts > 0, (sums / np.maximum(counts, 1)[:, None]).argmax(1), self.tags.index("O"))
        return of_word_tags([self.tags[i] for i in best], places)

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        description = {"kind": "token-transformer", "max_length": self.max_length, "labels": self.labels}
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> TokenPredictor:
        logging.disable_progress_bar()  # of theirs, between ours
        options = {"trust_remote_code": False, "local_files_only": True}
        model = AutoModelForTokenClassification.from_pretrained(folder, use_safetensors=True, **options)
        return cls(model, AutoTokenizer.from_pretrained(folder, **options), description["labels"], description["max_length"])


def _keep_best(kept: dict[tuple[int, int], tuple[int, np.ndarray]], offsets: Sequence[tuple[int, int]], chances: np.ndarray) -> None:
    """A piece that two windows have is judged by the one in which it stands farther from an end: it sees more of the text there."""
    for place, (start, end) in enumerate(offsets):
        inside = min(place, len(offsets) - 1 - place)
        if start < end and ((start, end) not in kept or kept[start, end][0] < inside):
            kept[start, end] = (inside, chances[place])
