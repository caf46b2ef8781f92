"""The Trainer of transformers with what Socle needs besides: its own order of rows, small checkpoints without a pickle of ours, and
a stop before a number that is none reaches the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from json import dumps, loads
from pathlib import Path
from shutil import copyfile
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer
from transformers.trainer_pt_utils import safe_globals

from flows.training.batches import ByLength

WEIGHTS, COURSE = "trainable.safetensors", "course.json"
PICKLES = ("optimizer.pt", "scheduler.pt")  # written by torch.save, and only ever read with weights_only=True


class NotANumberError(Exception):
    """The loss, or its gradient, is infinite or not a number. The weights are still those of the step before."""

    def __init__(self, step: int, learning_rate: float) -> None:
        super().__init__(step, learning_rate)
        self.step, self.learning_rate = step, learning_rate


@dataclass
class Course:
    """How a training goes: what a checkpoint keeps besides the state of the Trainer."""

    batch_size: int
    accumulate: int
    processes: int = 1
    seconds: float = 0.0
    """Of training, those of runs that were killed included up to their last checkpoint."""
    kwh: float = 0.0
    best_step: int | None = None
    best_value: float | None = None
    evaluated_step: int | None = None
    worse: int = 0
    """Evaluations since the best one."""

    def write(self, folder: Path) -> None:
        (folder / COURSE).write_text(dumps(asdict(self)), encoding="ascii")

    @classmethod
    def read(cls, folder: Path) -> Course:
        return cls(**loads((folder / COURSE).read_text(encoding="ascii")))


class Loop(Trainer):
    """`order`: of the rows; `course` goes into every checkpoint."""

    def __init__(self, *, order: ByLength, course: Course, best: Path, **arguments: Any) -> None:
        self.order, self.course, self.best = order, course, best
        super().__init__(**arguments)
        self.model_accepts_loss_kwargs = self.model_accepts_loss_kwargs and self._divides_by_the_count()

    @torch.no_grad()
    def _divides_by_the_count(self) -> bool:
        """Whether the model's loss is the sum over labels divided by the count that it is given. transformers takes it from the
        signature; but classifiers such as BERT's take the argument and do not use it, so that with several batches a step, or
        several processes, the gradients would be as many times too large."""
        model, rows = cast("Any", self.model), cast("Any", self.train_dataset)
        batch = self._prepare_inputs(self.data_collator([rows[i] for i in range(min(2, len(rows)))]))
        was_training = model.training
        model.eval()
        try:
            one, two = (model(**batch, num_items_in_batch=torch.tensor(n, device=self.args.device)).loss for n in (1, 2))
        except TypeError:
            return False
        finally:
            model.train(was_training)
        return bool(torch.isclose(one, 2 * two, rtol=1e-2))

    def _get_train_sampler(self, train_dataset: Any = None) -> ByLength:
        return self.order

    def _clip_grad_norm(self, model: Any) -> Any:
        """Called before each step of the optimiser, on gradients that all processes have in common."""
        norm = super()._clip_grad_norm(model)
        if not bool(torch.isfinite(torch.as_tensor(norm))):
            raise NotANumberError(self.state.global_step, self._get_learning_rate())
        return norm

    def log(self, logs: dict[str, float], *arguments: Any, **named: Any) -> None:
        if "loss" in logs and not torch.isfinite(torch.tensor(logs["loss"])):
            raise NotANumberError(self.state.global_step - 1, self._get_learning_rate())
        super().log(logs, *arguments, **named)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """What training changes, and nothing that is pickled: the other weights are those of the base model, whose hash is known."""
        assert output_dir is not None
        folder = Path(output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(self.model, folder / WEIGHTS)
        if self.best.is_file():
            copyfile(self.best, folder / self.best.name)
        self.course.write(folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model if model is None else model, Path(resume_from_checkpoint) / WEIGHTS)

    def forget_gradients(self) -> None:
        cast("Any", self.model).zero_grad()

    def checkpoint_now(self) -> Path:
        """The state after the last whole step, in the work folder."""
        self._save_checkpoint(cast("Any", self.model), trial=None)
        return Path(cast("str", self.args.output_dir)) / f"checkpoint-{self.state.global_step}"


def save_weights(model: Any, path: Path) -> None:
    """Trainable parameters, and buffers."""
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    parameters = {n for n, _ in model.named_parameters(remove_duplicate=False)}
    buffers = {n: b for n, b in model.state_dict().items() if n not in parameters}
    save_file({n: t.detach().cpu().contiguous().clone() for n, t in (trained | buffers).items()}, path)


def load_weights(model: Any, path: Path) -> None:
    """Raises: KeyError if the file is of another model."""
    there = dict(model.named_parameters()) | model.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, tensor in load_file(path).items():
            there[name].copy_(tensor)


def is_readable(folder: Path) -> bool:
    """Whether a checkpoint can be gone on from. What is pickled in it is read as numbers only: code in it is never run."""
    try:
        Course.read(folder)
        loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        load_file(folder / WEIGHTS)
        with safe_globals():
            for path in [*(folder / name for name in PICKLES), *folder.glob("rng_state*.pth")]:
                torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # what a damaged archive raises has many names
        return False
    return True
