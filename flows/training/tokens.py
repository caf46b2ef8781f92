"""Token ids of the examples to train on, kept between runs by what they were made from: a run again tokenises nothing."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasets import Dataset

from flows.lake.objects import sha256_file
from flows.training.cache import Cache, key_of, tokeniser_sha256
from flows.training.tasks.base import Job, TransformerTask

LENGTH, ORDER = "length", "order"  # columns that go beside those of Task.encode
NOT_ENCODED = {"title", "candidates", "promote", "search", "budget", "purpose", "limits", "groups", "split", "dataset"}
"""Of a model's block: what cannot change how a row is encoded."""


def tokenised(task: TransformerTask, job: Job, tokenizer: Any) -> tuple[Dataset, bool]:
    """(what Task.encode gives for each training row, with its `length`, and whether it was there already).

    Padding is left to the collator: each batch to its longest. Where a row makes one sequence, `order` names it.
    """
    assert job.base is not None
    key = key_of(
        tokenizer=tokeniser_sha256(job.base),
        libraries={name: version(name) for name in ("transformers", "tokenizers", "datasets")},
        task=task.model.model_dump(exclude=NOT_ENCODED),
        revision=task.ENCODE_REVISION,
        max_length=job.candidate.max_length,
        max_rows=job.candidate.max_rows,
        labels=job.examples.labels,
        examples=sha256_file(job.examples.path("train")),
    )

    def make(path: Path) -> None:
        rows = Dataset(job.examples.read("train", job.candidate.max_rows).to_arrow())
        encode = task.encode(job, tokenizer)

        def encoded(batch: dict[str, Any]) -> dict[str, Any]:
            found = encode(batch)
            one_each = len(found["input_ids"]) == len(batch[ORDER])
            return {
                **found,
                LENGTH: [len(ids) for ids in found["input_ids"]],
                ORDER: batch[ORDER] if one_each else [None] * len(found["input_ids"]),
            }

        # the fingerprint is given: datasets would pickle the tokenizer several times to find one, as long as the tokenising takes
        rows.map(encoded, batched=True, remove_columns=rows.column_names, cache_file_name=str(path), new_fingerprint=key)

    path, there = Cache(job.cache / "tokens", job.cache_gb).get(key, make)
    return Dataset.from_file(str(path)), there
