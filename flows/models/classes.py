"""The labels of a classifier, and how its scores become probabilities and answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy.special import expit, softmax

NEVER = -1e9  # score of a label that training never saw


@dataclass
class Classes:
    """Kept in socle.json beside the weights."""

    labels: list[str]
    several: bool = False
    """Whether a row has any number of labels: each then has a probability of its own."""
    temperature: float = 1.0
    """What scores are divided by, so that probabilities say how often the model is right (Guo et al. 2017)."""
    thresholds: list[float] = field(default_factory=list)
    """For `several`: the probability from which each label is given; empty: a half."""

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """float32, (rows, labels), of scores (logits) of the same shape."""
        scaled = np.asarray(scores, dtype=np.float64) / self.temperature
        return np.asarray(expit(scaled) if self.several else softmax(scaled, axis=1), dtype=np.float32)

    @property
    def cuts(self) -> np.ndarray:
        """(labels,): the thresholds, a half where none was chosen."""
        return np.asarray(self.thresholds or [0.5] * len(self.labels))

    def given(self, probabilities: np.ndarray) -> np.ndarray:
        """bool, (rows, labels): which labels are given. Without `several`: the likeliest one."""
        if self.several:
            return np.asarray(probabilities >= self.cuts)
        return np.asarray(np.arange(len(self.labels)) == probabilities.argmax(1)[:, None])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Classes:
        return cls(**{name: description[name] for name in cls.__dataclass_fields__ if name in description})
