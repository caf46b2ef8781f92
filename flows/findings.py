"""What a person should know of how data was read. Formats find it in bytes, the contract in values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    kind: Literal["note", "ambiguous"]
    """ambiguous: it can be read in two ways; one was chosen, and this says which other there is."""
    text: str
    french: str

    def __str__(self) -> str:
        return self.text
