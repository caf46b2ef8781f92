"""Texts on two sides of a split, against an exact comparison of each with each."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest

from flows.near_duplicates.folding import folded
from flows.training.evaluation import leakage
from flows.training.evaluation.leakage import across_sides, key_hash
from flows.training.examples import unit_hash
from tests.conftest import REPOSITORY

ARTICLES = REPOSITORY.parent / "shared" / "data" / "code-du-travail" / "articles.csv"
FIRST = "L'employeur informe chaque salarié par écrit quinze jours avant la date de la visite médicale prévue au présent article."
CLOSE = "L'employeur informe chaque salarié par écrit trente jours avant la date de la visite médicale prévue au présent article."
OTHER = "Le délai de préavis court à compter de la notification de la décision à l'intéressé, sauf disposition contraire."


def side(*texts: str | None, start: int = 0) -> pl.LazyFrame:
    return pl.LazyFrame(
        {"order": list(range(start, start + len(texts))), "text": list(texts)}, schema={"order": pl.Int64, "text": pl.String}
    )


def altered(source: random.Random, count: int) -> list[str]:
    """Texts of which many are others with some words changed."""
    words = ["congé", "salarié", "accord", "délai", "préavis", "contrat", "durée", "travail", "heures", "repos", "médecin", "visite"]
    texts = [" ".join(source.choices(words, k=source.randint(3, 25))) for _ in range(count // 3)]
    while len(texts) < count:
        changed = source.choice(texts).split()
        changed[source.randrange(len(changed))] = source.choice(words)
        texts.append(" ".join(changed))
    return texts


def compared(held: list[str], others: list[str], threshold: float, shingle: int) -> tuple[set[int], set[int]]:
    """(rows with an equal text, rows with a similar one that is not equal)."""

    def shingles(text: str) -> set[str]:
        text = text.ljust(shingle)
        return {text[i : i + shingle] for i in range(len(text) - shingle + 1)}

    sets = [shingles(text) for text in others]
    exact = {i for i, text in enumerate(held) if text in set(others)}
    near = {i for i, text in enumerate(held) if any(len(shingles(text) & s) >= threshold * len(shingles(text) | s) for s in sets)}
    return exact, near - exact


def test_a_text_on_both_sides_is_counted_and_not_shown() -> None:
    found = across_sides({"test": side(FIRST.upper(), CLOSE, OTHER, start=10), "train": side(FIRST, "Autre chose.")})
    (pair,) = found["pairs"]
    assert (pair["side"], pair["against"], pair["rows"], pair["looked_at"]) == ("test", "train", 3, 3)
    assert (pair["exact"], pair["near"], pair["share"]) == (1, 1, pytest.approx(2 / 3))
    assert pair["examples"][0] == {"key": key_hash([10]), "twin": key_hash([0]), "similarity": 1.0}
    assert pair["examples"][1]["key"] == key_hash([11]) and 0.8 <= pair["examples"][1]["similarity"] < 1
    assert "employeur" not in json.dumps(found, ensure_ascii=False)


def test_each_side_is_compared_with_those_before_it() -> None:
    found = across_sides({"validation": side(FIRST), "test": side(FIRST, OTHER), "train": side(OTHER)})
    pairs = {(p["side"], p["against"]): p["exact"] for p in found["pairs"]}
    assert pairs == {("validation", "train"): 0, ("test", "train"): 1, ("test", "validation"): 1}


def test_rows_that_share_a_text_are_all_counted() -> None:
    (pair,) = across_sides({"test": side(FIRST, FIRST, CLOSE, CLOSE, CLOSE), "train": side(FIRST)})["pairs"]
    assert (pair["exact"], pair["near"]) == (2, 3)


def test_an_equal_text_that_comes_after_a_similar_one_counts_as_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "PORTION", 1)
    (pair,) = across_sides({"test": side(FIRST), "train": side(CLOSE, OTHER, FIRST, CLOSE)})["pairs"]
    assert (pair["exact"], pair["near"]) == (1, 0) and pair["examples"][0]["twin"] == key_hash([2])


@pytest.mark.parametrize("empty", ["test", "train"])
def test_a_side_without_rows_and_texts_that_say_nothing(empty: str) -> None:
    sides = {"test": side(FIRST, None, "…", ""), "train": side(None, "", "?", FIRST)}
    (pair,) = across_sides(sides)["pairs"]
    assert (pair["exact"], pair["near"], pair["rows"]) == (1, 0, 4)
    (pair,) = across_sides(sides | {empty: side()})["pairs"]
    assert (pair["exact"], pair["near"], pair["share"], pair["examples"]) == (0, 0, 0, [])


def test_with_a_threshold_of_one_only_equal_texts_count() -> None:
    (pair,) = across_sides({"test": side(f"{FIRST.lower()} !", CLOSE), "train": side(FIRST)}, threshold=1)["pairs"]
    assert (pair["exact"], pair["near"]) == (1, 0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.9])
def test_the_same_as_comparing_each_with_each(seed: int, threshold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the portions: none that is less similar is found, and nearly all that are."""
    texts = altered(random.Random(seed), 240)
    held, others = texts[::3], [t for i, t in enumerate(texts) if i % 3]
    sides = {"test": side(*held), "train": side(*others)}
    plain = [pl.Series(ts).to_frame("t").select(folded(pl.col("t")))["t"].to_list() for ts in (held, others)]
    exact, near = compared(*plain, threshold, 5)
    for portion in (10_000, 17):
        monkeypatch.setattr(leakage, "PORTION", portion)
        (pair,) = across_sides(sides, threshold=threshold)["pairs"]
        assert pair["exact"] == len(exact)
        assert 0.93 * len(near) <= pair["near"] <= len(near) and near


