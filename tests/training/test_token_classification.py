"""Entities: rows of either form, the dictionary, a very small transformer that reads long texts in windows, scores as seqeval has them."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest

from flows.errors import ConfigurationError, Refused
from flows.models import load
from flows.models.spans import in_characters, joined, of_tags
from flows.project import DictionaryCandidate, TokenClassification
from flows.training.evaluation import entities
from flows.training.examples import prepare
from flows.training.tasks import task_of
from flows.training.tasks.base import LEFT_OUT
from flows.training.tasks.token_classification import as_spans
from tests.training import tiny

pytestmark = pytest.mark.usefixtures("one_thread")
PEOPLE, PLACES = ("virement", "embauche"), ("bulletin", "repos")
OTHER = [w for w in tiny.WORDS if w not in (*PEOPLE, *PLACES)]


def model(**changes):
    split = {"validation": 0.2, "test": 0.2}
    fields = {"title": "t", "task": "token-classification", "dataset": "d", "tokens": "mots", "tags": "etiquettes", "split": split}
    fields = {k: v for k, v in (fields | {"candidates": ["dictionary"]} | changes).items() if v is not None}
    return TokenClassification.model_validate(fields)


def of_text(**changes):
    return model(tokens=None, tags=None, text="texte", spans="entites", **changes)


def made(block, *lines):
    names = [c for c in (block.tokens, block.tags, block.text, block.spans) if c]
    frame = pl.DataFrame(list(lines), schema=dict.fromkeys(names, pl.String), orient="row")
    return task_of(block).examples(frame)


def sentence(number, words=12):
    """Words and tags that a model can learn: the words of PEOPLE are a person, one of PLACES a place."""
    chance = random.Random(number)
    tokens, tags = [], []
    while len(tokens) < words:
        kind = chance.random()
        if tokens and tags[-1] != "O":
            kind = 1.0  # entities side by side could not be told apart
        if kind < 0.2:
            tokens += PEOPLE
            tags += ["B-PER", "I-PER"]
        elif kind < 0.35:
            tokens.append(chance.choice(PLACES))
            tags.append("B-LOC")
        else:
            tokens.append(chance.choice(OTHER))
            tags.append("O")
    return json.dumps(tokens), json.dumps(tags)


@pytest.fixture
def examples(tmp_path):
    def built(count=120, words=12, name="examples", **changes):
        lines = [(f"s{i:04}", *sentence(i, words), f"d{i // 4}") for i in range(count)]
        schema = dict.fromkeys(("id", "mots", "etiquettes", "decision"), pl.String)
        return prepare(pl.DataFrame(lines, schema=schema, orient="row").lazy(), task_of(model(**changes)), ["id"], tmp_path / name)

    return built


# -- rows


@pytest.mark.parametrize(
    ("tokens", "tags"),
    [
        ('["Anna", "Martin", "parle"]', '["B-PER", "I-PER", "O"]'),
        ("Anna Martin parle", "B-PER I-PER O"),
        ("Anna Martin parle", "PER PER O"),
    ],
)
def test_lists_of_json_and_words_with_spaces_are_the_same(tokens, tags):
    [row] = made(model(), (tokens, tags)).to_dicts()
    assert row["text"] == "Anna Martin parle" and as_spans(row["spans"]) == [(0, 11, "PER")] and row[LEFT_OUT] is None


def test_odd_tags_are_repaired_and_counted():
    found = made(model(), ("a b c", "O I-PER I-LOC"), ("a b", "B-PER I-PER"))
    assert found["repaired"].to_list() == [2, 0] and found[LEFT_OUT].null_count() == 2
    assert as_spans(found["spans"][0]) == [(2, 3, "PER"), (4, 5, "LOC")]


def test_a_text_and_its_passages():
    spans = '[{"start": 18, "end": 22, "label": "LOC"}, {"start": 0, "end": 11, "label": "PER"}]'
    [row] = made(of_text(), ("Anna Martin est à Lyon", spans)).to_dicts()
    assert as_spans(row["spans"]) == [(0, 11, "PER"), (18, 22, "LOC")], "in the order of the text"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (("a b c", "O O"), "other_count"),
        (('["a", "b"]', '["O"]'), "other_count"),
        ((None, "O"), "without_text"),
        (("a", None), "without_labels"),
        (("a", ""), "without_labels"),
        (("[1, 2]", '["O", "O"]'), "unreadable"),
        (('["a"', '["O"]'), "unreadable"),
        (('{"a": 1}', "O"), "unreadable"),
        (('["a", ""]', '["O", "O"]'), "unreadable"),
        (('["a"]', "[null]"), "unreadable"),
        (("[" * 100_000, "O"), "unreadable"),
        (('[" "]', '["O"]'), "without_text"),
    ],
)
def test_rows_of_words_that_cannot_be_learned_from(values, why):
    assert made(model(), values)[LEFT_OUT].to_list() == [why]


@pytest.mark.parametrize(
    ("text", "spans", "why"),
    [
        ("Anna Martin", '[{"start": 0, "end": 6, "label": "A"}, {"start": 4, "end": 8, "label": "B"}]', "overlapping"),
        ("Anna", '[{"start": 0, "end": 5, "label": "A"}]', "outside"),
        ("Anna", '[{"start": -1, "end": 2, "label": "A"}]', "outside"),
        ("Anna", '[{"start": 2, "end": 2, "label": "A"}]', "outside"),
        ("Anna  Martin", '[{"start": 4, "end": 6, "label": "A"}]', "outside"),
        ("Anna", '[{"start": 0, "end": 2}]', "unreadable"),
        ("Anna", '[{"start": "0", "end": 2, "label": "A"}]', "unreadable"),
        ("Anna", '[{"start": true, "end": 2, "label": "A"}]', "unreadable"),
        ("Anna", '[{"start": 0, "end": 2, "label": 3}]', "unreadable"),
        ("Anna", '[{"start": 0, "end": 2, "label": ""}]', "unreadable"),
        ("Anna", '[{"start": 0, "end": 2, "label": null}, {"start": 0, "end": 2, "label": "A"}]', "unreadable"),
        ("Anna", "[3]", "unreadable"),
        ("Anna", '{"start": 0}', "unreadable"),
        ("Anna", None, "without_labels"),
        (" ", "[]", "without_text"),
        (None, "[]", "without_text"),
    ],
)
def test_rows_of_passages_that_cannot_be_learned_from(text, spans, why):
    found = made(of_text(), (text, spans))
    assert found[LEFT_OUT].to_list() == [why] and found["spans"].to_list() == [[]]


def test_every_reason_has_words_and_rows_left_out_are_counted(tmp_path):
    schema = dict.fromkeys(("id", "mots", "etiquettes"), pl.String)
    lines = [(f"s{i}", *sentence(i)) for i in range(60)] + [("x", "a b", "O"), ("y", "a", None)]
    found = prepare(pl.DataFrame(lines, schema=schema, orient="row").lazy(), task_of(model()), ["id"], tmp_path / "e")
    assert found.left_out == {"other_count": 1, "without_labels": 1} and sum(found.rows.values()) == 60
    assert set(found.left_out) <= set(task_of(model()).REASONS)


def test_no_entity_to_learn_from_is_refused(tmp_path):
    lines = [(f"s{i}", "a b", "O O") for i in range(60)]
    frame = pl.DataFrame(lines, schema=dict.fromkeys(("id", "mots", "etiquettes"), pl.String), orient="row")
    with pytest.raises(Refused, match="no entity"):
        prepare(frame.lazy(), task_of(model()), ["id"], tmp_path / "e")


# -- the dictionary


def dictionary(found, job_of, name="dictionary"):
    from flows.training import dictionary

    job = job_of(found, name)
    job.candidate = DictionaryCandidate()
    trained = dictionary.train(job)
    trained.predictor.save(job.folder)
    return trained, job.folder


def rows_of(tmp_path, *lines):
    """Examples of {text, entities as (words, label)}, all on the training side but what the others need."""
    from flows.training.examples import Examples

    spans = [[{"start": t.index(w), "end": t.index(w) + len(w), "label": label} for w, label in of] for t, of in lines]
    frame = pl.DataFrame({"text": [t for t, _ in lines], "spans": spans, "order": [i / 100 for i in range(len(lines))]})
    (tmp_path / "rows").mkdir()
    frame.write_parquet(tmp_path / "rows" / "train.parquet")
    labels = sorted({label for _, of in lines for _, label in of})
    return Examples(tmp_path / "rows", labels, {"train": len(lines)}, {})


def test_the_longest_match_with_its_most_frequent_label(tmp_path, job_of):
    found = rows_of(
        tmp_path,
        ("Anna Martin vient", [("Anna Martin", "PER")]),
        ("vers Martin", [("Martin", "LOC")]),
        ("vers Martin encore", [("Martin", "LOC")]),
        ("Martin dort", [("Martin", "PER")]),
        ("le 3 mai 1990", [("3 mai 1990", "DATE")]),
        ("il est parti", []),
        ("il dort", [("il", "PER")]),
        ("il lit, il lit", []),
    )
    predictor = dictionary(found, job_of)[0].predictor
    assert predictor.predict(["Martin, Anna Martin", "né le 9 mai 2020", "il dort", ""]) == [
        [(0, 6, "LOC"), (8, 19, "PER")],
        [(6, 16, "DATE")],
        [],
        [],
    ]


def test_the_file_holds_no_word_of_the_texts_and_gives_the_same_answers(examples, job_of):
    found = examples()
    trained, folder = dictionary(found, job_of)
    written = "".join(p.read_text() for p in folder.iterdir())
    assert not [w for w in tiny.WORDS if w in written.replace("dictionary", "")]
    texts = found.read("test")["text"].to_list()
    assert load(folder).predict(texts) == trained.predictor.predict(texts)
    assert sum(map(len, load(folder).predict(texts))) > 10


def test_the_same_rows_give_the_same_file(examples, job_of):
    found = examples()
    one, other = (dictionary(found, job_of, name)[1] for name in ("one", "other"))
    assert [p.read_bytes() for p in sorted(one.iterdir())] == [p.read_bytes() for p in sorted(other.iterdir())]


# -- the transformer


@pytest.fixture
def train(job_of):
    def run(found, name="model", block=None, **changes):
        job = job_of(found, name, **changes)
        task = task_of(model(**(block or {})))
        trained = task.trainer(job.candidate)(job)
        trained.predictor.save(job.folder)
        return task, trained, job

    return run


def test_it_learns_and_the_saved_one_gives_the_same_spans(examples, train):
    found = examples(200)
    task, trained, job = train(found, epochs=12, learning_rate=5e-3)
    rows = found.read("test")
    answers = task.predict(trained.predictor, rows)
    scores = task.evaluate(answers, rows, found.labels)
    assert scores["f1"]["value"] > 0.9 and scores["rows"] == rows.height
    assert task.predict(load(job.folder), rows) == answers
    config = json.loads((job.folder / "config.json").read_text())
    assert list(config["id2label"].values()) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def test_the_folder_is_a_plain_transformers_model(examples, train):
    from transformers import AutoModelForTokenClassification

    _, _, job = train(examples(60))
    assert AutoModelForTokenClassification.from_pretrained(job.folder).config.num_labels == 5


def test_a_text_of_many_windows_loses_no_entity(examples, train):
    """Three hundred words where a window has thirty pieces: what is found near its ends is what is found within."""
    found = examples(200)
    _, trained, _ = train(found, epochs=12, learning_rate=5e-3)
    tokens, tags = (json.loads(part) for part in sentence(7, 300))
    text, places = joined(tokens)
    truth = in_characters(of_tags(tags)[0], places)
    [answer] = trained.predictor.predict([text])
    score = entities.evaluate([truth], [answer], found.labels)
    assert len(truth) > 60 and score["f1"]["value"] > 0.9
    assert score["partial_recall"]["value"] > 0.97


def test_training_reads_long_texts_whole(examples, job_of):
    from transformers import AutoTokenizer

    found = examples(60, words=100)
    job, task = job_of(found), task_of(model())
    tokenizer = AutoTokenizer.from_pretrained(job.base.folder)
    batch = {k: v.to_list() for k, v in found.read("train").to_dict().items()}
    encoded = task.encode(job, tokenizer)(batch)
    assert len(encoded["input_ids"]) == len(encoded["labels"]) > 3 * len(batch["text"])
    assert all(len(ids) == len(labels) <= 32 for ids, labels in zip(encoded["input_ids"], encoded["labels"], strict=True))
    begun = sum(labels.count(1) + labels.count(3) for labels in encoded["labels"])
    assert begun >= sum(map(len, batch["spans"])), "each entity begins in one window at least"


def test_every_piece_of_a_word_has_its_label(examples, job_of):
    """Numbers are pieces of one digit: `2024` is four."""
    from transformers import AutoTokenizer

    job, task = job_of(examples()), task_of(model())
    tokenizer = AutoTokenizer.from_pretrained(job.base.folder)
    batch = {"text": ["prime 2024 et"], "spans": [[{"start": 6, "end": 10, "label": "PER"}]]}
    [labels] = task.encode(job, tokenizer)(batch)["labels"]
    assert labels == [-100, 0, 3, 4, 4, 4, 0, -100]


def test_answers_are_in_the_order_of_the_texts(examples, train):
    _, trained, _ = train(examples(), epochs=8, learning_rate=5e-3)
    texts = [joined(json.loads(sentence(i, n)[0]))[0] for i, n in enumerate((3, 80, 5, 200, 1, 40))] + ["", "  "]
    assert trained.predictor.predict(texts) == [trained.predictor.predict([t])[0] for t in texts]
    assert trained.predictor.predict([]) == []


def test_a_max_length_without_room_for_a_text(examples, train):
    with pytest.raises(ConfigurationError, match="max_length"):
        from flows.models.tokens import stride

        stride(type("T", (), {"is_fast": True, "num_special_tokens_to_add": lambda self: 7})(), 8)


# -- scores


def test_scores_are_those_of_seqeval(examples, job_of):
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    found, task = examples(200), task_of(model())
    rows = found.read("test")
    answers = task.predict(dictionary(found, job_of)[0].predictor, rows)
    answers = [[(s, e, "LOC" if (s + e) % 5 == 0 else label) for s, e, label in spans if (s + e) % 7] for spans in answers]
    scores = task.evaluate(answers, rows, found.labels)

    def tags(text, spans):
        """Words of these texts have a space between them."""
        places, at = [], 0
        for word in text.split(" "):
            places.append((at, at + len(word)))
            at += len(word) + 1
        of = {i: (s, label) for s, e, label in spans for i, (a, b) in enumerate(places) if s <= a and b <= e}
        return ["O" if i not in of else f"{'B' if places[i][0] == of[i][0] else 'I'}-{of[i][1]}" for i in range(len(places))]

    pairs = list(zip(rows["text"], [as_spans(s) for s in rows["spans"]], answers, strict=True))
    truth, given = [tags(t, s) for t, s, _ in pairs], [tags(t, a) for t, _, a in pairs]
    for name, other in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert scores[name]["value"] == pytest.approx(other(truth, given, mode="strict", scheme=IOB2))
    assert 0.2 < scores["f1"]["value"] < 1, "some of it is wrong"


def test_intervals_are_of_whole_documents(examples):
    """With a document a side of 4 rows, there are fewer things to draw."""
    found = examples(200, split={"by": "group", "group": "decision", "validation": 0.2, "test": 0.2})
    task = task_of(model(split={"by": "group", "group": "decision", "validation": 0.2, "test": 0.2}))
    rows = found.read("test")
    truth = [as_spans(s) for s in rows["spans"]]
    scores = task.evaluate(truth, rows, found.labels)
    assert scores["documents"] == rows.height / 4 and scores["rows"] == rows.height
    assert scores["f1"]["value"] == 1 and scores["entities"] == sum(map(len, truth))


def test_outcomes_add_up_to_the_scores_and_hold_no_text(examples, job_of):
    found, task = examples(200), task_of(model())
    rows = found.read("test")
    answers = task.predict(dictionary(found, job_of)[0].predictor, rows)
    outcomes, scores = task.outcomes(answers, rows, found.labels), task.evaluate(answers, rows, found.labels)
    sums = outcomes.select("truth", "predicted", "found", "partial").sum().row(0)
    assert scores["recall"]["value"] == pytest.approx(sums[2] / sums[0])
    assert scores["precision"]["value"] == pytest.approx(sums[2] / sums[1])
    assert scores["partial_recall"]["value"] == pytest.approx(sums[3] / sums[0])
    assert all(t.is_integer() or t == pl.List(pl.Int64) for t in outcomes.schema.values())
    import numpy as np

    again = entities.scores(np.array(outcomes["counts"].to_list()).sum(0, keepdims=True), len(found.labels))
    assert again["macro_f1"][0] == pytest.approx(scores["macro_f1"]["value"])


def test_labels_that_are_no_more_are_left_out():
    assert task_of(model()).in_labels([[(0, 1, "A"), (2, 3, "B")]], ["A", "B"], ["B"]) == [[(2, 3, "B")]]


@pytest.mark.parametrize(("language", "words"), [("fr", "côté test"), ("en", "test side")])
def test_the_card_says_it_in_both_languages(language, words, examples):
    found = examples()
    rows = found.read("test").with_columns(repaired=pl.lit(1))
    task = task_of(model())
    test = task.evaluate([as_spans(s) for s in rows["spans"]], rows, found.labels)
    said = task.card({"metrics": {"test": test}}, language)
    assert words in said and str(rows.height) in said and said.startswith("### ")
