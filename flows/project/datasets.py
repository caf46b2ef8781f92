"""Datasets: where rows come from, how they are read, and what they have to be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from flows.project.base import Name, Strict
from flows.project.columns import Column, as_column, is_pattern
from flows.project.formats import Format
from flows.project.sources import Source

PersonalKind = Literal["nir", "iban", "card", "tax_number", "email", "phone", "birth_date", "name", "address", "plate", "ip"]
"""As flows/privacy/kinds.py has them."""


class Deletes(Strict):
    """Rows of an upsert that say that their key is gone: those with one of these values in this column."""

    column: str
    values: list[str | bool | int] = Field(min_length=1)

    def says(self, alias: str) -> str:
        """As SQL; never null, so that its opposite holds for every other row."""
        name = f"{alias}.`{self.column}`"
        return f"({name} IS NOT NULL AND {name} IN ({', '.join(_literal(v) for v in self.values)}))"


def _literal(value: str | bool | int) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()


class NotPersonal(Strict):
    """Why what looks like personal data in a column is none. `column: reason` is short for `column: {reason: ...}`."""

    reason: Annotated[str, Field(min_length=10, description="For whoever reviews it: it is in every report.")]
    kinds: list[PersonalKind] = Field(default_factory=list, description="Kinds that it is about; left out: all that are found there.")


def _as_excuse(value: Any) -> Any:
    return {"reason": value} if isinstance(value, str) else value


class Dataset(Strict):
    title: str
    source: Source
    format: Format | None = Field(None, description="How the bytes are read; what is left out is found in the first file and then kept.")
    transform: Annotated[str, Field(pattern=r"^[\w-]+\.py:[A-Za-z_]\w*$")] | None = Field(
        None, description="`file.py:function` in the project's folder; its argument is `records` or `batch`."
    )
    key: list[str] = Field(default_factory=list, description="Columns that identify a row for ever.")
    mode: Literal["replace", "append", "upsert", "snapshot"] = "replace"
    deletes: Deletes | None = Field(default=None, description="Of an upsert: which rows say that their key is gone.")
    columns: dict[str, Annotated[Column, BeforeValidator(as_column)]] = Field(min_length=1)
    on_drift: Literal["refuse", "evolve", "quarantine"] = "refuse"
    expectations: list[str] = Field(default_factory=list, description="Suites, relative to expectations/.")
    on_failure: Literal["block", "quarantine", "warn"] = "block"
    licence: str = ""
    personal_data: Literal["none", "pseudonymised", "personal", "sensitive"] = "personal"
    not_personal: dict[str, Annotated[NotPersonal, BeforeValidator(_as_excuse)]] = Field(
        default_factory=dict, description="Columns whose values look personal and are not, each with the reason."
    )
    shared_with: list[Name] = Field(default_factory=list)
    fresh_days: Annotated[float, Field(gt=0, le=3660)] | None = Field(
        None, description="Somebody is told when the latest version is older than so many days; empty: never."
    )

    @model_validator(mode="after")
    def _keys_are_columns(self) -> Dataset:
        for name in self.key:
            if name not in self.columns:
                raise ValueError(f"key: {name!r} is not one of the columns ({', '.join(self.columns)})")
        self._sources_are_one_each()
        if self.source.type == "datasets" and not self.transform:
            raise ValueError("transform: a dataset that is made from others needs one, with an argument `tables`")
        if self.source.type == "pseudonymised":
            self._pseudonymised(self.source.texts)
        for name in self.not_personal:
            if name not in self.columns:
                raise ValueError(f"not_personal: {name!r} is not one of the columns ({', '.join(self.columns)})")
        if self.mode == "upsert" and not self.key:
            raise ValueError("mode: upsert needs a key")
        if self.mode == "snapshot" and not self.key:
            raise ValueError("mode: snapshot needs a key: without one nobody can tell which row became which")
        if getattr(self.source, "incremental", False) and self.mode not in ("append", "upsert"):
            raise ValueError(f"mode: {self.mode} takes each load for the whole picture; a source of what is new has none")
        if self.deletes and self.mode != "upsert":
            raise ValueError("deletes: only for mode: upsert (a full picture says by itself what is gone)")
        if self.deletes and self.deletes.column not in self.columns:
            raise ValueError(f"deletes: {self.deletes.column!r} is not one of the columns ({', '.join(self.columns)})")
        reserved = [c for c in self.columns if c.startswith("__")]
        if reserved:
            raise ValueError(f"columns: {', '.join(reserved)}: names that begin with two underscores are reserved")
        capitals = {c.lower(): c for c in self.columns}
        if alike := [c for c in self.columns if capitals[c.lower()] != c]:
            raise ValueError(
                f"columns: {alike[0]!r} and {capitals[alike[0].lower()]!r} differ in capitals alone, which a table does not tell"
            )
        if patterns := [c for n, one in self.columns.items() for c in (n, one.source or n) if is_pattern(c)]:
            raise ValueError(f"columns: {patterns[0]!r} is no name of a column, but a pattern")
        return self

    def _pseudonymised(self, texts: list[str]) -> None:
        if self.transform:
            raise ValueError("transform: a pseudonymised dataset has none; prepare its texts in the dataset that it is made from")
        if missing := [t for t in texts if t not in {c.source or n for n, c in self.columns.items()}]:
            raise ValueError(f"source: the text {missing[0]!r} is not one of the columns ({', '.join(self.columns)})")

    def _sources_are_one_each(self) -> None:
        taken: dict[str, str] = {}
        for name, column in self.columns.items():
            origin = name if column.source is None else column.source
            if origin in taken:
                raise ValueError(f"columns: {taken[origin]} and {name} are both read from {origin!r}")
            taken[origin] = name
