"""Check versions that are published already, with the suites of today."""

from __future__ import annotations

from prefect import flow

from flows import artifacts
from flows.errors import Refused
from flows.prefect_run import flow_context, step
from flows.quality.results import CheckReport
from flows.steps.check import check_dataset


@flow(name="check", flow_run_name="{project}", result_serializer="json")
async def check(project: str, dataset: str | None = None, version: int | None = None) -> list[CheckReport]:
    """Contrôle à nouveau des données déjà publiées. Rien n'est modifié ni retiré."""
    reports = []
    async with flow_context(project) as run:
        for name in [dataset] if dataset else run.project.datasets:
            found, report = await step(f"{name} : contrôles", check_dataset, run, name, version)
            await artifacts.show_report(run, found, report)
            reports.append(report)
    failed = [r for r in reports if r.verdict != "passed"]
    if failed:
        error = Refused(
            "; ".join(f"{r.dataset}@{r.version}: {', '.join(r.reasons)}" for r in failed), hint=f"socle show {project}/{failed[0].dataset}"
        )
        error.payload = reports
        raise error
    return reports
