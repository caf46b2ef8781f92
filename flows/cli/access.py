"""What `socle doctor` finds about rights in the buckets, and with --create puts right. Needs the administrator's keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.cli.findings import Finding
from flows.errors import SocleError
from flows.lake import Lake, keys, policies
from flows.lake.datasets import Dataset
from flows.lake.s3 import S3Objects
from flows.project import Project
from flows.settings import Settings
from flows.validation import check_project, project_names

APPLY = "socle doctor --create, with the administrator's keys"


def access(settings: Settings, *, create: bool) -> Iterator[Finding]:
    lake = Lake(settings)
    if lake.is_local:
        return
    if not settings.s3_principal:
        yield Finding("access", "warning", "one key opens every bucket: SOCLE_S3_PRINCIPAL is not set", "docs/ops/isolation.md")
        return
    if not settings.s3_admin_principal:
        found = "SOCLE_S3_ADMIN_PRINCIPAL is not set: on Ceph, the administrator cannot read what projects write"
        yield Finding("access", "warning", found, "set it")
    who = policies.Principals(settings.s3_principal, settings.s3_admin_principal, settings.s3_reader_principal)
    names = project_names(settings.root)
    for name in names:
        project, problems = check_project(settings.root, name)
        if project is None or problems:
            found = "left as it is: the project does not load, so that nobody can say who may read what"
            yield Finding(f"access to {lake.bucket_name(name)}", "error", found, f"socle validate {name}", 2)
            continue
        yield from _bucket(lake, name, policies.own_bucket(lake.bucket_name(name), project, who), create)
        yield from _shared(lake, project, create)
    yield from _bucket(lake, keys.COMMON, policies.common_bucket(lake.bucket_name(keys.COMMON), names, who), create)


def _bucket(lake: Lake, name: str, wanted: dict[str, Any], create: bool) -> Iterator[Finding]:
    what = f"access to {lake.bucket_name(name)}"
    objects = lake.bucket(name)
    assert isinstance(objects, S3Objects)
    try:
        there = objects.policy()
        if policies.same(there, wanted):
            yield Finding(what, "ok", "as the project files say")
        elif not create:
            yield Finding(what, "error", "no policy" if there is None else "not what the project files say", APPLY)
        else:
            _apply(lake, name, objects, wanted)
            yield Finding(what, "ok", "set now, as the project files say")
    except SocleError as error:
        yield Finding(what, "error", f"{error.message} ({error.where})", error.hint)


def _apply(lake: Lake, name: str, objects: S3Objects, wanted: dict[str, Any]) -> None:
    from flows.errors import StorageError
    from flows.steps.trail import recorded

    with recorded(lake, name, "doctor", parameters={"create": "policy"}) as details:
        objects.set_policy(policies.text(wanted))
        if not policies.same(objects.policy(), wanted):
            raise StorageError("the S3 service keeps another policy than it was given", where=objects.name, hint="use another S3 service")
        details["policy"] = "set"


def _shared(lake: Lake, project: Project, create: bool) -> Iterator[Finding]:
    """Who reads a table by policy alone is told that a missing object is forbidden, and Delta readers ask for one that may be missing."""
    for name, dataset in project.datasets.items():
        table = Dataset(lake, project.name, name)
        what = f"{project.name}/{name}, shared with {', '.join(dataset.shared_with)}"
        try:
            if not dataset.shared_with or table.has_checkpoint() or table.open() is None:
                continue
            if not create:
                yield Finding(what, "error", "cannot be read there: the table has no checkpoint", APPLY)
                continue
            table.ensure_checkpoint()
            yield Finding(what, "ok", "checkpoint made now")
        except SocleError as error:
            yield Finding(what, "error", f"{error.message} ({error.where})", error.hint)
