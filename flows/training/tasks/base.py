"""What a task says of itself, so that preparing, training, evaluating, promoting and describing are written once for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flows.project import AnyCandidate, Budget, Model

if TYPE_CHECKING:
    import polars as pl

    from flows.training.base_models import BaseModel
    from flows.training.checkpoints import Checkpoints
    from flows.training.evaluation.paired import Comparison
    from flows.training.examples import Examples

LEFT_OUT = "left_out"
"""Column of `Task.examples`: why a row cannot be learned from, as a word of `Task.REASONS`; null: it can."""
METRIC = dict[str, float]
"""value, and low and high: the ends of its 95 % interval."""


@dataclass
class Job:
    """What a trainer is given: one candidate of one model, and where to work."""

    candidate: Any
    """One of flows.project's candidates, of the kind that this trainer is for."""
    examples: Examples
    folder: Path
    """Where the model's files go. Empty; nothing else is committed."""
    work: Path
    """Empty and this job's own; thrown away with the run."""
    cache: Path
    """Kept on this machine between runs: tokens and embeddings by what they were made from."""
    base: BaseModel | None = None
    budget: Budget = field(default_factory=Budget)
    energy: Callable[[], float] | None = None
    """kWh that this training has taken so far, for a budget of energy; None: it is not measured."""
    checkpoints: Checkpoints | None = None
    """Where a run that is killed goes on from; None: it begins again."""
    advance: Callable[[float], None] = lambda share: None
    """Gets the share of the training that was done since the last call; all of them make 1."""
    log: Callable[[int, dict[str, float]], None] = lambda step, values: None
    """Gets points of curves: (step, name -> value)."""
    notice: Callable[[str], None] = lambda text: None
    """Gets what a person should know of this training, in French: memory ran out, the budget was spent ..."""
    processes: int | None = None
    """That train together, each on a GPU of its own; None: as many as this machine has GPUs, or one."""
    cache_gb: float = 10.0
    """How much of each kind `cache` keeps, in GB (10^9 bytes)."""


@dataclass
class Trained:
    """What a trainer gives."""

    predictor: Any
    parameters: int
    trained_parameters: int
    facts: dict[str, Any] = field(default_factory=dict)
    """What the manifest keeps of the training: steps, stopped (why, if before the end), best_step, resumed_from, batch_size ..."""


Trainer = Callable[[Job], Trained]


@dataclass(frozen=True)
class Seen:
    """What an evaluation report is made from."""

    examples: dict[str, pl.DataFrame]
    """validation and test, and below the answers to them, in the same order."""
    answers: dict[str, Any]
    labels: list[str]
    personal_data: str
    """What the dataset is declared to hold: none, personal or sensitive."""
    folder: Path
    """For plots."""


class Task(ABC):
    """One task of one model. A subclass says what is particular; the rest is the same for all.

    An *example* is a row of a Parquet file: the columns that `examples` makes, `order` (for sampling; it names the row), and
    `group.<column>` for each of the model's groups. *Answers* are what `predict` gives for examples, in their order: what they
    are is the task's own business.
    """

    REASONS: ClassVar[dict[str, str]] = {}
    """Why a row cannot be learned from -> in French, after a number: `sans étiquette`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    # -- rows become examples

    @abstractmethod
    def examples(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the dataset (the model's columns) -> examples, one a row and in the same order, with the column `left_out`."""

    def labels(self, examples: pl.DataFrame) -> list[str]:
        """What can be answered, from all examples, in the order of their numbers."""
        return []

    def numbered(self, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        """Names of labels -> their numbers."""
        return examples

    def check(self, examples: Examples) -> None:  # noqa: B027 (a task need not look)
        """Raises: Refused if there is nothing to learn."""

    # -- training

    @abstractmethod
    def trainer(self, candidate: AnyCandidate) -> Trainer:
        """How a candidate of this kind is trained."""

    # -- evaluation

    @abstractmethod
    def predict(self, predictor: Any, examples: pl.DataFrame) -> Any:
        """Answers for these examples, in constant memory beside them."""

    @abstractmethod
    def evaluate(self, answers: Any, examples: pl.DataFrame, labels: list[str]) -> dict[str, Any]:
        """`rows`, a METRIC for each of the model's METRICS that applies, and what else the card shows. JSON-serialisable."""

    @abstractmethod
    def outcomes(self, answers: Any, examples: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
        """One row an example, without any of its text: `truth`, `predicted` and what a paired comparison needs."""

    def some(self, answers: Any, rows: Any) -> Any:
        """Answers of some rows, by their numbers: an array of integers."""
        return answers[rows]

    def report(self, seen: Seen) -> dict[str, Any]:
        """What a person looks at besides scores: calibration, thresholds, errors, labels that look wrong ... JSON-serialisable, none of it
        with personal data unmasked. Plots go to `seen.folder`."""
        return {}

    def paired(self, challenger: Any, champion: Any, examples: pl.DataFrame, labels: list[str]) -> Comparison | None:
        """Two models' answers to the same examples, by the model's metric; None if the task has no paired test."""
        return None

    def fit_to_validation(self, predictor: Any, examples: Examples) -> dict[str, Any]:
        """After training: calibration and thresholds, chosen on the validation side and kept by the predictor. Returns what the
        manifest keeps of it."""
        return {}

    def fit_and_predict(self, predictor: Any, examples: Examples) -> tuple[dict[str, Any], Any]:
        """(fit_to_validation, answers to the validation side afterwards): a task whose predictions are dear makes both of one pass."""
        fitted = self.fit_to_validation(predictor, examples)
        return fitted, self.predict(predictor, examples.read("validation"))

    def in_labels(self, answers: Any, found: list[str], wanted: list[str]) -> Any:
        """Answers of an older model, as if it had been asked with today's labels."""
        return answers

    # -- the card

    def card(self, manifest: dict[str, Any], language: str) -> str:
        """What the model card says of results besides the table of metrics; Markdown with headings of level 3. `language`: fr or en."""
        return ""


class TransformerTask(Task):
    """A task whose dearer candidates are transformers that the common trainer (flows/training/trainer.py) trains."""

    ENCODE_REVISION: ClassVar[str] = "1"
    """Raise it when `encode` gives other tokens for the same rows: those that are kept are then made again."""

    @abstractmethod
    def head(self, job: Job, arguments: dict[str, Any]) -> Any:
        """The pretrained model with the task's head. `arguments`: of from_pretrained, always to be passed on: they refuse pickles
        and remote code."""

    @abstractmethod
    def encode(self, job: Job, tokenizer: Any) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
        """What `datasets.Dataset.map(batched=True)` calls: columns of examples -> input_ids and labels, cut to max_length."""

    @abstractmethod
    def collator(self, job: Job, tokenizer: Any) -> Any:
        """Pads a batch to its longest."""

    @abstractmethod
    def predictor(self, job: Job, model: Any, tokenizer: Any) -> Any:
        """What flows/models keeps and loads; it also answers for validation during training."""
