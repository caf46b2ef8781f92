"""How attention is computed during a training: as transformers does, in fewer seconds.

Two things are changed, in the trained model's memory only; what is saved is a plain model.

- No dropout of attention weights. With it torch has no fused kernel, and draws a random number for each pair of tokens: nearly half of
  a step of MiniLM at 256 tokens on two cores. Later encoders are trained without (ModernBERT, Llama: 0.0). Dropout of hidden states stays.
- On a processor, in bf16, the layers that learn compute it in fp32: the backward pass of torch's fused kernel takes four times as long in
  bf16 as in fp32 there (torch 2.13). docs/performance.md has the figures.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "socle"


def use(model: torch.nn.Module) -> None:
    """For all of `model` that would use torch's scaled_dot_product_attention; anything else stays as it is."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    for part in model.modules():
        if isinstance(part, PreTrainedModel) and part.config._attn_implementation == "sdpa":
            part.set_attn_implementation(NAME)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    **other: Any,
) -> tuple[torch.Tensor, None]:
    """In place of transformers' sdpa_attention_forward: tensors of (batch, heads, tokens, size), returns (batch, tokens, heads, size)."""
    learns = torch.is_grad_enabled() and any(t.requires_grad for t in (query, key, value))
    if not (learns and query.device.type == "cpu" and query.dtype == torch.bfloat16):
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=0.0, **other)
    if attention_mask is not None and attention_mask.dtype != torch.bool:
        attention_mask = attention_mask.float()
    with torch.autocast("cpu", enabled=False):
        found, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), attention_mask, dropout=0.0, **other)
    return found.to(query.dtype), None
