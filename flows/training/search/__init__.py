"""A small search over the settings of one candidate. The validation side says what is best; the test side is never looked at.

A trial is a training like any other, with the candidate's own seed: the settings that are found give the same model when they are
declared by themselves. Trials come one after the other and share the model's budget. The same seed gives the same trials, also when a
run was killed in between: what is done by then is kept with the checkpoints, as often as those.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from flows.errors import ConfigurationError, Refused, StorageError
from flows.project import Budget
from flows.project.search import with_settings
from flows.training.search.record import DONE, FAILED, PRUNED, Progress, Trial, found, sentence
from flows.training.tasks.base import Job, Task, Trained

__all__ = ["found", "sentence", "train"]

STATE, BEST = "search.json", "best"
LITTLE = 0.5  # of what a trial takes: with less of the budget left, no other one begins


def train(task: Task, job: Job) -> Trained:
    """The best trial's model; its facts get `search`: all trials, and the settings that are best.

    Raises: ConfigurationError without Optuna, or in several processes; Refused if every trial failed.
    """
    search = task.model.search
    assert search is not None
    require_optuna()
    _require_one_process()
    from flows.training.search import suggestions

    done = _restored(job)
    study = suggestions.new_study(search, task.model.higher_is_better, done.trials)
    first, most = suggestions.planned(search, job.candidate), search.most
    begun = saved = time.monotonic()
    stopped, energy = None, job.energy() if job.energy else 0.0
    job.advance(len(done.trials) / most)
    while len(done.trials) < most and (stopped := _over_budget(job.budget, done.trials)) is None:
        asked = suggestions.ask(study, search, first, done.trials)
        if asked is None:
            break
        trial = Trial(len(done.trials) + 1, asked[1])
        trained, notices, place = _try(task, job, done, trial, asked[0], 1 / most)
        study.tell(asked[0], state=suggestions.STATES[FAILED])  # it only lives while it is asked whether to end the trial
        suggestions.tell(study, search, trial)
        done.trials.append(trial)
        _keep_the_better(done, trial, trained, notices, place, 1 if task.model.higher_is_better else -1)
        del trained
        _free()
        if job.checkpoints is not None and time.monotonic() - saved >= job.checkpoints.every_minutes * 60:
            _save(job, done)
            saved = time.monotonic()
    job.advance(max(0.0, 1 - len(done.trials) / most))
    trained = _best(task, job, done, stopped)
    trained.facts["seconds_before"] = round(max(0.0, sum(t.seconds for t in done.trials) - (time.monotonic() - begun)), 2)
    if job.energy:
        trained.facts["kwh_before"] = max(0.0, sum(t.kwh or 0.0 for t in done.trials) - (job.energy() - energy))  # by killed runs
    return trained


def require_optuna() -> None:
    """Raises: ConfigurationError without it."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ConfigurationError("a search over settings needs Optuna", where="search", hint='pip install "socle[search]"') from None


def _require_one_process() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigurationError(
            "a search runs in one process: what it tries depends on what the trials before gave and took",
            where="WORLD_SIZE",
            hint="search in one process, then declare the settings that were found and train with them in several",
        )


# ---- one trial -----------------------------------------------------------------------------------------------------


def _try(task: Task, job: Job, done: Progress, trial: Trial, asked: Any, share: float) -> tuple[Trained | None, list[str], Path]:
    """(what training with these settings gave, its notices, where it worked); how it went is written into `trial`."""
    from optuna import TrialPruned

    place, begun, energy = job.work / f"trial-{trial.number:03d}", time.monotonic(), job.energy() if job.energy else 0.0
    notices: list[str] = []
    told, trained = _Advance(job, share), None
    own = _job_of_trial(job, done, trial, place, energy)
    own.advance, own.notice, own.log = told, notices.append, _reporting(job, trial, asked, TrialPruned)
    try:
        trained = task.trainer(own.candidate)(own)
        trial.validation, trial.state = _score(task, job, trained), DONE
        trial.stopped = trained.facts.get("stopped")
    except TrialPruned:
        trial.state = PRUNED
    except Refused as error:
        trial.why = error.message
    except (MemoryError, RuntimeError) as error:
        if not _memory_ran_out(error):
            raise
        trial.why = "memory ran out"
    before = trained.facts if trained is not None else {}  # a trial that was gone on from took something in an earlier run, too
    trial.seconds = round(time.monotonic() - begun + before.get("seconds_before", 0.0), 2)
    trial.kwh = job.energy() - energy + before.get("kwh_before", 0.0) if job.energy else None
    told(1.0)
    if own.checkpoints is not None:
        own.checkpoints.remove()
    if trial.validation is not None:
        job.log(trial.number, {"search/validation": trial.validation})
    return trained, notices, place


