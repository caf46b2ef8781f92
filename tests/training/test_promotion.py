"""The frugal rule, and its five outcomes in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.training.promotion import Rule, Scored, decide, sentence

RULE = Rule("macro_f1", minimum=0.7, tolerance=0.01)


def scored(version, validation, test=None, kind="tfidf", seconds=1.0, label=None) -> Scored:
    return Scored(label or f"{kind}-{version}", kind, version, validation, validation if test is None else test, seconds)


def cheap(version, validation, **more):
    return scored(version, validation, **more)


def dear(version, validation, **more):
    return scored(version, validation, **{"kind": "transformer", "seconds": 60.0} | more)


def outcome(candidates, champion=None, rule=RULE):
    found = decide(candidates, champion, rule)
    return found.chosen.version, found.promoted, found.why


def test_the_best_is_promoted_when_it_is_better_by_more_than_the_tolerance():
    assert outcome([cheap(1, 0.80), dear(2, 0.82)]) == (2, True, "chosen_is_best")


def test_the_cheapest_within_the_tolerance_is_promoted():
    assert outcome([cheap(1, 0.80), dear(2, 0.805)]) == (1, True, "frugal")


@pytest.mark.parametrize("best", [0.75, 0.8, 0.81, 0.9, 0.97])
def test_the_tolerance_itself_is_within_whatever_the_rounding(best):
    assert outcome([cheap(1, round(best - 0.01, 2)), dear(2, best)]) == (1, True, "frugal")


def test_a_cheap_one_that_is_best_is_not_called_frugal():
    assert outcome([cheap(1, 0.9), dear(2, 0.8)]) == (1, True, "chosen_is_best")


def test_within_a_kind_the_time_of_training_decides():
    assert outcome([dear(1, 0.80, seconds=10), dear(2, 0.805, seconds=90)])[0] == 1
    assert outcome([dear(1, 0.80, seconds=90), dear(2, 0.805, seconds=10)])[0] == 2


def test_equal_scores_the_cheapest():
    assert outcome([dear(1, 0.8), cheap(2, 0.8, seconds=1000)]) == (2, True, "chosen_is_best")


def test_where_lower_is_better_everything_turns_round():
    rule = Rule("mae", higher_is_better=False, minimum=3.0, tolerance=0.1)
    assert outcome([cheap(1, 2.0), dear(2, 1.5)], rule=rule) == (2, True, "chosen_is_best")
    assert outcome([cheap(1, 2.0), dear(2, 1.95)], rule=rule) == (1, True, "frugal")
    assert outcome([cheap(1, 3.5)], rule=rule) == (1, False, "below_minimum")
    assert outcome([cheap(2, 2.0, test=2.5)], champion=cheap(1, 2.0, test=2.0), rule=rule) == (2, False, "champion_is_better")
    assert outcome([cheap(2, 2.0, test=1.5)], champion=cheap(1, 2.0, test=2.0), rule=rule)[1] is True


def test_a_challenger_that_is_worse_beyond_chance_does_not_replace_the_champion():
    """Even by less than the tolerance; and one that is worse by chance only does."""
    new, old = cheap(2, 0.8, test=0.795), cheap(1, 0.8, test=0.8)
    for high, promoted in ((-0.001, False), (0.002, True)):
        found = decide([new], old, RULE, lambda chosen, high=high: {"value": -0.005, "low": -0.01, "high": high})
        assert found.promoted is promoted and found.difference["high"] == high


def test_below_the_minimum_nothing_is_promoted():
    assert outcome([cheap(1, 0.5), dear(2, 0.6)]) == (2, False, "below_minimum")
    assert outcome([cheap(1, 0.6999)])[1] is False
    assert outcome([cheap(1, 0.70)])[1] is True


def test_frugality_does_not_cost_the_minimum():
    """The cheap one is within the tolerance but below the minimum, which the other one meets."""
    assert outcome([cheap(1, 0.695), dear(2, 0.703)]) == (2, True, "chosen_is_best")


def test_the_champion_that_is_chosen_again_stays():
    assert outcome([cheap(1, 0.8)], cheap(1, 0.8)) == (1, False, "already_champion")


def test_a_challenger_below_the_champion_on_the_test_side_is_not_promoted():
    assert outcome([cheap(2, 0.9, test=0.75)], cheap(1, 0.8, test=0.80)) == (2, False, "champion_is_better")


def test_a_challenger_within_the_tolerance_of_the_champion_is_promoted():
    assert outcome([cheap(2, 0.9, test=0.795)], cheap(1, 0.8, test=0.80)) == (2, True, "chosen_is_best")


def test_the_test_side_does_not_choose_between_candidates():
    assert outcome([cheap(1, 0.8, test=0.1), dear(2, 0.75, test=0.99)])[0] == 1


def test_a_champion_among_the_candidates_gives_way_to_the_frugal_choice():
    assert outcome([cheap(1, 0.8, test=0.70), dear(2, 0.805, test=0.90)], dear(2, 0.805, test=0.90)) == (1, True, "frugal")


figures = st.floats(0, 1)
candidates = st.lists(
    st.builds(lambda k, v, t, s: (k, v, t, s), st.sampled_from(["tfidf", "transformer"]), figures, figures, st.floats(0, 1e4)),
    min_size=1,
    max_size=5,
)


@given(candidates, figures, st.floats(0, 0.2), st.one_of(st.none(), st.tuples(st.integers(1, 9), figures)))
def test_whatever_the_scores_the_choice_keeps_its_promises(many, minimum, tolerance, champion):
    found = [Scored(f"c{i}", k, i, v, t, s) for i, (k, v, t, s) in enumerate(many, 1)]
    current = None if champion is None else scored(champion[0], 0.5, champion[1])
    rule = Rule("macro_f1", minimum=minimum, tolerance=tolerance)
    decision = decide(found, current, rule)
    best = max(c.validation for c in found)
    assert decision.best.validation == best
    assert decision.chosen.validation >= best - tolerance - 1e-9
    assert all(c.cost >= decision.chosen.cost for c in found if c.validation >= max(best - tolerance, minimum))
    assert not decision.promoted or decision.chosen.validation >= minimum
    assert decision.promoted == (decision.why in ("chosen_is_best", "frugal"))
    assert decide(found[::-1], current, rule).chosen.validation >= best - tolerance - 1e-9
    for language in ("en", "fr"):
        assert decision.chosen.label in sentence(decision, language)


@pytest.mark.parametrize(
    ("found", "champion", "english", "french"),
    [
        (
            [cheap(1, 0.9)],
            None,
            "tfidf-1 has the best macro_f1 on the validation side (0.900)",
            "a le meilleur macro_f1 en validation (0,900)",
        ),
        (
            [cheap(1, 0.8), dear(2, 0.806)],
            None,
            "bought 0.006 macro_f1 for 60 times the training time",
            "apporté que 0,006 de macro_f1 pour 60 fois",
        ),
        ([cheap(1, 0.5)], None, "reaches macro_f1 0.500, not the wanted 0.700", "0,500, et non les 0,700 voulus"),
        ([cheap(1, 0.9)], cheap(1, 0.9), "is the champion already", "est déjà le champion"),
        ([cheap(2, 0.9, test=0.5)], cheap(1, 0.8), "challenger / champion: 0.500 / 0.800", "challenger / champion : 0,500 / 0,800"),
    ],
)
def test_sentences(found, champion, english, french):
    decision = decide(found, champion, RULE)
    assert english in sentence(decision)
    assert french in sentence(decision, "fr") and "." not in sentence(decision, "fr").replace("macro_f1", "")
