"""A token-classification model as one more rule: names and addresses that no list knows.

Only safetensors weights from a local folder, no code of the model's own, nothing from the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, Refused
from flows.privacy.kinds import Entity

LABELS = {
    "PER": "name",
    "PERS": "name",
    "PERSON": "name",
    "NAME": "name",
    "NOM": "name",
    "PRENOM": "name",
    "GIVENNAME": "name",
    "SURNAME": "name",
    "ADDRESS": "address",
    "ADRESSE": "address",
    "STREET": "address",
    "EMAIL": "email",
    "PHONE": "phone",
    "TEL": "phone",
    "TELEPHONENUM": "phone",
    "DATEOFBIRTH": "birth_date",
    "DOB": "birth_date",
    "IBAN": "iban",
    "NIR": "nir",
    "SOCIALNUM": "nir",
}
"""Of models, without B- and I-, `_` and `-` -> kinds. Labels that are not here (LOC, ORG, DATE ...) are nothing personal by themselves."""
SURE = 0.6  # probability from which a token counts
MAX_TOKENS = 512
BATCH = 16


class TokenModel:
    """Raises: Refused for weights that are not safetensors or a model with code of its own; ConfigurationError if it is no such model,
    or knows no label that is personal."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

        if not list(folder.glob("*.safetensors")):
            raise Refused("only models with safetensors weights are loaded", where=str(folder))
        try:
            options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            config = AutoConfig.from_pretrained(folder, **options)
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, use_fast=True, **options)
            options |= {"config": config, "use_safetensors": True}
            self._model: Any = AutoModelForTokenClassification.from_pretrained(folder, **options).eval()
        except (OSError, ValueError, KeyError) as error:
            raise ConfigurationError(
                f"the model for personal data cannot be loaded: {' '.join(str(error).split())[:200]}",
                where=f"{folder} (SOCLE_PRIVACY_MODEL)",
                hint="it has to be a token-classification model with its tokenizer",
            ) from None
        self._kinds = {number: _kind(label) for number, label in config.id2label.items()}
        if not any(self._kinds.values()):
            raise ConfigurationError(
                f"the model for personal data knows none of the labels {', '.join(LABELS)}",
                where=f"{folder}: {', '.join(map(str, config.id2label.values()))[:200]}",
            )

    def entities(self, texts: Sequence[str]) -> list[list[Entity]]:
        """One list a text. Of a text longer than the model takes, every piece is read."""
        found: list[list[Entity]] = [[] for _ in texts]
        for start in range(0, len(texts), BATCH):
            for place, entities in self._batch(list(texts[start : start + BATCH])):
                found[start + place] += entities
        return found

    def _batch(self, texts: list[str]) -> list[tuple[int, list[Entity]]]:
        import torch

        length = min(MAX_TOKENS, int(getattr(self._model.config, "max_position_embeddings", MAX_TOKENS)) - 2)
        pieces = self._tokenizer(
            texts,
            truncation=True,
            max_length=length,
            stride=min(32, length // 4),
            padding=True,
            return_tensors="pt",
            return_offsets_mapping=True,
            return_overflowing_tokens=True,
        )
        of, offsets = pieces.pop("overflow_to_sample_mapping").tolist(), pieces.pop("offset_mapping").tolist()
        out: list[tuple[int, list[Entity]]] = []
        for at in range(0, len(of), BATCH):
            part = {k: v[at : at + BATCH] for k, v in pieces.items()}
            with torch.inference_mode():
                chances, labels = self._model(**part).logits.softmax(-1).max(-1)
            for row in range(len(labels)):
                spans = zip(offsets[at + row], labels[row].tolist(), chances[row].tolist(), strict=True)
                out.append((of[at + row], self._joined(texts[of[at + row]], spans)))
        return out

    def _joined(self, text: str, spans: Any) -> list[Entity]:
        """Tokens of one kind beside each other, or with one space or hyphen between, are one entity."""
        found: list[Entity] = []
        for (start, end), label, chance in spans:
            kind = self._kinds.get(label)
            if kind is None or start == end or chance < SURE:
                continue
            last = found[-1] if found else None
            if last is not None and last.kind == kind and text[last.end : start].strip(" -'’") == "" and start - last.end <= 1:
                found[-1] = Entity(kind, last.start, end, "possible", last.why)
            else:
                found.append(Entity(kind, start, end, "possible", "reconnu par le modèle"))
        return found


def _kind(label: str) -> str | None:
    return LABELS.get(label.upper().removeprefix("B-").removeprefix("I-").replace("_", "").replace("-", ""))
