"""Datasets: where rows come from, how they are read, and what they have to be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from flows.project.base import ColumnType, Name, Strict
from flows.project.formats import Format
from flows.project.sources import Source


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
    format: Format | None = Field(None, description="How the bytes are read; what is left out is found in the first file and then kept.")
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
