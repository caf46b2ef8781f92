"""What a column is declared to be, and how its values are written in the files that come."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from flows.project.base import ColumnType, Strict

DIRECTIVES = ("%d", "%m", "%Y", "%y", "%H", "%M", "%S", ".%f", "%z", "%B", "%b")
"""Of formats of dates, as Python's strptime writes them."""
TOKEN = re.compile(r"\.%f|%.|.", re.DOTALL)

NUMBERS, DATES = ("integer", "number"), ("date", "datetime")
ONLY_OF = {
    "decimal": NUMBERS,
    "thousands": NUMBERS,
    "unit": NUMBERS,
    "format": DATES,
    "true": ("boolean",),
    "false": ("boolean",),
}


def _words(value: Any) -> Any:
    """YAML reads some words as something else: `1`, `true`, `null` in a list are the words that were written."""
    names = {True: "true", False: "false", None: "null"}
    if not isinstance(value, list):
        value = [value]
    return [names[v] if isinstance(v, bool) or v is None else str(v) if isinstance(v, int | float) else v for v in value]


Words = Annotated[list[str], BeforeValidator(_words)]
OptionalWords = Annotated[list[str] | None, BeforeValidator(lambda v: None if v is None else _words(v))]


class Column(Strict):
    """A declared column. `name: string` is short for `name: {type: string}`. What is not declared of how its values are written is
    found in the first file, reported, and then kept."""

    type: ColumnType
    required: bool = Field(default=False, description="A row without a value here is refused.")
    title: str = ""
    source: str | None = Field(default=None, description="The column's name in the file, if it is another.")
    decimal: Literal[",", "."] | None = Field(default=None, description="The mark before the decimals.")
    thousands: Literal[".", ","] | None = Field(
        default=None, description="A mark between groups of three digits, beside spaces and apostrophes."
    )
    unit: str | None = Field(default=None, min_length=1, description="What may follow a number and is left out: €, %, kg ...")
    format: str | list[str] | None = Field(default=None, description="Of dates and times: %d/%m/%Y, or several, tried in this order.")
    true: OptionalWords = Field(default=None, description="Words that mean yes.")
    false: OptionalWords = Field(default=None, description="Words that mean no.")
    missing: OptionalWords = Field(default=None, description="Texts that stand for no value: NA, -, nd ...")

    @model_validator(mode="before")
    @classmethod
    def _names_of_yes_and_no(cls, values: Any) -> Any:
        """`true:` without quotes is no text to YAML."""
        if not isinstance(values, dict):
            return values
        names = {True: "true", False: "false", "True": "true", "False": "false"}
        return {names.get(k, k) if isinstance(k, bool | str) else k: v for k, v in values.items()}

    @model_validator(mode="after")
    def _fits_its_type(self) -> Column:
        for name, kinds in ONLY_OF.items():
            if getattr(self, name) is not None and self.type not in kinds:
                raise ValueError(f"{name} is only for {' and '.join(kinds)}, not for {self.type}")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        if both := {w.strip().lower() for w in self.true or []} & {w.strip().lower() for w in self.false or []}:
            raise ValueError(f"true and false: {', '.join(sorted(both))} cannot mean both")
        for form in [self.format] if isinstance(self.format, str) else self.format or []:
            _check_format(form, self.type)
        return self


def _check_format(written: str, kind: str) -> None:
    seen = set()
    for token in TOKEN.findall(written):
        if len(token) > 1 and token not in DIRECTIVES:
            raise ValueError(f"format: {token} is none of {' '.join(DIRECTIVES)}")
        seen |= {token} if len(token) > 1 else set()
    if not ("%d" in seen and seen & {"%m", "%B", "%b"} and seen & {"%Y", "%y"}):
        raise ValueError(f"format: {written!r} has not day, month and year (%d/%m/%Y)")
    if ("%H" in seen) != ("%M" in seen) or ("%S" in seen and "%H" not in seen):
        raise ValueError(f"format: {written!r} has a time that is not whole (%H:%M or %H:%M:%S)")
    if kind == "date" and seen & {"%H", "%z"}:
        raise ValueError(f"format: {written!r} has a time, and a date has none: declare type: datetime")


def is_pattern(name: str) -> bool:
    """Whether Polars takes the name for several columns: `*` is all of them, `^...$` those that match."""
    return name == "*" or (name.startswith("^") and name.endswith("$"))


def as_column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value
