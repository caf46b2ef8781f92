"""Trains a transformer, whatever its task, with the Trainer of transformers.

A training that was killed goes on from the newest checkpoint; one that runs out of memory goes on with smaller batches; one whose
budget is spent, or whose loss is no number any more, ends with the best weights so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Any

import torch
from accelerate import PartialState
from transformers import AutoTokenizer, PrinterCallback, TrainingArguments, set_seed

from flows.errors import Refused
from flows.project import TransformerCandidate
from flows.training import hardware, launch, memory
from flows.training.base_models import loading_arguments
from flows.training.batches import ByLength, Seeded
from flows.training.loop import Course, Loop, NotANumberError, is_readable, load_weights
from flows.training.quiet import quiet
from flows.training.tasks.base import Job, Trained, TransformerTask
from flows.training.tokens import LENGTH, ORDER, tokenised
from flows.training.trainable import counts, merged, prepare
from flows.training.watch import BUDGET_KWH, BUDGET_MINUTES, PATIENCE, Watch, agreed, saving_at_sigterm

NOT_A_NUMBER = "not_a_number"
WHY = {
    BUDGET_MINUTES: "le budget de temps est épuisé",
    BUDGET_KWH: "le budget d'énergie est épuisé",
    PATIENCE: "le score de validation ne progresse plus",
    NOT_A_NUMBER: "la perte n'est plus un nombre",
}
SHOWN_ROWS = 20


def train(task: TransformerTask, job: Job) -> Trained:
    """Train, with the best of the model's files left to the predictor.

    Raises: Refused if the loss is not a number before anything was evaluated, or if memory does not suffice for one row at a time;
    ConfigurationError if the candidate asks for what the model has not.
    """
    candidate: TransformerCandidate = job.candidate
    assert job.base is not None
    quiet()
    if (wanted := _processes(job)) > 1 and not launch.is_launched():
        return launch.train(task, job, wanted)
    set_seed(candidate.seed)
    state = PartialState(cpu=not torch.cuda.is_available())
    processes = state.num_processes
    hardware.use_threads(processes if not torch.cuda.is_available() else 1)
    tokenizer = AutoTokenizer.from_pretrained(job.base.folder, trust_remote_code=False, local_files_only=True)
    model = prepare(task.head(job, loading_arguments(candidate)), candidate)
    with state.main_process_first():
        tokens, _ = tokenised(task, job, tokenizer)
    order = ByLength(list(tokens[LENGTH]), candidate.batch_size * candidate.accumulate, candidate.seed)
    names = list(tokens[ORDER])
    best = job.work / "best.safetensors"
    course = Course(*launch.shared(candidate.batch_size, candidate.accumulate, processes), processes)
    resume, course, damaged = agreed(_where_to_begin(job, best, course) if state.is_main_process else None)

    def evaluate() -> float:
        rows = job.examples.read("validation")
        answers = task.predict(task.predictor(job, model, tokenizer), rows)
        value = task.evaluate(answers, rows, job.examples.labels)[task.model.metric]["value"]
        return math.nan if value is None else float(value)  # the metric may not exist for these answers: no better than before

    watch = Watch(job, order, course, best, evaluate, task.model.higher_is_better)
    columns, collator = tokens.remove_columns([LENGTH, ORDER]), Seeded(task.collator(job, tokenizer), order)

    def loop() -> Loop:
        arguments = training_arguments(candidate, job.work, course)
        made = Loop(
            order=order,
            course=course,
            best=best,
            model=model,
            args=arguments,
            train_dataset=columns,
            data_collator=collator,
            callbacks=[watch],
        )
        made.remove_callback(PrinterCallback)
        return made

    with saving_at_sigterm(watch):
        done, ran_out = _until_it_ends(job, watch, loop, resume, names)
    steps = done.state.global_step
    done.accelerator.unwrap_model(done.model_wrapped, keep_fp32_wrapper=False)  # what is kept computes in full precision
    if watch.patience is not None and watch.stopped != NOT_A_NUMBER:
        watch.look(done.state, model)  # stopped within an epoch
    state.wait_for_everyone()  # the first one wrote the best
    if course.best_step is not None and course.best_step != steps:
        load_weights(model, best)
    job.advance(max(0.0, 1 - watch.done))
    if watch.stopped and state.is_main_process:
        job.notice(_ended_early(watch, steps, done.state.max_steps))
    parameters, trained = counts(model)
    facts = _facts(watch, order, steps) | {
        "damaged_checkpoints": damaged,
        "out_of_memory": ran_out,
        "precision": hardware.precision(candidate.precision),
    }
    return Trained(task.predictor(job, merged(model), tokenizer), parameters, trained, facts)


def _until_it_ends(
    job: Job, watch: Watch, new_loop: Callable[[], Loop], resume: Path | None, names: list[float | None]
) -> tuple[Loop, int]:
    """(the loop that ended, how often memory ran out before). `names`: the order of each row."""
    ran_out = 0
    while True:
        loop = new_loop()
        try:
            loop.train(resume_from_checkpoint=str(resume) if resume else None)
            return loop, ran_out
        except NotANumberError as error:
            _not_a_number(job, watch, error, [names[row] for row in watch.order.rows_of(error.step)])
            return loop, ran_out
        except Exception as error:
            if not memory.ran_out(error):
                raise
        ran_out += 1  # outside of `except`: the error holds on to the batch
        resume = _with_smaller_batches(job, loop, resume)
        del loop
        memory.free()


def _facts(watch: Watch, order: ByLength, steps: int) -> dict[str, Any]:
    """What the manifest says of a training."""
    course = watch.course
    return {
        "steps": steps,
        "epochs": round(steps / order.steps, 3),
        "stopped": watch.stopped,
        "best_step": course.best_step,
        "best_validation": course.best_value,
        "resumed_from": watch.first_step or None,
        "batch_size": course.batch_size,
        "accumulate": course.accumulate,
        "processes": course.processes,
        "tokens": order.tokens(0, steps),
        "seconds": round(course.seconds, 2),
        "seconds_before": round(watch.spent[0], 2),
        "kwh_before": watch.spent[1],
        "seconds_a_step": round(course.seconds / max(steps, 1), 4),
    }


def _processes(job: Job) -> int:
    """One for each GPU of this machine, unless the job says otherwise."""
    return job.processes or (torch.cuda.device_count() if torch.cuda.is_available() else 1)


def _where_to_begin(job: Job, best: Path, course: Course) -> tuple[Path | None, Course, list[str]]:
    """(folder of the checkpoint to go on from, how the training went until then, what was wrong with newer ones)."""
    damaged: list[str] = []
    while job.checkpoints is not None and (found := job.checkpoints.latest(job.work / "resume")):
        damaged += [d for d in found.damaged if d not in damaged]
        if not is_readable(found.folder):
            damaged.append(f"{found.folder.name}: it cannot be read")
            job.checkpoints.damaged(found.folder)
            continue
        there = Course.read(found.folder)
        if there.processes != course.processes:  # goes on all the same, with other random numbers
            there = replace(there, batch_size=course.batch_size, accumulate=course.accumulate, processes=course.processes)
        if (found.folder / best.name).is_file():
            copyfile(found.folder / best.name, best)
        if damaged:
            job.notice(f"{len(damaged)} point(s) de reprise illisible(s) : l'entraînement reprend de l'étape {found.step}.")
        return found.folder, there, damaged
    if damaged:
        job.notice(f"{len(damaged)} point(s) de reprise illisible(s) : l'entraînement recommence au début.")
    return None, course, damaged


def _with_smaller_batches(job: Job, loop: Loop, resume: Path | None) -> Path | None:
    """The checkpoint to go on from after memory ran out: that of the last whole step."""
    course, step = loop.course, loop.state.global_step
    loop.forget_gradients()
    smaller = None if course.processes > 1 else memory.halved(course.batch_size, course.accumulate)
    if smaller is None:
        raise Refused(
            f"memory ran out at step {step + 1} with batches of {course.batch_size}, and they cannot be made smaller",
            where=job.candidate.label,
            hint="a smaller max_length or batch_size, train_layers or lora, or a machine with more memory",
            french="La mémoire ne suffit pas pour entraîner ce modèle, même une ligne à la fois.",
        )
    job.notice(
        f"La mémoire a manqué à l'étape {step + 1} avec des lots de {course.batch_size} lignes : la suite se fait par lots de "
        f"{smaller[0]}, {smaller[1]} par étape (le résultat est le même aux arrondis près)."
    )
    course.batch_size, course.accumulate = smaller
    if step == 0:
        set_seed(job.candidate.seed)
        return None
    folder = loop.checkpoint_now()
    if resume is not None and resume != folder:
        rmtree(resume, ignore_errors=True)
    return folder


def _not_a_number(job: Job, watch: Watch, error: NotANumberError, rows: list[float | None]) -> None:
    """Stop there with the best so far, if anything was evaluated."""
    said = [f"{name:.12f}" for name in rows[:SHOWN_ROWS] if name is not None]
    batch = f"rows by their order: {', '.join(said)}{' ...' if len(rows) > SHOWN_ROWS else ''}" if said else f"{len(rows)} sequences"
    place = f"{job.candidate.label}, step {error.step + 1}, learning rate {error.learning_rate:.3g}; {batch}"
    if watch.course.best_step is None:
        raise Refused("the training loss is not a number", where=place, hint="a smaller learning_rate, or precision: fp32") from None
    watch.stopped = NOT_A_NUMBER
    job.notice(
        f"La perte n'est plus un nombre à l'étape {error.step + 1} (taux d'apprentissage {error.learning_rate:.3g}) : un taux plus faible "
        "devrait l'éviter."
    )


def _ended_early(watch: Watch, steps: int, planned: int) -> str:
    kept = f", les poids gardés sont ceux de l'étape {watch.course.best_step}" if watch.course.best_step is not None else ""
    return f"L'entraînement s'est arrêté à l'étape {steps} sur {planned} : {WHY[watch.stopped or PATIENCE]}{kept}."


def training_arguments(candidate: TransformerCandidate, work: Path, course: Course) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(work / "trainer"),
        num_train_epochs=candidate.epochs,
        per_device_train_batch_size=course.batch_size,
        gradient_accumulation_steps=course.accumulate,
        learning_rate=candidate.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0.1,  # below 1: a share of the steps
        weight_decay=0.01,
        optim="adamw_torch_fused",
        bf16=hardware.precision(candidate.precision) == "bf16",
        use_cpu=not torch.cuda.is_available(),
        ddp_backend="gloo" if course.processes > 1 and not torch.cuda.is_available() else None,
        torch_compile=candidate.compile,
        seed=candidate.seed,
        remove_unused_columns=False,  # Task.encode gives what is used
        save_strategy="no",  # Watch says when
        eval_strategy="no",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would hide them
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_timeout=7200,  # seconds: while the first process evaluates, the others wait
    )
