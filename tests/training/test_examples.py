"""Rows on three sides: the key alone decides, on every machine and for every version."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import Refused
from flows.project import Split
from flows.training.examples import prepare
from flows.training.split import SIDES, side_of, unit_hash
from flows.training.tasks import task_of
from tests.conftest import rows

SPLIT = Split(validation=0.2, test=0.2)
SIDES_OF_EIGHT = ["tr", "te", "va", "tr", "tr", "te", "tr", "te"]


def sides(examples) -> dict[str, str]:
    return {text: side for side in SIDES for text in examples.read(side)["text"]}


def test_the_hash_is_the_same_everywhere():
    """Changing it moves rows from test to train: these values are for ever."""
    assert unit_hash("socle-split-1", ["d00001"]) == 0.18441991478922543
    assert unit_hash("socle-split-1", ["é", 3]) == 0.13293831563554084
    assert [side_of([f"d{i:05}"], SPLIT)[:2] for i in range(8)] == SIDES_OF_EIGHT


@given(st.lists(st.one_of(st.text(), st.integers(), st.none(), st.dates()), min_size=1, max_size=3))
def test_a_hash_is_in_its_interval(key):
    assert 0 <= unit_hash("x", key) < 1


@given(st.lists(st.text(max_size=3), min_size=2, max_size=2), st.lists(st.text(max_size=3), min_size=2, max_size=2))
def test_different_keys_have_different_hashes(one, other):
    assert (unit_hash("x", one) == unit_hash("x", other)) == (one == other)


def test_shares_are_about_those_declared():
    split, count = Split(validation=0.15, test=0.25), 20_000
    found = [side_of([f"k{i}"], split) for i in range(count)]
    assert found.count("test") / count == pytest.approx(0.25, abs=0.01)
    assert found.count("validation") / count == pytest.approx(0.15, abs=0.01)


def test_other_rows_other_texts_and_other_orders_move_nobody(examples):
    before = sides(examples(rows(90)))
    lines = rows(200)
    random.Random(1).shuffle(lines)
    after = sides(examples(lines))
    assert before.items() <= after.items()
    changed = sides(examples([(i, "autre " + t, {"paie": "congé"}.get(n, n)) for i, t, n in rows(90)]))
    assert {t.removeprefix("autre "): s for t, s in changed.items()} == before


def test_a_larger_test_share_only_adds_to_it(examples):
    small = sides(examples(split={"validation": 0.2, "test": 0.1}))
    large = sides(examples(split={"validation": 0.2, "test": 0.3}))
    assert {t for t, s in small.items() if s == "test"} < {t for t, s in large.items() if s == "test"}


def test_every_usable_row_is_on_one_side_and_the_others_are_counted(examples):
    lines = [*rows(90), ("x1", None, "paie"), ("x2", "  ", "paie"), ("x3", "texte", None), ("x4", None, None)]
    found = examples(lines)
    assert found.left_out == {"without_label": 2, "without_text": 2}
    assert sum(found.rows.values()) == 90
    assert found.rows == {side: len(found.read(side)) for side in SIDES}
    assert sorted(t for side in SIDES for t in found.read(side)["text"]) == sorted(t for _, t, _ in rows(90))


def test_labels_are_sorted_and_numbered_alike_on_every_side(examples):
    found = examples()
    assert found.labels == ["congé", "contrat", "paie"]
    theme = {text: name for _, text, name in rows(150)}
    for side in SIDES:
        for text, label in found.read(side).select("text", "label").iter_rows():
            assert found.labels[label] == theme[text]


def test_several_inputs_are_joined(tmp_path, model):
    frame = pl.DataFrame(
        {"id": [str(i) for i in range(60)], "titre": ["t", None, ""] * 20, "n": range(60), "theme": ["a", "b"] * 30}, strict=False
    )
    found = prepare(frame.lazy(), task_of(model(inputs=["titre", "n"])), ["id"], tmp_path)
    texts = {t for side in SIDES for t in found.read(side)["text"]}
    assert {"t\n0", "1", "2"} <= texts


def test_numbers_and_booleans_can_be_labels(tmp_path, model):
    frame = pl.DataFrame({"id": [str(i) for i in range(60)], "texte": ["x"] * 60, "theme": [True, False] * 30})
    assert prepare(frame.lazy(), task_of(model()), ["id"], tmp_path).labels == ["false", "true"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([(f"d{i}", "texte", "paie") for i in range(60)], "fewer than two"),
        ([(f"d{i}", "texte", None) for i in range(60)], "none"),
        ([], "none"),
        ([r for r in rows(99) if side_of([r[0]], SPLIT) == "train"], "side is empty"),
    ],
)
def test_nothing_to_learn_is_refused(examples, lines, said):
    with pytest.raises(Refused, match=said) as caught:
        examples(lines)
    assert "dataset d" in caught.value.where


def test_a_class_that_is_not_among_the_training_rows_does_not_count_as_one(examples):
    lines = [(f"d{i}", "texte", "paie" if side_of([f"d{i}"], SPLIT) == "train" else "congé") for i in range(60)]
    with pytest.raises(Refused, match="fewer than two"):
        examples(lines)


def test_sampling_depends_on_the_keys_and_on_nothing_else(examples):
    first = examples().read("train", 20)
    lines = rows(150)
    random.Random(2).shuffle(lines)
    assert examples(lines).read("train", 20).equals(first)
    assert len(first) == 20
    assert set(first["text"]) < set(examples().read("train", 40)["text"]) < set(examples().read("train")["text"])
    assert first["label"].n_unique() == 3, "not the first rows of the file"


def test_a_sample_larger_than_the_side_is_the_side(examples):
    found = examples()
    assert found.read("test", 10_000).equals(found.read("test"))


def test_a_text_may_have_several_labels(examples):
    lines = [(i, t, f"{n}| urgent |" if index % 3 == 0 else n) for index, (i, t, n) in enumerate(rows(150))]
    found = examples([*lines, ("x1", "texte", " | "), ("x2", "texte", None)], answer="several")
    assert found.labels == ["congé", "contrat", "paie", "urgent"] and found.left_out == {"without_label": 2}
    names = {text: {found.labels[i] for i in numbers} for side in SIDES for text, numbers in found.read(side)["text", "label"].iter_rows()}
    assert names == {t: set(n.replace(" ", "").strip("|").split("|")) for _, t, n in lines}


def test_labels_of_an_order_keep_it(examples):
    found = examples([*rows(150), ("x1", "texte", "inconnu")], answer="ordered", order=["paie", "congé", "contrat"])
    assert found.labels == ["paie", "congé", "contrat"] and found.left_out == {"unknown_label": 1}


def test_groups_travel_with_the_examples(examples):
    read = examples(groups=["theme"]).read("train")
    assert read["group.theme"].to_list() == [["congé", "contrat", "paie"][i] for i in read["label"]]
