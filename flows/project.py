"""projects/<name>/project.yaml as typed data.

This file says what a project *is*. Reading files, line numbers and the report of every problem are in `validation.py`.
Titles and descriptions of fields end up in the JSON schema that editors use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

NAME = r"^[a-z][a-z0-9-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=48)]
Days = Annotated[int, Field(ge=1, le=36_500)]
ColumnType = Literal["string", "integer", "number", "boolean", "date", "datetime"]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt key must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Owner(Strict):
    team: str
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


# ---- sources -------------------------------------------------------------------------------------------------------


class FileSource(Strict):
    """Files on a disk that the worker sees."""

    type: Literal["file"]
    path: str = Field(description="A path or a glob, relative to the project's folder.")


class NpmSource(Strict):
    """One file of a published npm package. A published version never changes, so nothing is asked of the network twice."""

    type: Literal["npm"]
    package: Annotated[str, Field(pattern=r"^(@[a-z0-9][\w.~-]*/)?[a-z0-9][\w.~-]*$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+([-+][\w.+-]+)?$", description="An exact version.")]
    member: str = Field(description="Path of the file inside the package.")


Source = Annotated[FileSource | NpmSource, Field(discriminator="type")]


# ---- formats -------------------------------------------------------------------------------------------------------


class CsvFormat(Strict):
    type: Literal["csv"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"


class JsonFormat(Strict):
    type: Literal["json"]
    records: str = Field("", description="Where the records are, as an ijson path (`children.item`); empty: see docs.")


class JsonLinesFormat(Strict):
    type: Literal["jsonl"]


class ParquetFormat(Strict):
    type: Literal["parquet"]


Format = Annotated[CsvFormat | JsonFormat | JsonLinesFormat | ParquetFormat, Field(discriminator="type")]


# ---- datasets ------------------------------------------------------------------------------------------------------


class Column(Strict):
    """A declared column. `name: string` is short for `name: {type: string}`."""

    type: ColumnType
    required: bool = Field(False, description="A row without a value here is refused.")
    title: str = ""


def _as_column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class Dataset(Strict):
    title: str
    source: Source
    format: Format
    transform: Annotated[str, Field(pattern=r"^[\w-]+\.py:[A-Za-z_]\w*$")] | None = Field(
        None, description="`file.py:function` in the project's folder; its argument is `records` or `batch`."
    )
    key: list[str] = Field(default_factory=list, description="Columns that identify a row for ever.")
    mode: Literal["replace", "append", "upsert", "snapshot"] = "replace"
    columns: dict[str, Annotated[Column, BeforeValidator(_as_column)]] = Field(min_length=1)
    on_drift: Literal["refuse", "evolve", "quarantine"] = "refuse"
    expectations: list[str] = Field(default_factory=list, description="Suites, relative to expectations/.")
    on_failure: Literal["block", "quarantine", "warn"] = "block"
    licence: str = ""
    personal_data: Literal["none", "pseudonymised", "personal", "sensitive"] = "personal"
    shared_with: list[Name] = Field(default_factory=list)
    fresh_days: Annotated[float, Field(gt=0, le=3660)] | None = Field(
        None, description="Somebody is told when the latest version is older than so many days; empty: never."
    )

    @model_validator(mode="after")
    def _keys_are_columns(self) -> Dataset:
        for name in self.key:
            if name not in self.columns:
                raise ValueError(f"key: {name!r} is not one of the columns ({', '.join(self.columns)})")
        if self.mode == "upsert" and not self.key:
            raise ValueError("mode: upsert needs a key")
        if self.mode == "snapshot":
            raise ValueError("mode: snapshot is not available yet; use replace, append or upsert")
        reserved = [c for c in self.columns if c.startswith("__")]
        if reserved:
            raise ValueError(f"columns: {', '.join(reserved)}: names that begin with two underscores are reserved")
        return self


# ---- models --------------------------------------------------------------------------------------------------------


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


class Schedule(Strict):
    cron: Annotated[str, Field(pattern=r"^\S+(\s+\S+){4}$")]
    timezone: str = "Europe/Paris"


class Execution(Strict):
    """Where this project's runs execute and with how much. Never in a run form."""

    on: Annotated[
        Literal["process", "docker", "kubernetes"],
        Field(description="`process`: on the machine of a worker; the others: a container for each run."),
    ] = "process"
    max_runs: Annotated[int, Field(ge=1, le=100, description="Runs at the same time; others wait their turn.")] = 2
    image: Annotated[
        Annotated[str, Field(pattern=r"^[a-z0-9][\w.:/@-]*$", max_length=500)] | None,
        Field(description="Image of the containers; empty: SOCLE_IMAGE of whoever deploys."),
    ] = None
    cpus: Annotated[float, Field(ge=0.1, le=64, description="Processors of a container.")] = 2
    memory_gb: Annotated[float, Field(ge=0.25, le=1024, description="Memory of a container, in GiB.")] = 8
    gpus: Annotated[int, Field(ge=0, le=8, description="GPUs of a container, for the flows that train.")] = 0

    @model_validator(mode="after")
    def _containers_only(self) -> Execution:
        given = sorted(self.model_fields_set & {"image", "cpus", "memory_gb", "gpus"})
        if self.on == "process" and given:
            raise ValueError(f"{given[0]}: only for containers (on: docker or kubernetes); a process has what its worker's machine has")
        return self


class Retention(Strict):
    """Days that things are kept which nothing refers to any more. What the flow `maintain` deletes, and never earlier."""

    versions_days: Annotated[Days, Field(description="A dataset version, from when another one replaced it.")] = 365
    raw_days: Annotated[Days, Field(description="Bytes as received that no kept version was made from, since they came last.")] = 365
    quarantine_days: Annotated[Days, Field(description="Refused rows of loads of which no version is kept.")] = 180
    checks_days: Annotated[Days, Field(description="Check results and data docs of loads of which no version is kept.")] = 365
    uploads_days: Annotated[Days, Field(description="Files that no version of a model or dataset names, left by ended runs.")] = 30
    runs_days: Annotated[Days, Field(description="Runs in Prefect that have ended, with their logs.")] = 180


class Project(Strict):
    """A whole project file. `name` and `folder` come from where the file lies."""

    title: str
    ministry: str
    owner: Owner
    datasets: dict[Name, Dataset] = Field(min_length=1)
    models: dict[Name, Model] = Field(default_factory=dict)
    schedules: dict[Literal["pipeline", "ingest", "check", "finetune", "maintain"], Schedule] = Field(default_factory=dict)
    execution: Execution = Execution()
    retention: Retention = Retention()

    _name: str = ""
    _folder: Path = Path()

    @property
    def name(self) -> str:
        return self._name

    @property
    def folder(self) -> Path:
        return self._folder
