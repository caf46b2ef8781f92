"""What every flow of a project has in common: how its runs are named, and failures that a project team can read."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from prefect import flow
from prefect.context import FlowRunContext
from prefect.flows import Flow
from prefect.states import Cancelled, Failed

from flows.errors import SocleError
from flows.lake.touched import noting
from flows.runs import artifacts, overdue, parameters
from flows.runs.flow_trail import FlowTrail
from flows.runs.who import remembered
from flows.texts import explain

P = ParamSpec("P")
R = TypeVar("R")


def project_flow(function: Callable[P, Coroutine[Any, Any, R]]) -> Flow[P, Coroutine[Any, Any, R]]:
    """A flow under the name of its function. Its first parameter is the project.

    A run that fails says why in French, in its state and in an artifact; `socle run` and the pipeline still get the exception.
    Nothing is kept in Prefect's own storage: what a run made is in the lake, and what it says in its artifacts.
    """

    signature = inspect.signature(function, eval_str=True)
    annotations = inspect.get_annotations(function, eval_str=True)
    defaults = {name: p.default for name, p in signature.parameters.items() if p.default is not p.empty}
    check = parameters.checker(annotations, defaults)

    @functools.wraps(function)
    async def explained(*args: P.args, **kwargs: P.kwargs) -> Any:
        bound = signature.bind_partial(*args, **kwargs).arguments
        given = {name: value for name, value in bound.items() if value is not parameters.MISSING}
        if not is_top():
            return await function(**check(given))  # type: ignore[call-arg]
        with remembered(), noting() as touched:
            return await top(given, FlowTrail(touched))

    async def top(given: dict[str, Any], trail: FlowTrail) -> Any:
        """A run that somebody asked for: on record in the audit trail, and explained when it fails."""
        if (newer := await overdue.overtaken_by()) is not None:
            return Cancelled(
                message=f"Pas exécutée : elle est en retard, et celle prévue le {newer:%d/%m/%Y à %H:%M} UTC fait le même travail."
            )
        own = ""
        try:
            own = parameters.own_project(given)
            await trail.begin(function.__name__, own, given)
            checked = check(given)
            parameters.require_own_project(checked["project"], own)
            result = await function(**checked)  # type: ignore[call-arg]
            await trail.done()
            return result
        except Exception as error:
            await trail.failed(error)
            if not isinstance(error, SocleError) or error.payload is None:  # else its artifacts are there already
                await artifacts.show_error(own or "projet", error)
            return Failed(message=explain.sentence(error), data=error)
        except BaseException as error:
            trail.stopped(error)
            raise

    # Prefect looks types up in the module of the function that it is given, which is this one.
    explained.__signature__ = signature  # type: ignore[attr-defined]
    explained.__annotations__ = annotations
    made: Flow[P, Coroutine[Any, Any, R]] = flow(
        name=function.__name__,
        flow_run_name="{project}",
        validate_parameters=False,  # we do, and say in French what is wrong
        persist_result=False,
        result_serializer="json",  # what Prefect would use all the same is never a pickle
    )(explained)
    # The form asks for what has to be given; but a run without it begins all the same, so that it can say what is missing.
    explained.__signature__ = parameters.nothing_required(signature)  # type: ignore[attr-defined]
    return made


def is_top() -> bool:
    """Whether this flow run was started by somebody or by a schedule, and not by another flow."""
    context = FlowRunContext.get()
    return context is None or context.flow_run is None or context.flow_run.parent_task_run_id is None
