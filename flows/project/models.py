"""Models: what is trained on which dataset, and what is promoted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from flows.project.base import Name, Strict


class TfidfCandidate(Strict):
    """The cheap baseline: TF-IDF and logistic regression."""

    kind: Literal["tfidf"] = "tfidf"
    max_features: Annotated[int, Field(gt=0)] = 60_000
    ngram_max: Annotated[int, Field(ge=1, le=3)] = 2
    c: Annotated[float, Field(gt=0)] = 10.0

    @property
    def label(self) -> str:
        return "tfidf"


class TransformerCandidate(Strict):
    """A pretrained encoder with a classification head."""

    kind: Literal["transformer"] = "transformer"
    base_model: Annotated[str, Field(pattern=r"^(package|path|lake|hub):.+")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="Expected hash of the weights; training refuses anything else. Required for hub: models."
    )
    train_layers: Annotated[int, Field(ge=0)] | None = Field(None, description="Last layers to train; empty: all.")
    epochs: Annotated[float, Field(gt=0)] = 3
    max_length: Annotated[int, Field(ge=8, le=8192)] = 256
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-5
    max_rows: Annotated[int, Field(gt=0)] | None = None
    seed: int = 13

    @model_validator(mode="after")
    def _hub_is_pinned(self) -> TransformerCandidate:
        if self.base_model.startswith("hub:") and (self.sha256 is None or "@" not in self.base_model):
            raise ValueError("base_model: a hub: model needs a revision (hub:org/name@revision) and its sha256")
        return self

    @property
    def label(self) -> str:
        return self.base_model.split(":", 1)[1].removesuffix("/model")


def _as_candidate(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return value
    get = value.get if isinstance(value, dict) else lambda name: getattr(value, name, None)
    return str(get("kind") or ("transformer" if get("base_model") else "tfidf"))


Candidate = Annotated[
    Annotated[TfidfCandidate, BeforeValidator(_as_candidate), Tag("tfidf")] | Annotated[TransformerCandidate, Tag("transformer")],
    Discriminator(_kind),
]


class Split(Strict):
    """Which side a row is on: decided by a hash of its key, so that it never changes side between versions."""

    by: Literal["key"] = "key"
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.1


class Promote(Strict):
    metric: Literal["macro_f1", "accuracy"] = "macro_f1"
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.0
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.01


class Model(Strict):
    title: str
    task: Literal["text-classification"]
    dataset: Name
    inputs: list[str] = Field(min_length=1)
    label: str
    split: Split = Split()
    candidates: list[Candidate] = Field(min_length=1)
    promote: Promote = Promote()

    @property
    def all_candidates(self) -> list[TfidfCandidate | TransformerCandidate]:
        """The declared candidates, the cheap baseline always among them and first."""
        declared = list(self.candidates)
        baselines = [c for c in declared if c.kind == "tfidf"] or [TfidfCandidate()]
        return [*baselines, *(c for c in declared if c.kind != "tfidf")]

    @property
    def labels(self) -> list[str]:
        """A name for each of `all_candidates`; a second one on the same base gets its number."""
        names = [c.label for c in self.all_candidates]
        return [n if names.index(n) == i else f"{n} ({names[: i + 1].count(n)})" for i, n in enumerate(names)]
