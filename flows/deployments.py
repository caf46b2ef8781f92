"""The one list of what is deployed, made from projects/, and how it gets to a Prefect server.

One deployment per project and flow, named `<flow>/<project>`. In a run form the project is fixed and names are choices; how and
where a run executes is never in a form.
"""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import SystemFailure
from flows.project import Project, Schedule
from flows.validation import Problem, check_project, project_names

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

FLOWS = ("pipeline", "ingest", "check", "finetune")
POOL = "socle"
PURPOSES = {
    "pipeline": "Tout le projet : données, contrôles, entraînement, promotion.",
    "ingest": "Charge et contrôle les données.",
    "check": "Contrôle à nouveau des données déjà publiées.",
    "finetune": "Entraîne ce qui a changé et choisit le champion.",
}


FORM = {
    "project": ("Projet", "Le projet de ce déploiement."),
    "dataset": ("Jeu de données", "Laisser vide pour tous les jeux de données du projet."),
    "model": ("Modèle", "Laisser vide pour tous les modèles du projet."),
    "version": ("Version", "Un numéro de version ; laisser vide pour la plus récente."),
}
"""Parameter -> title and explanation in run forms. Prefect overwrites titles that a signature gives, so they are set here."""


@dataclass(frozen=True)
class Deployment:
    """What one entry of the list says; `project` gives the choices of its form."""

    flow: str
    project: Project
    schedule: Schedule | None

    @property
    def name(self) -> str:
        return f"{self.flow}/{self.project.name}"

    @property
    def description(self) -> str:
        p = self.project
        return f"**{p.title}** – {PURPOSES[self.flow]}\n\n{p.ministry}, {p.owner.team} ({p.owner.email})."

    @property
    def choices(self) -> dict[str, list[str]]:
        """Parameter -> the values that its form offers."""
        return {"project": [self.project.name], "dataset": list(self.project.datasets), "model": list(self.project.models)}


def listed(root: Path, only: str | None = None) -> tuple[list[Deployment], list[Problem]]:
    """The deployments of every project that loads, and the problems of those that do not."""
    deployments, problems = [], []
    for name in [only] if only else project_names(root):
        project, found = check_project(root, name)
        problems += found
        if project is not None and not found:
            flows = [f for f in FLOWS if f != "finetune" or project.models]
            deployments += [Deployment(flow, project, project.schedules.get(flow)) for flow in flows]  # type: ignore[call-overload]
    return deployments, problems


async def apply(deployments: list[Deployment]) -> None:
    """Create or update them on the server, and the work pool they run in.

    Raises: SystemFailure if the server does not take them.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, PrefectException

    try:
        async with get_client() as client:
            with contextlib.suppress(ObjectAlreadyExists):
                await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        for deployment in deployments:
            await (await to_prefect(deployment)).aapply(work_pool_name=POOL)
    except (httpx.HTTPError, PrefectException) as error:
        reason = " ".join(str(error).split())[:300]
        raise SystemFailure(
            f"the Prefect server did not take the deployments: {reason}", hint="check PREFECT_API_URL, or socle up"
        ) from None


async def to_prefect(deployment: Deployment) -> RunnerDeployment:
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    flow = getattr(importlib.import_module(f"flows.{deployment.flow}"), deployment.flow)
    schedule = deployment.schedule
    made: RunnerDeployment = await flow.ato_deployment(
        name=deployment.project.name,
        description=deployment.description,
        tags=[deployment.project.name],
        parameters={"project": deployment.project.name},
        schedules=[Cron(schedule.cron, timezone=schedule.timezone)] if schedule else [],
        entrypoint_type=EntrypointType.MODULE_PATH,
        enforce_parameter_schema=True,
    )
    describe_form(made._parameter_openapi_schema.properties, deployment.choices)
    return made


def describe_form(properties: dict[str, Any], choices: dict[str, list[str]]) -> None:
    """Titles, explanations and choices in a form's JSON schema. A parameter that may be empty keeps that possibility."""
    for name, field in properties.items():
        field["title"], field["description"] = FORM[name]
        if name not in choices:
            continue
        if "anyOf" in field:
            field["anyOf"] = [{"type": "string", "enum": choices[name]}, {"type": "null"}]
        else:
            field["enum"] = choices[name]
