"""Trains a transformer, whatever its task, with the Trainer of transformers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoTokenizer,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from flows.errors import ConfigurationError, Refused
from flows.project import TransformerCandidate
from flows.training.base_models import loading_arguments
from flows.training.tasks.base import Job, Trained, TransformerTask

LENGTH = "length"  # column by which the Trainer puts texts of similar length together


def train(task: TransformerTask, job: Job) -> Trained:
    """Train, with the best of the model's files left to the predictor.

    Raises: Refused if the loss is not a number.
    """
    candidate: TransformerCandidate = job.candidate
    assert job.base is not None
    _quiet()
    set_seed(candidate.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.base.folder, trust_remote_code=False, local_files_only=True)
    model = task.head(job, loading_arguments(candidate))
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None and candidate.max_length > positions:
        raise ConfigurationError(f"max_length is {candidate.max_length}, but {candidate.base_model} reads {positions} tokens at most")
    freeze(model, candidate.train_layers)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    trainer = Trainer(
        model=model,
        args=training_arguments(candidate, job.work),
        train_dataset=tokenised(task, job, tokenizer),
        data_collator=task.collator(job, tokenizer),
        callbacks=[_Progress(job.advance)],
    )
    trainer.remove_callback(PrinterCallback)
    loss = trainer.train().training_loss
    if math.isnan(loss):
        raise Refused("the training loss is not a number", where=candidate.label, hint="a smaller learning_rate")
    return Trained(task.predictor(job, model, tokenizer), sum(p.numel() for p in model.parameters()), trained)


def tokenised(task: TransformerTask, job: Job, tokenizer: Any) -> Dataset:
    """Token ids, kept on disk. Padding is left to the collator: each batch to its longest text."""
    rows = Dataset(job.examples.read("train", job.candidate.max_rows).to_arrow())
    encode = task.encode(job, tokenizer)

    def encoded(batch: dict[str, Any]) -> dict[str, Any]:
        found = encode(batch)
        return {**found, LENGTH: [len(ids) for ids in found["input_ids"]]}

    return rows.map(encoded, batched=True, remove_columns=rows.column_names, cache_file_name=str(job.work / "tokens.arrow"))


def training_arguments(candidate: TransformerCandidate, work: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(work / "trainer"),
        num_train_epochs=candidate.epochs,
        per_device_train_batch_size=candidate.batch_size,
        learning_rate=candidate.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0.1,  # below 1: a share of the steps
        weight_decay=0.01,
        train_sampling_strategy="group_by_length",
        length_column_name=LENGTH,
        seed=candidate.seed,
        save_strategy="no",  # nothing before the commit is worth keeping, and training_args.bin is a pickle
        eval_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def freeze(model: Any, train_layers: int | None) -> None:
    """Leave only the last `train_layers` encoder layers and what comes after them trainable; None: everything.

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
    after = [getattr(encoder, name) for name in ("pooler", "final_layer_norm", "norm") if getattr(encoder, name, None) is not None]
    for module in [*list(layers)[len(layers) - train_layers :], *after]:
        for parameter in module.parameters():
            parameter.requires_grad = True


def _quiet() -> None:
    """Their bars and notices would stand between ours: progress is shown by whoever listens."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


class _Progress(TrainerCallback):
    def __init__(self, advance: Callable[[float], None]) -> None:
        self.advance = advance

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        self.advance(1 / state.max_steps)
