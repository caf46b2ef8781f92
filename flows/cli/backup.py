"""socle backup, restore: copies of the lake and of Prefect's database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.backup.store import Snapshot, Store
    from flows.lake import Lake
    from flows.settings import Settings

Folder = Annotated[Path, typer.Argument(help="The folder of the copies: another disk, or a share.")]
NoDatabase = Annotated[bool, typer.Option("--no-database", help="Only the lake.")]


def backup(
    folder: Folder,
    no_database: NoDatabase = False,
    verify: Annotated[bool, typer.Option("--verify", help="Make none; read every byte of the newest copy again.")] = False,
    keep_days: Annotated[float | None, typer.Option(min=1, help="Afterwards forget copies older than that; the newest stays.")] = None,
    json: Json = False,
) -> None:
    """Copy every bucket and Prefect's database, as they are now, while work goes on. What did not change is not read again."""
    from flows.backup.store import Store
    from flows.cli import display
    from flows.settings import load_settings

    settings, store = load_settings(), Store(folder.resolve())
    snapshot = store.load() if verify else _save(settings, store, no_database)
    if verify:
        _verify(store, snapshot)
    old, freed = store.prune(keep_days, datetime.now(UTC)) if keep_days is not None and not verify else ([], 0)
    if json:
        display.as_json(_summary(snapshot) | {"forgotten": old, "freed_bytes": freed})
    else:
        _print(snapshot, "is whole" if verify else "was made")
        if old:
            typer.echo(f"{len(old)} older copies forgotten, {freed / 1e6:.1f} MB freed")
    if snapshot.missing:
        raise typer.Exit(3)


def restore(
    folder: Folder,
    copy: Annotated[str | None, typer.Option(help="Which copy, by its name; the newest if left out.")] = None,
    no_database: NoDatabase = False,
    json: Json = False,
) -> None:
    """Write a copy into an empty lake (SOCLE_STORAGE) and an empty database. Nothing that is there is ever overwritten."""
    from flows.backup import buckets, database
    from flows.backup.store import Store
    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.lake import Lake
    from flows.settings import load_settings
    from flows.steps.trail import note

    settings, store = load_settings(), Store(folder.resolve())
    snapshot, lake = store.load(copy), Lake(settings)
    url = "" if no_database or not snapshot.database else _database(settings)
    if snapshot.database and not (url or no_database):
        raise ConfigurationError("there is no database to restore into", where=database.ENV, hint=f"set {database.ENV}, or --no-database")
    for project in snapshot.buckets:  # all of them, before anything is written
        lake.bucket(project).ensure()
        buckets.require_empty(project, lake.bucket(project))
    if url:
        database.require_empty(url)
    for project, entries in snapshot.buckets.items():
        buckets.restore(project, lake.bucket(project), store, entries, _say)
        note(lake, project, "restore", parameters={"copy": snapshot.name}, details={"objects": len(entries)})
    if url:
        for _ in store.stream(snapshot.database["sha256"]):
            pass
        database.restore(url, snapshot.database["kind"], store.path(snapshot.database["sha256"]))
    if json:
        display.as_json(_summary(snapshot))
    else:
        _print(snapshot, "was restored")


def _save(settings: Settings, store: Store, no_database: bool) -> Snapshot:
    """The database first: a run that it calls completed has its versions in the lake by then."""
    import tempfile

    from flows.backup import buckets, database
    from flows.backup.store import TIME, Snapshot
    from flows.errors import ConfigurationError
    from flows.lake import Lake

    lake = Lake(settings)
    before = store.load().buckets if store.names() else {}
    snapshot = Snapshot(datetime.now(UTC).strftime(TIME), {})
    if snapshot.name in store.names():
        raise ConfigurationError("a copy was made in this very second", where=str(store.folder))
    if not no_database:
        if not (url := _database(settings)):
            raise ConfigurationError(
                "no database of Prefect was found",
                where=f"{database.ENV}, {settings.state_folder}",
                hint=f"set {database.ENV}, or --no-database",
            )
        with tempfile.TemporaryDirectory() as folder:
            database.dump(url, Path(folder) / "dump")
            snapshot.database = {"kind": database.kind(url), "sha256": store.add_file(Path(folder) / "dump")[0]}
    for project in _projects(settings, lake):
        entries, lacking = buckets.copy(project, lake.bucket(project), store, before.get(project, {}), _say)
        snapshot.buckets[project] = entries
        if lacking:
            snapshot.missing[project] = lacking
    store.save(snapshot)
    return snapshot


def _projects(settings: Settings, lake: Lake) -> list[str]:
    """Declared or not: a bucket whose project file is gone holds data all the same."""
    from flows.lake import keys
    from flows.validation import project_names

    declared = [*project_names(settings.root), keys.COMMON]
    return sorted({*(name for name in declared if lake.bucket(name).bucket_exists()), *lake.projects()})


def _verify(store: Store, snapshot: Snapshot) -> None:
    """Raises: StorageError for bytes that are not what they were."""
    from flows.backup.closure import missing
    from flows.backup.store import Copied

    for sha256 in sorted(set(snapshot.hashes())):
        for _ in store.stream(sha256):
            pass
    snapshot.missing = {p: lacking for p, entries in snapshot.buckets.items() if (lacking := missing(Copied(store, p, entries)))}


def _database(settings: Settings) -> str:
    from flows.backup import database

    return database.find(settings)


def _say(project: str, objects: int, size: int) -> None:
    typer.echo(f"{project}: {objects} objects, {size / 1e6:.1f} MB", err=True)


def _summary(snapshot: Snapshot) -> dict[str, Any]:
    sizes = {p: {"objects": len(e), "bytes": sum(one.size for one in e.values())} for p, e in snapshot.buckets.items()}
    return {"copy": snapshot.name, "buckets": sizes, "database": snapshot.database.get("kind"), "missing": snapshot.missing}


def _print(snapshot: Snapshot, what: str) -> None:
    count = sum(len(entries) for entries in snapshot.buckets.values())
    size = sum(entry.size for entries in snapshot.buckets.values() for entry in entries.values())
    typer.echo(f"Copy {snapshot.name} {what}: {len(snapshot.buckets)} buckets, {count} objects, {size / 1e6:.1f} MB", nl=False)
    typer.echo(f", and the {snapshot.database['kind']} database." if snapshot.database else ", no database.")
    for project, lacking in snapshot.missing.items():
        typer.echo(f"{project}: {len(lacking)} objects that its versions need are not in the lake, for example {lacking[0]}", err=True)


COMMANDS = (backup, restore)
