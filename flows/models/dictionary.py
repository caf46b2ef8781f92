"""Entities by a list of what was an entity in training: the cheap baseline.

The list is of hashes, not of words: what a model's folder holds is read by more people than the texts that it learned from, and these
may be about people. Hashes of names can be found again by trying names: the folder stays as personal as the texts are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flows.models import DESCRIPTION
from flows.models.spans import WORD, Span

ENTRIES = "dictionary.json"
DIGEST = 8  # bytes: a million entries have one false hit in ten million million look-ups
LONGEST = 12  # words of an entry


def normal(word: str) -> str:
    """Numbers are alike: `28 mai 1996` is a date as `12 mai 1987` is."""
    return "".join("0" if c.isdigit() else c for c in word)


class Hasher:
    """Of sequences of words, with a salt of the model's own."""

    def __init__(self, salt: str) -> None:
        self.key = bytes.fromhex(salt)

    def __call__(self, some: Sequence[str]) -> str:
        return blake2b("\x1f".join(some).encode("utf-8", "replace"), digest_size=DIGEST, key=self.key).hexdigest()


def sequences(some: Sequence[str], start: int, longest: int) -> Iterator[tuple[int, Sequence[str]]]:
    """(where it ends, the words) of each sequence that begins at `start`, the longest first."""
    for end in range(min(len(some), start + longest), start, -1):
        yield end, some[start:end]


class DictionaryPredictor:
    """`entries`: hash of a sequence of words -> its label. `first`: hashes of the words with which any of them begins."""

    def __init__(self, entries: dict[str, str], first: set[str], salt: str, labels: list[str]) -> None:
        self.entries, self.first, self.salt, self.labels = entries, first, salt, labels
        self.hashed = Hasher(salt)

    def predict(self, texts: Sequence[str]) -> list[list[Span]]:
        """The spans of each text, in characters: the longest match from left to right."""
        return [self._spans(text) for text in texts]

    def _spans(self, text: str) -> list[Span]:
        matches = list(WORD.finditer(text))
        some = [normal(m[0]) for m in matches]
        found, at = list[Span](), 0
        while at < len(some):
            end, label = self._longest(some, at)
            if label:
                found.append((matches[at].start(), matches[end - 1].end(), label))
            at = end
        return found

    def _longest(self, some: Sequence[str], at: int) -> tuple[int, str]:
        if self.hashed(some[at : at + 1]) in self.first:
            for end, sequence in sequences(some, at, LONGEST):
                if (label := self.entries.get(self.hashed(sequence))) is not None:
                    return end, label
        return at + 1, ""

    def save(self, folder: Path) -> None:
        content = {"salt": self.salt, "first": sorted(self.first), "entries": dict(sorted(self.entries.items()))}
        (folder / ENTRIES).write_text(json.dumps(content, ensure_ascii=False, indent=0), encoding="utf-8")
        description = {"kind": "dictionary", "labels": self.labels}
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> DictionaryPredictor:
        content = json.loads((folder / ENTRIES).read_text(encoding="utf-8"))
        return cls(content["entries"], set(content["first"]), content["salt"], description["labels"])
