"""Language models of Hugging Face transformers: how well they predict words, and what they answer. Read from safetensors only."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from flows.models import DESCRIPTION

BATCH_TOKENS = 4_096  # in a batch, padding included
BLOCK = 1_024  # rows whose tokens are in memory
MASKED = 0.15  # of the tokens are hidden (Devlin et al. 2018)
IGNORED = -100  # label of a token that is not predicted


class LanguagePredictor:
    """`predict` gives for each text what a mean over many needs, float64 (rows, 3): the sum of the losses of its predicted tokens
    (nats), how many there are, and how many are predicted right."""

    KIND: str
    HEAD: Any

    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        self.model, self.tokenizer, self.max_length = model, tokenizer, max_length

    def encoded(self, row: Any) -> list[tuple[list[int], list[int]]]:
        """(token ids, labels: the token to predict at that place, or IGNORED) of each sequence that a row makes."""
        raise NotImplementedError

    def aligned(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (batch, length, words) and labels (batch, length), each logit beside what it predicts."""
        return logits, labels

    def predict(self, rows: Sequence[Any]) -> np.ndarray:
        found = np.zeros((len(rows), 3))
        self.model.eval()
        for places, ids, labels in self._batches(rows):
            sequence, numbers = self._judged(ids, labels)
            np.add.at(found, np.asarray(places)[sequence], numbers)
        return found

    @torch.inference_mode()
    def _judged(self, ids: Sequence[list[int]], labels: Sequence[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Of each predicted token of a batch: (number of its sequence, (loss, 1, 1 if it is predicted right))."""
        mask = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
        tokens = torch.full(mask.shape, self.tokenizer.pad_token_id or 0)
        wanted = torch.full(mask.shape, IGNORED)
        for i, (own, label) in enumerate(zip(ids, labels, strict=True)):
            tokens[i, : len(own)], wanted[i, : len(own)], mask[i, : len(own)] = torch.tensor(own), torch.tensor(label), 1
        device = self.model.device
        logits = self.model(input_ids=tokens.to(device), attention_mask=mask.to(device)).logits
        logits, wanted = self.aligned(logits, wanted.to(device))
        sequence, at = torch.nonzero(wanted != IGNORED, as_tuple=True)  # softmax of these only: a vocabulary is large
        chosen, truth = logits[sequence, at].float(), wanted[sequence, at]
        losses = torch.nn.functional.cross_entropy(chosen, truth, reduction="none")
        numbers = torch.stack([losses, torch.ones_like(losses), (chosen.argmax(-1) == truth).float()], 1).double()
        return sequence.cpu().numpy(), numbers.cpu().numpy()

    def _batches(self, rows: Sequence[Any]) -> Any:
        """(row of each sequence, token ids, labels): sequences of similar length together, of a block of rows at a time."""
        for first in range(0, len(rows), BLOCK):
            block = enumerate(rows[first : first + BLOCK], first)
            made = [(number, ids, labels) for number, row in block for ids, labels in self.encoded(row)]
            made.sort(key=lambda sequence: len(sequence[1]))
            start = 0
            while start < len(made):
                end = start + 1
                while end < len(made) and len(made[end][1]) * (end + 1 - start) <= BATCH_TOKENS:
                    end += 1
                yield tuple(zip(*made[start:end], strict=True))
                start = end

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        description = {"kind": self.KIND, "labels": [], "max_length": self.max_length}
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> LanguagePredictor:
        model = cls.HEAD.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return cls(model, tokenizer, description["max_length"])


class MaskedPredictor(LanguagePredictor):
    """Rows are texts. Which tokens are hidden depends on the text alone, so that models with one tokenizer predict the same ones."""

    KIND, HEAD = "masked-lm", AutoModelForMaskedLM

    def encoded(self, row: str) -> list[tuple[list[int], list[int]]]:
        return [self._masked(ids) for ids in windows(self.tokenizer, [row], self.max_length)[0]]

    def _masked(self, ids: list[int]) -> tuple[list[int], list[int]]:
        special = set(self.tokenizer.all_special_ids)
        places = np.array([i for i, token in enumerate(ids) if token not in special], dtype=np.int64)
        draw = np.random.default_rng(zlib.crc32(np.asarray(ids, dtype=np.int64).tobytes()))
        hidden = draw.choice(places, max(1, round(MASKED * len(places))), replace=False) if len(places) else places
        masked, labels = list(ids), [IGNORED] * len(ids)
        for place in hidden:
            masked[place], labels[place] = self.tokenizer.mask_token_id, ids[place]
        return masked, labels


def windows(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[list[int]]]:
    """Token ids of each text, in as many sequences of at most `max_length` as it takes: nothing of it is cut off."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length, return_overflowing_tokens=True, return_attention_mask=False)
    found: list[list[list[int]]] = [[] for _ in texts]
    for ids, text in zip(encoded["input_ids"], encoded["overflow_to_sample_mapping"], strict=True):
        found[text].append(ids)
    return found


class CausalPredictor(LanguagePredictor):
    """Rows are conversations: lists of {role, content}, ending with what the model should say."""

    KIND, HEAD = "causal-lm", AutoModelForCausalLM

    def encoded(self, row: list[dict[str, str]]) -> list[tuple[list[int], list[int]]]:
        return [conversation(self.tokenizer, row, self.max_length)]

    def aligned(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return logits[:, :-1], labels[:, 1:]

    @torch.inference_mode()
    def answer(self, messages: list[dict[str, str]], max_new_tokens: int = 256) -> str:
        """What the model says next, always taking the likeliest word."""
        ids = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
        tokens = torch.tensor([ids[-self.max_length :]], device=self.model.device)
        said = self.model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        return str(self.tokenizer.decode(said[0, tokens.shape[1] :], skip_special_tokens=True))


def conversation(tokenizer: Any, messages: list[dict[str, str]], max_length: int) -> tuple[list[int], list[int]]:
    """(token ids, labels): only what the assistant says is learned and counted. What is longer than `max_length` loses its beginning,
    so that the answer stays; an answer that is longer itself loses its end.

    Raises: ValueError if the template writes earlier messages otherwise once later ones are there: what is the answer cannot be told.
    """
    ids = _written(tokenizer, messages, False)
    labels = [IGNORED] * len(ids)
    first = len(ids)
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before, after = _written(tokenizer, messages[:number], True), _written(tokenizer, messages[: number + 1], False)
        if ids[: len(after)] != after or after[: len(before)] != before:
            raise ValueError("the chat template rewrites earlier messages")
        labels[len(before) : len(after)] = after[len(before) :]
        first = len(before)  # of the last answer
    cut = min(max(0, len(ids) - max_length), max(0, first - 1))
    return ids[cut : cut + max_length], labels[cut : cut + max_length]


def _written(tokenizer: Any, messages: list[dict[str, str]], to_be_continued: bool) -> list[int]:
    if not messages:
        return []
    ids: list[int] = tokenizer.apply_chat_template(messages, add_generation_prompt=to_be_continued, tokenize=True, return_dict=False)
    return list(ids)
