"""Near-duplicates, against an exact comparison of each text with each."""

from __future__ import annotations

import random
import string

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError
from flows.near_duplicates import minhash
from flows.near_duplicates.folding import folded
from flows.quality.french import near_duplicates
from flows.quality.french.near_duplicates import is_not_near_duplicate
from tests.conftest import REPOSITORY
from tests.quality.french.meets import meets

ARTICLES = REPOSITORY.parent / "shared" / "data" / "code-du-travail" / "articles.csv"
FIRST = "L'employeur informe chaque salarié par écrit quinze jours avant la date de la visite médicale prévue au présent article."
CLOSE = "L'employeur informe chaque salarié par écrit trente jours avant la date de la visite médicale prévue au présent article."
OTHER = "Le délai de préavis court à compter de la notification de la décision à l'intéressé, sauf disposition contraire."
words = st.lists(st.text("abcdefghijklmnopqrstuvwxyzàâçèéêîôùû", min_size=1, max_size=8), min_size=1, max_size=15)
marks = st.sampled_from([" ", "  ", ", ", " - ", "\n", "… ", " (", ") ", "'", "\u00a0"])


def test_texts_that_come_again() -> None:
    assert meets(is_not_near_duplicate, *[FIRST, OTHER, CLOSE, FIRST, OTHER.upper()]) == [True, True, False, False, False]
    assert meets(is_not_near_duplicate, *[CLOSE, OTHER, FIRST], threshold=0.99) == [True, True, True]


def test_with_a_threshold_of_one_only_equal_texts_count() -> None:
    assert meets(is_not_near_duplicate, *[FIRST, CLOSE, f"{FIRST.lower()} !"], threshold=1) == [True, True, False]


def test_texts_that_say_nothing_resemble_nothing() -> None:
    assert meets(is_not_near_duplicate, *[None, None, "", "", "?", "…", " "]) == [True] * 7


def test_short_texts() -> None:
    assert meets(is_not_near_duplicate, *["Oui", "non", "OUI.", "a", "b", "A"]) == [True, True, False, True, True, False]


def test_a_chain_each_of_which_resembles_the_one_before() -> None:
    """The last resembles the first no more, and yet has an earlier near-duplicate."""
    letters = random.Random(7).choices(string.ascii_lowercase, k=400)
    chain = ["".join(random.Random(step).choices(string.ascii_uppercase, k=30 * step) + letters[30 * step :]) for step in range(1)]
    for step in range(1, 8):
        chain.append("".join([*random.Random(step).choices(string.ascii_lowercase, k=30), *chain[-1][:-30]]))
    assert meets(is_not_near_duplicate, *chain) == [True] + [False] * 7


@settings(deadline=None, max_examples=60)
@given(words, st.data())
def test_case_spaces_and_punctuation_do_not_count(text: list[str], data: st.DataObject) -> None:
    original = " ".join(text)
    assume(any(c.isalpha() for c in original))
    changed = "".join(w.upper() if data.draw(st.booleans()) else w.title() if data.draw(st.booleans()) else w for w in _joined(text, data))
    assert meets(is_not_near_duplicate, *[original, OTHER, changed])[2] is False


def _joined(text: list[str], data: st.DataObject) -> list[str]:
    return [part for word in text for part in (word, data.draw(marks))]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from([0.5, 0.7, 0.8, 0.9]), st.integers(3, 7))
def test_the_same_as_comparing_each_with_each(seed: int, threshold: float, shingle: int) -> None:
    """None that is less similar is found; nearly all that are as similar or more are."""
    texts = _altered(random.Random(seed), 80)
    exact = _exactly(texts, threshold, shingle)
    found = [not ok for ok in meets(is_not_near_duplicate, *texts, threshold=threshold, shingle=shingle)]
    assert not [t for t, f, e in zip(texts, found, exact, strict=True) if f and not e]
    assert sum(found) >= 0.9 * sum(exact)


def _altered(source: random.Random, count: int) -> list[str]:
    """Texts, half of which are made of an earlier one by changing some letters."""
    texts: list[str] = []
    for _ in range(count):
        if texts and source.random() < 0.5:
            letters = list(source.choice(texts))
            for _ in range(source.randrange(6)):
                letters[source.randrange(len(letters))] = source.choice(string.ascii_lowercase)
            texts.append("".join(letters))
        else:
            texts.append(
                " ".join("".join(source.choices(string.ascii_lowercase, k=source.randrange(2, 9))) for _ in range(source.randrange(3, 20)))
            )
    return texts


def _exactly(texts: list[str], threshold: float, shingle: int) -> list[bool]:
    plain = pl.DataFrame({"text": texts}).select(folded(pl.col("text"))).to_series().to_list()
    sets = [{t[i : i + shingle] for i in range(max(1, len(t) - shingle + 1))} for t in plain]
    return [any(len(a & b) / len(a | b) >= threshold for b in sets[:number]) for number, a in enumerate(sets)]


def test_portions_give_the_same_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of texts longer than a portion, too: memory does not grow with the number of pairs."""
    texts = [f"{FIRST} {number} {OTHER * (number % 3)}" for number in range(30)] + _altered(random.Random(1), 60)
    near_duplicates._answers.clear()
    whole = meets(is_not_near_duplicate, *texts)
    near_duplicates._answers.clear()
    monkeypatch.setattr(minhash, "CHARACTERS", 150)
    assert meets(is_not_near_duplicate, *texts) == whole
    assert 10 < whole.count(False) < 80


def test_the_same_question_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations asks for the count, then for the values, then for the places."""
    near_duplicates._answers.clear()
    column = [FIRST, OTHER, CLOSE]
    first = meets(is_not_near_duplicate, *column)
    monkeypatch.setattr(near_duplicates, "_resembling", None)
    assert meets(is_not_near_duplicate, *column) == first
    with pytest.raises(TypeError, match="not callable"):
        meets(is_not_near_duplicate, *[*column[::-1]])


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"threshold": 1.5}, {"shingle": 0}])
def test_arguments_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="threshold is"):
        is_not_near_duplicate(pl.col("a"), **wrong)


@pytest.mark.skipif(not ARTICLES.exists(), reason="needs shared/data/code-du-travail")
def test_articles_of_the_labour_code() -> None:
    """Some articles are repeated for other cases with one word changed; 88 word for word."""
    texts = pl.read_csv(ARTICLES, columns=["texte"], infer_schema=False)
    counts = [(~texts.select(is_not_near_duplicate(pl.col("texte"), threshold=threshold)).to_series()).sum() for threshold in (1, 0.9, 0.8)]
    assert counts[0] == 88
    assert counts[0] < counts[1] < counts[2] < 500
