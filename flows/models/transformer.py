"""A sequence classifier of Hugging Face transformers, read from safetensors only; remote code is never run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from flows.models import DESCRIPTION
from flows.models.classes import Classes

BATCH = 32  # texts


class TransformerPredictor:
    def __init__(self, model: Any, tokenizer: Any, classes: Classes, max_length: int) -> None:
        self.model, self.tokenizer, self.classes, self.max_length = model, tokenizer, classes, max_length

    @torch.inference_mode()
    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Logits, (rows, labels). Texts of similar length go together, so that little is spent on padding; answers are put back
        in order."""
        scores = np.empty((len(texts), len(self.classes.labels)), dtype=np.float32)
        by_length = np.argsort([len(t) for t in texts], kind="stable")
        self.model.eval()
        for start in range(0, len(texts), BATCH):
            rows = by_length[start : start + BATCH]
            encoded = self.tokenizer(
                [texts[i] for i in rows], truncation=True, max_length=self.max_length, padding=True, return_tensors="pt"
            ).to(self.model.device)
            scores[rows] = self.model(**encoded).logits.float().cpu().numpy()
        return scores

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return self.classes.probabilities(self.scores(texts))

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        description = {"kind": "transformer", "max_length": self.max_length, **self.classes.to_dict()}
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> TransformerPredictor:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return cls(model, tokenizer, Classes.from_dict(description), description["max_length"])
