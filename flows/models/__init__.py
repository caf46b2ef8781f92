"""Load a model version and predict with it. Training is elsewhere; this room only reads safetensors and JSON.

predictor = load(folder)          # a folder that lake/models.py downloaded, or that training just wrote
probabilities = predictor.predict(texts)   # float32, (rows, labels)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flows.errors import StorageError

if TYPE_CHECKING:
    import numpy as np

DESCRIPTION = "socle.json"
"""kind, labels and what else the loader needs; written beside the weights."""


class Predictor(Protocol):
    labels: list[str]

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, shape (rows, labels), in the order of `texts`."""


def load(folder: Path) -> Predictor:
    """Raises: StorageError if the folder does not hold a model that Socle wrote."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise StorageError(f"no model description: {error}", where=str(folder / DESCRIPTION)) from None
    if description["kind"] == "tfidf":
        from flows.models.tfidf import TfidfPredictor

        return TfidfPredictor.load(folder, description)
    from flows.models.transformer import TransformerPredictor

    return TransformerPredictor.load(folder, description)


def join_inputs(values: Sequence[str | None]) -> str:
    """The input columns of one row as one text."""
    return "\n".join(v for v in values if v)
