"""Fetch the sources of the reference lists again, and say what changed; or rewrite the lists where somebody can review that. It is about
no project. Lists are code (docs/decisions/0023-french-expectations.md): nothing of this goes to the lake."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.deployments import PLATFORM, WARNED
from flows.runs import artifacts, overdue
from flows.runs.prefect_run import step
from flows.settings import load_settings
from flows.steps.reference_lists import Review, review
from flows.texts import explain, lists_summary

KEY = "listes-de-reference"  # of the artifact


@flow(name="reference_lists", flow_run_name=PLATFORM, persist_result=False, result_serializer="json")
async def reference_lists(refresh: bool = False) -> State[Review]:
    """Relit les sources des listes de référence et dit ce qui a changé ; sur demande, réécrit les fichiers du dépôt."""
    if (newer := await overdue.overtaken_by()) is not None:
        return Cancelled(
            message=f"Pas exécutée : elle est en retard, et celle prévue le {newer:%d/%m/%Y à %H:%M} UTC fait le même travail."
        )
    try:
        found = await step("listes : relire les sources", review, load_settings(), refresh)
        await artifacts.show_text(KEY, lists_summary.text(found), lists_summary.title(found))
    except Exception as error:
        await artifacts.show_error(PLATFORM, error)
        return Failed(message=explain.sentence(error), data=error)
    name = WARNED if lists_summary.has_warning(found) else "Completed"  # of the type COMPLETED: what could be read was
    return Completed(name=name, message=lists_summary.sentence(found), data=found)
