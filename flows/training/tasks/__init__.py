"""What is particular about each task, one small module a task. docs/training.md shows how to add one."""

from __future__ import annotations

from importlib import import_module

from flows.project import Model
from flows.training.tasks.base import Task

MODULES = {
    "text-classification": "text_classification",
    "token-classification": "token_classification",
    "text-similarity": "text_similarity",
    "tabular-classification": "tabular",
    "tabular-regression": "tabular",
    "masked-lm": "masked_lm",
    "causal-lm": "causal_lm",
}


def task_of(model: Model) -> Task:
    """The task of a model, with what its project file says. Its module is loaded here and not before: some need libraries of extras."""
    module = import_module(f"flows.training.tasks.{MODULES[model.task]}")
    task: Task = module.task(model)
    return task
