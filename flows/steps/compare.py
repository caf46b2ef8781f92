"""What changed between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.lake import Lake
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.models import ModelVersion
from flows.steps import open_run
from flows.steps.fingerprints import changed

if TYPE_CHECKING:
    import polars as pl


def diff_datasets(lake: Lake, old: DatasetVersion, new: DatasetVersion) -> dict[str, Any]:
    """Columns and, where the dataset has a key, rows added, removed and changed; otherwise whole rows that differ."""
    table = Dataset(lake, old.project, old.dataset)
    before, after = table.scan(old.number), Dataset(lake, new.project, new.dataset).scan(new.number)
    with table.reading():
        return _differences(old, new, before, after)


def _differences(old: DatasetVersion, new: DatasetVersion, before: pl.LazyFrame, after: pl.LazyFrame) -> dict[str, Any]:
    import polars as pl

    columns_before, columns_after = before.collect_schema(), after.collect_schema()
    common = [c for c in columns_before.names() if c in columns_after.names()]
    found: dict[str, Any] = {
        "versions": [str(old), str(new)],
        "made differently": changed(old.load.parts, new.load.parts),
        "columns added": [c for c in columns_after.names() if c not in columns_before.names()],
        "columns removed": [c for c in columns_before.names() if c not in columns_after.names()],
    }
    with open_run(old.project) as run:
        declared = run.project.datasets.get(old.dataset)
    key = [k for k in (declared.key if declared else []) if k in common] or common

    def count(rows: pl.LazyFrame) -> int:
        return int(rows.select(pl.len()).collect().item())

    found["rows added"] = count(after.join(before, on=key, how="anti", nulls_equal=True))
    found["rows removed"] = count(before.join(after, on=key, how="anti", nulls_equal=True))
    rest = [c for c in common if c not in key]
    both = before.select(common).join(after.select(common), on=key, how="inner", suffix="__new", nulls_equal=True)
    differs = [pl.col(c).ne_missing(pl.col(f"{c}__new")) for c in rest]
    found["rows changed"] = count(both.filter(pl.any_horizontal(differs))) if rest else 0
    return found


def diff_models(old: ModelVersion, new: ModelVersion) -> dict[str, Any]:
    """What they were made from, and what it did to the scores on the test side (each on the rows of its own time)."""
    settings = {
        name: (old.candidate.get(name), new.candidate.get(name))
        for name in [*old.candidate, *(n for n in new.candidate if n not in old.candidate)]
        if name != "parts" and old.candidate.get(name) != new.candidate.get(name)
    }
    found: dict[str, Any] = {
        "versions": [str(old), str(new)],
        "made differently": changed(old.candidate.get("parts", {}), new.candidate.get("parts", {})),
        "dataset": [old.dataset["reference"], new.dataset["reference"]],
        "settings": [f"{name}: {a} -> {b}" for name, (a, b) in settings.items()],
    }
    before, after = old.scores("test"), new.scores("test")
    for metric in [m for m in before if m in after]:
        a, b = before[metric]["value"], after[metric]["value"]
        found[f"{metric} on test"] = f"{a:.3f} -> {b:.3f} ({b - a:+.3f})"
    found["training seconds"] = f"{old.cost['train_seconds']:.0f} -> {new.cost['train_seconds']:.0f}"
    return found
