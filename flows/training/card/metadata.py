"""The head of a card: what Hugging Face's library and hub read of it.

Rules of the hub that no function of huggingface_hub checks offline: `datasets` and `base_model` are `name` or `owner/name`, so that a
version stands in `revision`, and a base model that is not of the hub in the text only. https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

from typing import Any

from huggingface_hub import EvalResult, ModelCardData

PIPELINES = {"text-similarity": "sentence-similarity", "masked-lm": "fill-mask", "causal-lm": "text-generation"}
"""Of tasks that are called otherwise there."""
LIBRARIES = {
    "tfidf": "sklearn",
    "sentence-tfidf": "sklearn",
    "linear": "sklearn",
    "boosting": "sklearn",
    "sentence-transformer": "sentence-transformers",
    "dictionary": None,
}
"""kind in socle.json -> the library's name there; transformers if it is not here."""
LICENCES = {"lov2": "etalab-2.0", "odbl": "odbl", "mit": "mit", "apache-2.0": "apache-2.0"}
METRICS = {
    "macro_f1": ("f1", "macro"),
    "micro_f1": ("f1", "micro"),
    "average_precision": ("average_precision", None),
    "r2": ("r_squared", None),
}
"""Ours -> its name there, and which kind of it."""


def front_matter(f: dict[str, Any]) -> str:
    """`f`: see write(). YAML, without the lines around it."""
    return str(data(f).to_yaml())


def data(f: dict[str, Any]) -> ModelCardData:
    declared, dataset = f["dataset"]["licence"], f["dataset"]
    licence = LICENCES.get(declared, "other")
    named: dict[str, Any] = {"license_name": " ".join(declared.split()) or "non-precisee"} if licence == "other" else {}
    found = results(f)
    return ModelCardData(
        language="fr",
        license=licence,
        pipeline_tag=PIPELINES.get(f["task"], f["task"]),
        library_name=LIBRARIES.get(f["kind"], "transformers"),
        base_model=_hub_name(f["base_model"].get("name", "")),
        tags=["socle"],
        datasets=[dataset["reference"].partition("@")[0]],
        metrics=sorted({r.metric_type for r in found}) or None,
        model_name=f["reference"],
        eval_results=found or None,
        **named,
    )


def results(f: dict[str, Any]) -> list[EvalResult]:
    """The scores of the test side."""
    name, _, version = f["dataset"]["reference"].partition("@")
    found = []
    for metric, score in f["metrics"]["test"].items():
        if not isinstance(score, dict) or score.get("value") is None:
            continue
        kind, which = METRICS.get(metric, (metric, None))
        found.append(
            EvalResult(
                task_type=PIPELINES.get(f["task"], f["task"]),
                dataset_type=name,
                dataset_name=f["dataset"]["title"],
                dataset_revision=version or None,
                dataset_split="test",
                metric_type=kind,
                metric_name=metric,
                metric_config=which,
                metric_value=round(float(score["value"]), 4),
            )
        )
    return found


def _hub_name(base: str) -> str | None:
    """hub:owner/name@revision -> owner/name; None for a base model that is not of the hub."""
    return base.removeprefix("hub:").partition("@")[0] if base.startswith("hub:") else None
