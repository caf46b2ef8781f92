"""Carry a cleanup out: exactly what the plan says. A process killed anywhere has lost nothing that something refers to, and the next
run deletes the rest.

Versions first: the table's history says that they are expired before a file goes, so that nobody goes back to one of them meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flows import progress
from flows.errors import Conflict
from flows.lake import keys
from flows.lake.datasets import Dataset
from flows.lake.objects import ObjectInfo, Objects
from flows.lake.quarantine import Quarantine
from flows.steps import Run
from flows.steps.plan import require_bucket
from flows.steps.retention import (
    Cleanup,
    Cutoffs,
    DatasetCleanup,
    Goes,
    ModelCleanup,
    plan_cleanup_of_dataset,
    plan_cleanup_of_models,
    undeclared,
)

ATTEMPTS = 5  # plans anew when somebody commits meanwhile


@dataclass(frozen=True)
class MaintainOutcome:
    """What a run deleted, or would delete. `runs`: of Prefect; None without a server."""

    project: str
    dry_run: bool
    cleanup: Cleanup
    runs: Goes | None = None

    @property
    def did_nothing(self) -> bool:
        return self.cleanup.is_empty and not (self.runs and self.runs.count)


def maintain_project(run: Run, *, dry_run: bool = True, cutoffs: Cutoffs | None = None) -> MaintainOutcome:
    """The whole job, in order. flows/maintain.py runs the same steps as Prefect tasks."""
    require_bucket(run)
    datasets = [maintain_dataset(run, name, dry_run, cutoffs) for name in run.project.datasets]
    return MaintainOutcome(run.project.name, dry_run, Cleanup(datasets, maintain_models(run, dry_run, cutoffs), undeclared(run)))


def maintain_dataset(run: Run, name: str, dry_run: bool = True, cutoffs: Cutoffs | None = None) -> DatasetCleanup:
    """Returns the plan that was shown or carried out.

    Raises: Conflict if others kept committing; nothing is half done then that the next run does not finish.
    """
    cutoffs = cutoffs or Cutoffs.of(run)
    with progress.step(f"{name}: cleaning"):
        for _ in range(ATTEMPTS):
            try:
                plan = plan_cleanup_of_dataset(run, name, cutoffs)
                if not dry_run:
                    plan = _carry_out(run, plan, cutoffs)
                return plan
            except Conflict:  # somebody committed since the plan: look again
                continue
    raise Conflict(f"{run.project.name}/{name}: other writers committed {ATTEMPTS} times meanwhile", hint="run again")


def maintain_models(run: Run, dry_run: bool = True, cutoffs: Cutoffs | None = None) -> list[ModelCleanup]:
    plans = plan_cleanup_of_models(run, cutoffs)
    if not dry_run:
        objects = run.lake.bucket(run.project.name)
        for plan in plans:
            for upload in plan.uploads.values():
                _delete(objects, upload)
    return plans


def _carry_out(run: Run, plan: DatasetCleanup, cutoffs: Cutoffs) -> DatasetCleanup:
    objects, project = run.lake.bucket(run.project.name), run.project.name
    if plan.versions:
        assert plan.based_on is not None
        numbers = [v.number for v in plan.versions]
        Dataset(run.lake, project, plan.name).expire(numbers, plan.based_on, "retention", run=run.id, who=run.who)
    _delete(objects, plan.files)
    for pin in plan.pins:
        objects.delete(pin)
    _delete_raw(objects, plan, cutoffs)
    for item in plan.corrections:
        if objects.stat(keys.raw_sidecar(plan.name, item.key.split("/")[2])) is None:  # else its bytes have come again
            objects.delete(item.key)
    freed = _delete_quarantine(run, plan, cutoffs)
    _delete(objects, sorted(plan.checks, key=lambda o: o.key, reverse=True))  # result.json, which makes the page count, goes first
    return replace(plan, quarantine_files=freed)


def _delete_raw(objects: Objects, plan: DatasetCleanup, cutoffs: Cutoffs) -> None:
    """The sidecar, then the bytes. A load that received the same bytes meanwhile has written the sidecar again: its bytes stay."""
    present = {o.key for o in plan.raw}
    for key in sorted({o.key.removesuffix(".json") for o in plan.raw}):
        sidecar = f"{key}.json"
        if sidecar in present:
            now = objects.stat(sidecar)
            if now is not None and now.modified >= cutoffs.raw:
                continue
            objects.delete(sidecar)
        if objects.stat(sidecar) is None:
            objects.delete(key)


def _delete_quarantine(run: Run, plan: DatasetCleanup, cutoffs: Cutoffs) -> list[ObjectInfo]:
    """The rows, then the files that only older states of the table had. Returns those files."""
    if plan.quarantined:
        Quarantine(run.lake, run.project.name, plan.name).delete(list(plan.quarantined))
    if not (plan.quarantined or plan.quarantine_files):
        return []
    after = plan_cleanup_of_dataset(run, plan.name, cutoffs).quarantine_files if plan.quarantined else plan.quarantine_files
    _delete(run.lake.bucket(run.project.name), after)
    return after


def _delete(objects: Objects, items: list[ObjectInfo]) -> None:
    for item in items:
        objects.delete(item.key)
