"""A search over settings: what is tried, by which side, within which budget, and what is left of it."""

from __future__ import annotations

import json
import sys

import numpy as np
import polars as pl
import pytest

from flows.errors import ConfigurationError, Refused
from flows.lake.local import LocalObjects
from flows.project import Budget, TfidfCandidate
from flows.training import baseline, search, trainer
from flows.training.checkpoints import Checkpoints
from flows.training.examples import Examples
from flows.training.tasks import task_of
from flows.training.tasks.base import Job

C = {"trials": 6, "c": [1.0e-4, 100.0]}


@pytest.fixture
def do(examples, model, tmp_path):
    """Searches, for a TF-IDF model."""

    def run(block=C, name="a", made=None, **job):
        for folder in (tmp_path / name, tmp_path / f"{name}-work"):
            folder.mkdir()
        task = task_of(model(search=block, candidates=[{"kind": "tfidf", "c": 0.01}]))
        own = Job(task.model.searched, made or examples(), tmp_path / name, tmp_path / f"{name}-work", tmp_path / "cache", **job)
        return search.train(task, own)

    return run


def settings(trained):
    return [t["settings"] for t in trained.facts["search"]["trials"]]


def test_the_declared_settings_come_first_and_the_best_by_validation_is_given(do, tried, examples, model):
    notices = []
    trained = do(notice=notices.append)
    record = trained.facts["search"]
    assert [s["c"] for s in settings(trained)] == tried and tried[0] == 0.01 and len(set(tried)) == 6
    assert all(1e-4 <= c <= 100 for c in tried)
    scores = [t["validation"] for t in record["trials"]]
    assert record["best"] == 1 + scores.index(max(scores)) and max(scores) > min(scores), "the range makes a difference"
    assert record["settings"] == settings(trained)[record["best"] - 1]
    validation, task = examples().read("validation"), task_of(model())
    own = task.evaluate(task.predict(trained.predictor, validation), validation, examples().labels)
    assert own["macro_f1"]["value"] == max(scores)
    assert notices == [] and "6 essai(s) sur 6" in search.sentence(record) and "6 trial(s) of 6" in search.sentence(record, french=False)
    json.dumps(trained.facts)


def test_what_is_found_trains_to_the_same_model_by_itself(do, examples, tmp_path):
    trained = do()
    candidate = search.found(TfidfCandidate(c=0.01), trained)
    assert candidate.c == trained.facts["search"]["settings"]["c"]
    alone = baseline.train(Job(candidate, examples(), tmp_path, tmp_path, tmp_path))
    texts = examples().read("test")["text"].to_list()
    np.testing.assert_array_equal(alone.predictor.predict(texts), trained.predictor.predict(texts))
    assert search.found(candidate, alone) is candidate


def test_the_test_side_is_not_looked_at(do, examples):
    made = examples()
    made.path("test").unlink()
    assert do(made=made).facts["search"]["best"]


def test_the_same_seed_tries_the_same(do):
    one, same, other = do(), do(name="b"), do(C | {"seed": 14}, name="c")
    assert settings(one) == settings(same) and one.facts["search"]["best"] == same.facts["search"]["best"]
    assert settings(one)[1:] != settings(other)[1:]


def test_it_learns_from_the_trials_before(do, monkeypatch):
    """Where one end of the range is better, that end is tried more often than chance would."""

    def scored(task, job, trained):
        return -abs(np.log10(trained.facts["c"]) - 1)

    def train(job, **_):
        return search.Trained(None, 0, 0, {"c": job.candidate.c})

    monkeypatch.setattr(baseline, "train", train)
    monkeypatch.setattr(search, "_score", scored)
    found = [abs(np.log10(s["c"]) - 1) for s in settings(do({"trials": 40, "c": [1.0e-6, 1.0e6]}))]
    by_chance = (7**2 + 5**2) / 24  # mean distance of a point of [-6, 6] from 1
    assert np.mean(found[-15:]) < 0.6 * by_chance and min(found) < 0.15


