"""Who may do what in each bucket, made from the project files. Pure functions; `socle doctor --create` applies what they give.

A project's keys open its own bucket, and of others what is shared with it. A bucket's policy rests on its own project's file, and
on nothing in the others: whoever breaks theirs changes nobody else's rights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flows.lake import keys
from flows.project import Project

WORK_IN = ("s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketMultipartUploads")
WORK_ON = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject")
READ = ("s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetObject", "s3:ListBucket")
RIGHTS = (  # whoever writes an object owns it, and could hand out rights to it, were it not denied
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketAcl",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutObjectAcl",
)


@dataclass(frozen=True)
class Principals:
    """Who is who, in the words of the storage (`arn:aws:iam:::user/socle-{project}`)."""

    project: str
    """With `{project}` in it."""
    admin: str = ""
    reader: str = ""

    def of(self, project: str) -> str:
        return self.project.replace("{project}", project)


def own_bucket(bucket: str, project: Project, who: Principals) -> dict[str, Any]:
    """Of a project's bucket: its keys work in it but delete no record of audits and erasures, and others read what it shares with them."""
    me, arn = who.of(project.name), f"arn:aws:s3:::{bucket}"
    statements = [
        *_staff(arn, who),
        _allow("OwnBucket", me, WORK_IN, arn),
        _allow("OwnObjects", me, WORK_ON, f"{arn}/*"),
        _deny("RecordsAreKept", me, ("s3:DeleteObject", "s3:DeleteObjectVersion"), f"{arn}/{keys.AUDIT}/*", f"{arn}/{keys.ERASURES}*"),
        _deny("RightsStay", me, RIGHTS, arn, f"{arn}/*"),
    ]
    for number, (name, dataset) in enumerate(sorted(project.datasets.items()), 1):
        readers = sorted({who.of(other) for other in dataset.shared_with if other != project.name})
        if not readers:
            continue
        table = keys.table(name)
        # Listing below the table and nowhere else: a LIST without a prefix, or with a shorter one, names other things too.
        below = {"StringLike": {"s3:prefix": [f"{table}/*"]}}
        statements.append(_allow(f"List{number}", readers, ("s3:ListBucket",), arn) | {"Condition": below})
        statements.append(_allow(f"Read{number}", readers, ("s3:GetObject",), f"{arn}/{table}/*"))
    return _document(statements)


def common_bucket(bucket: str, projects: Iterable[str], who: Principals) -> dict[str, Any]:
    """Of what all share: every project reads it, only the administrator writes there."""
    arn, everyone = f"arn:aws:s3:::{bucket}", sorted(who.of(name) for name in projects)
    statements = _staff(arn, who)
    if everyone:
        statements.append(_allow("AllRead", everyone, READ, arn, f"{arn}/*"))  # once: services limit a policy to 20 kB
    return _document(statements)


def same(there: str | None, wanted: dict[str, Any]) -> bool:
    """Whether a bucket's policy says what is wanted: services write the same document in several ways."""
    try:
        return there is not None and _plain(json.loads(there)) == _plain(wanted)
    except ValueError:
        return False


def text(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _staff(arn: str, who: Principals) -> list[dict[str, Any]]:
    """The administrator by name as well: on Ceph, the owner of a bucket may not read what others wrote there."""
    found = [_allow("Administrator", who.admin, ("s3:*",), arn, f"{arn}/*")] if who.admin else []
    if who.reader:
        found.append(_allow("Reader", who.reader, READ, arn, f"{arn}/*"))
    return found


def _allow(name: str, who: str | list[str], actions: Iterable[str], *resources: str) -> dict[str, Any]:
    return _statement(name, "Allow", who, actions, resources)


def _deny(name: str, who: str | list[str], actions: Iterable[str], *resources: str) -> dict[str, Any]:
    return _statement(name, "Deny", who, actions, resources)


def _statement(name: str, effect: str, who: str | list[str], actions: Iterable[str], resources: Iterable[str]) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": effect,
        "Principal": {"AWS": who if isinstance(who, list) else [who]},
        "Action": sorted(actions),
        "Resource": list(resources),
    }


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _plain(value: Any) -> Any:
    """Without what does not matter: order, and whether one thing is in a list."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in sorted(value.items())}
    if isinstance(value, list):
        return sorted((_plain(v) for v in value), key=repr) if len(value) != 1 else _plain(value[0])
    return value
