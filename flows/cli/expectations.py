"""socle expectations: suites made from what there is, and tried before a project uses them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json
from flows.cli.suggest import suggest

if TYPE_CHECKING:
    from flows.steps.suite_trial import Trial

SHOWN = 5  # records that are no rows, and notes

app = typer.Typer(name="expectations", help="Suites of expectations: make one, try one.", no_args_is_help=True, rich_markup_mode=None)


@app.command("from-schema")
def from_schema(
    schema: Annotated[Path, typer.Argument(help="A Table Schema (JSON), as on schema.data.gouv.fr.")],
    output: Annotated[Path | None, typer.Option("--output", help="Where to write the suite; standard output if left out.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a suite that is there.")] = False,
    json: Json = False,
) -> None:
    """Turn a Table Schema into a suite. What the suite cannot check is said."""
    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.quality.checking import known_types
    from flows.quality.table_schema import load_schema, suite_of

    read = load_schema(schema)
    suite = suite_of(read, known_types())
    notes = [*read.notes, *(f"not checked: {text}" for text in suite["meta"]["table_schema"]["not_checked"])]
    if output is not None:
        if output.exists() and not force:
            raise ConfigurationError(f"{output} exists already", hint="another --output, or --force to write over it")
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(_text(suite), encoding="utf-8")
    if json:
        display.as_json({"suite": suite, "output": str(output) if output else None, "notes": notes})
        return
    if output is None:
        typer.echo(_text(suite), nl=False)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if output is not None:
        typer.echo(f"wrote {output}: {len(suite['expectations'])} expectations from {len(read.fields)} columns")
        typer.echo(f"Next: socle expectations test {output} FILE")


def _text(suite: dict[str, Any]) -> str:
    import json

    return json.dumps(suite, ensure_ascii=False, indent=2) + "\n"


@app.command("test")
def test(
    suite: Annotated[Path, typer.Argument(help="A suite, or a Table Schema (JSON).")],
    file: Annotated[Path, typer.Argument(help="A data file in any format that Socle reads.")],
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="PROJECT/DATASET", help="Read the file as this dataset's.")] = None,
    show_values: Annotated[bool, typer.Option(help="Show values that are not as expected, masked where they look personal.")] = True,
    json: Json = False,
) -> None:
    """Try a suite on a file. Exit 1 if a critical expectation is not met, or a record is no row."""
    from flows.cli import display
    from flows.settings import load_settings
    from flows.steps.suite_trial import try_suite

    if dataset is None:
        trials = try_suite(suite, file, load_settings(), show_values=show_values)
    else:
        trials = _as_dataset(suite, file, dataset, show_values)
    if json:
        display.as_json([_as_json(t, show_values) for t in trials])
    else:
        for trial in trials:
            _show(trial, show_values)
    if any(t.refused for t in trials):
        raise typer.Exit(1)


def _as_dataset(suite: Path, file: Path, dataset: str, show_values: bool) -> list[Trial]:
    from flows.errors import NotFound
    from flows.steps import open_run
    from flows.steps.suite_trial import try_suite

    project, _, name = dataset.partition("/")
    with open_run(project) as run:
        if name not in run.project.datasets:
            there = ", ".join(run.project.datasets)
            raise NotFound(f"project {project} has no dataset {name!r}", where=f"datasets there: {there}", hint="--dataset PROJECT/DATASET")
        return try_suite(suite, file, run.settings, show_values=show_values, run=run, dataset=name)


def _as_json(trial: Trial, show_values: bool) -> dict[str, Any]:
    from flows.cli import display

    plain: dict[str, Any] = {"verdict": trial.verdict, **display.plain(trial)}
    for bad in plain["bad"] if not show_values else []:
        bad["raw"] = ""
    return plain


def _show(trial: Trial, show_values: bool) -> None:
    from flows.cli import display

    passed, failed = len(trial.results) - len(trial.failed), len(trial.failed)
    rows = f"{display.count(trial.rows)} row(s)"
    typer.echo(f"{trial.file}: {rows}, {passed} checks passed, {failed} failed ({trial.verdict})")
    for r in sorted(trial.failed, key=lambda r: ("critical", "warning", "info").index(r.severity)):
        typer.echo(f"  · {r.severity}: {_printable(r.text)}{_found(r, list(trial.columns))}")
    if trial.bad:
        typer.echo(f"  · critical: {len(trial.bad)} record(s) that are no rows")
        for bad in trial.bad[:SHOWN]:
            place = f", line {bad.line}" if bad.line else ""
            typer.echo(f"      record {bad.row_number}{place}: {_printable(bad.rule)}")
    if trial.skipped:
        typer.echo(f"  {len(trial.skipped)} check(s) left out: the file does not have their columns")
    for note in trial.notes[:SHOWN]:
        typer.echo(f"  note: {_printable(note)}")
    if len(trial.notes) > SHOWN:
        typer.echo(f"  and {len(trial.notes) - SHOWN} more note(s): --json has them")


def _found(result: Any, columns: list[str]) -> str:
    """What was found in place of what was expected. `columns`: of the file."""
    if result.error:
        return f" (could not be evaluated: {_printable(result.error)})"
    if result.unexpected is not None:
        examples = f": {', '.join(_printable(e) for e in result.examples)}" if result.examples else ""
        found = f"{result.unexpected} of {result.checked_rows} rows" if result.checked_rows is not None else f"{result.unexpected} value(s)"
        return f" ({found}{examples})"
    if result.type == "expect_column_to_exist":
        wanted = result.arguments.get("column")
        near = [c for c in columns if c.strip().casefold() == str(wanted).strip().casefold()]
        return f" (the file has {_printable(repr(near[0]))})" if near else ""
    if result.type == "expect_table_columns_to_match_set" and isinstance(result.observed, list):
        absent = [c for c in result.arguments.get("column_set") or [] if c not in result.observed]
        return f" (missing: {_printable(', '.join(absent))})" if absent else ""
    return f" (found: {_printable(str(result.observed))})" if result.observed not in (None, []) else ""


def _printable(text: str) -> str:
    """Without what would steer the terminal."""
    return "".join(c if c.isprintable() else "·" for c in text)


app.command("suggest")(suggest)
GROUPS = (app,)
"""Commands of commands: `socle expectations test`."""
