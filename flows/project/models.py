"""Models: what is trained on which dataset, for which task, and what is promoted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, model_validator

from flows.project.base import Name, Strict
from flows.project.candidates import AnyCandidate, Candidate, DictionaryCandidate, LinearCandidate, PretrainedCandidate, TfidfCandidate
from flows.project.search import Search

Directions = dict[str, Literal["max", "min"]]


class Split(Strict):
    """Which side a row is on. It never changes side between versions, and an entity never stands on two sides.

    by: key: a hash of the row's key decides. by: group: a hash of `group`, so that all rows of one entity go together.
    by: time: rows from `test_from` on in `column` are the test side, those from `validation_from` on the validation side (without
    it, a share of the earlier ones by hash). With `group`, an entity's rows before its last side are left out.
    """

    by: Literal["key", "group", "time"] = "key"
    column: str | None = Field(default=None, description="by: time: the column that says when.")
    group: str | None = Field(default=None, description="The column that names the entity.")
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    validation_from: int | date | datetime | None = None
    test_from: int | date | datetime | None = None

    @model_validator(mode="after")
    def _complete(self) -> Split:
        if self.by == "group" and not self.group:
            raise ValueError("split by group: `group` names the column of the entity")
        if self.by == "key" and self.group:
            raise ValueError("group: only with by: group or by: time")
        timed = ("column", "test_from", "validation_from")
        if self.by == "time" and (self.column is None or self.test_from is None):
            raise ValueError("split by time: `column` and `test_from` say where the test side begins")
        if self.by != "time" and (given := [name for name in timed if getattr(self, name) is not None]):
            raise ValueError(f"{given[0]}: only with by: time")
        if self.validation_from is not None and self.test_from is not None:
            if type(self.validation_from) is not type(self.test_from):
                raise ValueError("validation_from and test_from are of two kinds")
            if self.validation_from >= self.test_from:  # type: ignore[operator]
                raise ValueError("validation_from: it comes before test_from")
        return self

    @property
    def columns(self) -> list[str]:
        return [c for c in (self.column, self.group) if c]


class Promote(Strict):
    metric: str | None = Field(default=None, description="Empty: the task's own.")
    at_least: Annotated[float, Field(le=1)] | None = Field(default=None, description="Below it on validation, nothing is promoted.")
    at_most: Annotated[float, Field(gt=0)] | None = Field(default=None, description="The same where lower is better.")
    tolerance: Annotated[float, Field(ge=0)] = 0.01


class Budget(Strict):
    """Of one candidate's training; when it is spent, training stops with the best so far."""

    max_minutes: Annotated[float, Field(gt=0)] | None = None
    max_kwh: Annotated[float, Field(gt=0)] | None = None


