"""A linear head on the mean-pooled embeddings of an encoder that was not trained further.

The folder is the encoder as transformers saves it (`AutoModel.from_pretrained(folder)` loads it without Socle), and the head's two
arrays in head.safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from flows.models import DESCRIPTION
from flows.models.classes import Classes

HEAD, POOLING = "head.safetensors", "mean"
BATCH = 32  # texts


def read_encoder(folder: Path) -> tuple[Any, Any]:
    """(model, tokenizer) of a folder; nothing pickled, no code of its own."""
    model = AutoModel.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, local_files_only=True)
    return model, AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


@torch.inference_mode()
def embed(
    model: Any, tokenizer: Any, texts: Sequence[str], max_length: int, advance: Callable[[float], None] = lambda share: None
) -> np.ndarray:
    """float32, (texts, dimensions): the mean of the last hidden states of a text's tokens (Reimers and Gurevych 2019).

    Texts of similar length go together, so that little is spent on padding; rows are put back in the order of `texts`.
    """
    found = np.empty((len(texts), model.config.hidden_size), dtype=np.float32)
    by_length = np.argsort([len(t) for t in texts], kind="stable")[::-1]  # the longest first: too little memory shows at once
    model.eval()
    for start in range(0, len(texts), BATCH):
        rows = by_length[start : start + BATCH]
        tokens = tokenizer([texts[i] for i in rows], truncation=True, max_length=max_length, padding=True, return_tensors="pt").to(
            model.device
        )
        hidden = model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"].unsqueeze(-1).float()
        found[rows] = ((hidden * mask).sum(1) / mask.sum(1).clamp(min=1)).cpu().numpy()
        advance(len(rows) / len(texts))
    return found


class FrozenPredictor:
    def __init__(self, model: Any, tokenizer: Any, coef: np.ndarray, intercept: np.ndarray, classes: Classes, max_length: int) -> None:
        """`coef`: (labels, dimensions)."""
        self.model, self.tokenizer, self.coef, self.intercept = model, tokenizer, coef, intercept
        self.classes, self.max_length = classes, max_length

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Logits, (rows, labels)."""
        return np.asarray(embed(self.model, self.tokenizer, texts, self.max_length) @ self.coef.T + self.intercept, dtype=np.float32)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return self.classes.probabilities(self.scores(texts))

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        arrays = {"coef": self.coef, "intercept": self.intercept}
        save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in arrays.items()}, folder / HEAD)
        description = {"kind": "frozen", "pooling": POOLING, "max_length": self.max_length, **self.classes.to_dict()}
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> FrozenPredictor:
        model, tokenizer = read_encoder(folder)
        head = load_file(folder / HEAD)
        return cls(model, tokenizer, head["coef"], head["intercept"], Classes.from_dict(description), description["max_length"])
