"""What is kept on this machine between runs, by what it was made from: tokens and embeddings. All of it can be made again.

A file and, written last, a note with its sha256: a file without a note, or another than the note says, is as none.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.lake.objects import sha256_file
from flows.training.base_models import BaseModel

GB = 1_000_000_000
NOT_TOKENISER = (".safetensors", ".bin", ".pt", ".onnx", ".msgpack", ".h5", ".md", ".py")


def key_of(**made_from: Any) -> str:
    """24 hex digits of what something is made from (JSON-serialisable)."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True, default=str).encode()).hexdigest()[:24]


def tokeniser_sha256(base: BaseModel) -> str:
    """Of every small file beside the weights: vocabulary, merges, special tokens, chat template, configuration."""
    files = sorted(p for p in base.folder.iterdir() if p.is_file() and p.suffix not in NOT_TOKENISER)
    return key_of(files={p.name: sha256_file(p) for p in files})


@dataclass(frozen=True)
class Cache:
    """Of one kind of things, in one folder."""

    folder: Path
    max_gb: float
    """Of all files of this folder together; those that were used longest ago go first, never the newest."""

    def get(self, key: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
        """(a file, whether it was there); `make` writes it to the path that it is given."""
        path, note = self.folder / key, self.folder / f"{key}.json"
        if _whole(path, note):
            with suppress(OSError):
                os.utime(note)  # used now
            return path, True
        self.folder.mkdir(parents=True, exist_ok=True)
        token = uuid.uuid4().hex[:8]
        made = self.folder / f"{key}.{token}.part"
        try:
            make(made)
            told = {"sha256": sha256_file(made), "size": made.stat().st_size}
            noted = self.folder / f"{key}.{token}.note.part"
            noted.write_text(json.dumps(told), encoding="ascii")
            note.unlink(missing_ok=True)
            made.replace(path)
            noted.replace(note)
        finally:
            made.unlink(missing_ok=True)
        self._prune(key)
        return path, False

    def _prune(self, newest: str) -> None:
        """Another run may hold an open file: it keeps it, for what is removed is only its name."""
        notes = []
        for note in self.folder.glob("*.json"):
            with suppress(OSError, ValueError):
                notes.append((note.stat().st_mtime, note.stem, int(json.loads(note.read_text(encoding="ascii"))["size"])))
        total = 0
        for _, key, size in sorted(notes, key=lambda n: (n[1] == newest, n[0]), reverse=True):
            total += size
            if total > self.max_gb * GB and key != newest:
                for name in (f"{key}.json", key):
                    (self.folder / name).unlink(missing_ok=True)


def _whole(path: Path, note: Path) -> bool:
    try:
        told = json.loads(note.read_text(encoding="ascii"))
        return bool(path.stat().st_size == told["size"] and sha256_file(path) == told["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