def _job_of_trial(job: Job, done: Progress, trial: Trial, place: Path, energy: float) -> Job:
    """The search's job with a candidate, folders, checkpoints and what is left of the budget for one trial."""
    for folder in (place / "model", place / "work"):
        folder.mkdir(parents=True)
    measured = job.energy
    return replace(
        job,
        candidate=with_settings(job.candidate, trial.settings),
        folder=place / "model",
        work=place / "work",
        budget=_left(job.budget, done.trials),
        energy=(lambda: measured() - energy) if measured is not None else None,
        checkpoints=replace(job.checkpoints, fingerprint=f"{job.checkpoints.fingerprint}-{trial.number:03d}") if job.checkpoints else None,
    )


class _Advance:
    """A trial's progress as its share of the search's; never more than that."""

    def __init__(self, job: Job, share: float) -> None:
        self.job, self.share, self.done = job, share, 0.0

    def __call__(self, amount: float) -> None:
        amount = min(amount, 1 - self.done)
        self.done += amount
        self.job.advance(amount * self.share)


def _reporting(job: Job, trial: Trial, asked: Any, pruned: type[Exception]) -> Callable[[int, dict[str, float]], None]:
    """A trial's curves under a name of their own; where the trainer tells the validation score, the trial may end there."""
    steps: set[int] = set()

    def log(step: int, values: dict[str, float]) -> None:
        job.log(step, {f"trial_{trial.number:03d}/{name}": value for name, value in values.items()})
        value = values.get("validation")
        if value is None or math.isnan(value) or step in steps:
            return
        steps.add(step)
        trial.curve[len(steps)] = value
        asked.report(value, len(steps))
        if asked.should_prune():
            raise pruned

    return log


def _score(task: Task, job: Job, trained: Trained) -> float:
    """The model's metric on the validation side. Raises: Refused if there is none."""
    rows = job.examples.read("validation")
    value = task.evaluate(task.predict(trained.predictor, rows), rows, job.examples.labels)[task.model.metric]["value"]
    if value is None or not math.isfinite(value):
        raise Refused(f"the validation side has no {task.model.metric}", where=job.candidate.label)
    return float(value)


def _memory_ran_out(error: Exception) -> bool:
    if isinstance(error, MemoryError) or "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from flows.training import memory

    return memory.ran_out(error)


def _free() -> None:
    if "torch" in sys.modules:
        from flows.training import memory

        memory.free()


def _keep_the_better(done: Progress, trial: Trial, trained: Trained | None, notices: list[str], place: Path, sign: int) -> None:
    """Of equal ones the earlier. The other one's files go. `sign`: -1 where lower is better."""
    best = done.trials[done.best - 1].validation if done.best is not None else None
    worse: Path | None = place
    if trial.validation is not None and (best is None or sign * trial.validation > sign * best):
        worse, done.folder = done.folder, place
        done.best, done.trained, done.notices = trial.number, trained, notices
    if worse is not None:
        shutil.rmtree(worse, ignore_errors=True)


# ---- the budget of all trials --------------------------------------------------------------------------------------


