"""Who was erased from a dataset: salted hashes of their keys, so that no later load brings them back, and the proofs of erasure.

A hash is an HMAC-SHA256 with a random key that stays in the lake. It tells nothing by itself; but whoever can read the lake can try
a value that he guesses, so it is still personal data, and the least that leaving somebody out needs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from flows.errors import NotFound
from flows.lake import keys
from flows.lake.objects import Objects


class Erasures:
    def __init__(self, objects: Objects, dataset: str) -> None:
        self.objects, self.dataset = objects, dataset

    def any(self) -> bool:
        return next(iter(self.objects.list(keys.erased_subjects(self.dataset), limit=1)), None) is not None

    @cached_property
    def _salt(self) -> bytes:
        key = keys.erasure_salt(self.dataset)
        try:
            return bytes.fromhex(self.objects.get(key).decode())
        except NotFound:
            self.objects.create(key, secrets.token_hex(32).encode())
            return bytes.fromhex(self.objects.get(key).decode())  # whoever was first

    def digest(self, columns: Iterable[str], values: Iterable[str]) -> str:
        text = json.dumps(sorted(zip(columns, values, strict=True)), ensure_ascii=False)
        return hmac.new(self._salt, text.encode(), hashlib.sha256).hexdigest()

    def add(self, subject: str, columns: list[str]) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.objects.create(keys.erased_subject(self.dataset, subject), _json({"columns": columns, "since": at}))

    def subjects(self) -> Mapping[tuple[str, ...], set[str]]:
        """Columns -> hashes of those who are left out by these columns."""
        found: dict[tuple[str, ...], set[str]] = {}
        for item in self.objects.list(keys.erased_subjects(self.dataset)):
            columns = tuple(json.loads(self.objects.get(item.key))["columns"])
            found.setdefault(columns, set()).add(item.key.rpartition("/")[2].removesuffix(".json"))
        return found

    def prove(self, proof: dict[str, Any], token: str) -> str:
        """Write a proof; its key."""
        key = keys.erasure_proof(self.dataset, f"{datetime.now(UTC):%Y%m%dT%H%M%S}", token)
        self.objects.put(key, _json(proof))
        return key


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str).encode()