def test_a_failed_trial_is_on_record_and_the_others_go_on(do, monkeypatch):
    own = baseline.train

    def sometimes(job, **more):
        if job.candidate.c == 0.01:
            raise Refused("the training loss is not a number", where="step 3")
        if job.candidate.c > 1:
            raise MemoryError
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", sometimes)
    record = do().facts["search"]
    states = {t["number"]: (t["state"], t.get("why")) for t in record["trials"]}
    assert states[1] == ("failed", "the training loss is not a number")
    assert ("failed", "memory ran out") in states.values() and states[record["best"]] == ("done", None)
    assert f"{sum(s == 'failed' for s, _ in states.values())} en échec" in search.sentence(record)


def test_if_all_fail_it_is_refused_with_the_reason(do, monkeypatch):
    monkeypatch.setattr(baseline, "train", lambda job, **_: (_ for _ in ()).throw(Refused("no word at all")))
    with pytest.raises(Refused, match="all 6 trials of the search failed; the first one: no word at all"):
        do()


def test_a_bug_is_not_taken_for_a_failed_trial(do, monkeypatch):
    monkeypatch.setattr(baseline, "train", lambda job, **_: [].pop())
    with pytest.raises(IndexError):
        do()


def test_when_the_budget_is_spent_the_best_so_far_is_given(do, monkeypatch):
    budgets, now, own = [], [0.0], baseline.train
    monkeypatch.setattr(search.time, "monotonic", lambda: now[0])

    def a_minute(job, **more):
        budgets.append(job.budget.max_minutes)
        now[0] += 60
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", a_minute)
    trained = do(budget=Budget(max_minutes=3.4))
    record = trained.facts["search"]
    assert budgets == pytest.approx([3.4, 2.4, 1.4]), "0.4 minutes are too little for another one"
    assert (record["stopped"], len(record["trials"]), record["asked"]) == ("max_minutes", 3, 6)
    assert "3 essai(s) sur 6 prévus (le budget de temps" in search.sentence(record)


def test_energy_is_one_budget_for_all_trials(do, monkeypatch):
    spent, seen, own = [5.0], [], baseline.train

    def one_kwh(job, **more):
        seen.append((job.budget.max_kwh, job.energy()))
        spent[0] += 1.0
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", one_kwh)
    record = do(budget=Budget(max_kwh=2.0), energy=lambda: spent[0]).facts["search"]
    assert seen == [(2.0, 0.0), (1.0, 0.0)] and record["stopped"] == "max_kwh"
    assert [t["kwh"] for t in record["trials"]] == [1.0, 1.0]


def test_few_different_settings_are_each_tried_once(do, examples, model, tmp_path, monkeypatch):
    seen = []

    def train(task, job):
        seen.append((job.candidate.epochs, job.candidate.batch_size))
        return search.Trained(None, 0, 0, {})

    monkeypatch.setattr(trainer, "train", train)
    monkeypatch.setattr(search, "_score", lambda task, job, trained: float(seen[-1] == (2, 8)))
    block = {"trials": 20, "epochs": [1, 3], "batch_size": [8, 16]}
    task = task_of(model(search=block, candidates=[{"base_model": "path:tiny", "epochs": 2}]))
    record = search.train(task, Job(task.model.searched, examples(), tmp_path, tmp_path, tmp_path)).facts["search"]
    assert seen[0] == (2, 16) and sorted(seen) == [(e, b) for e in (1, 2, 3) for b in (8, 16)]
    assert record["asked"] == 6 and record["settings"] == {"epochs": 2, "batch_size": 8}


def test_progress_adds_up_and_only_the_best_trial_keeps_its_files(do, tmp_path):
    shares, points = [], []
    record = do(advance=shares.append, log=lambda step, values: points.append((step, values))).facts["search"]
    assert sum(shares) == pytest.approx(1.0) and len([s for s in shares if s > 0]) >= 6
    assert [p.name for p in (tmp_path / "a-work").iterdir()] == [f"trial-{record['best']:03d}"]
    assert points == [(t["number"], {"search/validation": t["validation"]}) for t in record["trials"]]