def test_of_a_large_side_a_sample_is_looked_at_that_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "HELD", 50)
    texts = [f"{FIRST} {i}" for i in range(400)]
    sides = {"test": side(*texts), "train": side(*texts[:200])}
    (pair,), (again,) = (across_sides(sides, threshold=1)["pairs"] for _ in range(2))
    assert pair == again and pair["rows"] == 400 and pair["looked_at"] == 50
    assert 0.3 < pair["share"] < 0.7 and pair["exact"] == round(50 * pair["share"])
    turned = {"test": side(*texts).reverse(), "train": sides["train"]}
    assert across_sides(turned, threshold=1)["pairs"][0]["exact"] == pair["exact"]


def test_keys_of_several_columns() -> None:
    rows = pl.LazyFrame({"a": [1], "b": ["x"], "texte": [FIRST]})
    (pair,) = across_sides({"test": rows, "train": rows}, text="texte", key=["a", "b"])["pairs"]
    assert pair["examples"][0]["key"] == key_hash([1, "x"]) and len(key_hash([1, "x"])) == 16


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"threshold": 1.1}, {"shingle": 0}])
def test_arguments_that_make_no_sense_are_said(wrong: dict) -> None:
    with pytest.raises(ValueError, match="threshold"):
        across_sides({"test": side(FIRST), "train": side(FIRST)}, **wrong)


@pytest.mark.skipif(not ARTICLES.exists(), reason="needs shared/data/code-du-travail")
def test_articles_of_the_labour_code() -> None:
    """Articles repeated for other cases stand on both sides of a split by key: about one in twenty of the test side."""
    rows = pl.read_csv(ARTICLES, columns=["cid", "texte"], infer_schema=False).drop_nulls()
    place = pl.Series([unit_hash("socle-split-1", [cid]) for cid in rows["cid"]])
    sides = {"test": rows.filter(place < 0.1).lazy(), "train": rows.filter(place >= 0.2).lazy()}
    (pair,) = across_sides(sides, text="texte", key=["cid"])["pairs"]
    assert pair["exact"] > 5 and pair["near"] > 20 and 0.02 < pair["share"] < 0.1
