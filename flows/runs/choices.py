"""Versions as choices in run forms. A form's choices are fixed when it is deployed, so a run that made a version refreshes them."""

from __future__ import annotations

import copy
from typing import Any

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from flows.deployments import FLOWS, REFERENCE, describe_reference
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.quality.words import number
from flows.runs.prefect_run import on_a_server
from flows.steps import Run

SHOWN = 10  # versions of each dataset and model that a form offers; others by `socle`


def known_versions(run: Run) -> dict[str, str]:
    """Reference -> what a person knows it by, the newest first."""
    found: dict[str, str] = {}
    for name in run.project.datasets:
        kept = [v for v in Dataset(run.lake, run.project.name, name).history() if v.expired is None]
        for version in kept[:SHOWN]:
            text = f"{version.at:%d/%m/%Y}, {number(version.load.rows.get('total', 0))} lignes"
            back = version.load.rollback
            found[f"{name}@{version.number}"] = text + (f" (retour à la version {back['to']})" if back else "")
    for name, model in run.project.models.items():
        store = Models(run.lake, run.project.name, name)
        state = store.state()
        aliases = {n: alias for alias, n in (state.aliases if state else {}).items()}
        metric = model.metric
        for n in store.numbers()[::-1][:SHOWN]:
            made = store.version(n)
            day = "/".join(reversed(made.made["at"][:10].split("-")))
            score = number(round(made.metrics["test"][metric]["value"], 3))
            text = f"{day}, {made.candidate['label']}, {metric} {score}"
            found[f"{name}@{n}"] = text + (f" ({aliases[n]})" if n in aliases else "")
    return found


async def refresh(run: Run) -> None:
    """Bring the forms of the project's deployments up to date. A run that cannot is still a good run: it says so in its log."""
    if not on_a_server():
        return
    try:
        versions = known_versions(run)
        async with get_client() as client:
            for flow, spec in FLOWS.items():
                if spec.versions_of:
                    await _refresh(client, f"{flow}/{run.project.name}", versions)
    except Exception as error:
        get_run_logger().warning(
            "Les choix de versions des formulaires n'ont pas pu être mis à jour (%s) : ils le seront à la prochaine exécution.", error
        )


async def _refresh(client: Any, name: str, versions: dict[str, str]) -> None:
    from prefect.client.schemas.actions import DeploymentUpdate

    try:
        deployment = await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return
    present = deployment.parameter_openapi_schema or {}
    schema = copy.deepcopy(present)
    field = schema.get("properties", {}).get(REFERENCE)
    if field is None:
        return
    describe_reference(name.partition("/")[0], field, versions)
    if schema != present:
        await client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=schema))
