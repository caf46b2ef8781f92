"""Before a training: what it will take of time, memory, disk and energy, from a few steps that are timed on the real examples.

They are made with a copy of the model that is thrown away, and leave random states as they were: the training that follows is the
same, bit for bit, as without. The tokens that they need are those that the training needs, and stay in the cache.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import AutoTokenizer

from flows.errors import Refused
from flows.models.frozen import BATCH, read_encoder
from flows.project import FrozenCandidate, TransformerCandidate
from flows.training import hardware, memory, resources
from flows.training.base_models import loading_arguments
from flows.training.batches import ByLength, kept_chance
from flows.training.energy import Meter
from flows.training.estimate import GB, Estimate, size
from flows.training.quiet import quiet
from flows.training.resources import Peak
from flows.training.tasks.base import Job, Task, TransformerTask
from flows.training.tokens import LENGTH, ORDER, tokenised
from flows.training.trainable import prepare

QUANTILES = (0.5, 0.1, 0.9, 0.3, 0.7)
"""Of the batches by their size: one of each is timed, so that their mean is that of all batches."""
TIMED_S, MOST_S, SHARE = 2.5, 60.0, 0.05
"""Timing goes on for TIMED_S, but not beyond SHARE of the training that it is about; after MOST_S no further batch begins."""
POWER_S = 2.0  # what is timed for less says nothing of power
ADAM = 3  # times what is trained: gradients, and two moments


def estimate(task: Task, job: Job) -> Estimate | None:
    """None: a candidate that is too cheap to ask, or whose steps cannot be timed.

    Raises: Refused if it cannot fit in memory or on the disk of the work folder; what the candidate's model raises when it is made.
    """
    candidate = job.candidate
    if isinstance(candidate, TransformerCandidate) and isinstance(task, TransformerTask):
        make = _training
    elif isinstance(candidate, FrozenCandidate):
        make = _embedding
    else:
        return None
    assert job.base is not None
    weights = sum(p.stat().st_size for p in job.base.folder.glob("*.safetensors"))
    _require_memory(job, weights, None)  # before it is loaded
    quiet()
    hardware.use_threads()
    with kept_chance():
        found = make(task, job)
        memory.free()
    _require_memory(job, found.memory_bytes, None)
    if found.disk_bytes > found.disk_free:
        raise Refused(
            f"{candidate.label} would need about {found.disk_bytes / GB:.1f} GB of disk, and {found.disk_free / GB:.1f} GB are free",
            where=str(job.work),
            hint="free some space, or train less of it (train_layers, lora): checkpoints are as large as what is trained",
            french=f"L'entraînement de {candidate.label} demanderait environ {size(found.disk_bytes)} de disque, et il en reste "
            f"{size(found.disk_free)}.",
        )
    return found


# ---- a transformer that is trained ---------------------------------------------------------------------------------


def _training(task: Any, job: Job) -> Estimate:
    candidate: TransformerCandidate = job.candidate
    assert job.base is not None
    with Peak() as peak:
        start = time.monotonic()
        tokenizer = AutoTokenizer.from_pretrained(job.base.folder, trust_remote_code=False, local_files_only=True)
        model = _placed(prepare(task.head(job, loading_arguments(candidate)), candidate))
        tokens, _ = tokenised(task, job, tokenizer)
        loading = time.monotonic() - start
        lengths, rows, collate = list(tokens[LENGTH]), tokens.remove_columns([LENGTH, ORDER]), task.collator(job, tokenizer)
        steps = math.ceil(candidate.epochs * -(-len(lengths) // (candidate.batch_size * candidate.accumulate)))
        trained = [p for p in model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=candidate.learning_rate, fused=True)
        before, trained_bytes = peak.before, sum(p.nbytes for p in trained)
        weights = sum(p.nbytes for p in model.parameters())

        def step(batch: list[int]) -> None:
            with _precision(candidate.precision):
                loss = model(**_on_device(collate([rows[i] for i in batch])))["loss"]
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()

        longest = max(range(len(lengths)), key=lengths.__getitem__)
        a_row = _kept_for_backward(model, _on_device(collate([rows[longest]])), candidate.precision)
        fixed = before + weights + ADAM * trained_bytes
        _require_memory(job, fixed + a_row * min(candidate.batch_size, len(lengths)), (fixed, a_row))  # before a batch is tried
        batches = _batches(lengths, candidate.batch_size, candidate.accumulate, candidate.seed)
        timed = _time(model, step, batches, steps * candidate.accumulate)
        evaluations = math.ceil(candidate.epochs) * -(-job.examples.rows["validation"] // candidate.batch_size) if candidate.patience else 0
    seconds = loading + timed.seconds * (steps * candidate.accumulate + evaluations / ADAM)  # forward alone: a third
    kept = job.checkpoints is not None
    disk = weights + trained_bytes * ((1 if candidate.patience else 0) + (4 if kept else 0))  # a checkpoint: weights, the best, two moments
    return _with_energy(seconds, steps, max(peak.bytes, fixed + a_row * timed.rows), disk, job, timed)


def _kept_for_backward(model: Any, batch: Any, precision: str) -> int:
    """Bytes that one forward pass keeps for its backward pass: what grows with the batch."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), _precision(precision):
        loss = model(**batch)["loss"]
    del loss
    return sum(seen.values())


# ---- a frozen one, whose embeddings are computed once --------------------------------------------------------------


