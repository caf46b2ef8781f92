"""What a search tries next: the declared settings, then what Optuna's tree-structured Parzen estimator says (Bergstra et al. 2011)."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import optuna

from flows.project import Search
from flows.training.search.record import DONE, FAILED, PRUNED, Trial

SETTLING = 3  # finished trials before one is ended for being worse than their median
EARLIEST = 2  # evaluation of a trial at which it may be
AGAIN = 20  # times that other settings are asked for when these were tried already
DIGITS = 3  # significant ones of a setting
STATES = {DONE: optuna.trial.TrialState.COMPLETE, PRUNED: optuna.trial.TrialState.PRUNED, FAILED: optuna.trial.TrialState.FAIL}


def new_study(search: Search, higher_is_better: bool, done: list[Trial]) -> optuna.Study:
    """`done`: trials of an earlier run of the same search."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=SETTLING, n_warmup_steps=EARLIEST)
    study = optuna.create_study(direction="maximize" if higher_is_better else "minimize", pruner=pruner)
    for trial in done:
        tell(study, search, trial)
    return study


def tell(study: optuna.Study, search: Search, trial: Trial) -> None:
    """A trial with the settings that were trained, which are rounded: not those that Optuna said."""
    study.add_trial(
        optuna.trial.create_trial(
            state=STATES[trial.state],
            value=trial.validation,
            params=trial.settings,
            distributions=_distributions(search),
            intermediate_values=trial.curve,
        )
    )


def planned(search: Search, candidate: Any) -> list[dict[str, Any]]:
    """The first trials: the declared settings, so that a search does not end below them; and if there are not more than `trials`
    different ones, all of them."""
    declared = {name: getattr(candidate, name) for name in search.settings}
    first = [declared] if all(search.has(name, value) for name, value in declared.items()) else []
    if search.size is None or search.size > search.trials:
        return first
    bounds = {name: search.bounds(name) for name in search.settings}
    values = [ends if name == "batch_size" else range(ends[0], ends[1] + 1) for name, ends in bounds.items()]
    others = [settings for one in product(*values) if (settings := dict(zip(bounds, one, strict=True))) not in first]
    Random(search.seed).shuffle(others)
    return [*first, *others]


def ask(study: optuna.Study, search: Search, first: list[dict[str, Any]], done: list[Trial]) -> tuple[optuna.Trial, dict[str, Any]] | None:
    """(Optuna's trial, settings that were not tried yet); None: none are found. The sampler begins anew with each trial, with a seed of
    its own: so the next one is the same after a run was killed."""
    number, tried = len(done), [t.settings for t in done]
    by_chance = max(2, search.trials // 4)  # Optuna's own 10 would be all of a small search
    study.sampler = optuna.samplers.TPESampler(seed=search.seed + number, n_startup_trials=by_chance)
    if number < len(first):
        study.enqueue_trial(first[number])
    for _ in range(AGAIN):
        trial = study.ask()
        settings = {name: _suggest(trial, search, name) for name in search.settings}
        if settings not in tried:
            return trial, settings
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


def _suggest(trial: optuna.Trial, search: Search, name: str) -> Any:
    bounds = search.bounds(name)
    if name == "batch_size":
        return trial.suggest_categorical(name, bounds)
    if name in ("epochs", "max_leaf_nodes"):
        return trial.suggest_int(name, *bounds, log=name == "max_leaf_nodes")
    value = trial.suggest_float(name, *bounds, log=True)
    return value if value in bounds else min(max(float(f"{value:.{DIGITS}g}"), bounds[0]), bounds[1])


def _distributions(search: Search) -> dict[str, Any]:
    trial = optuna.create_study().ask()
    for name in search.settings:
        _suggest(trial, search, name)
    return dict(trial.distributions)
