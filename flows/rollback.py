"""Go back to an earlier version of a dataset, or to an earlier champion of a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flows.lake.references import parse_own
from flows.runs import artifacts, choices
from flows.runs.prefect_run import flow_context, step
from flows.runs.project_flow import project_flow
from flows.steps.rollback import RollbackOutcome
from flows.steps.rollback import rollback as go_back


@project_flow
async def rollback(project: str, reference: str, reason: Annotated[str, Field(min_length=5, max_length=300)]) -> RollbackOutcome:
    """Revient à une version antérieure d'un jeu de données ou d'un modèle. Ce qui est servi aujourd'hui reste gardé."""
    async with flow_context(project, datasets=(), models=()) as run:
        outcome = await step(f"{reference} : retour", go_back, run, parse_own(reference, project), reason)
        await artifacts.show_rollback(run, outcome)
        await choices.refresh(run)
    return outcome
