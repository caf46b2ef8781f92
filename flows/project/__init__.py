"""projects/<name>/project.yaml as typed data.

This package says what a project *is*. Reading files, line numbers and the report of every problem are in `validation.py`.
Titles and descriptions of fields end up in the JSON schema that editors use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from flows.project.base import NAME, ColumnType, Days, Name, Strict
from flows.project.candidates import (
    AnyCandidate,
    BaseModelCandidate,
    BoostingCandidate,
    Candidate,
    DictionaryCandidate,
    FrozenCandidate,
    LinearCandidate,
    Lora,
    PretrainedCandidate,
    TfidfCandidate,
    TransformerCandidate,
)
from flows.project.columns import Column
from flows.project.datasets import Dataset, Deletes
from flows.project.formats import Format
from flows.project.models import (
    AnyModel,
    Budget,
    CausalLanguageModel,
    MaskedLanguageModel,
    Model,
    Promote,
    Split,
    TabularClassification,
    TabularRegression,
    TextClassification,
    TextSimilarity,
    TokenClassification,
)
from flows.project.search import Search
from flows.project.sources import Source


class Owner(Strict):
    team: str
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


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
    models: dict[Name, AnyModel] = Field(default_factory=dict)
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


__all__ = [
    "NAME",
    "AnyCandidate",
    "AnyModel",
    "BaseModelCandidate",
    "BoostingCandidate",
    "Budget",
    "Candidate",
    "CausalLanguageModel",
    "Column",
    "ColumnType",
    "Dataset",
    "Deletes",
    "DictionaryCandidate",
    "Format",
    "FrozenCandidate",
    "LinearCandidate",
    "Lora",
    "MaskedLanguageModel",
    "Model",
    "PretrainedCandidate",
    "Project",
    "Promote",
    "Search",
    "Source",
    "Split",
    "Strict",
    "TabularClassification",
    "TabularRegression",
    "TextClassification",
    "TextSimilarity",
    "TfidfCandidate",
    "TokenClassification",
    "TransformerCandidate",
]
