"""Which weights of a pretrained model are trained: all, the last layers, or adapters beside them; always the task's head."""

from __future__ import annotations

from typing import Any

import torch

from flows.errors import ConfigurationError
from flows.project import Lora, TransformerCandidate
from flows.training import attention

AFTER = ("pooler", "final_layer_norm", "norm")  # parts of an encoder that come after its layers


def prepare(model: Any, candidate: TransformerCandidate) -> Any:
    """The model, or the one that peft puts around it.

    Raises: ConfigurationError if the candidate asks for what the model has not.
    """
    require_positions(model, candidate.max_length, candidate.base_model)
    attention.use(model)
    if candidate.lora is not None:
        return adapted(model, candidate.lora, quantised=candidate.quantise is not None)
    freeze(model, candidate.train_layers)
    return model


def require_positions(model: Any, max_length: int, base_model: str) -> None:
    """Raises: ConfigurationError if the model reads fewer tokens than texts are cut to."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None and max_length > positions:
        raise ConfigurationError(f"max_length is {max_length}, but {base_model} reads {positions} tokens at most")


def freeze(model: Any, train_layers: int | None) -> None:
    """Leave only the last `train_layers` encoder layers and what comes after them trainable; None: everything.

    What is not trained has no dropout: it gives the same for a text in every epoch, and sooner.

    Raises: ConfigurationError if the model has fewer layers, or none that can be told apart.
    """
    if train_layers is None:
        return
    encoder = model.base_model
    stacks = [m for m in encoder.modules() if isinstance(m, torch.nn.ModuleList)]
    layers = max(stacks, key=len, default=None)
    if layers is None or len(layers) < train_layers:
        raise ConfigurationError(f"train_layers is {train_layers}, but the model has {len(layers or [])} layers")
    for parameter in encoder.parameters():
        parameter.requires_grad = False
    after = [getattr(encoder, name) for name in AFTER if getattr(encoder, name, None) is not None]
    trained = [*list(layers)[len(layers) - train_layers :], *after]
    for module in trained:
        for parameter in module.parameters():
            parameter.requires_grad = True
    learning = {part for module in trained for part in module.modules()}
    for part in encoder.modules():
        if isinstance(part, torch.nn.Dropout) and part not in learning:
            part.p = 0.0


def adapted(model: Any, lora: Lora, quantised: bool = False) -> Any:
    """With adapters beside the weights, which are frozen; the head and the pooler are trained as they are.

    Raises: ConfigurationError if the model has none of the layers that were named.
    """
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as USUAL

    if quantised:
        model = prepare_model_for_kbit_training(model)
    targets: Any = lora.targets or USUAL.get(getattr(model.config, "model_type", ""), "all-linear")
    config = LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, modules_to_save=_whole(model) or None
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        if not any(words in str(error) for words in ("not found in the base model", "No modules were targeted")):
            raise
        layers = sorted({name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)})
        raise ConfigurationError(
            f"lora: the model has no layer named {', '.join(map(str, targets))}", hint=f"targets: among {', '.join(layers)}"
        ) from None


def _whole(model: Any) -> list[str]:
    """Parts that are trained without adapters: the head and the pooler, which may be new. Not what turns hidden states into words: it
    is as large as the vocabulary, and often tied to the embeddings."""
    words = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    found = [
        name
        for name, part in model.named_children()
        if part is not model.base_model and any(True for _ in part.parameters()) and not (words and any(m is words for m in part.modules()))
    ]
    return found + [name for name in AFTER if getattr(model.base_model, name, None) is not None]


def merged(model: Any) -> Any:
    """The model that plain transformers loads: adapters become part of the weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def counts(model: Any) -> tuple[int, int]:
    """(parameters, those that are trained)."""
    return sum(p.numel() for p in model.parameters()), sum(p.numel() for p in model.parameters() if p.requires_grad)
