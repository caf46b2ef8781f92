"""What changed between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.lake import Lake
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.models import Models, ModelVersion
from flows.steps import open_run
from flows.steps.fingerprints import changed
from flows.steps.model_manifest import OUTCOMES_FILE, changes_of_environment, declared_then

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


def diff_models(lake: Lake, old: ModelVersion, new: ModelVersion) -> dict[str, Any]:
    """What they were made from, and what it did: the scores of each on the test rows of its own time, and, on the rows that both answered,
    one against the other.

    Each change is [name, before, after]. JSON-serialisable; what did not change is left out.
    """
    found: dict[str, Any] = {
        "versions": [str(old), str(new)],
        "made differently": changed(old.candidate.get("parts", {}), new.candidate.get("parts", {})),
        "dataset": [old.dataset["reference"], new.dataset["reference"]],
        "data": _changes(_of_data(old), _of_data(new)),
        "settings": _changes(_settings(old), _settings(new)),
        "model": _changes(_flat(old.model_settings), _flat(new.model_settings)) if old.model_settings and new.model_settings else [],
        "code and machine": _environments(old, new),
        "cost": _changes(old.cost, new.cost),
        "scores": {side: _scores(old, new, side) for side in ("validation", "test")},
    }
    if old.labels != new.labels:
        found["labels added"] = [label for label in new.labels if label not in old.labels]
        found["labels removed"] = [label for label in old.labels if label not in new.labels]
    return found | {"same rows": _on_the_same_rows(lake, old, new)}


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[list[Any]]:
    names = [*before, *(n for n in after if n not in before)]
    return [[name, before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)]


def _of_data(version: ModelVersion) -> dict[str, Any]:
    d = version.dataset
    sides = {f"{side} rows": count for side, count in d["rows"].items()}
    return {"load": d["load_id"]} | sides | {f"left out, {why.replace('_', ' ')}": count for why, count in d["left_out"].items() if count}


def _settings(version: ModelVersion) -> dict[str, Any]:
    """Of the candidate, and the base model that was found."""
    base = {f"base model, {name}": value for name, value in version.base_model.items() if value}
    return {k: v for k, v in version.candidate.items() if k != "parts"} | base


def _flat(block: dict[str, Any]) -> dict[str, Any]:
    """{split: {by: key}} -> {split.by: key}"""
    found: dict[str, Any] = {}
    for name, value in block.items():
        found |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return found


def _environments(old: ModelVersion, new: ModelVersion) -> list[list[Any]]:
    if not old.environment or not new.environment:  # an older manifest has a sentence
        return _changes(*({k: v.made.get(k) for k in ("code", "libraries")} for v in (old, new)))
    return [list(change) for change in changes_of_environment(old.environment, new.environment)]


def _scores(old: ModelVersion, new: ModelVersion, side: str) -> dict[str, list[Any]]:
    """metric -> [before, after], each with its interval."""
    before, after = old.scores(side), new.scores(side)
    return {metric: [before[metric], after[metric]] for metric in before if metric in after}


def _on_the_same_rows(lake: Lake, old: ModelVersion, new: ModelVersion) -> dict[str, Any]:
    """The paired comparison, or `why` there is none."""
    if any(OUTCOMES_FILE not in version.files for version in (old, new)):
        return {"why": "the answers to the test rows of one of them were not kept"}
    if old.model != new.model or old.project != new.project:
        return {"why": "they are versions of two models"}
    import io

    import polars as pl

    from flows.training import outcomes

    store = Models(lake, old.project, old.model)
    before, after = (outcomes.Outcomes(pl.read_parquet(io.BytesIO(store.read_file(v, OUTCOMES_FILE))), v.labels) for v in (old, new))
    positives = {v.metrics["test"].get("positive") for v in (old, new)}
    compared = outcomes.compare(before, after, _metric(new), positives.pop() if len(positives) == 1 else None)
    counts = {"rows": compared.rows, "other_truth": compared.other_truth, "of": [len(before.frame), len(after.frame)]}
    if compared.comparison is None:
        return counts | {"why": "they answered no test rows in common that can be compared"}
    return compared.comparison.to_dict() | counts


def _metric(version: ModelVersion) -> str:
    """That promotion goes by; of an older manifest, which does not say, the first."""
    declared = declared_then(version)
    return declared[0].metric if declared else next(iter(version.scores("test")), "")
