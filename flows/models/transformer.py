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

BATCH = 32  # texts


class TransformerPredictor:
    def __init__(self, model: Any, tokenizer: Any, labels: list[str], max_length: int) -> None:
        self.model, self.tokenizer, self.labels, self.max_length = model, tokenizer, labels, max_length

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Texts of similar length go together, so that little is spent on padding; answers are put back in order."""
        probabilities = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        by_length = np.argsort([len(t) for t in texts], kind="stable")
        self.model.eval()
        for start in range(0, len(texts), BATCH):
            rows = by_length[start : start + BATCH]
            encoded = self.tokenizer(
                [texts[i] for i in rows], truncation=True, max_length=self.max_length, padding=True, return_tensors="pt"
            ).to(self.model.device)
            probabilities[rows] = self.model(**encoded).logits.float().softmax(-1).cpu().numpy()
        return probabilities

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        description = {"kind": "transformer", "labels": self.labels, "max_length": self.max_length}
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> TransformerPredictor:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return cls(model, tokenizer, description["labels"], description["max_length"])
