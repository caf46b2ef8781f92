"""A base model reads a ministry's texts: words are hidden and predicted (domain-adaptive pretraining, Gururangan et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import polars as pl

from flows.models import join_inputs
from flows.project import MaskedLanguageModel
from flows.training.tasks.base import LEFT_OUT, Job
from flows.training.tasks.language import LanguageTask


def task(model: Any) -> MaskedLmTask:
    return MaskedLmTask(model)


class MaskedLmTask(LanguageTask):
    """Examples: `text`. A text longer than max_length makes several sequences."""

    model: MaskedLanguageModel
    ACCURACY = "masked_accuracy"
    REASONS: ClassVar[dict[str, str]] = {"without_text": "sans texte"}

    def examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        inputs = rows.select(pl.col(self.model.inputs).cast(pl.String))
        found = pl.DataFrame({"text": [join_inputs(v) for v in inputs.iter_rows()]}, schema={"text": pl.String})
        return found.with_columns(pl.when(pl.col("text").str.strip_chars() == "").then(pl.lit("without_text")).alias(LEFT_OUT))

    def head(self, job: Job, arguments: dict[str, Any]) -> Any:
        from transformers import AutoModelForMaskedLM

        assert job.base is not None
        return AutoModelForMaskedLM.from_pretrained(job.base.folder, **arguments)

    def encode(self, job: Job, tokenizer: Any) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
        from flows.models.language import windows

        def encoded(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            sequences = windows(tokenizer, batch["text"], job.candidate.max_length)
            return {"input_ids": [ids for of_text in sequences for ids in of_text]}

        return encoded

    def collator(self, job: Job, tokenizer: Any) -> Any:
        from transformers import DataCollatorForLanguageModeling

        from flows.models.language import MASKED

        return DataCollatorForLanguageModeling(tokenizer, mlm=True, mlm_probability=MASKED)

    def predictor(self, job: Job, model: Any, tokenizer: Any) -> Any:
        from flows.models.language import MaskedPredictor

        return MaskedPredictor(model, tokenizer, job.candidate.max_length)

    def predict(self, predictor: Any, examples: pl.DataFrame) -> np.ndarray:
        return np.asarray(predictor.predict(examples["text"].to_list()))
