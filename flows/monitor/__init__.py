"""What ops watch, as numbers: runs (Prefect's API), data and models (the lake), sizes, and the machine.

Each module reads one kind of place and returns Samples; flows/metrics.py calls them in the background and serves what they
found. Nothing is changed here. Labels are names of projects, flows, datasets and models: no data, no person.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import SocleError
from flows.monitor.catalogue import METRICS

LONGEST = 500  # characters of what is said of one error
Labels = tuple[tuple[str, str], ...]


@dataclass
class Samples:
    """What one look found: values by metric and labels, and what could not be looked at."""

    values: dict[str, dict[Labels, float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    """One line each, for the exporter's log; no secret is in them."""

    def add(self, metric: str, value: float, /, **labels: str) -> None:
        """Raises: ValueError for a metric or a label that the catalogue does not have."""
        wanted = METRICS[metric].labels if metric in METRICS else None
        if wanted is None or tuple(labels) != wanted:
            raise ValueError(f"{metric}{tuple(labels)}: the catalogue says {wanted}")
        self.values.setdefault(metric, {})[tuple(labels.items())] = float(value)

    def attempt(self, what: str, look: Callable[[], object]) -> bool:
        """Whether `look` went well; its failure is noted and hides nothing else."""
        try:
            look()
        except SocleError as error:
            said = " ".join([error.message, *([f"({error.where})"] if error.where else [])])
            self.errors.append(f"{what}: {' '.join(said.split())[:LONGEST]}")
        except Exception as error:
            # Where, not what it says: texts of other libraries may repeat an address with its password.
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.errors.append(f"{what}: {type(error).__name__} at {Path(place.filename).name}:{place.lineno}")
        else:
            return True
        return False
