"""socle explain: how a source would be read, and why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from flows.contract import Proposal
    from flows.findings import Finding
    from flows.steps.explain import Explained

REFERENCE = re.compile(r"^([a-z][a-z0-9-]*)/([a-z][a-z0-9-]*)$")
CELL, HEADING = 32, 16  # characters of a column of the first rows: at most, and what its name alone may take
SPACES = "\u00a0\u202f\u2009"
CONVENTIONS = ("decimal", "thousands", "unit", "format", "true", "false", "missing")


def explain(
    source: Annotated[str, typer.Argument(help="A file, project/dataset, or an address (https://...).")],
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many of the first rows to show.")] = 5,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show rows of a dataset about persons, too.")] = False,
    json: Json = False,
) -> None:
    """How a source would be read and why, its columns, its first rows, and what to write into project.yaml. Nothing is loaded."""
    found = _found(source, rows, show_values)
    if json:
        from flows.cli import display

        display.as_json(_as_json(found))
    else:
        _show(found)
    if found.refusals:
        raise typer.Exit(1)


def _found(source: str, rows: int, show_values: bool) -> Explained:
    from flows.errors import ConfigurationError
    from flows.settings import load_settings
    from flows.steps import explain as steps
    from flows.steps import open_run
    from flows.validation import project_names

    settings = load_settings()
    if re.match(r"^https?://", source, re.IGNORECASE):
        return steps.explain_address(source, settings, rows)
    path, named = Path(source), REFERENCE.match(source)
    if path.exists() or not named:
        return steps.explain_path(path, settings, rows)
    if named[1] not in project_names(settings.root):
        raise ConfigurationError(
            f"{source} is neither a file nor a project/dataset",
            where=f"{path.absolute()}; projects there: {', '.join(project_names(settings.root)) or 'none'}",
            hint="socle explain FILE",
        )
    with open_run(named[1]) as run:
        return steps.explain_dataset(run, named[2], rows, show_values=show_values)


def _as_json(found: Explained) -> dict[str, Any]:
    from flows.cli import display

    plain: dict[str, Any] = display.plain(found)
    plain["format"] = found.format.model_dump(exclude_none=True)
    plain["columns"] = [
        {
            "name": c.name,
            "in_file": c.origin,
            "declared": c.as_declared(),
            "type": c.column.type,
            "reason": c.reason,
            "empty": c.empty,
            "rows": c.rows,
        }
        for c in found.columns
    ]
    return plain


# ---- for people -----------------------------------------------------------------------------------------------------


def _show(found: Explained) -> None:
    from flows.cli import display

    out = display.console()
    seen = "all of its" if found.whole else "its first"
    out.print(f"[bold]{_safe(found.name)}[/]  {_size(found.size)}, {seen} {display.count(found.seen)} rows were looked at")
    if found.others:
        out.print(f"  and {len(found.others)} other file(s): {_safe(', '.join(found.others[:5]))}{' …' if len(found.others) > 5 else ''}")
    _show_format(out, found)
    _show_columns(out, found)
    _show_findings(out, found.findings)
    if found.bad:
        out.print(f"\n[bold red]{len(found.bad)} record(s) that are no rows[/]: they would be refused, the others are read")
        for bad in found.bad[:5]:
            out.print(f"  record {bad.row_number}{f', line {bad.line}' if bad.line else ''}: {_safe(bad.rule)}  {_safe(bad.raw)[:80]}")
    _show_rows(out, found)
    if found.version:
        _show_frozen(out, found)
    for refusal in found.refusals:
        out.print(f"\n[bold red]✗ {_safe(refusal.file)} would be refused[/]: {_safe(refusal.why)}")
        if refusal.french:
            out.print(f"  {_safe(refusal.french)}")
        if refusal.hint:
            out.print(f"  next: {_safe(refusal.hint)}")
    out.print("\n[bold]For project.yaml[/]")
    typer.echo(found.yaml.rstrip())


def _show_format(out: Console, found: Explained) -> None:
    from rich.table import Table

    out.print("\n[bold]How it is read[/]")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in found.format.model_dump(exclude_none=True).items():
        table.add_row(
            name, _safe(repr(value) if isinstance(value, str) and name != "type" else str(value)), _safe(found.reasons.get(name, ""))
        )
    out.print(table)


def _show_columns(out: Console, found: Explained) -> None:
    from rich.table import Table

    doubtful = " ".join(f.text.split(":")[0] for f in found.findings if f.kind == "ambiguous")
    table = Table("column", "in the file", "type", "written", "empty", "why", box=None, padding=(0, 2))
    for column in found.columns:
        style = "yellow" if column.name in doubtful.split() else ""
        origin = "" if column.origin == column.name else _safe(repr(column.origin))
        percent = 100 * column.empty / column.rows if column.rows else 0
        share = "" if not percent else f"{percent:.0f} %" if percent >= 1 else "< 1 %"
        table.add_row(
            _safe(column.name), origin, column.column.type, _safe(_written(column)), share, _safe(_why(column, found)), style=style
        )
    out.print("\n[bold]Columns[/]")
    out.print(table)


def _written(column: Proposal) -> str:
    said = {name: getattr(column.column, name) for name in CONVENTIONS if getattr(column.column, name) is not None}
    return ", ".join(f"{name} {_plain(value)}" for name, value in said.items())


def _plain(value: Any) -> str:
    return "/".join(map(repr, value)) if isinstance(value, list) else repr(value)


def _why(column: Proposal, found: Explained) -> str:
    before, after = found.examples.get(column.name, ("", ""))
    return column.reason + (f"; '{before}' becomes {after}" if before and before != after else "")


def _show_findings(out: Console, findings: list[Finding]) -> None:
    if not findings:
        return
    out.print("\n[bold]To know[/]")
    for finding in sorted(findings, key=lambda f: f.kind):
        mark, style = ("?", "yellow") if finding.kind == "ambiguous" else ("·", "")
        out.print(f"  {mark} {_safe(finding.text)}", style=style)


def _show_rows(out: Console, found: Explained) -> None:
    from rich.table import Table

    if found.hidden:
        out.print("\n[bold]First rows[/]: not shown, the dataset is about persons (--show-values shows them)")
        return
    if not found.rows:
        return
    names, widths = list(found.rows[0]), list[int]()
    for name in names:
        longest = max(len(_cell(row[name])[0]) for row in found.rows)
        widths.append(min(CELL, max(longest, min(len(name), HEADING), 1)))
        if sum(widths) + 3 * len(widths) + 1 > out.width and len(widths) > 1:
            widths.pop()
            break
    table = Table(padding=(0, 1))
    for name, width in zip(names, widths, strict=False):
        numeric = any(c.origin == name and c.column.type in ("integer", "number") for c in found.columns)
        table.add_column(_safe(name) or " ", no_wrap=True, overflow="ellipsis", width=width, justify="right" if numeric else "left")
    for row in found.rows:
        table.add_row(*(_styled(row[name]) for name in names[: len(widths)]))
    out.print("\n[bold]First rows[/]")
    out.print(table)
    if rest := names[len(widths) :]:
        out.print(f"  and {len(rest)} more column(s): {_safe(', '.join(rest))}")


def _styled(value: Any) -> str:
    text, absent = _cell(value)
    return f"[dim]{text}[/]" if absent else _escaped(text)


def _cell(value: Any) -> tuple[str, bool]:
    """Its text, and whether there is no value."""
    return ("∅", True) if value is None else (_one_line(str(value)), False)


def _safe(text: str) -> str:
    return _escaped(_one_line(text))


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _one_line(text: str) -> str:
    """Without what would steer the terminal."""
    text = text.replace("\r\n", "↵").replace("\n", "↵").replace("\r", "↵").replace("\t", "→")
    return "".join(c if c.isprintable() or c in SPACES else "�" for c in text)


def _show_frozen(out: Console, found: Explained) -> None:
    out.print(f"\n[bold]Kept from {found.version}[/]: later files are read the same")
    form, columns = found.frozen.get("format", {}), found.frozen.get("columns", {})
    out.print("  " + (_safe(", ".join(f"{k} {v!r}" for k, v in form.items())) or "nothing"))
    for name, convention in columns.items():
        said = ", ".join("ISO 8601" if k == "iso" else f"{k} {_plain(v)}" for k, v in convention.items())
        out.print(f"  {_safe(name)}: {_safe(said)}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


COMMANDS = (explain,)