def _left(budget: Budget, trials: list[Trial]) -> Budget:
    minutes, kwh = budget.max_minutes, budget.max_kwh
    spent = sum(t.seconds for t in trials) / 60, sum(t.kwh or 0.0 for t in trials)
    return Budget(
        max_minutes=None if minutes is None else max(minutes - spent[0], 1e-9),
        max_kwh=None if kwh is None else max(kwh - spent[1], 1e-12),
    )


def _over_budget(budget: Budget, trials: list[Trial]) -> str | None:
    """The budget that does not suffice for another trial. The first one always runs, and stops at the budget."""
    if not trials:
        return None
    usual = [t for t in trials if t.state == DONE] or trials
    seconds, kwh = sum(t.seconds for t in trials), sum(t.kwh or 0.0 for t in trials)
    if budget.max_minutes is not None and budget.max_minutes * 60 - seconds <= LITTLE * fmean(t.seconds for t in usual):
        return "max_minutes"
    if budget.max_kwh is not None and budget.max_kwh - kwh <= LITTLE * fmean(t.kwh or 0.0 for t in usual):
        return "max_kwh"
    return None


# ---- what is kept between runs -------------------------------------------------------------------------------------


def _save(job: Job, done: Progress) -> None:
    """Trials and the best model, as a checkpoint of the candidate: removed with those when the version is committed."""
    assert job.checkpoints is not None
    folder = job.work / "search"
    folder.mkdir()
    kept: dict[str, Any] = {"trials": [asdict(t) for t in done.trials], "best": done.best, "notices": done.notices}
    if done.trained is not None:
        (folder / BEST).mkdir()
        done.trained.predictor.save(folder / BEST)
        kept |= {name: getattr(done.trained, name) for name in ("parameters", "trained_parameters", "facts")}
    (folder / STATE).write_text(json.dumps(kept), encoding="utf-8")
    try:
        job.checkpoints.save(folder, len(done.trials))
    except StorageError as error:  # the search goes on: what was kept before is still there
        job.notice(f"L'état de la recherche après {len(done.trials)} essai(s) n'a pas pu être écrit : {error.message}.")
    shutil.rmtree(folder)


def _restored(job: Job) -> Progress:
    """What an earlier run of this search has done."""
    kept = job.checkpoints.latest(job.work / "earlier") if job.checkpoints is not None else None
    if kept is None or not (kept.folder / STATE).is_file():
        return Progress()
    told = json.loads((kept.folder / STATE).read_text(encoding="utf-8"))
    trials = [Trial(**t | {"curve": {int(n): v for n, v in t["curve"].items()}}) for t in told["trials"]]
    done = Progress(trials, told["best"], notices=told["notices"], folder=kept.folder)
    if done.best is not None:
        from flows.models import load

        done.trained = Trained(load(kept.folder / BEST), told["parameters"], told["trained_parameters"], told["facts"])
    job.notice(f"Recherche reprise après {len(trials)} essai(s) d'une exécution interrompue.")
    return done


# ---- what came of it -----------------------------------------------------------------------------------------------


def _best(task: Task, job: Job, done: Progress, stopped: str | None) -> Trained:
    search = task.model.search
    assert search is not None
    if done.trained is None or done.best is None:
        raise Refused(
            f"all {len(done.trials)} trials of the search failed; the first one: {done.trials[0].why}",
            where=job.candidate.label,
            hint="other ranges in `search`, or train the candidate without a search to see what is wrong",
            french=f"Aucun des {len(done.trials)} essais de la recherche n'a abouti.",
        )
    import optuna

    assert done.folder is not None
    if (done.folder / "model").is_dir():
        shutil.copytree(done.folder / "model", job.folder, dirs_exist_ok=True)
    record = {
        "metric": task.model.metric,
        "asked": search.most,
        "seed": search.seed,
        "optuna": optuna.__version__,
        "settings": done.trials[done.best - 1].settings,
        "best": done.best,
        "stopped": stopped,
        "seconds": round(sum(t.seconds for t in done.trials), 2),
        "trials": [t.to_dict() for t in done.trials],
    }
    for notice in done.notices:
        job.notice(notice)
    return replace(done.trained, facts=done.trained.facts | {"search": record})
