"""Parameters of a run, checked by the run itself: whoever starts one may switch off the server's own check of its form."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from prefect.context import FlowRunContext
from prefect.runtime import deployment
from pydantic import ConfigDict, ValidationError, create_model

from flows.deployments import FORM
from flows.errors import BadParameter

FRENCH = {
    "missing": "il faut une valeur",
    "string_too_short": "{min_length} caractères au moins",
    "string_too_long": "{max_length} caractères au plus",
    "string_type": "il faut un texte",
    "greater_than_equal": "au moins {ge}",
    "less_than_equal": "au plus {le}",
    "int_parsing": "il faut un nombre entier",
    "int_type": "il faut un nombre entier",
    "bool_parsing": "il faut oui ou non",
    "extra_forbidden": "ce paramètre n'existe pas",
}
"""Error type of pydantic (https://docs.pydantic.dev/latest/errors/validation_errors/) -> what is wanted."""


class _Missing:
    def __str__(self) -> str:
        return "?"


MISSING = _Missing()
"""The value of a parameter that was not given and has to be."""


def nothing_required(signature: inspect.Signature) -> inspect.Signature:
    """Prefect's engine binds what a run was given before the run begins, and a run that it cannot bind is Crashed without a word."""
    return signature.replace(parameters=[p.replace(default=MISSING) if p.default is p.empty else p for p in signature.parameters.values()])


def checker(annotations: dict[str, Any], defaults: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that gives the parameters back as their types say.

    It raises BadParameter, with a French sentence for each bad value.
    """
    fields: dict[str, Any] = {name: (kind, defaults.get(name, ...)) for name, kind in annotations.items() if name != "return"}
    model = create_model("Parameters", __config__=ConfigDict(extra="forbid", hide_input_in_errors=True), **fields)

    def check(given: dict[str, Any]) -> dict[str, Any]:
        try:
            found = model(**given)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            message = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in errors)
            raise BadParameter(message, where="the parameters of the run", french=" ".join(map(_french, errors))) from None
        return {name: getattr(found, name) for name in fields}

    return check


def _french(error: Any) -> str:
    name = str(error["loc"][0])
    title = FORM.get(name, (name,))[0]
    wanted = FRENCH.get(error["type"], "cette valeur n'est pas possible").format_map(error.get("ctx", {}))
    return f"« {title} » : {wanted}."


def own_project(given: dict[str, Any]) -> str:
    """The project that a run is of: its deployment's, whatever it was given; without a deployment, the one it was given."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
        return str(given.get("project", ""))
    return str(deployment.name)


def require_own_project(project: str, own: str) -> None:
    """A deployment is of one project, `own`: its runs are of that one, too.

    Raises: BadParameter.
    """
    if project != own:
        raise BadParameter(
            f"this deployment is for the project {own!r}, not {project!r}",
            where="the parameters of the run",
            french=f"Cette ligne est celle du projet « {own} » : elle ne peut pas agir sur « {project} ».",
        )