class Model(Strict):
    """What every task has in common."""

    METRICS: ClassVar[Directions] = {}
    """Those that promotion can go by, the first by default, and whether it is better when they are high or low."""
    KINDS: ClassVar[tuple[str, ...]] = ()
    """Of candidates, the cheap baseline first."""
    COLUMNS: ClassVar[tuple[str, ...]] = ()
    """Keys that name columns of the dataset, in the order in which a person would look at them."""

    title: str
    task: str
    dataset: Name
    split: Split = Split()
    candidates: list[Candidate] = Field(min_length=1)
    promote: Promote = Promote()
    budget: Budget = Budget()
    search: Search | None = None
    groups: list[str] = Field(default=[], description="Columns by whose values the test scores are broken down.")
    purpose: str = Field(default="", description="What the model is for, and what it is not for: a sentence of the model card (in French).")
    limits: list[str] = Field(default=[], description="Known limits, for the model card (in French).")

    @model_validator(mode="after")
    def _fits_the_task(self) -> Model:
        if wrong := [c.kind for c in self.candidates if c.kind not in self.KINDS]:
            raise ValueError(f"candidates: {wrong[0]} is not for {self.task}, which has {', '.join(self.KINDS)}")
        if self.promote.metric is not None and self.promote.metric not in self.METRICS:
            raise ValueError(f"promote.metric: {self.task} has {', '.join(self.METRICS)}, not {self.promote.metric!r}")
        wrong_bound = "at_most" if self.higher_is_better else "at_least"
        if getattr(self.promote, wrong_bound) is not None:
            better = "higher" if self.higher_is_better else "lower"
            raise ValueError(f"promote.{wrong_bound}: {self.metric} is better when it is {better}")
        if self.search is not None:
            self.search.require_fits(self.candidates[-1])
        return self

    @property
    def searched(self) -> AnyCandidate | None:
        """The candidate whose settings are searched: the last one that is declared."""
        return self.candidates[-1] if self.search is not None else None

    @property
    def metric(self) -> str:
        return self.promote.metric or next(iter(self.METRICS))

    @property
    def higher_is_better(self) -> bool:
        return self.METRICS[self.metric] == "max"

    @property
    def read(self) -> dict[str, list[str]]:
        """Each of COLUMNS that is given -> the columns that it names."""
        given = {key: getattr(self, key) for key in self.COLUMNS}
        return {key: [value] if isinstance(value, str) else list(value) for key, value in given.items() if value}

    @property
    def columns(self) -> list[str]:
        """Every column of the dataset that training reads, besides the key."""
        named = [column for columns in self.read.values() for column in columns]
        return list(dict.fromkeys([*named, *self.split.columns, *self.groups]))

    def baselines(self) -> list[AnyCandidate]:
        """The cheap baseline, which always runs."""
        raise NotImplementedError

    @property
    def all_candidates(self) -> list[AnyCandidate]:
        """The declared candidates, the cheap baseline always among them and first."""
        declared = list(self.candidates)
        kind = self.KINDS[0]
        first = [c for c in declared if c.kind == kind] or self.baselines()
        return [*first, *(c for c in declared if c.kind != kind)]

    @property
    def labels(self) -> list[str]:
        """A name for each of `all_candidates`; a second one on the same base gets its number."""
        names = [c.label for c in self.all_candidates]
        return [n if names.index(n) == i else f"{n} ({names[: i + 1].count(n)})" for i, n in enumerate(names)]


class TextClassification(Model):
    """A text gets one label, several, or one of an order."""

    METRICS: ClassVar[Directions] = {"macro_f1": "max", "accuracy": "max", "micro_f1": "max", "quadratic_kappa": "max", "macro_mae": "min"}
    KINDS = ("tfidf", "frozen", "transformer")
    COLUMNS = ("inputs", "label")
    task: Literal["text-classification"]
    inputs: list[str] = Field(min_length=1)
    label: str
    answer: Literal["one", "several", "ordered"] = Field(default="one", description="How many labels a text has.")
    separator: Annotated[str, Field(min_length=1)] = Field(default="|", description="answer: several: between the labels in the column.")
    order: list[str] = Field(default=[], description="answer: ordered: the labels, from the lowest.")

    @model_validator(mode="after")
    def _answer(self) -> TextClassification:
        if (self.answer == "ordered") != bool(self.order):
            raise ValueError("order: the labels from the lowest, with answer: ordered and only then")
        if self.metric == "accuracy" and self.answer == "several":
            raise ValueError("promote.metric: accuracy is for one label; of several: macro_f1, micro_f1")
        of = {"micro_f1": "several", "quadratic_kappa": "ordered", "macro_mae": "ordered"}.get(self.metric)
        if of is not None and self.answer != of:
            raise ValueError(f"promote.metric: {self.metric} is for answer: {of}")
        return self

    def baselines(self) -> list[AnyCandidate]:
        return [TfidfCandidate()]


class TokenClassification(Model):
    """Words or passages of a text get labels: entities. Either `tokens` and `tags` name columns of lists (JSON, or separated by
    spaces), or `text` and `spans` a text and a JSON list of {start, end, label} in characters."""

    METRICS: ClassVar[Directions] = {"f1": "max", "macro_f1": "max", "recall": "max", "precision": "max"}
    KINDS = ("dictionary", "transformer")
    COLUMNS = ("tokens", "tags", "text", "spans")
    task: Literal["token-classification"]
    tokens: str | None = None
    tags: str | None = None
    text: str | None = None
    spans: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> TokenClassification:
        pairs = [(self.tokens, self.tags), (self.text, self.spans)]
        if sorted((a is not None) + (b is not None) for a, b in pairs) != [0, 2]:
            raise ValueError("either tokens and tags, or text and spans")
        return self

    def baselines(self) -> list[AnyCandidate]:
        return [DictionaryCandidate()]


