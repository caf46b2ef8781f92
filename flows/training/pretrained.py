"""The base model as it is: nothing is trained, so that one sees what training buys."""

from __future__ import annotations

from transformers import AutoTokenizer

from flows.training.base_models import loading_arguments
from flows.training.tasks.base import Job, Trained, TransformerTask


def train(task: TransformerTask, job: Job) -> Trained:
    assert job.base is not None
    tokenizer = AutoTokenizer.from_pretrained(job.base.folder, trust_remote_code=False, local_files_only=True)
    model = task.head(job, loading_arguments(job.candidate))
    return Trained(task.predictor(job, model, tokenizer), sum(p.numel() for p in model.parameters()), 0)
