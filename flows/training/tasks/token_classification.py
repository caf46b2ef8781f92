"""Words or passages of a text get labels: entities."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import polars as pl

from flows.errors import Refused
from flows.models import spans as of
from flows.models.spans import Span
from flows.project import AnyCandidate, DictionaryCandidate, TokenClassification
from flows.training.evaluation import entities
from flows.training.examples import Examples
from flows.training.tasks.base import LEFT_OUT, Job, Trainer, TransformerTask

NOT_LEARNED = -100  # label of the model's own marks: the loss leaves it out
SPANS = pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "label": pl.String}))


def task(model: Any) -> TokenClassificationTask:
    return TokenClassificationTask(model)


class Unfit(ValueError):
    """A row that cannot be learned from; its text is a word of REASONS."""


class TokenClassificationTask(TransformerTask):
    """Examples: `text`, `spans` (a list of {start, end, label}, in characters, in order), `repaired` (tags of the row that were odd) and
    `document` (what the row is a part of: the value of split.group, or null). Answers: for each example, its spans."""

    model: TokenClassification
    REASONS: ClassVar[dict[str, str]] = {
        "without_text": "sans texte",
        "without_labels": "sans étiquettes",
        "unreadable": "dont les étiquettes ne sont pas de la forme attendue",
        "other_count": "qui n'ont pas autant d'étiquettes que de mots",
        "overlapping": "dont des entités se chevauchent",
        "outside": "dont une entité est vide ou sort du texte",
    }

    # -- rows become examples

    def examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        tagged = self.model.tokens is not None
        columns = (self.model.tokens, self.model.tags) if tagged else (self.model.text, self.model.spans)
        read = of_tokens if tagged else of_text
        made = [_attempt(read, *pair) for pair in rows.select(*(c for c in columns if c)).iter_rows()]
        document = rows[self.model.split.group].cast(pl.String) if self.model.split.group else [None] * len(rows)
        return pl.DataFrame(
            {
                "text": pl.Series([m[0] for m in made], dtype=pl.String),
                "spans": pl.Series([[{"start": s, "end": e, "label": n} for s, e, n in m[1]] for m in made], dtype=SPANS),
                "repaired": pl.Series([m[2] for m in made], dtype=pl.Int64),
                "document": pl.Series(document, dtype=pl.String),
                LEFT_OUT: pl.Series([m[3] for m in made], dtype=pl.String),
            }
        )

    def labels(self, examples: pl.DataFrame) -> list[str]:
        found = examples.select(pl.col("spans").explode().struct.field("label"))["label"]
        return sorted(found.drop_nulls().unique().to_list())

    def check(self, examples: Examples) -> None:
        if not pl.scan_parquet(examples.path("train")).select((pl.col("spans").list.len() > 0).any()).collect().item():
            raise Refused(
                "there is no entity to learn from on the training side",
                where=f"dataset {self.model.dataset}, column {self.model.tags or self.model.spans}",
                hint="is every tag O? With few documents, another split may help",
            )

    # -- training

    def trainer(self, candidate: AnyCandidate) -> Trainer:
        if isinstance(candidate, DictionaryCandidate):
            from flows.training import dictionary

            return dictionary.train
        from flows.training import trainer

        return partial(trainer.train, self)

    def head(self, job: Job, arguments: dict[str, Any]) -> Any:
        from transformers import AutoModelForTokenClassification

        tags = tags_of(job.examples.labels)
        assert job.base is not None
        return AutoModelForTokenClassification.from_pretrained(
            job.base.folder,
            num_labels=len(tags),
            id2label=dict(enumerate(tags)),
            label2id={tag: i for i, tag in enumerate(tags)},
            ignore_mismatched_sizes=True,  # a model that knew other labels gets a new head
            **arguments,
        )

    def encode(self, job: Job, tokenizer: Any) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
        """Long texts are read in windows that overlap, so that an example may give several. Every piece (sub-word) of an entity has its
        label: B- the first one, I- the others."""
        from flows.models.tokens import windows

        numbers = {tag: i for i, tag in enumerate(tags_of(job.examples.labels))}

        def encoded(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            pieces = windows(tokenizer, batch["text"], job.candidate.max_length)
            rows, offsets = pieces.pop("overflow_to_sample_mapping"), pieces.pop("offset_mapping")
            spans = [as_spans(row) for row in batch["spans"]]
            labels = [_piece_labels(batch["text"][row], places, spans[row], numbers) for row, places in zip(rows, offsets, strict=True)]
            return {**pieces, "labels": labels}

        return encoded

    def collator(self, job: Job, tokenizer: Any) -> Any:
        from transformers import DataCollatorForTokenClassification

        return DataCollatorForTokenClassification(tokenizer, label_pad_token_id=NOT_LEARNED)

    def predictor(self, job: Job, model: Any, tokenizer: Any) -> Any:
        from flows.models.tokens import TokenPredictor

        return TokenPredictor(model, tokenizer, job.examples.labels, job.candidate.max_length)

    # -- evaluation

    def predict(self, predictor: Any, examples: pl.DataFrame) -> list[list[Span]]:
        found: list[list[Span]] = predictor.predict(examples["text"].to_list())
        return found

    def evaluate(self, answers: list[list[Span]], examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        """`rows` are examples; intervals are of documents, drawn whole: what stands in one document is alike."""
        truth = [as_spans(row) for row in examples["spans"]]
        documents = _documents(examples)
        scores = entities.evaluate(_merged(truth, documents, examples), _merged(answers, documents, examples), labels)
        return scores | {"rows": len(examples), "documents": scores["rows"], "repaired_tags": int(examples["repaired"].sum())}

    def outcomes(self, answers: list[list[Span]], examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        """Entities of each example: `truth`, `predicted`, `found` exactly, `partial` (found in part or exactly); the same by label in
        `counts` (FIELDS numbers a label, as entities.scores reads them); and the number of its document."""
        truth = [as_spans(row) for row in examples["spans"]]
        counts = [entities.counts(t, p, labels).astype(int).tolist() for t, p in zip(truth, answers, strict=True)]
        sums = [[sum(row[field :: entities.FIELDS]) for row in counts] for field in range(entities.FIELDS)]
        names = ("truth", "predicted", "found", "partial")
        return pl.DataFrame(
            {name: pl.Series(values, dtype=pl.Int64) for name, values in zip(names, sums, strict=True)}
            | {"counts": pl.Series(counts, dtype=pl.List(pl.Int64)), "document": pl.Series(_documents(examples), dtype=pl.Int64)}
        )

    def in_labels(self, answers: list[list[Span]], found: list[str], wanted: list[str]) -> list[list[Span]]:
        """Entities of a label that is no more are left out."""
        return [[span for span in spans if span[2] in wanted] for spans in answers]

    def card(self, manifest: dict[str, Any], language: str) -> str:
        test = manifest["metrics"]["test"]
        exact, partly, recall = (test[name]["value"] or 0.0 for name in ("f1", "partial_f1", "partial_recall"))
        odd = test["repaired_tags"]
        if language == "en":
            return (
                f"### Entities\n\n{test['entities']} entities in {test['documents']} documents of the test side. Exactly (same start, end "
                f"and label): F1 {exact:.3f}. In part (same label, a character in common): F1 {partly:.3f}, recall {recall:.3f}. Intervals "
                "are of whole documents."
                + (f" {odd} tags that followed nothing of their label were read as the beginning of an entity." if odd else "")
            )
        return (
            f"### Entités\n\n{test['entities']} entités dans {test['documents']} documents du côté test. Exactement (même début, même fin, "
            f"même étiquette) : F1 {_comma(exact)}. En partie (même étiquette, un caractère commun) : F1 {_comma(partly)}, rappel "
            f"{_comma(recall)}. Les intervalles sont ceux de documents entiers."
            + (f" {odd} étiquettes qui ne suivaient rien de leur sorte ont été lues comme un début d'entité." if odd else "")
        )


# ---- rows ------------------------------------------------------------------------------------------------------------


def of_tokens(tokens: Any, tags: Any) -> tuple[str, list[Span], int]:
    """(text, spans in characters, tags that were repaired). Raises: Unfit."""
    some, labels = _list(tokens, "without_text"), _list(tags, "without_labels")
    if len(some) != len(labels):
        raise Unfit("other_count")
    if not all(isinstance(t, str) for t in [*some, *labels]) or any(not t for t in some):
        raise Unfit("unreadable")
    text, places = of.joined(some)
    if not text.strip():
        raise Unfit("without_text")
    spans, repaired = of.of_tags(labels)
    return text, of.in_characters(spans, places), repaired


def of_text(text: Any, spans: Any) -> tuple[str, list[Span], int]:
    """As of_tokens. Raises: Unfit."""
    if not isinstance(text, str) or not text.strip():
        raise Unfit("without_text")
    given = _list(spans, "without_labels")
    try:
        found = sorted((_place(s["start"]), _place(s["end"]), s["label"]) for s in given)
    except (TypeError, KeyError):
        raise Unfit("unreadable") from None
    if any(not isinstance(label, str) or not label for *_, label in found):
        raise Unfit("unreadable")
    if any(not 0 <= start < end <= len(text) or not text[start:end].strip() for start, end, _ in found):
        raise Unfit("outside")
    if any(left[1] > right[0] for left, right in itertools.pairwise(found)):
        raise Unfit("overlapping")
    return text, found, 0


def _attempt(read: Callable[..., tuple[str, list[Span], int]], *values: Any) -> tuple[str | None, list[Span], int, str | None]:
    try:
        return (*read(*values), None)
    except Unfit as why:
        return None, [], 0, str(why)


def _list(value: Any, missing: str) -> list[Any]:
    """A list of JSON, or words that are separated by spaces."""
    if value is None or value == "":
        raise Unfit(missing)
    if not isinstance(value, str):
        return list(value)
    if not value.lstrip().startswith(("[", "{")):
        return value.split()
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        raise Unfit("unreadable") from None
    if not isinstance(found, list):
        raise Unfit("unreadable")
    return found


def _place(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def as_spans(row: Any) -> list[Span]:
    return [(s["start"], s["end"], s["label"]) for s in row]


# ---- pieces ----------------------------------------------------------------------------------------------------------


def tags_of(labels: Sequence[str]) -> list[str]:
    return [of.OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in ("B", "I"))]


def _piece_labels(text: str, places: Sequence[tuple[int, int]], spans: list[Span], numbers: dict[str, int]) -> list[int]:
    """Of one window: the number of each piece's tag."""
    from flows.models.tokens import anchor

    labels, last = list[int](), None
    for start, end in places:
        at = anchor(text, start, end)
        span = next((s for s in spans if at is not None and s[0] < end and at < s[1]), None)
        if at is None:
            labels.append(NOT_LEARNED)
        elif span is None:
            labels.append(numbers[of.OUTSIDE])
        else:
            begins = span != last and at <= span[0]
            labels.append(numbers[f"{'B' if begins else 'I'}-{span[2]}"])
        last = span
    return labels


# ---- documents -------------------------------------------------------------------------------------------------------


def _documents(examples: pl.DataFrame) -> list[int]:
    """The number of each example's document, from 0; an example without one is one."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(name if name is not None else row, len(numbers)) for row, name in enumerate(examples["document"])]


def _merged(spans: Sequence[list[Span]], documents: list[int], examples: pl.DataFrame) -> list[list[Span]]:
    """Spans of each document, as if its examples followed each other."""
    merged: list[list[Span]] = [[] for _ in range(max(documents, default=-1) + 1)]
    ends = [0] * len(merged)
    for of_example, document, length in zip(spans, documents, examples["text"].str.len_chars(), strict=True):
        merged[document] += [(start + ends[document], end + ends[document], label) for start, end, label in of_example]
        ends[document] += length + 1
    return merged


def _comma(value: float) -> str:
    return f"{value:.3f}".replace(".", ",")
