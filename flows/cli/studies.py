"""socle learning-curve, label-problems: whether more rows would help, and which labels look wrong. Both train; neither commits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.lake.references import Reference
    from flows.steps.studies import LabelProblems, LearningCurve, Suspect

SHOWN = 20
Model = Annotated[str, typer.Argument(metavar="PROJECT/MODEL", help="As the project file declares it.")]


def learning_curve(
    model: Model,
    candidate: Annotated[str | None, typer.Option("--candidate", help="Its label; the cheap baseline if left out.")] = None,
    json: Json = False,
) -> None:
    """Would more rows help? Trains a candidate on 10, 25, 50 and 100 % of the training side and scores the validation side."""
    from flows.cli import display
    from flows.cli.progress_bars import bars
    from flows.steps import open_run, studies

    wanted = _model(model, "learning-curve")
    with open_run(wanted.project) as run, bars(quiet=json):
        found = studies.learning_curve(run, wanted.name, candidate)
    if json:
        display.as_json(found)
    else:
        _show_curve(found)


def _show_curve(found: LearningCurve) -> None:
    from rich.table import Table

    from flows.cli import display

    out = display.console()
    out.print(f"{found.candidate}, trained on parts of {found.dataset}; {found.metric} on the validation side", markup=False)
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for title in ("rows", "share", found.metric, "95 %"):
        table.add_column(title, justify="right")
    for p in found.points:
        known = p["value"] is not None
        interval = f"{display.figure(p['low'])}–{display.figure(p['high'])}" if known and p["low"] is not None else "–"
        table.add_row(display.count(p["rows"]), f"{p['share']:.0%}", display.figure(p["value"]) if known else "too few rows", interval)
    out.print(table)
    out.print(_said(found), markup=False)


def _said(found: LearningCurve) -> str:
    if found.gain is None:
        return "What more rows would bring cannot be said: there are too few points."
    before, last = found.points[-2:]
    inside = last["low"] is not None and last["low"] <= before["value"] <= last["high"]
    where = "within" if inside else "outside"
    better = found.gain > 0 if found.higher_is_better else found.gain < 0
    direction = "better" if better else "worse" if found.gain else "the same"
    step = f"The last step ({before['rows']} to {last['rows']} rows) changed {found.metric} by {found.gain:+.3f} ({direction})"
    return f"{step}; the score before is {where} the interval."


def label_problems(
    model: Model,
    output: Annotated[Path | None, typer.Option("--output", help="Where to write all of them as CSV, for a spreadsheet.")] = None,
    json: Json = False,
) -> None:
    """Which labels look wrong? Trains the cheap baseline five times, each time without the rows that it is then asked about."""
    from flows.cli import display
    from flows.cli.progress_bars import bars
    from flows.errors import ConfigurationError
    from flows.steps import open_run, spreadsheet, studies

    wanted = _model(model, "label-problems")
    if output is not None and output.exists():  # before minutes are spent on it
        raise ConfigurationError(f"{output} exists already", hint="another --output, or take it away: nothing is written over")
    with open_run(wanted.project) as run, bars(quiet=json):
        found = studies.label_problems(run, wanted.name)
        key = run.project.datasets[run.project.models[wanted.name].dataset].key
    if output is not None:
        texts = any(s.text is not None for s in found.suspects)
        spreadsheet.write(
            output, [*key, "given", "suggested", "margin", *(["text"] if texts else [])], (_row(s, texts) for s in found.suspects)
        )
    if json:
        display.as_json(found)
    else:
        _show_problems(found, output)


def _row(s: Suspect, texts: bool) -> list[str]:
    return [*(str(v) for v in s.key.values()), s.given, s.suggested, f"{s.margin:.3f}", *([s.text or ""] if texts else [])]


def _show_problems(found: LabelProblems, output: Path | None) -> None:
    from rich.table import Table

    from flows.cli import display

    out, count = display.console(), len(found.suspects)
    out.print(
        f"{found.dataset}: {display.count(count)} of {display.count(found.rows)} labels look wrong to {found.candidate}, which did not "
        "learn from them. A person decides: the label may be right.",
        markup=False,
    )
    if not count:
        return
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for title in (*found.suspects[0].key, "given", "suggested", "margin", "text"):
        table.add_column(_plain(title), overflow="fold")
    for s in found.suspects[:SHOWN]:
        table.add_row(*(_plain(v) for v in (*s.key.values(), s.given, s.suggested, f"{s.margin:.2f}", (s.text or "")[:60])))
    out.print(table)
    if output is not None:
        out.print(f"wrote {output}", markup=False)
    elif count > SHOWN:
        out.print(f"and {display.count(count - SHOWN)} more: --output FILE.csv", markup=False)


def _plain(value: Any) -> str:
    from rich.markup import escape

    return escape(str(value))


def _model(text: str, command: str) -> Reference:
    from flows.errors import ConfigurationError
    from flows.lake.references import parse

    wanted = parse(text)
    if wanted.version is not None or wanted.alias is not None:
        raise ConfigurationError(
            f"{text}: it is trained anew on the latest version of its dataset, so that no version is named",
            hint=f"socle {command} {wanted.project}/{wanted.name}",
        )
    return wanted


COMMANDS = (learning_curve, label_problems)
