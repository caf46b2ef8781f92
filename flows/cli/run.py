"""socle run: plan from the lake, and only if there is something to do load Prefect and run the flow."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json, Project
from flows.errors import ConfigurationError

if TYPE_CHECKING:
    from flows.steps import Run
    from flows.steps.pipeline import RunResult
    from flows.steps.plan import ProjectPlan


class FlowName(StrEnum):
    pipeline = "pipeline"
    ingest = "ingest"
    check = "check"
    finetune = "finetune"
    maintain = "maintain"


def run(
    project: Project,
    flow: Annotated[FlowName, typer.Option("--flow", help="Which flow to run.")] = FlowName.pipeline,
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the flow, such as dataset=articles.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and why, and do nothing.")] = False,
    fallback: Annotated[str | None, typer.Option("--fallback", help="Project to run instead if the source cannot be reached.")] = None,
    json: Json = False,
) -> None:
    """Run a project here and now. Does nothing, fast, when nothing changed."""
    import time

    from flows.errors import SocleError

    start = time.monotonic()
    parameters = _parameters(assign or [])
    try:
        code = _run(project, flow, parameters, dry_run, json, start)
    except SocleError as error:
        if not (fallback and _unreachable(error)):
            raise
        typer.echo(f"{_unreachable(error)}: running the offline project {fallback!r} instead.", err=True)
        code = _run(fallback, flow, {}, dry_run, json, time.monotonic())
    if code:
        raise typer.Exit(code)


def _parameters(assigned: list[str]) -> dict[str, str]:
    for text in assigned:
        if "=" not in text or text.startswith("="):
            raise ConfigurationError(f"--set {text!r} is not of the form key=value")
    return dict(text.split("=", 1) for text in assigned)


def _unreachable(error: Any) -> str:
    """What could not be reached, in words; empty if the error is of another kind."""
    from flows.sources.npm import SourceUnreachable
    from flows.steps.pipeline import RunResult

    failures = [e for _, e in error.payload.failures] if isinstance(error.payload, RunResult) else []
    return next((e.message for e in [*failures, error] if isinstance(e, SourceUnreachable)), "")


def _run(project: str, flow: FlowName, parameters: dict[str, str], dry_run: bool, json: bool, start: float) -> int:
    """The exit code. Raises: SocleError when nothing could be run at all, or the source cannot be reached."""
    import time

    from flows.cli import display, maintenance
    from flows.steps import open_run

    with open_run(project) as opened:
        _known(flow, parameters)
        if dry_run and flow is FlowName.check:
            raise ConfigurationError("--dry-run says what would be loaded and trained; --flow check always runs its checks")
        if dry_run and flow is FlowName.maintain:
            parameters = {"dry_run": "true"}
        elif dry_run:
            return _show_plan(opened, _plan(opened, flow, parameters), json)
        result: Any = _nothing_to_run(opened, flow, parameters)
        if result is None:
            result = _with_prefect(opened, flow, parameters, json)
        seconds = time.monotonic() - start
        if json:
            display.as_json({"seconds": round(seconds, 2), "exit_code": _code(result), "result": display.plain(result)})
        elif isinstance(result, list):
            _show_reports(opened, result)
        elif flow is FlowName.maintain:
            maintenance.show(result)
        elif result.did_nothing:
            _show_nothing(result, seconds)
        else:
            display.summary(result, opened.lake, opened.project, seconds)
        return _code(result)


def _plan(opened: Run, flow: FlowName, parameters: dict[str, str]) -> ProjectPlan | None:
    """None: that flow always runs."""
    from flows.steps.plan import plan_project

    if flow in (FlowName.check, FlowName.maintain):
        return None
    return _chosen(plan_project(opened, datasets=flow is not FlowName.finetune, models=flow is not FlowName.ingest), parameters)


def _nothing_to_run(opened: Run, flow: FlowName, parameters: dict[str, str]) -> RunResult | None:
    """The result when there is nothing to run, which is on record as well: somebody asked. Runs of a flow record themselves."""
    from flows.errors import SocleError, StorageError
    from flows.steps.trail import note

    about: dict[str, Any] = {"parameters": parameters, "who": opened.who, "run_id": opened.id}
    try:
        plan = _plan(opened, flow, parameters)
        result = _without_prefect(opened, plan) if plan else None
    except SocleError as error:
        try:
            note(opened.lake, opened.project.name, flow.value, error=error, **about)
        except StorageError as unrecorded:  # most often the same failure
            if unrecorded.message != error.message:
                typer.echo(f"not in the audit trail: {unrecorded.message}", err=True)
        raise
    if result is not None:
        note(opened.lake, opened.project.name, flow.value, error=result.error(), **about)
    return result


PARAMETERS = {
    FlowName.pipeline: [],
    FlowName.ingest: ["dataset"],
    FlowName.check: ["reference"],
    FlowName.finetune: ["model"],
    FlowName.maintain: ["dry_run"],
}
"""What --set can give, beside the project; tests compare it with the flows' signatures."""


