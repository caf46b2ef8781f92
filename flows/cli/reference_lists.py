"""socle reference-lists: which codes French checks know, where they come from, and bringing them up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.quality.french.lists_refresh import Change

SHOWN = 10  # codes that came or went


def reference_lists(
    names: Annotated[list[str] | None, typer.Argument(metavar="[LIST]...", help="Lists by name; all of them if left out.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch their sources again and replace what changed.")] = False,
    json: Json = False,
) -> None:
    """Reference lists of the French checks: source, date, licence, rows. --refresh rewrites those that are plausible."""
    from flows.cli import display
    from flows.errors import NotFound
    from flows.quality.french import lists

    if refresh:
        _refresh(names or [], json)
        return
    entries = lists.manifest()
    if unknown := [name for name in names or [] if name not in entries]:
        raise NotFound(
            f"there is no reference list {unknown[0]!r}", where=str(lists.FOLDER / lists.MANIFEST), hint=", ".join(sorted(entries))
        )
    chosen = {name: entries[name] for name in names or sorted(entries)}
    if json:
        display.as_json(chosen)
    else:
        _show(chosen)


def _refresh(names: list[str], json: bool) -> None:
    from flows.cli import display
    from flows.settings import load_settings
    from flows.steps.reference_lists import Stayed, refresh

    changes: list[Change] = []
    stayed: list[Stayed] = []
    for outcome in refresh(names, load_settings()):
        if isinstance(outcome, Stayed):
            stayed.append(outcome)
            if not json:
                typer.echo(f"{outcome.name}: stays as it was")
                display.error(outcome.error, as_json=False)
        else:
            changes.append(outcome)
            if not json:
                _told(outcome)
    if json:
        kept = [{"name": one.name, "error": one.error.message, "where": one.error.where} for one in stayed]
        display.as_json({"changes": [vars(change) for change in changes], "stayed": kept})
    elif not all(change.nothing for change in changes):
        typer.echo("Next: look at git diff, run the tests, and commit the lists with their manifest.")
    if stayed:
        raise typer.Exit(max(one.error.exit_code for one in stayed))


def _told(change: Change) -> None:
    typer.echo(f"{change.name}: {change.after} rows, {change.before} before" + ("; the same codes" if change.nothing else ""))
    for what, codes in (("new", change.added), ("gone", change.removed), ("changed", change.altered)):
        if codes:
            rest = f" and {len(codes) - SHOWN} more" if len(codes) > SHOWN else ""
            typer.echo(f"  {what}: {', '.join(codes[:SHOWN])}{rest}")


def _show(entries: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    from flows.cli import display

    table = Table(box=None, pad_edge=False)
    for title in ("List", "Rows", "Of", "Fetched", "Publisher", "Licence"):
        table.add_column(title, justify="right" if title == "Rows" else "left", overflow="fold")
    for name, entry in entries.items():
        cells = (entry.get("of", ""), entry["fetched"], entry["publisher"], entry["licence"])
        table.add_row(name, display.count(entry["rows"]), *cells)
    display.console().print(table)


COMMANDS = (reference_lists,)