def _embedding(task: Task, job: Job) -> Estimate:
    """Upper bounds: embeddings that are in the cache cost nothing."""
    candidate: FrozenCandidate = job.candidate
    assert job.base is not None
    with Peak() as peak:
        start = time.monotonic()
        model, tokenizer = read_encoder(job.base.folder)
        texts = job.examples.read("train", candidate.max_rows)["text"].to_list()
        encoded = tokenizer(texts, truncation=True, max_length=candidate.max_length)["input_ids"]
        loading, lengths = time.monotonic() - start, [len(ids) for ids in encoded]

        @torch.no_grad()
        def step(batch: list[int]) -> None:
            model(**tokenizer.pad({"input_ids": [encoded[i] for i in batch]}, return_tensors="pt").to(model.device))

        steps = -(-len(lengths) // BATCH)
        timed = _time(model, step, _batches(lengths, BATCH, 1, candidate.seed), steps, training=False)
        weights = sum(p.nbytes for p in model.parameters())
    disk = weights + 4 * len(lengths) * int(getattr(model.config, "hidden_size", 0))
    return _with_energy(loading + timed.seconds * steps, steps, peak.bytes, disk, job, timed)


# ---- timing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Timed:
    seconds: float
    """Of a batch, on average."""
    batches: int
    rows: int
    """Of the largest batch that memory sufficed for."""
    kw: float | None
    kg_per_kwh: float = 0.0


def _batches(lengths: list[int], batch_size: int, accumulate: int, seed: int) -> list[list[int]]:
    """Those of an epoch, the largest first."""
    order = ByLength(lengths, batch_size * accumulate, seed).order(0)
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return sorted(batches, key=lambda batch: len(batch) * max(lengths[i] for i in batch), reverse=True)


def _time(model: Any, step: Any, batches: list[list[int]], planned: int, training: bool = True) -> _Timed:
    """`planned`: batches of the whole training. The largest comes first, to see whether memory suffices; it is not timed: what is first
    used is made then. Where a GPU's memory does not suffice, the trainer halves its batches, and so does this."""
    model.train(training)
    rows = len(batches[0])
    while True:
        try:
            step(batches[0][:rows])
            break
        except Exception as error:
            if not memory.ran_out(error) or rows == 1:
                raise
        rows = max(1, rows // 2)
        memory.free()
    spent = []
    with Meter(every_seconds=1.0) as meter:
        start = time.monotonic()
        for number, quantile in enumerate(itertools.cycle(QUANTILES), 1):
            began = time.monotonic()
            batch = batches[round(quantile * (len(batches) - 1))]
            for part in range(0, len(batch), rows):
                step(batch[part : part + rows])
            _wait()
            spent.append(time.monotonic() - began)
            elapsed = time.monotonic() - start
            enough = min(TIMED_S, SHARE * planned * elapsed / number)
            if elapsed > MOST_S or (number % len(QUANTILES) == 0 and elapsed >= enough):
                break
    known = meter.works and meter.seconds >= POWER_S and meter.kwh() > 0
    kw = meter.kwh() / (meter.seconds / 3600) if known else None
    return _Timed(sum(spent) / len(spent), len(spent), rows, kw, meter.kg_per_kwh() if known else 0.0)


def _with_energy(seconds: float, steps: int, memory_bytes: int, disk_bytes: int, job: Job, timed: _Timed) -> Estimate:
    found = Estimate(
        seconds,
        steps,
        memory_bytes,
        resources.device_limit(),
        disk_bytes,
        resources.disk_free(job.work),
        timed_steps=timed.batches,
    )
    if timed.kw is None:
        return found
    kwh = timed.kw * seconds / 3600
    return replace(found, kwh=kwh, co2_kg=kwh * timed.kg_per_kwh)


def _require_memory(job: Job, needed: int, parts: tuple[int, int] | None) -> None:
    """`parts`: (what does not depend on the batch, what a row of it takes), for a hint.

    Raises: Refused if it is more than this machine or container has. On a GPU, batches can still be halved.
    """
    limit = resources.device_limit()
    if needed <= limit or (torch.cuda.is_available() and parts is not None and sum(parts) <= limit):
        return
    rows = (limit - parts[0]) // max(parts[1], 1) if parts is not None else 0
    smaller = f"batch_size: {rows} with accumulate, or " if rows > 0 else ""
    raise Refused(
        f"{job.candidate.label} would need about {needed / GB:.1f} GB of memory, and there are {limit / GB:.1f} GB",
        where=f"base model {job.candidate.base_model}, batches of {job.candidate.batch_size}, max_length {job.candidate.max_length}",
        hint=f"{smaller}a smaller base model or max_length, train_layers or lora, or more memory (execution.memory_gb)",
        french=f"L'entraînement de {job.candidate.label} demanderait environ {size(needed)} de mémoire, et il y en a {size(limit)}.",
    )


def _placed(model: Any) -> Any:
    return model.to("cuda") if torch.cuda.is_available() and not getattr(model, "is_quantized", False) else model


def _on_device(batch: Any) -> dict[str, Any]:
    place = "cuda" if torch.cuda.is_available() else "cpu"
    moved = {}
    for name, value in dict(batch).items():
        moved[name] = _on_device(value) if isinstance(value, dict) else value.to(place) if isinstance(value, torch.Tensor) else value
    return moved


def _precision(wanted: str) -> Any:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.autocast(device, dtype=torch.bfloat16, enabled=hardware.precision(wanted) == "bf16")


def _wait() -> None:
    """Until the GPU has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
