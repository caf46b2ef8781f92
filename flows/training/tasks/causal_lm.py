"""A generative model learns to answer: instruction tuning on prompts and answers, or on conversations."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import polars as pl

from flows.errors import ConfigurationError
from flows.project import CausalLanguageModel
from flows.training.tasks.base import LEFT_OUT, Job
from flows.training.tasks.language import LanguageTask

ROLES = ("system", "user", "assistant", "tool")
TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] + '\n' + message['content'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### assistant\n' }}{% endif %}"
)
"""For a base model that comes with no template of its own: plain text, so that no token has to be added. It is kept with the version."""


def task(model: Any) -> CausalLmTask:
    return CausalLmTask(model)


class CausalLmTask(LanguageTask):
    """Examples: `messages`, the JSON of a list of {role, content} that ends with what the assistant says."""

    model: CausalLanguageModel
    ACCURACY = "token_accuracy"
    REASONS: ClassVar[dict[str, str]] = {
        "without_text": "sans question ou sans réponse",
        "not_a_conversation": "dont la conversation n'est pas une liste de messages qui finit par une réponse",
    }

    def examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        read = self._conversation if self.model.messages else self._pair
        columns = [self.model.messages] if self.model.messages else [self.model.prompt, self.model.answer]
        found = [read(*values) for values in rows.select(pl.col([c for c in columns if c]).cast(pl.String)).iter_rows()]
        return pl.DataFrame(found, schema={"messages": pl.String, LEFT_OUT: pl.String}, orient="row")

    def _pair(self, prompt: str | None, answer: str | None) -> tuple[str | None, str | None]:
        if not (prompt or "").strip() or not (answer or "").strip():
            return None, "without_text"
        return self._told([{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]), None

    def _conversation(self, text: str | None) -> tuple[str | None, str | None]:
        if not (text or "").strip():
            return None, "without_text"
        try:
            found = json.loads(text or "")
        except ValueError:
            found = None
        wrong = not isinstance(found, list) or not found or not all(_is_message(m) for m in found) or found[-1]["role"] != "assistant"
        if wrong:
            return None, "not_a_conversation"
        return self._told([{"role": m["role"], "content": m["content"]} for m in found]), None

    def _told(self, messages: list[dict[str, Any]]) -> str:
        system = [{"role": "system", "content": self.model.system}] if self.model.system and messages[0]["role"] != "system" else []
        return json.dumps(system + messages, ensure_ascii=False)

    def head(self, job: Job, arguments: dict[str, Any]) -> Any:
        from transformers import AutoModelForCausalLM

        assert job.base is not None
        return AutoModelForCausalLM.from_pretrained(job.base.folder, **arguments)

    def encode(self, job: Job, tokenizer: Any) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
        from flows.models.language import conversation

        self._talkative(job, tokenizer)

        def encoded(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            try:
                found = [conversation(tokenizer, json.loads(m), job.candidate.max_length) for m in batch["messages"]]
            except ValueError as error:
                raise ConfigurationError(str(error), where=job.candidate.base_model, hint="a base model with another template") from None
            rows = {"input_ids": [ids for ids, _ in found], "labels": [labels for _, labels in found]}
            return _packed(rows, job.candidate.max_length) if self._packs(job) else rows

        return encoded

    def collator(self, job: Job, tokenizer: Any) -> Any:
        from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

        self._talkative(job, tokenizer)
        if not self._packs(job):
            return DataCollatorForLanguageModeling(tokenizer.pad_token_id)
        padded = DataCollatorForLanguageModeling(tokenizer.pad_token_id, return_position_ids=True)

        def packed(rows: list[dict[str, Any]]) -> dict[str, Any]:
            """Without a mask and a cache, transformers tells the examples of a sequence apart by where positions begin again at 0."""
            return {name: tensor for name, tensor in padded(rows).items() if name != "attention_mask"} | {"use_cache": False}

        return packed

    def _packs(self, job: Job) -> bool:
        """Not where the model is compiled: transformers then does not look where examples begin, and they would see each other."""
        return self.model.packing and not getattr(job.candidate, "compile", False)

    def predictor(self, job: Job, model: Any, tokenizer: Any) -> Any:
        from flows.models.language import CausalPredictor

        self._talkative(job, tokenizer)
        return CausalPredictor(model, tokenizer, job.candidate.max_length)

    @staticmethod
    def _talkative(job: Job, tokenizer: Any) -> None:
        """With a template and a token to pad with.

        Raises: ConfigurationError if the tokenizer has no token that ends a text: the model could never stop.
        """
        if tokenizer.eos_token is None:
            raise ConfigurationError("the tokenizer has no token that ends a text", where=job.candidate.base_model)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if tokenizer.chat_template is None:
            tokenizer.chat_template = TEMPLATE

    def predict(self, predictor: Any, examples: pl.DataFrame) -> np.ndarray:
        return np.asarray(predictor.predict([json.loads(m) for m in examples["messages"]]))


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ROLES and isinstance(message.get("content"), str)


def _packed(rows: dict[str, list[Any]], max_length: int) -> dict[str, list[Any]]:
    """Examples one after the other in sequences of at most `max_length`, best fit first (TRL)."""
    from datasets import Dataset
    from trl.data_utils import pack_dataset

    packed: dict[str, list[Any]] = pack_dataset(Dataset.from_dict(rows), max_length, strategy="bfd").to_dict()
    return packed
