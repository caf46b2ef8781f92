"""How libraries are told to load a pretrained model: from files that are here, without code, in fewer bits if asked for."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from flows.errors import ConfigurationError
from flows.project import BaseModelCandidate

HINT = "leave `quantise` out, or train on a machine with a CUDA GPU and pip install 'socle[quantised]'"


def loading_arguments(candidate: BaseModelCandidate) -> dict[str, Any]:
    """Arguments of transformers' `from_pretrained` for the base model of a candidate.

    `quantise: 8bit` is LLM.int8() (Dettmers et al. 2022), `4bit` is NF4 with double quantisation (QLoRA, Dettmers et al. 2023); what is
    computed is in bfloat16 where the card has it, otherwise in float16. Each process of torchrun loads onto its own card.
    Raises: ConfigurationError if the candidate is quantised and there is no CUDA GPU, or no bitsandbytes.
    """
    arguments: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}
    bits = getattr(candidate, "quantise", None)
    if bits is None:
        return arguments
    import torch

    if not torch.cuda.is_available():
        raise ConfigurationError(f"quantise: {bits} needs a CUDA GPU, and this machine has none", where=candidate.base_model, hint=HINT)
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigurationError(f"quantise: {bits} needs bitsandbytes, which is not installed", where=candidate.base_model, hint=HINT)
    from transformers import BitsAndBytesConfig

    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if bits == "8bit":
        quantised = BitsAndBytesConfig(load_in_8bit=True)
    else:
        quantised = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    card = int(os.environ.get("LOCAL_RANK", "0"))  # of torchrun and accelerate
    return arguments | {"quantization_config": quantised, "dtype": dtype, "device_map": {"": card}}
