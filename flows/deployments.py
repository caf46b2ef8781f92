"""The one list of what is deployed, made from projects/.

One deployment per project and flow, named `<flow>/<project>`, and one of each flow that is about no project. In a run form the project
is fixed and names are choices; how and where a run executes is never in a form. How the list gets to a Prefect server is in flows/deploy/.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flows.errors import ConfigurationError
from flows.project import Execution, Project, Schedule
from flows.settings import Settings
from flows.validation import Problem, check_project, project_names


@dataclass(frozen=True)
class FlowSpec:
    """What all deployments of one flow have in common."""

    purpose: str
    """In French: the first line that a project team reads."""
    at_once: int | None = None
    """Runs of one deployment at the same time; None: as many as the project may have."""
    collision: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"
    """What happens to a run beyond that. A run that somebody asked for waits: by then it may find nothing to do, which costs a second."""
    trains: bool = False
    """Gets the project's GPUs."""
    needs_models: bool = False
    versions_of: tuple[Literal["datasets", "models"], ...] = ()
    """What its parameter `reference` names a version of, if it has one."""
    name_alone: str = ""
    """In French: what a name without a version means there."""
    on_schedule: tuple[tuple[str, Any], ...] = ()
    """Parameters of runs that a schedule starts, where they differ from what a form begins with."""
    of_platform: Schedule | None = None
    """When it runs, if it is about no project: it has one deployment."""


FLOWS = {
    "pipeline": FlowSpec("Tout le projet : données, contrôles, entraînement, promotion.", at_once=1, trains=True),
    "ingest": FlowSpec("Charge et contrôle les données.", at_once=1),
    "check": FlowSpec("Contrôle à nouveau des données déjà publiées.", versions_of=("datasets",), name_alone="la dernière version"),
    "finetune": FlowSpec("Entraîne ce qui a changé et choisit le champion.", at_once=1, trains=True, needs_models=True),
    "replay": FlowSpec("Reprend les lignes écartées, une fois la règle ou les lignes corrigées.", at_once=1),
    "rollback": FlowSpec(
        "Revient à une version antérieure d'un jeu de données ou d'un modèle.",
        at_once=1,
        versions_of=("datasets", "models"),
        name_alone="la version d'avant",
    ),
    "maintain": FlowSpec(
        "Fait le ménage : ce que rien n'utilise plus et dont la durée de garde est passée.", at_once=1, on_schedule=(("dry_run", False),)
    ),
    "reference_lists": FlowSpec(
        "Relit les sources des listes de référence (communes, codes postaux, NAF…) et dit ce qui a changé.",
        at_once=1,
        of_platform=Schedule(cron="0 6 1 * *"),
    ),
}
PLATFORM = "Plateforme"
"""In place of a project's name, for what is about none. No project can have it: their names are in small letters."""
WARNED = "Avertissement"
"""Name of the state of a run that did its work, and has something to say that somebody should read."""
LOST = "Plus aucun signe de vie de cette exécution : son processus ou sa machine s'est arrêté."
"""Message of the state of a run that is closed because nobody works on it any more."""
FORM = {
    "project": ("Projet", "Le projet de ce déploiement."),
    "dataset": ("Jeu de données", "Laisser vide pour tous les jeux de données du projet."),
    "model": ("Modèle", "Laisser vide pour tous les modèles du projet."),
    "reference": ("Version", "La version sur laquelle agir."),
    "dry_run": (
        "Montrer seulement",
        "Allumé : rien n'est supprimé, le résumé dit ce qui le serait. Éteint : c'est supprimé, sans retour possible.",
    ),
    "refresh": (
        "Mettre à jour les fichiers de ce dépôt",
        "Éteint : rien n'est écrit, le résumé dit ce qui changerait. Allumé : les fichiers sont réécrits, si l'exécution se fait "
        "dans une copie de travail du dépôt ; il reste à relire et à valider (git).",
    ),
    "reason": ("Pourquoi", "En une phrase, pour l'historique : ce qui n'allait pas, ou qui l'a demandé. 5 caractères au moins."),
}
"""Parameter -> title and explanation in run forms. Prefect overwrites titles that a signature gives, so they are set here."""
REFERENCE = "reference"
VERSIONS = "x-socle-versions"  # in the schema of that parameter: [reference, what a person knows it by]; PostgreSQL reorders mappings


@dataclass(frozen=True)
class Limit:
    """What all runs of all projects share: `places` at the same time; with `freed_per_s`, a rate with bursts of `places`."""

    places: int
    freed_per_s: float | None = None


