"""Data and models as the lake has them: freshness, rows, quality, scores, cost.

A table's history and a version's manifest never change once they are there, so only what is new is read. A project whose file
does not load, or whose bucket cannot be read, is a number of its own and hides no other.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import NotFound
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.models import Models, ModelVersion
from flows.monitor import Samples
from flows.project import Dataset as DeclaredDataset
from flows.project import Model, Project
from flows.quality.results import CheckReport
from flows.validation import load_project, project_names

Checks = Counter[tuple[str, str]]
"""(severity, result) -> how many."""
RESULTS = ("passed", "failed")
VERDICTS = ("passed", "warned", "quarantined")
SIDES = ("validation", "test")
LOADS_BEFORE = 10  # that say what share of refused rows is usual
DAY_S = 86_400


@dataclass
class Table:
    """What is remembered of one dataset."""

    delta_version: int
    history: list[DatasetVersion]
    reports: dict[str, Checks] = field(default_factory=dict)
    """load -> its checks, of the latest version only."""


class LakeView:
    def __init__(self, root: Path, lake: Lake) -> None:
        self.root, self.lake = root, lake
        self.tables: dict[tuple[str, str], Table] = {}
        self.manifests: dict[tuple[str, str], dict[int, ModelVersion]] = {}

    def collect(self) -> Samples:
        """Raises: StorageError if the storage does not answer at all: the other projects would only wait for it as long again."""
        samples = Samples()
        for name in project_names(self.root):
            loaded: list[Project] = []
            fine = samples.attempt(name, lambda: loaded.append(load_project(self.root, name)))  # noqa: B023 - called at once
            for project in loaded:
                fine = self._project(samples, project)
            samples.add("socle_project_unreadable", not fine, project=name)
            if not fine:
                require_answer(self.lake)
        return samples

    def _project(self, samples: Samples, project: Project) -> bool:
        """Whether all of it could be read."""
        tries = [
            samples.attempt(f"{project.name}/{name}", lambda: self._dataset(samples, project, name, dataset))  # noqa: B023
            for name, dataset in project.datasets.items()
        ]
        tries += [
            samples.attempt(f"{project.name}/{name}", lambda: self._model(samples, project, name, model))  # noqa: B023
            for name, model in project.models.items()
        ]
        return all(tries)

    # -- datasets

    def _dataset(self, samples: Samples, project: Project, name: str, declared: DeclaredDataset) -> None:
        table = self._table(project.name, name)
        labels, history = {"project": project.name, "dataset": name}, table.history if table is not None else []
        if (refused := self._refused(project.name, name, history)) is not None:
            samples.add("socle_dataset_load_refused_timestamp_seconds", refused, **labels)
        if table is None or not history:
            return
        latest, *before = history
        samples.add("socle_dataset_version", latest.number, **labels)
        samples.add("socle_dataset_version_timestamp_seconds", latest.at.timestamp(), **labels)
        if declared.fresh_days:
            samples.add("socle_dataset_fresh_limit_seconds", declared.fresh_days * DAY_S, **labels)
        for kind, rows in latest.load.rows.items():
            if kind in ("read", "kept", "refused", "total"):
                samples.add("socle_dataset_rows", rows, **labels, kind=kind)
        samples.add("socle_dataset_refused_ratio", _refused(latest), **labels)
        if before:
            usual = statistics.median(_refused(v) for v in before[:LOADS_BEFORE])
            samples.add("socle_dataset_refused_ratio_usual", usual, **labels)
        for verdict in VERDICTS:
            samples.add("socle_dataset_verdict", latest.load.verdict == verdict, **labels, verdict=verdict)
        checks = self._checks(project.name, name, latest, table)
        if total := checks.total():
            passed = sum(count for (_, result), count in checks.items() if result == "passed")
            samples.add("socle_dataset_checks_passed_ratio", passed / total, **labels)
        for severity in dict.fromkeys(severity for severity, _ in checks):
            for result in RESULTS:
                samples.add("socle_dataset_checks", checks[severity, result], **labels, severity=severity, result=result)

    def _refused(self, project: str, name: str, history: list[DatasetVersion]) -> float | None:
        """When the latest load was refused; None if it was published."""
        for newest in self.lake.bucket(project).list(keys.refusals(name), 1):
            at, load_id = keys.refused_load(newest.key)
            if not history or (history[0].at < at and history[0].load.load_id != load_id):
                return at.timestamp()
        return None

    def _table(self, project: str, name: str) -> Table | None:
        dataset = Dataset(self.lake, project, name)
        opened, known = dataset.open(), self.tables.get((project, name))
        if opened is None:
            return None
        if known is None or opened.version() != known.delta_version:
            version, history = dataset.state()
            known = self.tables[project, name] = Table(version or 0, history)
        return known

    def _checks(self, project: str, name: str, version: DatasetVersion, table: Table) -> Checks:
        load = version.load.load_id
        if load not in table.reports:
            try:
                report = CheckReport.from_json(self.lake.bucket(project).get(keys.check_result(name, load)))
                table.reports = {load: Counter((r.severity, "passed" if r.success else "failed") for r in report.results)}
            except NotFound:  # a version whose checks expired
                table.reports = {load: Counter()}
        return table.reports[load]

    # -- models

    def _model(self, samples: Samples, project: Project, name: str, declared: Model) -> None:
        store, labels = Models(self.lake, project.name, name), {"project": project.name, "model": name}
        metric = declared.metric
        wanted = declared.promote.at_least if declared.higher_is_better else declared.promote.at_most
        if wanted is not None:
            samples.add("socle_model_score_wanted", wanted, **labels, metric=metric)
        known = self.manifests.setdefault((project.name, name), {})
        for number in store.numbers():
            if number not in known:
                known[number] = store.version(number)
        if not known:
            return
        latest = known[max(known)]
        samples.add("socle_model_version", latest.number, **labels, which="latest")
        samples.add("socle_model_last_training_seconds", latest.cost.get("train_seconds", 0.0), **labels)
        samples.add("socle_model_training_seconds", sum(v.cost.get("train_seconds", 0.0) for v in known.values()), **labels)
        if energies := [v.cost["energy_kwh"] for v in known.values() if "energy_kwh" in v.cost]:
            samples.add("socle_model_training_energy_kwh", sum(energies), **labels)
        state = store.state()
        if state and (champion := known.get(state.aliases.get("champion", 0))):
            self._champion(samples, champion, labels)

    def _champion(self, samples: Samples, champion: ModelVersion, labels: dict[str, str]) -> None:
        from datetime import datetime

        samples.add("socle_model_version", champion.number, **labels, which="champion")
        samples.add("socle_model_champion_timestamp_seconds", datetime.fromisoformat(champion.made["at"]).timestamp(), **labels)
        samples.add("socle_model_size_bytes", champion.cost.get("size_bytes", 0.0), **labels)
        for side in SIDES:
            for metric, score in champion.scores(side).items():
                samples.add("socle_model_score", score["value"], **labels, side=side, metric=metric)


def require_answer(lake: Lake) -> None:
    """Raises: StorageError if the service does not answer, or does not know our keys."""
    if not lake.is_local:
        lake.bucket(keys.COMMON).bucket_exists()


def _refused(version: DatasetVersion) -> float:
    rows = version.load.rows
    return rows.get("refused", 0) / rows["read"] if rows.get("read") else 0.0
