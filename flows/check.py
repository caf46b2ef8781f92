"""Check versions that are published already, with the suites of today."""

from __future__ import annotations

from flows.errors import Refused
from flows.lake.references import parse_own
from flows.quality.docs import reasons
from flows.quality.results import CheckReport
from flows.runs import artifacts
from flows.runs.prefect_run import flow_context, part_done, step
from flows.runs.project_flow import project_flow
from flows.steps.check import check_dataset


@project_flow
async def check(project: str, reference: str | None = None) -> list[CheckReport]:
    """Contrôle à nouveau des données déjà publiées. Rien n'est modifié ni retiré."""
    reports = []
    wanted = parse_own(reference, project) if reference else None
    async with flow_context(project, datasets=[wanted.name] if wanted else None, models=()) as run:
        for name in [wanted.name] if wanted else run.project.datasets:
            found, report = await step(f"{name} : contrôles", check_dataset, run, name, wanted.version if wanted else None)
            part_done(name)
            await artifacts.show_report(run, found, report)
            reports.append(report)
    failed = [r for r in reports if r.verdict != "passed"]
    if failed:
        error = Refused(
            "; ".join(f"{r.dataset}@{r.version}: {', '.join(r.reasons)}" for r in failed),
            hint=f"socle show {project}/{failed[0].dataset}",
            french=" ".join(f"{r.dataset}@{r.version} : {' ; '.join(reasons(r)[:2])}." for r in failed),
        )
        error.payload = reports
        raise error
    return reports
