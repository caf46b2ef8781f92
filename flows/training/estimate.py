"""What a training was expected to take, and how it is said to people (preflight.py finds it out)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.project import Budget

GB = 1_000_000_000


@dataclass(frozen=True)
class Estimate:
    """Of one training; memory is that of the GPU where there is one. `kwh` and `co2_kg` are None where they are not known."""

    seconds: float
    steps: int
    memory_bytes: int
    memory_limit: int
    disk_bytes: int
    disk_free: int
    kwh: float | None = None
    co2_kg: float | None = None
    timed_steps: int = 0

    def times(self, trainings: int) -> Estimate:
        """Of as many trainings, one after the other."""
        kwh, co2_kg = (None if value is None else value * trainings for value in (self.kwh, self.co2_kg))
        return replace(self, seconds=self.seconds * trainings, steps=self.steps * trainings, kwh=kwh, co2_kg=co2_kg)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable, with the names that what was really taken has in the manifest, too."""
        used = {"energy_kwh": self.kwh, "co2_kg": self.co2_kg} if self.kwh is not None else {}
        return (
            taken(self.seconds, self.memory_bytes) | _disk(self.disk_bytes) | used | {"steps": self.steps, "timed_steps": self.timed_steps}
        )


def taken(seconds: float, memory_bytes: int) -> dict[str, Any]:
    return {"seconds": round(seconds, 1), "memory_gb": round(memory_bytes / GB, 3)}


def disk(*folders: Path) -> dict[str, Any]:
    """What is in these folders."""
    return _disk(sum(p.stat().st_size for folder in folders for p in folder.rglob("*") if p.is_file()))


def _disk(amount: int) -> dict[str, Any]:
    return {"disk_gb": round(amount / GB, 6)}


def notices(estimate: Estimate, budget: Budget, label: str) -> list[str]:
    """What a person should know before it begins, in French."""
    said = []
    if budget.max_minutes is not None and estimate.seconds > budget.max_minutes * 60:
        said.append(_over(label, duration(estimate.seconds), duration(budget.max_minutes * 60)))
    if budget.max_kwh is not None and estimate.kwh is not None and estimate.kwh > budget.max_kwh:
        said.append(_over(label, energy(estimate.kwh), energy(budget.max_kwh)))
    return said


def _over(label: str, wanted: str, budget: str) -> str:
    return (
        f"L'entraînement de {label} demanderait environ {wanted}, plus que son budget de {budget} : il s'arrêtera au budget, avec ce "
        "qu'il aura trouvé de mieux."
    )


def told(estimate: Estimate) -> str:
    """In French, in a line."""
    grams = decimal(1000 * (estimate.co2_kg or 0))
    used = f", {energy(estimate.kwh)} ({grams} g de CO2e)" if estimate.kwh is not None else ""
    return (
        f"environ {duration(estimate.seconds)} ({estimate.steps} étapes), {size(estimate.memory_bytes)} de mémoire sur "
        f"{size(estimate.memory_limit)}, {size(estimate.disk_bytes)} de disque{used}"
    )


def duration(seconds: float) -> str:
    """As a person says it.

    >>> duration(8.2), duration(200), duration(1234), duration(9000)
    ('8 s', '3 min 20 s', '21 min', '2 h 30 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def decimal(value: float) -> str:
    """Two digits that count.

    >>> decimal(0.01234), decimal(3.456), decimal(123.4), decimal(0.0)
    ('0,012', '3,5', '123', '0')
    """
    digits = max(0, 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{digits}f}".replace(".", ",")


def energy(kwh: float) -> str:
    """
    >>> energy(1.234), energy(0.0123), energy(0.00000012)
    ('1,2 kWh', '12 Wh', 'moins de 0,001 Wh')
    """
    if kwh >= 0.1:
        return f"{decimal(kwh)} kWh"
    return f"{decimal(1000 * kwh)} Wh" if kwh >= 1e-6 else "moins de 0,001 Wh"


def size(amount: int) -> str:
    """
    >>> size(1_234_567_890), size(90_857_484)
    ('1,2 Go', '91 Mo')
    """
    return f"{amount / GB:.1f} Go".replace(".", ",") if amount >= GB else f"{amount / 1e6:.0f} Mo"
