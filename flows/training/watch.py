"""What happens beside the steps of a training: curves, evaluation and early stopping, budgets, checkpoints."""

from __future__ import annotations

import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback

from flows.errors import StorageError
from flows.training.batches import ByLength, kept_chance
from flows.training.loop import Course, save_weights
from flows.training.tasks.base import Job

BUDGET_MINUTES, BUDGET_KWH, PATIENCE = "max_minutes", "max_kwh", "patience"
CURVES = ("loss", "learning_rate", "grad_norm", "validation")


def agreed(value: Any) -> Any:
    """What the first process says, on all of them: each of them deciding for itself, one could go on alone and wait for ever."""
    return broadcast_object_list([value])[0] if PartialState().num_processes > 1 else value


class Watch(TrainerCallback):
    """Called by the Trainer after each step. `evaluate` gives the model's metric on the validation side."""

    def __init__(self, job: Job, order: ByLength, course: Course, best: Path, evaluate: Callable[[], float], higher: bool) -> None:
        self.job, self.order, self.course, self.best, self.evaluate, self.higher = job, order, course, best, evaluate, higher
        self.stopped: str | None = None
        self.ended = threading.Event()  # SIGTERM came
        self.done = 0.0  # share of the training that was told
        self.spent = course.seconds, course.kwh  # by runs before
        self.start = self.saved = time.monotonic()
        self.first_step: int | None = None

    @property
    def patience(self) -> int | None:
        found: int | None = self.job.candidate.patience
        return found

    # -- called by the Trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if self.first_step is None:
            self.first_step = state.global_step
            if state.is_world_process_zero:
                for point in state.log_history:  # a curve begins at the first step, wherever the run does
                    self._log(point)
        self._advance(state)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.order.epoch = state.global_step // self.order.steps

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if logs and state.is_world_process_zero:
            self._log(logs | {"step": state.global_step})

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self._advance(state)
        self._measure()
        whole = state.global_step % self.order.steps == 0 or state.global_step == state.max_steps
        if self.patience is not None and whole:
            self.look(state, model)
            if self.course.worse >= self.patience and state.global_step < state.max_steps:
                self.stopped = PATIENCE
        self.stopped = self.stopped or self._over_budget()
        control.should_training_stop |= self.stopped is not None
        control.should_save = self._is_due(state)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        PartialState().wait_for_everyone()  # each process writes its own random states
        if state.is_world_process_zero and self.job.checkpoints is not None:
            try:
                self.job.checkpoints.save(folder, state.global_step)
            except StorageError as error:  # training goes on: the checkpoint before is still there
                self.job.notice(f"Le point de reprise de l'étape {state.global_step} n'a pas pu être écrit : {error.message}.")
            shutil.rmtree(folder, ignore_errors=True)
        self.saved = time.monotonic()
        if self.ended.is_set():  # whoever handled the signal before handles it now
            os.kill(os.getpid(), signal.SIGTERM)

    # -- evaluation

    def look(self, state: Any, model: Any) -> None:
        """Evaluate the weights of this step, and keep them if they are the best."""
        if self.course.evaluated_step == state.global_step:
            return
        with kept_chance():
            value = agreed(self.evaluate() if state.is_world_process_zero else None)
        best = self.course.best_value
        self.course.evaluated_step = state.global_step
        if not math.isnan(value) and (best is None or (value > best if self.higher else value < best)):
            self.course.best_step, self.course.best_value, self.course.worse = state.global_step, value, 0
            if state.is_world_process_zero:
                save_weights(model, self.best)
        else:
            self.course.worse += 1
        if state.is_world_process_zero:
            self._log({"step": state.global_step, "validation": value})
        state.log_history.append({"step": state.global_step, "validation": value})  # goes into checkpoints

    # -- budget, checkpoints, progress

    def _over_budget(self) -> str | None:
        budget = self.job.budget
        over = None
        if budget.max_minutes is not None and self.course.seconds >= budget.max_minutes * 60:
            over = BUDGET_MINUTES
        elif budget.max_kwh is not None and self.course.kwh >= budget.max_kwh:
            over = BUDGET_KWH
        return agreed(over) if budget.max_minutes or budget.max_kwh else over

    def _measure(self) -> None:
        self.course.seconds = self.spent[0] + time.monotonic() - self.start
        self.course.kwh = self.spent[1] + (self.job.energy() if self.job.energy else 0.0)

    def _is_due(self, state: Any) -> bool:
        if self.job.checkpoints is None:
            return False
        due = self.ended.is_set() or time.monotonic() - self.saved >= self.job.checkpoints.every_minutes * 60
        return bool(agreed(due))

    def _advance(self, state: Any) -> None:
        share = state.global_step / max(state.max_steps, 1)
        if share > self.done and state.is_world_process_zero:
            self.job.advance(share - self.done)
            self.done = share

    def _log(self, point: dict[str, Any]) -> None:
        values = {n: float(v) for n, v in point.items() if n in CURVES}
        if values:
            self.job.log(int(point["step"]), values)


@contextmanager
def saving_at_sigterm(watch: Watch) -> Iterator[None]:
    """A run that is asked to end writes a checkpoint first, then ends as it would have. Only the main thread can do so, and only
    where there is a place for checkpoints."""
    if watch.job.checkpoints is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL

    def asked(number: int, frame: Any) -> None:
        watch.ended.set()
        signal.signal(signal.SIGTERM, before)  # asked a second time, it ends at once

    signal.signal(signal.SIGTERM, asked)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
