"""What `socle doctor` tries. Each finding is one line: what was tried, what was found, what to do."""

from __future__ import annotations

import shutil
import stat
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from flows.cli.access import access
from flows.cli.findings import Finding
from flows.errors import SocleError
from flows.lake import Lake, keys
from flows.lake.objects import Objects
from flows.settings import Settings
from flows.steps.trail import note
from flows.validation import check_project, project_names

MIN_FREE_GB = 5.0
RACERS, RACES = 8, 5  # creates of one object at the same time, and how often that is tried


def diagnose(settings: Settings, *, create: bool) -> list[Finding]:
    return [
        *_projects(settings),
        *_storage(settings, create),
        *access(settings, create=create),
        *_machine(settings),
        _notifications(settings),
    ]


def _projects(settings: Settings) -> Iterator[Finding]:
    names = project_names(settings.root)
    if not names:
        yield Finding("projects", "warning", f"none under {settings.root / 'projects'}", "socle new NAME")
    for name in names:
        problems = check_project(settings.root, name)[1]
        state: Literal["ok", "error"] = "error" if problems else "ok"
        yield Finding(
            f"project {name}",
            state,
            f"{len(problems)} problem(s)" if problems else "valid",
            f"socle validate {name}" if problems else "",
            2,
        )


def _storage(settings: Settings, create: bool) -> Iterator[Finding]:
    lake = Lake(settings)
    yield Finding("storage", "ok", lake.place)
    for name in [*project_names(settings.root), keys.COMMON]:
        what = f"bucket {lake.bucket_name(name)}"
        try:
            yield _bucket(lake, name, what, create)
        except SocleError as error:
            yield Finding(what, "error", f"{error.message} ({error.where})", error.hint)


def _bucket(lake: Lake, name: str, what: str, create: bool) -> Finding:
    objects = lake.bucket(name)
    made = ""
    if not objects.bucket_exists():
        if not create:
            return Finding(what, "error", "does not exist", "socle doctor --create")
        objects.ensure()
        made = "made now, "
        note(lake, name, "doctor", parameters={"create": "bucket"}, details={"bucket": "made"})
    off = getattr(objects, "versioning_is_off", None)
    if off is not None and not off():
        return Finding(what, "error", f"{made}versioning is on: conditional writes are not safe", "turn bucket versioning off")
    if not _second_create_is_refused(objects):
        return Finding(
            what, "error", f"{made}a second create of one object was accepted: writers could overwrite each other", "use another S3 service"
        )
    if (winners := _creates_that_won(objects)) != 1:
        found = f"{made}of {RACERS} creates of one object at the same time, {winners} were accepted: writers could overwrite each other"
        return Finding(what, "error", found, "use another S3 service (docs/decisions/0018-s3-server.md)")
    return Finding(what, "ok", f"{made}writable, conditional writes hold")


def _second_create_is_refused(objects: Objects) -> bool:
    key = keys.probe(uuid.uuid4().hex)
    try:
        return objects.create(key, b"1") and not objects.create(key, b"2") and objects.get(key) == b"1"
    finally:
        objects.delete(key)


def _creates_that_won(objects: Objects) -> int:
    """A service may look first and write afterwards: one after the other is refused then, and both of two at the same time are not."""
    won = 0
    for _ in range(RACES):
        key = keys.probe(uuid.uuid4().hex)
        try:
            with ThreadPoolExecutor(RACERS) as pool:
                results = list(pool.map(lambda n, key=key: objects.create(key, str(n).encode()), range(RACERS)))
        finally:
            objects.delete(key)
        won = sum(results)
        if won != 1:
            break
    return won


def _machine(settings: Settings) -> Iterator[Finding]:
    npm = shutil.which("npm")
    yield Finding("npm client", "ok" if npm else "warning", npm or "not on PATH", "" if npm else "install npm for sources of type npm")
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(settings.state_folder).free / 1e9
    enough = free_gb >= MIN_FREE_GB
    yield Finding(
        "disk",
        "ok" if enough else "warning",
        f"{free_gb:.0f} GB free for work files",
        "" if enough else f"{MIN_FREE_GB:.0f} GB or more is wise",
    )


def _notifications(settings: Settings) -> Finding:
    from flows.notify import targets

    try:
        found = targets.read(settings.notify_urls_file)
    except SocleError as error:
        return Finding("notifications", "error", f"{error.message} ({error.where})", error.hint, 2)
    strangers = sorted({t.project for t in found} - {targets.EVERYONE, *project_names(settings.root)})
    if strangers:
        return Finding(
            "notifications", "warning", f"targets for projects that are not there: {', '.join(strangers)}", "correct their lines"
        )
    if settings.notify_urls_file and settings.notify_urls_file.stat().st_mode & stat.S_IRWXO:
        return Finding("notifications", "warning", "others may read the file of addresses", f"chmod o= {settings.notify_urls_file}")
    if not found:
        return Finding("notifications", "warning", "nobody is told when a run fails", "set SOCLE_NOTIFY_URLS_FILE")
    return Finding("notifications", "ok", f"{len(found)} target(s)", "")
