"""What a model may be: the ways of training that a project file can name, from cheap to dear."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from flows.project.base import Strict


class TfidfCandidate(Strict):
    """The cheap baseline of texts: TF-IDF and a linear model."""

    kind: Literal["tfidf"] = "tfidf"
    max_features: Annotated[int, Field(gt=0)] = 60_000
    ngram_max: Annotated[int, Field(ge=1, le=3)] = 2
    c: Annotated[float, Field(gt=0)] = 10.0

    @property
    def label(self) -> str:
        return "tfidf"


class DictionaryCandidate(Strict):
    """The cheap baseline of entities: each word gets the label that it had most often."""

    kind: Literal["dictionary"] = "dictionary"

    @property
    def label(self) -> str:
        return "dictionnaire"


class LinearCandidate(Strict):
    """The cheap baseline of tables: categories one-hot, numbers scaled, a linear model."""

    kind: Literal["linear"] = "linear"
    c: Annotated[float, Field(gt=0)] = 1.0

    @property
    def label(self) -> str:
        return "linéaire"


class BoostingCandidate(Strict):
    """Gradient boosting of trees (scikit-learn's histogram-based one); a text becomes the dimensions of its TF-IDF that matter most."""

    kind: Literal["boosting"] = "boosting"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    max_iter: Annotated[int, Field(ge=1, description="Trees at most; the validation side stops earlier.")] = 500
    max_leaf_nodes: Annotated[int, Field(ge=2)] = 31
    min_samples_leaf: Annotated[int, Field(ge=1)] = 20
    l2_regularization: Annotated[float, Field(ge=0)] = 0.0
    seed: int = 13

    @property
    def label(self) -> str:
        return "boosting"


class BaseModelCandidate(Strict):
    """What begins with a pretrained model."""

    base_model: Annotated[str, Field(pattern=r"^(package|path|lake|hub):.+")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Expected hash of the weights; training refuses anything else. Required for hub: models."
    )
    licence: str | None = Field(default=None, description="Licence that the base model is expected to have; another one is refused.")
    max_length: Annotated[int, Field(ge=8, le=131_072, description="Tokens of a text; what is longer is cut.")] = 256
    batch_size: Annotated[int, Field(ge=1)] = 16
    max_rows: Annotated[int, Field(gt=0)] | None = Field(default=None, description="Rows to train on: the same ones on every machine.")
    seed: int = 13

    @model_validator(mode="after")
    def _hub_is_pinned(self) -> BaseModelCandidate:
        if self.base_model.startswith("hub:") and (self.sha256 is None or "@" not in self.base_model):
            raise ValueError("base_model: a hub: model needs a revision (hub:org/name@revision) and its sha256")
        return self

    @property
    def base_label(self) -> str:
        return self.base_model.split(":", 1)[1].removesuffix("/model")


class PretrainedCandidate(BaseModelCandidate):
    """The base model as it is: what training has to be better than."""

    kind: Literal["pretrained"] = "pretrained"

    @property
    def label(self) -> str:
        return f"{self.base_label} tel quel"


class FrozenCandidate(BaseModelCandidate):
    """A linear head on the base model's embeddings, which are computed once and kept."""

    kind: Literal["frozen"] = "frozen"
    c: Annotated[float, Field(gt=0)] = 10.0

    @property
    def label(self) -> str:
        return f"{self.base_label} gelé"


class Lora(Strict):
    """Low-rank adapters (Hu et al. 2021) beside the frozen weights; merged into them when training ends."""

    r: Annotated[int, Field(ge=1, le=512)] = 8
    alpha: Annotated[int, Field(ge=1)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    targets: list[str] | None = Field(
        default=None, description="Names of the layers that get one; empty: those that are usual for the architecture."
    )


class TransformerCandidate(BaseModelCandidate):
    """A pretrained model that is trained further: its last layers, adapters, or all of it."""

    kind: Literal["transformer"] = "transformer"
    train_layers: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Last layers to train; empty: all.")
    lora: Lora | None = None
    epochs: Annotated[float, Field(gt=0)] = 3
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-5
    accumulate: Annotated[int, Field(ge=1, description="Batches whose gradients make one step.")] = 1
    patience: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Evaluations on the validation side without a better score before training stops; empty: never."
    )
    precision: Annotated[Literal["auto", "fp32", "bf16"], Field(description="auto: bf16 where the processor or GPU has it.")] = "auto"
    compile: Annotated[bool, Field(description="torch.compile: pays on a GPU and long trainings.")] = False
    quantise: Literal["8bit", "4bit"] | None = Field(
        default=None, description="Load the base model in fewer bits (with lora, on a CUDA GPU)."
    )

    @model_validator(mode="after")
    def _one_way(self) -> TransformerCandidate:
        if self.lora is not None and self.train_layers is not None:
            raise ValueError("lora and train_layers: one or the other")
        if self.quantise is not None and self.lora is None:
            raise ValueError("quantise: only with lora (quantised weights are not trained)")
        return self

    @property
    def label(self) -> str:
        return f"{self.base_label} LoRA" if self.lora else self.base_label


AnyCandidate = (
    TfidfCandidate
    | DictionaryCandidate
    | LinearCandidate
    | BoostingCandidate
    | PretrainedCandidate
    | FrozenCandidate
    | TransformerCandidate
)


def _as_candidate(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return value
    get = value.get if isinstance(value, dict) else lambda name: getattr(value, name, None)
    return str(get("kind") or ("transformer" if get("base_model") else "tfidf"))


Candidate = Annotated[
    Annotated[TfidfCandidate, BeforeValidator(_as_candidate), Tag("tfidf")]
    | Annotated[DictionaryCandidate, BeforeValidator(_as_candidate), Tag("dictionary")]
    | Annotated[LinearCandidate, BeforeValidator(_as_candidate), Tag("linear")]
    | Annotated[BoostingCandidate, BeforeValidator(_as_candidate), Tag("boosting")]
    | Annotated[PretrainedCandidate, Tag("pretrained")]
    | Annotated[FrozenCandidate, Tag("frozen")]
    | Annotated[TransformerCandidate, Tag("transformer")],
    Discriminator(_kind),
]

RANK = {
    "tfidf": 0,
    "dictionary": 0,
    "linear": 0,
    "pretrained": 1,
    "boosting": 2,
    "frozen": 3,
    "transformer": 4,
}
"""From cheap to dear, as predictions cost; the time that training took decides within a kind."""
