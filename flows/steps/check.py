"""Check a dataset version that is already published, on request: it is reported, never taken back."""

from __future__ import annotations

from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.references import Reference
from flows.quality.results import CheckReport
from flows.steps import Run, fingerprints
from flows.steps.audit import audit_version
from flows.steps.plan import require_bucket, suites_of
from flows.steps.reports import write_report


def check_dataset(run: Run, name: str, version: int | None = None) -> tuple[DatasetVersion, CheckReport]:
    """Run the suites of today on a version (the latest if none is given); the report is kept in the lake."""
    require_bucket(run)
    found = Dataset(run.lake, run.project.name, name).resolve(Reference(run.project.name, name, version))
    check = fingerprints.digest(fingerprints.check_parts(run.project.datasets[name], suites_of(run, name)))
    report = audit_version(run, name, found, fingerprints.digest(["check", found.load.load_id, check]), check)
    write_report(run, report, found)
    return found, report
