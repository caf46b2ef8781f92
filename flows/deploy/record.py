"""What a deployment changed, in the audit trail of each project that it changed something for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flows.deploy.plan import Change
from flows.deployments import PLATFORM
from flows.errors import SocleError
from flows.lake import Lake
from flows.settings import Settings
from flows.steps.trail import note

AT_ONCE = 8
RECORDED = ("added", "changed", "removed")


def record(changes: list[Change], settings: Settings) -> dict[str, str]:
    """Of work that is done. A project that has no bucket yet has no trail, either.

    Returns: project -> why it could not be recorded.
    """
    details: dict[str, dict[str, str]] = {}
    for change in changes:
        if change.kind in RECORDED and change.project != PLATFORM:  # that has no bucket, and so no trail
            flow = change.name.partition("/")[0] + (f" ({', '.join(change.fields)})" if change.fields else "")
            kinds = details.setdefault(change.project, {})
            kinds[change.kind] = f"{kinds[change.kind]}, {flow}" if change.kind in kinds else flow

    def one(project: str) -> str:
        try:
            lake = Lake(settings.for_project(project))
            if lake.bucket(project).bucket_exists():
                note(lake, project, "deploy", details=details[project])
        except SocleError as error:
            return error.message
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        reasons = dict(zip(details, pool.map(one, details), strict=True))
    return {project: reason for project, reason in reasons.items() if reason}
