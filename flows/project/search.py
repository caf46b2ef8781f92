"""A small search over settings of a model's last candidate: what is varied, and between which bounds."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from pydantic import Field, model_validator

from flows.project.base import Strict

Above = Annotated[float, Field(gt=0)]
Whole = Annotated[int, Field(ge=1)]


class Search(Strict):
    """Settings of the last declared candidate are tried (Optuna), and the best by the validation side becomes its version. `budget` is
    that of all trials together. Ranges are [lowest, highest], both included."""

    trials: Annotated[int, Field(ge=2, le=200)] = 10
    seed: Annotated[int, Field(ge=0)] = 13
    learning_rate: tuple[Above, Above] | None = Field(default=None, description="transformer, boosting; tried on a logarithmic scale.")
    epochs: tuple[Whole, Whole] | None = Field(default=None, description="transformer: whole ones.")
    batch_size: list[Whole] | None = Field(default=None, description="transformer: the sizes to try.")
    c: tuple[Above, Above] | None = Field(default=None, description="tfidf, frozen, linear; tried on a logarithmic scale.")
    max_leaf_nodes: tuple[Whole, Whole] | None = Field(default=None, description="boosting; tried on a logarithmic scale.")

    @model_validator(mode="after")
    def _ranges(self) -> Search:
        if not self.settings:
            raise ValueError(f"says what is varied: one or more of {', '.join(SETTINGS)}")
        for name in RANGES:
            found = getattr(self, name)
            if found is not None and found[0] >= found[1]:
                raise ValueError(f"{name}: {found[0]:g} to {found[1]:g} is no range: the lowest comes first, then a higher one")
        sizes = self.batch_size
        if sizes is not None and (len(sizes) < 2 or len(set(sizes)) < len(sizes)):
            raise ValueError("batch_size: two or more sizes, each of them once")
        return self

    @property
    def settings(self) -> list[str]:
        """Those that are varied."""
        return [name for name in SETTINGS if getattr(self, name) is not None]

    @property
    def size(self) -> int | None:
        """How many different trials there can be; None: no end of them, as a setting is not a whole number."""
        if self.learning_rate is not None or self.c is not None:
            return None
        ranges = [found[1] - found[0] + 1 for name in ("epochs", "max_leaf_nodes") if (found := getattr(self, name)) is not None]
        return prod([*ranges, *([len(self.batch_size)] if self.batch_size else [])])

    @property
    def most(self) -> int:
        """Trials that there are at most."""
        return min(self.trials, self.size or self.trials)

    def bounds(self, name: str) -> list[Any]:
        """The values at both ends, or all values of a list."""
        return list(getattr(self, name))

    def has(self, name: str, value: Any) -> bool:
        """Whether a candidate's own value is one of those that are tried."""
        found = self.bounds(name)
        return bool(value in found if name == "batch_size" else found[0] <= value <= found[1])

    def require_fits(self, candidate: Any) -> None:
        """Raises: ValueError for a setting that this candidate has not, or that is out of the bounds that it has by itself."""
        fields = type(candidate).model_fields
        searchable = [name for name in SETTINGS if name in fields and (name != "batch_size" or "epochs" in fields)]  # else only a speed
        for name in self.settings:
            if name not in searchable:
                raise ValueError(
                    f"search: the last candidate is {candidate.kind}, whose {name} is not searched; "
                    f"of it there is {', '.join(searchable) or 'nothing to search'}"
                )
            for value in self.bounds(name):
                try:
                    with_settings(candidate, {name: value})
                except ValueError:
                    raise ValueError(f"search: {name}: {value:g} is not possible for {candidate.kind}") from None


def with_settings(candidate: Any, settings: dict[str, Any]) -> Any:
    """The candidate with other settings. Raises: ValueError if they are none for it."""
    return type(candidate).model_validate(candidate.model_dump() | settings)


RANGES = ("learning_rate", "epochs", "c", "max_leaf_nodes")
SETTINGS = (*RANGES, "batch_size")
