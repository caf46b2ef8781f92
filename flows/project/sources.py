"""Where the bytes of a dataset come from. Credentials are never here: `credentials: NAME` says which ones (see docs/sources.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flows.project.base import Strict
from flows.project.store_sources import DltSource, S3Source, SqlSource
from flows.project.web_sources import DataGouvSource, HttpSource, RestSource


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


class DatasetsSource(Strict):
    """Versions of other datasets, which the transform joins: its argument `tables` has a Polars LazyFrame for each."""

    type: Literal["datasets"]
    datasets: list[str] = Field(min_length=1, description="Of this project, or `project/dataset` that is shared with it; @N: a version.")


class PseudonymisedSource(Strict):
    """A version of another dataset, with the entities that a model finds in its texts replaced (docs/pseudonymisation.md)."""

    type: Literal["pseudonymised"]
    dataset: str = Field(description="Of this project, or `project/dataset` that is shared with it; @N: a version.")
    model: str = Field(description="A token-classification model of this project: its champion, or @N.")
    texts: list[str] = Field(
        min_length=1, description="Columns whose entities are replaced. The other declared columns are taken as they are."
    )
    document: str | None = Field(
        default=None,
        description="A column of that dataset: rows with one value are one document, with the same placeholders. Empty: each row.",
    )
    replace: dict[str, str] | None = Field(
        default=None, description="Label -> what is written in its place; a label that is not there stays. Empty: usual words, all labels."
    )

    @property
    def datasets(self) -> list[str]:
        return [self.dataset]


MADE = ("datasets", "pseudonymised")
"""Types of sources whose rows are made of versions of other datasets."""

Source = Annotated[
    FileSource
    | NpmSource
    | HttpSource
    | DataGouvSource
    | RestSource
    | S3Source
    | SqlSource
    | DltSource
    | DatasetsSource
    | PseudonymisedSource,
    Field(discriminator="type"),
]
