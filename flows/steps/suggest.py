"""A suite proposed for a dataset: its version and the earlier ones from the lake, its key and columns from the project, its personal data
from a look at the rows. Nothing is written to the lake."""

from __future__ import annotations

from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.references import Reference
from flows.privacy.headers import hints
from flows.privacy.report import PrivacyReport
from flows.project import Dataset as Declared
from flows.quality.suggest import About, Suggestion, suggest
from flows.quality.suggest.entries import subject
from flows.steps import Run
from flows.steps.plan import suites_of
from flows.steps.privacy import look_at_version


def suite_name(reference: Reference) -> str:
    """Under expectations/, without `.json`: beside the dataset's own suite, which stays as it is."""
    return f"{reference.project}/{reference.name}-suggestions"


def suggest_suite(run: Run, reference: Reference, versions: int) -> tuple[DatasetVersion, Suggestion]:
    """`versions`: at most so many are looked at, with the one that is asked for (the latest if none is).

    Raises: NotFound if there is no such version.
    """
    table = Dataset(run.lake, run.project.name, reference.name)
    version, found = look_at_version(run, str(reference))
    earlier = [v for v in table.history() if v.number < version.number and v.expired is None][: versions - 1]
    declared = run.project.datasets.get(reference.name)
    with table.reading():
        rows = table.scan(version.number)
        about = _about(run, reference.name, declared, found.report, rows.collect_schema().names())
        before, memory = [table.scan(v.number) for v in reversed(earlier)], run.settings.check_memory_mb
        made = suggest(rows, before, about, suite_name(reference), memory_mb=memory)
    return version, made


def _about(run: Run, name: str, declared: Declared | None, report: PrivacyReport, columns: list[str]) -> About:
    """A dataset that is not declared any more is taken for one about persons."""
    hidden = {f.column for f in report.columns if not f.excused}
    if declared is None:
        return About(hidden=hidden | {c for c in columns if hints(c)}, personal=True)
    if declared.personal_data != "none":
        hidden |= {c for c in columns if hints(c)}
    return About(
        key=declared.key,
        required=[c for c, column in declared.columns.items() if column.required],
        hidden=hidden,
        personal=declared.personal_data != "none",
        existing={subject(e) for suite in suites_of(run, name) for e in suite.expectations},
    )
