"""What every part of a project file is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-z][a-z0-9-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=48)]
Days = Annotated[int, Field(ge=1, le=36_500)]
ColumnType = Literal["string", "integer", "number", "boolean", "date", "datetime"]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt key must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
