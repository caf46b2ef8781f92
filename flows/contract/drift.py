"""How the columns of a file differ from the declared ones."""

from __future__ import annotations

from dataclasses import dataclass

from flows.project import Dataset


@dataclass(frozen=True)
class Drift:
    missing: list[str]
    new: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.new)

    def __str__(self) -> str:
        import difflib

        parts = []
        for name in self.missing:
            near = difflib.get_close_matches(name, self.new, n=1, cutoff=0.6)
            parts.append(f"the column {name!r} is missing" + (f" (renamed to {near[0]!r}?)" if near else ""))
        parts += [f"the column {name!r} is not declared" for name in self.new]
        return ", ".join(parts)


def drift(dataset: Dataset, found: set[str]) -> Drift:
    data = {c for c in found if not c.startswith("__")}
    return Drift([c for c in dataset.columns if c not in data], sorted(data - set(dataset.columns)))
