"""How far a run is, in words and per cent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.runs.run_progress import Meter, in_french, parts_of, weight
from flows.validation import load_project
from tests.conftest import REPOSITORY


def test_steps_in_french() -> None:
    assert in_french("articles: training tfidf") == "articles : entraînement de tfidf"
    assert in_french("articles: checking") == "articles : contrôles"


def test_a_run_goes_from_nothing_to_ninety_nine_and_only_its_end_is_a_hundred() -> None:
    project = load_project(REPOSITORY, "exemple")
    parts = parts_of(project, project.datasets, project.models)
    meter = Meter(parts)
    assert meter.percent == 0
    for part in parts:
        meter.finished(part)
    assert meter.percent == 99


def test_a_part_that_had_nothing_to_do_counts_as_done() -> None:
    meter = Meter({"demandes": 5.0, "theme": 15.0})
    meter.finished("demandes")
    assert meter.percent == 25


def test_a_step_counts_while_it_goes_on() -> None:
    meter = Meter({"theme": 20.0})
    meter.started("theme: training tfidf", 1.0)
    meter.advanced("theme: training tfidf", 0.5)
    assert meter.percent == 25 and meter.now == "theme : entraînement de tfidf"
    meter.ended("theme: training tfidf")
    assert meter.percent == 50


STEPS = st.sampled_from(
    ["demandes: receiving", "demandes: checking", "theme: training a", "theme: training b", "autre: reading", "sans sujet"]
)
MOVES = st.lists(st.tuples(st.sampled_from(["started", "advanced", "ended", "finished"]), STEPS, st.floats(0, 3)), max_size=40)


@given(MOVES)
def test_whatever_steps_come_it_stays_between_bounds(moves: list[tuple[str, str, float]]) -> None:
    meter = Meter({"demandes": 5.0, "theme": 28.0})
    for move, step, amount in moves:
        if move == "started":
            meter.started(step, 2.0)
        elif move == "advanced":
            meter.advanced(step, amount)
        elif move == "ended":
            meter.ended(step)
        else:
            meter.finished(step.partition(": ")[0])
        assert 0 <= meter.percent <= 99


@given(st.permutations(["receiving", "reading", "checking", "publishing"]))
def test_all_steps_of_a_dataset_are_all_of_its_part(order: list[str]) -> None:
    project = load_project(REPOSITORY, "exemple")
    (foreseen,) = set(parts_of(project, project.datasets, ()).values())
    assert sum(weight(f"x: {step}") for step in order) == foreseen
