"""socle quarantine: what was refused and why; correct it, replay it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.steps import Run
    from flows.steps.correct import Corrected
    from flows.steps.quarantine import RefusedRow, Survey
    from flows.steps.replay import Replayed


def quarantine(
    dataset: Annotated[str, typer.Argument(metavar="PROJECT/DATASET", help="Whose refused rows.")],
    load: Annotated[
        str | None, typer.Option("--load", metavar="LOAD_ID", help="Only rows that this load refused (its beginning will do).")
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only rows that this rule refused.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Examples shown of each cause.")] = 3,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show values also where there is personal data.")] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE.csv", help="Write the rows that can still come in, to be corrected in a spreadsheet."),
    ] = None,
    correct: Annotated[
        Path | None, typer.Option("--correct", metavar="FILE.csv", help="Read such a file back, and keep what was corrected.")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Let these rows try again, by the rules of today.")] = False,
    json: Json = False,
) -> None:
    """Refused rows by cause, where they are, what became of them; export, correct and replay them."""
    from flows.cli import display
    from flows.cli.progress_bars import bars
    from flows.errors import ConfigurationError
    from flows.lake.references import parse
    from flows.steps import open_run

    wanted = parse(dataset)
    if wanted.version is not None or wanted.alias is not None:
        raise ConfigurationError(f"{dataset}: refused rows are of all versions", hint=f"{wanted.project}/{wanted.name}")
    if export and (correct or replay):
        raise ConfigurationError("--export comes before --correct and --replay: a person corrects the file in between")
    results: dict[str, Any] = {}
    code = 0
    with open_run(wanted.project) as run, bars(quiet=json):
        chosen = {"load": load, "rule": rule}
        if export:
            results["exported"] = _export(run, wanted.name, export, chosen)
        if correct:
            results["corrected"] = _correct(run, wanted.name, correct)
        if replay:
            results["replayed"] = _replay(run, wanted.name, chosen)
            code = results["replayed"].exit_code
        if not results:
            results["quarantine"] = _look(run, wanted.name, chosen, limit, show_values)
    if json:
        display.as_json(results.get("quarantine", results))
    else:
        _show(f"{wanted.project}/{wanted.name}", results, export)
    if code:
        raise typer.Exit(code)


# ---- doing ---------------------------------------------------------------------------------------------------------


def _about(run: Run, name: str, option: str, chosen: dict[str, str | None] | None = None) -> dict[str, Any]:
    parameters = {"dataset": name, "option": option} | (chosen or {})
    return {"parameters": parameters, "who": run.who, "run_id": run.id}


def _export(run: Run, name: str, path: Path, chosen: dict[str, str | None]) -> int:
    """On record: the rows leave the platform."""
    from flows.steps.correct import export
    from flows.steps.trail import recorded

    with recorded(run.lake, run.project.name, "quarantine", **_about(run, name, "export", chosen)) as details:
        count = export(run, name, path, chosen["load"], chosen["rule"])
        details["rows"] = count
    return count


def _correct(run: Run, name: str, path: Path) -> Corrected:
    from flows.steps.correct import correct
    from flows.steps.trail import recorded

    with recorded(run.lake, run.project.name, "quarantine", **_about(run, name, "correct")) as details:
        done = correct(run, name, path)
        details["rows"] = len(done.corrected)
    return done


def _replay(run: Run, name: str, chosen: dict[str, str | None]) -> Replayed:
    from flows.steps.replay import replay
    from flows.steps.trail import recorded

    with recorded(run.lake, run.project.name, "replay", **_about(run, name, "replay", chosen)) as details:
        done = replay(run, name, chosen["load"], chosen["rule"])
        if done.tried:
            details |= {"tried": done.tried, "let in": done.let_in, "refused": done.refused}
    return done


def _look(run: Run, name: str, chosen: dict[str, str | None], limit: int, show_values: bool) -> dict[str, Any]:
    """What is shown, as plain data."""
    from flows.steps.quarantine import OPEN, causes, french, survey, values

    found = survey(run, name)
    rows = [row for row in found.chosen(chosen["load"], chosen["rule"]) if chosen["load"] or row.state in OPEN]
    by_cause = causes(rows)
    shown = {row.id: row for same in by_cause.values() for row in same[:limit]}
    visible = show_values or run.project.datasets[name].personal_data == "none"
    held = values(run, name, list(shown.values()), found.delta_version or 0) if visible else {}
    return {
        "dataset": f"{run.project.name}/{name}",
        "version": found.current.number if found.current else None,
        "rows": found.counts,
        "values": "shown" if visible else "hidden",
        "causes": [
            {
                "cause": one,
                "french": french(run, name, one, same),
                "rows": len(same),
                "examples": [_example(row, held) for row in same[:limit]],
            }
            for one, same in by_cause.items()
        ],
        "loads": _loads(found),
    }


def _example(row: RefusedRow, held: dict[str, Any]) -> dict[str, Any]:
    """`row`: as it was tried last."""
    place = {k: getattr(row, k) for k in ("id", "file", "row_number", "line", "offset", "load_id", "state", "version", "rules")}
    if row.id not in held:
        return place
    return place | {"row": held[row.id].last, "raw": held[row.id].raw}


def _loads(found: Survey) -> list[dict[str, Any]]:
    return [
        {"load_id": one.load_id, "at": one.at, "version": one.version, "refused": sum(one.counts.values()), "states": dict(one.counts)}
        for one in reversed(found.loads)
    ]


# ---- showing -------------------------------------------------------------------------------------------------------


def _show(name: str, results: dict[str, Any], path: Path | None) -> None:
    from flows.cli.display import count

    if "quarantine" in results:
        _show_rows(name, results["quarantine"])
    if "exported" in results:
        typer.echo(
            f"{count(results['exported'])} row(s) of {name} are in {path}. It holds their values: keep it safe, delete it afterwards."
        )
        typer.echo(f"Correct it, then: socle quarantine {name} --correct {path} --replay")
    if "corrected" in results:
        done = results["corrected"]
        typer.echo(f"{count(len(done.corrected))} row(s) of {name} corrected, {count(done.unchanged)} as they were.")
        if done.corrected and "replayed" not in results:
            typer.echo(f"They come in with: socle quarantine {name} --replay")
    if "replayed" in results:
        _show_replay(name, results["replayed"])


def _show_replay(name: str, done: Replayed) -> None:
    from flows.cli.display import count

    if done.tried:
        typer.echo(f"{name}: {count(done.tried)} row(s) tried, {count(done.let_in)} came in, {count(done.refused)} refused again.")
    elif done.reasons:
        typer.echo(f"{name}: nothing to replay: {'; '.join(done.reasons)}.")
    for outcome in done.outcomes:
        if outcome.action == "loaded":
            typer.echo(f"{outcome.version} is served now.")
        for reason in outcome.report.reasons if outcome.report else []:
            typer.echo(f"  · {reason}")


def _show_rows(name: str, found: dict[str, Any]) -> None:
    from rich.markup import escape

    from flows.cli import display

    out, rows = display.console(), found["rows"]
    total = sum(rows.values())
    if not total:
        out.print(f"{name}: no row was ever refused.")
        return
    states = ", ".join(f"{display.count(n)} {state}" for state, n in rows.items() if n)
    out.print(f"[bold]{name}[/]: {display.count(total)} row(s) refused: {states}")
    for one in found["causes"]:
        out.print(f"\n[bold]{display.count(one['rows'])}[/]  {escape(one['cause'])}  [dim]{escape(one['french'])}[/]", soft_wrap=True)
        for example in one["examples"]:
            _show_example(out, example)
    if found["loads"]:
        out.print("\n[bold]Loads[/]")
    for load in found["loads"]:
        became = f"version {load['version']}" if load["version"] else "refused as a whole"
        states = ", ".join(f"{display.count(n)} {state}" for state, n in load["states"].items())
        out.print(f"  {load['load_id']}  {load['at']:%Y-%m-%d %H:%M}  {became}: {states}", markup=False)
    if found["values"] == "hidden" and found["causes"]:
        out.print("\nThe dataset has personal data: values are shown with --show-values.")
    if rows["open"] or rows["held"]:
        out.print(f"Next: socle quarantine {name} --export FILE.csv, or put the rule right; then --replay")


def _show_example(out: Any, example: dict[str, Any]) -> None:
    line = f", line {example['line']}" if example["line"] else ""
    became = {"let in": f"  let in by version {example['version']}", "closed": "  closed by a later load", "held": "  with its whole load"}
    out.print(f"    {example['id']}  {example['file']}, row {example['row_number']}{line}{became.get(example['state'], '')}", markup=False)
    if example.get("row"):
        out.print(f"      {_short(', '.join(f'{k}={v!r}' for k, v in example['row'].items()))}", markup=False, style="dim")
    elif example.get("raw") is not None:
        out.print(f"      {_short(repr(example['raw']))}", markup=False, style="dim")


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:299] + "…"


COMMANDS = (quarantine,)
