"""What a load or a model is made from, as short hashes by part: equal parts need no work, and a changed part has a name."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.lake.raw import RawFile
from flows.privacy import PRIVACY_REVISION
from flows.project import AnyCandidate, Column, Dataset, Model, Project
from flows.quality.french import lists
from flows.quality.suites import QUALITY_REVISION, Suite

INGEST_REVISION = "2"
"""Raise it when reading or casting changes in a way that changes rows: every dataset is then loaded again."""

Parts = dict[str, str]


def digest(value: Any) -> str:
    """24 hex digits (96 bits) of the sha256 of canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def ingest_parts(project: Project, dataset: Dataset, files: list[RawFile]) -> Parts:
    """raw, source, format, columns, mode, transform."""
    columns = {n: _column(c) for n, c in dataset.columns.items()}
    return {
        "raw": digest([f.sha256 for f in files]),
        "source": digest(dataset.source.model_dump()),
        "format": digest(dataset.format.model_dump(exclude_none=True) if dataset.format else None),
        "columns": digest([columns, dataset.key, dataset.on_drift]),
        "mode": digest(dataset.mode),
        "transform": _transform(project.folder, dataset.transform),
        "revision": INGEST_REVISION,
    }


def _column(column: Column) -> list[Any]:
    """Its title does not count, and what is not declared is as if it did not exist."""
    written = column.model_dump(exclude={"type", "required", "title"}, exclude_none=True)
    return [column.type, column.required, *([written] if written else [])]


def _transform(folder: Path, transform: str | None) -> str:
    if transform is None:
        return ""
    file, function = transform.split(":")
    return digest([function, hashlib.sha256((folder / file).read_bytes()).hexdigest()])


def check_parts(dataset: Dataset, suites: list[Suite]) -> Parts:
    """One part a suite, what failures lead to, the code that evaluates them, and the reference lists that they look into."""
    parts = {f"expectations {s.name}": s.sha256[:24] for s in suites}
    code = digest([QUALITY_REVISION, version("great-expectations")])
    excuses = {column: excuse.model_dump() for column, excuse in dataset.not_personal.items()}
    parts["personal data"] = digest([PRIVACY_REVISION, excuses])
    if listed := lists.revision(expectation["type"] for suite in suites for expectation in suite.expectations):
        parts["reference lists"] = listed
    return parts | {"on_failure": digest([dataset.on_failure, dataset.personal_data]), "expectation code": code}


def rules_version(ingest: Parts, check: Parts) -> str:
    """Of what decides about a row, whatever file it is in: format, columns, transform, suites, and the code of all these."""
    return digest({k: v for k, v in (ingest | check).items() if k not in ("raw", "source", "corrections")})


APART = {"title", "candidates", "promote", "search", "purpose", "limits"}
"""Of a model's block: what does not change what one candidate is trained on, or how."""


def candidate_parts(model: Model, candidate: AnyCandidate, load_id: str, base_sha256: str, revision: str) -> Parts:
    """What one candidate's version is made from. Texts, the other candidates and the promotion rule do not count; the search only does for
    the candidate that is searched."""
    searched = {}
    if model.search is not None and candidate is model.searched:
        searched = {"search": digest([model.search.model_dump(exclude_defaults=True), model.metric])}
    return {
        "dataset": load_id,
        "model": digest(model.model_dump(exclude=APART, exclude_defaults=True)),
        "candidate": digest(candidate.model_dump(exclude={"sha256", "licence"}, exclude_defaults=True) | {"kind": candidate.kind}),
        "base model": base_sha256,
        "revision": revision,
        **searched,
    }


def changed(before: Parts, now: Parts) -> list[str]:
    """Names of the parts that differ, in the order of `now`."""
    return [name for name in [*now, *(n for n in before if n not in now)] if before.get(name) != now.get(name)]