def limits(settings: Settings) -> dict[str, Limit]:
    """Global concurrency limits by name. `source-<type>`: the rate at which sources of a type are asked."""
    rates = {"npm": settings.npm_per_minute} | dict.fromkeys(("http", "datagouv", "rest"), settings.http_per_minute)
    return {"gpu": Limit(settings.gpus)} | {f"source-{kind}": Limit(max(1, rate // 6), rate / 60) for kind, rate in rates.items()}


@dataclass(frozen=True)
class Deployment:
    """What one entry of the list says; `project` gives the choices of its form, if it is about one."""

    flow: str
    project: Project | None
    schedule: Schedule | None
    image: str = ""
    """Of the containers that its runs execute in, if they do."""
    elsewhere: Execution | None = None
    """How its runs execute, if no project says so."""

    @property
    def name(self) -> str:
        return f"{self.flow}/{self.place}"

    @property
    def place(self) -> str:
        """Its own name on the server, and that of its queue."""
        return self.project.name if self.project else PLATFORM

    @property
    def execution(self) -> Execution:
        return self.project.execution if self.project else self.elsewhere or Execution()

    @property
    def spec(self) -> FlowSpec:
        return FLOWS[self.flow]

    @property
    def description(self) -> str:
        p = self.project
        if p is None:
            return f"**{PLATFORM}** – {self.spec.purpose}\n\nConcerne tous les projets."
        return f"**{p.title}** – {self.spec.purpose}\n\n{p.ministry}, {p.owner.team} ({p.owner.email})."

    @property
    def parameters(self) -> dict[str, Any]:
        return {"project": self.project.name} if self.project else {}

    @property
    def choices(self) -> dict[str, list[str]]:
        """Parameter -> the values that its form offers."""
        if self.project is None:
            return {}
        return {"project": [self.project.name], "dataset": list(self.project.datasets), "model": list(self.project.models)}

    @property
    def versioned(self) -> list[str]:
        """Names whose versions the form offers."""
        return [name for kind in self.spec.versions_of for name in getattr(self.project, kind)] if self.project else []


def wanted_names(root: Path, only: str | None = None, among: list[str] | None = None) -> list[str]:
    """Of the projects to deploy. `among`: those that this server has, where not all of projects/ are.

    Raises: ConfigurationError if `only` is not among them.
    """
    if only and among is not None and only not in among:
        raise ConfigurationError(f"this server does not have the project {only!r}", where="SOCLE_PROJECTS", hint="add it there")
    return [only] if only else project_names(root) if among is None else among


def listed(root: Path, only: str | None = None, image: str = "", among: list[str] | None = None) -> tuple[list[Deployment], list[Problem]]:
    """The deployments of every project that loads, and the problems of those that do not. `image`: for projects that name none.
    Those of the platform are there with the projects, unless `only` one was asked for."""
    deployments, problems = [], []
    for name in wanted_names(root, only, among):
        project, found = check_project(root, name)
        if project is not None and not found:
            found = _without_image(project, image)
        problems += found
        if project is not None and not found:
            flows = [f for f, spec in FLOWS.items() if not spec.of_platform and (project.models or not spec.needs_models)]
            image_ = project.execution.image or image
            deployments += [Deployment(flow, project, project.schedules.get(flow), image_) for flow in flows]  # type: ignore[call-overload]
    return deployments if only else deployments + _of_platform(deployments), problems


def _of_platform(others: list[Deployment]) -> list[Deployment]:
    """They execute where there is a worker for sure: as processes, unless every project has containers."""
    like = next((d for d in others if d.execution.on == "process"), others[0] if others else None)
    if like is None:
        return []
    execution = like.execution.model_copy(update={"max_runs": 1})
    return [Deployment(flow, None, spec.of_platform, like.image, execution) for flow, spec in FLOWS.items() if spec.of_platform]


def _without_image(project: Project, image: str) -> list[Problem]:
    execution = project.execution
    if execution.on == "process" or execution.image or image:
        return []
    file = Path("projects", project.name, "project.yaml")
    return [Problem(file, 1, f"execution.on is {execution.on} and no image is named", "set execution.image, or SOCLE_IMAGE")]


def broken(root: Path, found: list[Deployment], only: str | None = None, among: list[str] | None = None) -> set[str]:
    """Names of the projects that were asked for and do not load; the platform's with them if none does: what it has shall stay, too."""
    wanted = set(wanted_names(root, only, among))
    return (wanted | {PLATFORM} if wanted and not only else wanted) - {d.place for d in found}


def describe_form(deployment: Deployment, properties: dict[str, Any], known: dict[str, str]) -> None:
    """Titles, explanations and choices in a form's JSON schema. `known`: versions that runs have put there (flows/runs/choices.py)."""
    for name, field in properties.items():
        field["title"], field["description"] = FORM[name]
        if name in deployment.choices:
            _offer(field, deployment.choices[name])
    if (field := properties.get(REFERENCE)) is not None:
        field[VERSIONS] = [[name, deployment.spec.name_alone] for name in deployment.versioned]
        describe_reference(deployment.flow, field, known)


def describe_reference(flow: str, field: dict[str, Any], known: dict[str, str]) -> None:
    """Make the versions of the names that a form has the choices of its parameter `reference`."""
    offered = []
    for name in (reference for reference, _ in field[VERSIONS] if "@" not in reference):
        offered.append([name, FLOWS[flow].name_alone])
        offered += [[reference, text] for reference, text in known.items() if reference.partition("@")[0] == name]
    field[VERSIONS] = offered
    _offer(field, [reference for reference, _ in offered])
    explained = "".join(f"\n\n- `{reference}` : {text}" for reference, text in offered)  # the form joins lines that no empty line parts
    field["description"] = f"{FORM[REFERENCE][1]}{explained}"


def _offer(field: dict[str, Any], choices: list[str]) -> None:
    """A parameter that may be empty keeps that possibility."""
    if "anyOf" in field:
        field["anyOf"] = [{"type": "string", "enum": choices}, {"type": "null"}]
    else:
        field["enum"] = choices
