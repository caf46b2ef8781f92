"""socle audit: who asked for what, and what it read and wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Json, OptionalProject
from flows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from flows.lake.trail import Entry, Trail
    from flows.settings import Settings

DAYS = 7  # looked at when neither --since nor --version says how many
LONGEST_RUN_DAYS = 3  # a version is made by work that started some time before
OUTCOMES = {"done": "green", "nothing": "dim", "refused": "yellow", "failed": "red", "stopped": "yellow", "": "bold red"}


def audit(
    project: OptionalProject = None,
    since: Annotated[str | None, typer.Option("--since", help="First day, as 2026-11-24 or 30d; 7d if left out.")] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="REF", help="Only what read, wrote or pointed at it: project/name@3, or project/name."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Records to show, the newest.")] = 50,
    json: Json = False,
) -> None:
    """Who asked for what, when and why; which versions were read and written; how it ended. The newest first."""
    from itertools import islice

    from flows.cli import display
    from flows.lake.trail import newest
    from flows.settings import load_settings

    settings = load_settings()
    reference = _reference(version, project) if version else None
    trails, closed = _trails(settings, project)
    first = _day(since) if since else _first_day(settings, reference)
    found: Iterator[Entry] = (e for e in newest(trails, first) if reference is None or e.concerns(reference))
    entries = list(islice(found, limit + 1))
    if json:
        display.as_json({"since": first, "entries": entries[:limit], "more": len(entries) > limit, "not_readable": closed})
        return
    _show(entries[:limit], several=len(trails) > 1)
    if not entries:
        typer.echo(f"Nothing on record since {first}.")
    if len(entries) > limit:
        typer.echo(f"… and more since {first}: --limit {limit * 4}, or a later --since.")
    for name, reason in closed.items():
        typer.echo(f"not readable: {name}: {reason}", err=True)


def _reference(text: str, project: str | None) -> str:
    from flows.lake.references import parse

    reference = parse(text, project)
    if reference.alias:
        raise ConfigurationError(
            f"{text!r}: the audit trail knows versions by number", hint=f"socle show {text}, then --version with its number"
        )
    return str(reference)


def _trails(settings: Settings, project: str | None) -> tuple[list[Trail], dict[str, str]]:
    """Of one project or of all, also of those whose files are gone and whose buckets these keys list. Of all, those that these
    keys do not open are named, and the others are read."""
    from contextlib import suppress

    from flows.errors import SocleError
    from flows.lake import Lake, keys
    from flows.lake.trail import Trail
    from flows.validation import project_names, suggest

    declared = project_names(settings.root)
    names = [*declared, keys.COMMON]
    if project not in names:
        with suppress(SocleError):  # these keys may not list buckets
            names += [name for name in Lake(settings).projects() if name not in names]
    if project is not None and project not in names:
        raise ConfigurationError(f"there is no project {project!r}", where=str(settings.root / "projects"), hint=suggest(project, names))
    trails, closed = [], {}
    for name in [project] if project else names:
        try:
            lake = Lake(settings.for_project(name) if name in declared else settings)
            trail = Trail(lake, name)
            if not trail.objects.bucket_exists():
                continue
            trails.append(trail)
        except SocleError as error:
            if project is not None:
                raise
            closed[name] = error.message
    if closed and not trails:
        name, reason = next(iter(closed.items()))
        raise ConfigurationError(
            f"no audit trail can be read ({name}: {reason})", hint="socle audit PROJECT, with the keys of that project"
        )
    return trails, closed


def _day(text: str) -> date:
    from datetime import UTC, date, datetime, timedelta

    today = datetime.now(UTC).date()
    try:
        if text.endswith("d") and text[:-1].isdigit():
            return today - timedelta(days=int(text[:-1]))
        return date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ConfigurationError(f"--since {text!r} is neither a day like {today} nor a number of days like 30d") from None


def _first_day(settings: Settings, reference: str | None) -> date:
    """From when on a version can have been read or written: since shortly before it was made."""
    from datetime import UTC, datetime, timedelta

    today = datetime.now(UTC).date()
    if reference is None:
        return today - timedelta(days=DAYS)
    return min(_made(settings, reference), today) - timedelta(days=LONGEST_RUN_DAYS)


def _made(settings: Settings, reference: str) -> date:
    """Raises: NotFound if the version is not there."""
    from datetime import datetime

    from flows.lake import Lake
    from flows.lake.datasets import Dataset
    from flows.lake.models import Models
    from flows.lake.references import parse
    from flows.validation import load_project

    wanted = parse(reference)
    project = load_project(settings.root, wanted.project)
    lake = Lake(settings.for_project(wanted.project))
    if wanted.name in project.models:
        return datetime.fromisoformat(Models(lake, wanted.project, wanted.name).resolve(wanted).made["at"]).date()
    table = Dataset(lake, wanted.project, wanted.name)
    known = {v.number: v for v in table.history()}  # also those that have expired since
    return (known[wanted.version] if wanted.version in known else table.resolve(wanted)).at.date()


def _show(entries: list[Entry], *, several: bool) -> None:
    from rich.table import Table

    from flows.cli import display

    if not entries:
        return
    table = Table("started (UTC)", "who", *(["project"] if several else []), "what", "ended as", "read", "wrote", box=None, padding=(0, 2))
    for e in entries:
        who = e.who if e.trigger in ("login", "command") else f"{e.who} ({e.trigger})"
        asked = [e.what, *(f"{k}={v}" for k, v in e.parameters.items()), f"« {e.reason} »" if e.reason else ""]
        wrote = [*e.wrote, *(f"{name} → @{number}" for name, number in e.moved.items()), *(f"{name} expired" for name in e.expired)]
        wrote += [f"{e.deleted} objects deleted"] if e.deleted else []
        wrote += [f"{k}: {v}" for k, v in e.details.items()]
        cells = [e.started[:16].replace("T", " "), who, *([e.project] if several else []), " ".join(filter(None, asked))]
        table.add_row(
            *map(_plain, cells), _outcome(e), *("\n".join(_plain(_short(r, e.project)) for r in refs) for refs in (e.read, wrote))
        )
    out = display.console()
    if not out.is_terminal:
        out.width = 200
    out.print(table)


def _plain(text: str) -> str:
    """What somebody sent, in a terminal that it cannot steer."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "·" for c in text))


def _outcome(e: Entry) -> str:
    words = e.outcome or "no end on record: it goes on, or was killed"
    return f"[{OUTCOMES.get(e.outcome, 'red')}]{_plain(words)}[/]" + (f"\n{_plain(e.message.splitlines()[0])}" if e.message else "")


def _short(reference: str, project: str) -> str:
    return reference.removeprefix(f"{project}/")


COMMANDS = (audit,)
