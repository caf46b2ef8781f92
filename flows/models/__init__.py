"""Load a model version and predict with it. Training is elsewhere; this room only reads safetensors, skops files and JSON.

predictor = load(folder)   # a folder that lake/models.py downloaded, or that training just wrote
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from flows.errors import StorageError

DESCRIPTION = "socle.json"
"""kind, labels and what else the loader needs; written beside the weights."""

PREDICTORS = {
    "tfidf": ("tfidf", "TfidfPredictor"),
    "transformer": ("transformer", "TransformerPredictor"),
    "frozen": ("frozen", "FrozenPredictor"),
    "linear": ("tabular", "TabularPredictor"),
    "boosting": ("tabular", "TabularPredictor"),
    "dictionary": ("dictionary", "DictionaryPredictor"),
    "token-transformer": ("tokens", "TokenPredictor"),
    "masked-lm": ("language", "MaskedPredictor"),
    "causal-lm": ("language", "CausalPredictor"),
    "sentence-tfidf": ("similarity", "TfidfEmbedder"),
    "sentence-transformer": ("similarity", "SentenceEmbedder"),
}
"""kind in socle.json -> module of this package and its class, which has `load(folder, description)`, `save(folder)` and `predict`."""


def load(folder: Path) -> Any:
    """The predictor; what `predict` takes and gives is said by its class.

    Raises: StorageError if the folder does not hold a model that Socle wrote.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        module, name = PREDICTORS[description["kind"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"no model description: {error}", where=str(folder / DESCRIPTION)) from None
    return getattr(import_module(f"flows.models.{module}"), name).load(folder, description)


def join_inputs(values: Sequence[str | None]) -> str:
    """The input columns of one row as one text."""
    return "\n".join(v for v in values if v)