def test_a_killed_search_goes_on_with_the_next_trial(do, tried, tmp_path, monkeypatch):
    whole = do()
    uninterrupted, store = list(tried), LocalObjects(tmp_path / "lake")
    store.ensure()
    tried.clear()
    own = baseline.train

    def killed(job, **more):
        if len(tried) == 4:
            raise KeyboardInterrupt
        return own(job, **more)

    checkpoints = Checkpoints(store, "theme", "0123456789abcdef", every_minutes=0)
    with monkeypatch.context() as patched:
        patched.setattr(baseline, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            do(name="b", checkpoints=checkpoints, energy=lambda: 1.0 * len(tried))
    notices = []
    resumed = do(name="c", checkpoints=checkpoints, notice=notices.append, energy=lambda: 1.0 * len(tried))
    assert resumed.facts["kwh_before"] == 4.0, "a kWh each, before it was killed"
    assert tried == uninterrupted, "each once, and the same as without the end in between"
    assert resumed.facts["search"]["best"] == whole.facts["search"]["best"]
    texts = ["question sur congé", "salaire"]
    np.testing.assert_allclose(resumed.predictor.predict(texts), whole.predictor.predict(texts), atol=1e-6)
    assert notices == ["Recherche reprise après 4 essai(s) d'une exécution interrompue."]
    checkpoints.remove()
    assert list(store.list()) == []


def test_without_optuna_it_says_what_to_install(do, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError) as error:
        do()
    assert error.value.hint == 'pip install "socle[search]"'


def test_several_processes_are_refused(do, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="one process"):
        do()


@pytest.mark.usefixtures("one_thread")
def test_a_trial_that_was_killed_goes_on_from_its_checkpoint(examples, job_of, model, tmp_path, monkeypatch):
    made, store, facts, own = examples(), LocalObjects(tmp_path / "lake"), [], trainer.train
    store.ensure()
    checkpoints = Checkpoints(store, "theme", "f" * 24, every_minutes=0)

    def noted(task, job):
        trained = own(task, job)
        facts.append(trained.facts)
        return trained

    def searched(name, log=lambda step, values: None, **more):
        job = job_of(made, name, job={"log": log, **more}, epochs=1, learning_rate=1e-3)
        task = task_of(model(search={"trials": 2, "learning_rate": [1e-3, 1e-1]}, candidates=[job.candidate.model_dump()]))
        return search.train(task, job)

    def killed(step, values):
        if step == 5 and "trial_002/loss" in values:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "train", noted)
    whole = searched("whole").facts["search"]
    facts.clear()
    with pytest.raises(KeyboardInterrupt):
        searched("killed", killed, checkpoints=checkpoints)
    resumed = searched("resumed", checkpoints=checkpoints).facts["search"]
    assert len(facts) == 2 and facts[0]["resumed_from"] is None and facts[1]["resumed_from"] == 4
    assert 0 < facts[1]["seconds_before"] < resumed["trials"][1]["seconds"]
    scores = [[t["validation"] for t in record["trials"]] for record in (whole, resumed)]
    assert scores[0] == scores[1] and whole["settings"] == resumed["settings"]
    assert facts[1]["seconds"] <= resumed["trials"][1]["seconds"] + 0.01
    assert {o.key.split("/")[3] for o in store.list()} == {"f" * 24}, "those of trials are gone"


@pytest.mark.usefixtures("one_thread")
def test_transformers_are_searched_and_bad_trials_end_early(examples, job_of, model):
    """Of eight learning rates over four decades, some do not learn: they end before their last epoch."""
    points = {}
    block = {"trials": 8, "learning_rate": [1.0e-5, 1.0e-1], "batch_size": [8, 16]}
    made = examples()
    job = job_of(
        made, epochs=4, patience=4, learning_rate=5e-3, job={"log": lambda step, values: points.setdefault(step, {}).update(values)}
    )
    task = task_of(model(search=block, candidates=[job.candidate.model_dump()]))
    record = search.train(task, job).facts["search"]
    states = [t["state"] for t in record["trials"]]
    assert states[:3] == ["done"] * 3 and "pruned" in states
    pruned = next(t for t in record["trials"] if t["state"] == "pruned")
    assert 1 < len(pruned["curve"]) <= 4 and "validation" not in pruned
    best = record["trials"][record["best"] - 1]
    assert best["validation"] == max(t["validation"] for t in record["trials"] if t["state"] == "done")
    assert best["validation"] == max(best["curve"].values()), "patience: the best weights are kept"
    assert "trial_001/loss" in points[1] and "search/validation" in points[1]
    assert isinstance(made, Examples) and isinstance(made.read("validation"), pl.DataFrame)