def _known(flow: FlowName, parameters: dict[str, str]) -> None:
    if unknown := set(parameters) - set(PARAMETERS[flow]):
        known = ", ".join(PARAMETERS[flow]) or "none"
        raise ConfigurationError(f"the flow {flow.value} has no parameter {', '.join(unknown)}", where=f"its parameters: {known}")
    if parameters.get("dry_run", "true") not in ("true", "false"):
        raise ConfigurationError("--set dry_run is true or false")


def _chosen(plan: ProjectPlan, parameters: dict[str, str]) -> ProjectPlan:
    """The part of the plan that --set names.

    Raises: ConfigurationError for a name that the project does not have.
    """
    from flows.steps.plan import ProjectPlan

    for kind, parts in (("dataset", plan.datasets), ("model", plan.models)):
        if kind in parameters and parameters[kind] not in (names := [p.name for p in parts]):
            raise ConfigurationError(f"there is no {kind} {parameters[kind]!r}", where=f"{kind}s there: {', '.join(names)}")
    datasets = [d for d in plan.datasets if d.name == parameters.get("dataset", d.name)]
    return ProjectPlan(datasets, [m for m in plan.models if m.name == parameters.get("model", m.name)])


def _without_prefect(opened: Run, plan: ProjectPlan) -> RunResult | None:
    """The result when the plan has nothing to run: everything unchanged, or refused before for the same reason."""
    from flows.steps.finetune import unchanged
    from flows.steps.ingest import without_loading
    from flows.steps.pipeline import RunResult

    if any(d.action not in ("nothing", "refused") for d in plan.datasets) or any(m.action != "nothing" for m in plan.models):
        return None
    result = RunResult(opened.project.name, opened.project.title, opened.id)
    for dataset in plan.datasets:
        outcome = without_loading(opened, dataset)
        assert outcome is not None
        result.add(outcome)
    for model in plan.models:
        result.add(unchanged(opened, model))
    return result


def _with_prefect(opened: Run, flow: FlowName, parameters: dict[str, str], json: bool) -> Any:
    """Run the flow in this process: in the server that PREFECT_API_URL or a running `socle up` gives, else an embedded one."""
    import asyncio
    from importlib import import_module

    from flows.cli.embedded import prefect_environment
    from flows.cli.progress_bars import bars
    from flows.errors import SocleError

    with bars(quiet=json) as timings:
        from flows import progress

        with progress.step("starting Prefect"):
            prefect_environment(opened.settings)
            function = getattr(import_module(f"flows.{flow.value}"), flow.value)
        try:
            result = asyncio.run(function(opened.project.name, **parameters))
        except SocleError as error:
            if error.payload is None or _unreachable(error):
                raise
            result = error.payload
        if hasattr(result, "steps"):
            result.steps = timings.steps
    return result


def _code(result: Any) -> int:
    if isinstance(result, list):
        return int(any(r.verdict != "passed" for r in result))
    return int(getattr(result, "exit_code", 0))


def _show_plan(opened: Run, plan: ProjectPlan | None, json: bool) -> int:
    from flows.cli import display

    parts: list[Any] = [*plan.datasets, *plan.models] if plan else []
    if json:
        display.as_json([{"name": p.name, "action": p.action, "reasons": p.reasons} for p in parts])
        return 0
    for p in parts:
        typer.echo(f"{opened.project.name}/{p.name}: {p.action}" + (f" ({'; '.join(p.reasons)})" if p.reasons else ""))
    return 0


def _show_nothing(result: RunResult, seconds: float) -> None:
    versions = [str(o.version) for o in result.datasets]
    versions += [f"{result.project}/{m.model}@{m.state.aliases.get('champion', '–')}" for m in result.models if m.state]
    typer.echo(f"Nothing changed, nothing to do ({seconds:.1f} s): {', '.join(versions)} stand.")
    for o in result.datasets:
        for note in o.reasons:
            typer.echo(f"  note: {o.dataset}: {note}")


def _show_reports(opened: Run, reports: list[Any]) -> None:
    from flows.quality import trends
    from flows.steps.reports import kept_trend

    for r in reports:
        typer.echo(f"{r.project}/{r.dataset}@{r.version}: {r.passed} checks passed, {len(r.failed)} failed ({r.verdict})")
        trend = kept_trend(opened, r.dataset, r.load_id)
        for reason in r.reasons if r.personal_data else []:
            typer.echo(f"  · {reason}")
        for key, failed in trends.keyed(r.results).items():
            if not failed.success:
                before = trends.english([answer for _, answer in trend.of(key)])
                typer.echo(f"  · {failed.severity}: {failed.text}" + (f" ({before})" if before else ""))


COMMANDS = (run,)