class TextSimilarity(Model):
    """Texts that mean the same lie close together: pairs (a text and its answer), or triplets with a wrong answer."""

    METRICS: ClassVar[Directions] = {"mrr": "max", "recall_at_1": "max", "recall_at_10": "max", "ndcg_at_10": "max"}
    KINDS = ("tfidf", "pretrained", "transformer")
    COLUMNS = ("query", "answer", "negative")
    task: Literal["text-similarity"]
    query: str
    answer: str
    negative: str | None = Field(default=None, description="A column with a text that is not the answer.")

    def baselines(self) -> list[AnyCandidate]:
        return [TfidfCandidate()]


class _Tabular(Model):
    KINDS = ("linear", "boosting")
    COLUMNS = ("inputs", "label")
    inputs: list[str] = Field(min_length=1, description="Numbers, dates, yes or no; what is declared as a string is a category.")
    texts: list[str] = Field(default=[], description="Inputs that are texts of several words, not categories.")
    label: str

    @model_validator(mode="after")
    def _texts_are_inputs(self) -> _Tabular:
        if missing := [t for t in self.texts if t not in self.inputs]:
            raise ValueError(f"texts: {missing[0]!r} is not among the inputs")
        return self

    def baselines(self) -> list[AnyCandidate]:
        return [LinearCandidate()]


def _label_text(value: Any) -> Any:
    """A label as it is written in a column of text: YAML reads `true` and `1` as something else."""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else value


class TabularClassification(_Tabular):
    """A row of a table gets one label; of two labels, rows can be ranked by how likely `positive` is."""

    METRICS: ClassVar[Directions] = {"macro_f1": "max", "accuracy": "max", "roc_auc": "max", "average_precision": "max"}
    task: Literal["tabular-classification"]
    positive: Annotated[str, BeforeValidator(_label_text, json_schema_input_type=str | bool | int)] | None = Field(
        default=None, description="Of two labels, the one that rows are ranked by; `true` for a column of yes and no."
    )

    @model_validator(mode="after")
    def _ranking(self) -> TabularClassification:
        if self.metric in ("roc_auc", "average_precision") and self.positive is None:
            raise ValueError(f"positive: {self.metric} needs the label that rows are ranked by")
        return self


class TabularRegression(_Tabular):
    """A row of a table gets a number."""

    METRICS: ClassVar[Directions] = {"mae": "min", "rmse": "min", "r2": "max"}
    task: Literal["tabular-regression"]


class _Language(Model):
    KINDS = ("pretrained", "transformer")

    def baselines(self) -> list[AnyCandidate]:
        """The base model of the first candidate, not trained further."""
        first = next(c for c in self.candidates if c.kind == "transformer")
        shared = first.model_dump(include={"base_model", "sha256", "licence", "max_length", "batch_size", "seed"})
        return [PretrainedCandidate(**shared)]

    @model_validator(mode="after")
    def _trains(self) -> _Language:
        if not any(c.kind == "transformer" for c in self.candidates):
            raise ValueError("candidates: one with a base_model to train")
        return self


class MaskedLanguageModel(_Language):
    """A base model reads a ministry's texts, to be the base model of others."""

    METRICS: ClassVar[Directions] = {"perplexity": "min", "masked_accuracy": "max"}
    COLUMNS = ("inputs",)
    task: Literal["masked-lm"]
    inputs: list[str] = Field(min_length=1)


class CausalLanguageModel(_Language):
    """A generative model learns to answer: a prompt and its answer in two columns, or conversations in one (JSON, role and content)."""

    METRICS: ClassVar[Directions] = {"perplexity": "min", "token_accuracy": "max"}
    COLUMNS = ("prompt", "answer", "messages")
    task: Literal["causal-lm"]
    prompt: str | None = None
    answer: str | None = None
    messages: str | None = None
    system: str = Field(default="", description="What the model is told before every prompt.")
    packing: bool = Field(default=True, description="Short examples share a sequence.")

    @model_validator(mode="after")
    def _one_form(self) -> CausalLanguageModel:
        if (self.messages is None) == (self.prompt is None) or (self.prompt is None) != (self.answer is None):
            raise ValueError("either prompt and answer, or messages")
        return self


AnyModel = Annotated[
    TextClassification
    | TokenClassification
    | TextSimilarity
    | TabularClassification
    | TabularRegression
    | MaskedLanguageModel
    | CausalLanguageModel,
    Discriminator("task"),
]
