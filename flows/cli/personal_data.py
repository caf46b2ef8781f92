"""socle personal-data: what a published version holds of persons, column by column, masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.steps.privacy import PrivacyVerdict


def personal_data(
    dataset: Annotated[str, typer.Argument(metavar="PROJECT/DATASET", help="Of the latest version, or of PROJECT/DATASET@N.")],
    json: Json = False,
) -> None:
    """Personal data in a published version: columns, kinds, counts, masked examples. Exit 1 if it was declared to have none."""
    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.lake.references import parse
    from flows.steps import open_run
    from flows.steps.privacy import look_at_version, shown

    wanted = parse(dataset)
    if wanted.alias is not None:
        raise ConfigurationError(f"{dataset}: aliases are of models", hint=f"socle personal-data {wanted.project}/{wanted.name}")
    with open_run(wanted.project) as run:
        version, verdict = look_at_version(run, dataset)
        declared = run.project.datasets.get(wanted.name)
        found = shown(verdict, version, declared)
    if json:
        display.as_json(found)
    else:
        _show(f"{version}", found, verdict)
    if verdict.refused:
        raise typer.Exit(1)


def _show(name: str, found: dict[str, Any], verdict: PrivacyVerdict) -> None:
    from rich.table import Table

    from flows.cli import display
    from flows.privacy.kinds import KINDS

    out, report = display.console(), verdict.report
    out.print(f"{name}: {display.count(report.rows)} row(s), declared personal_data: {found['declared'] or 'not declared'}", markup=False)
    if not report.columns:
        out.print("Nothing personal was found.")
    else:
        table = Table(box=None, pad_edge=False)
        for title in ("Column", "What", "Sure", "Rows", "Share", "Why", "Masked examples"):
            table.add_column(title, justify="right" if title in ("Rows", "Share") else "left", overflow="fold")
        for one in report.columns:
            about = "" if one.exact else "~"
            why = f"{one.why}; not_personal: {one.excused}" if one.excused else one.why
            cells = (one.column, KINDS[one.kind].french, one.certainty, f"{about}{display.count(one.rows)}", f"{one.share:.1%}", why)
            table.add_row(*map(_plain, (*cells, "  ".join(one.examples))))
        out.print(table)
    for note in found["notes"]:
        out.print(f"  · {note}", markup=False)
    if verdict.refused:
        out.print("A load of these rows is refused: declare personal_data, leave the column out, or say in not_personal why it is none.")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


COMMANDS = (personal_data,)
