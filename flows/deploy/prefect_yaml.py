"""The same list as a prefect.yaml, for people who use `prefect deploy`.

What that command cannot say is missing from it: titles and choices of run forms (it makes them from the signature), pools,
queues and their limits, and the removal of what is gone.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from flows.deploy.plan import SLUG, desired
from flows.deployments import Deployment

FILE = "prefect.yaml"
HEAD = """\
# Written by `socle deploy --prefect-yaml` from projects/: change it there.
# `socle deploy` first, once: it makes the pools and queues. It also makes better run forms, and removes what is gone.
"""


def render(wanted: list[Deployment]) -> str:
    from ruamel.yaml import YAML

    content = {"name": "socle", "pull": [], "deployments": [_entry(d) for d in wanted]}
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 140
    text = io.StringIO()
    yaml.dump(content, text)
    return HEAD + text.getvalue()


def write(root: Path, wanted: list[Deployment]) -> Path:
    path = root / FILE
    path.write_text(render(wanted), encoding="utf-8")
    return path


def _entry(deployment: Deployment) -> dict[str, Any]:
    fields = desired(deployment)
    entry = {key: fields[key] for key in ("version", "description", "tags", "parameters", "enforce_parameter_schema", "entrypoint")}
    entry = {"name": deployment.place, **entry}
    entry["work_pool"] = {
        "name": fields["work_pool_name"],
        "work_queue_name": fields["work_queue_name"],
        "job_variables": fields["job_variables"],
    }
    if fields["concurrency"]:
        limit, collision, start_s = fields["concurrency"]
        entry["concurrency_limit"] = {"limit": limit, "collision_strategy": collision, "grace_period_seconds": start_s}
    if deployment.schedule:
        ours: dict[str, Any] = {"cron": deployment.schedule.cron, "timezone": deployment.schedule.timezone, "slug": SLUG}
        entry["schedules"] = [ours | ({"parameters": dict(deployment.spec.on_schedule)} if deployment.spec.on_schedule else {})]
    return entry
