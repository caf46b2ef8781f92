"""Who asked for the flow run that goes on, and how.

The proxy in front of the server says on each request who is logged in, in the headers that Prefect knows a creator by; Prefect keeps
that with the run (docs/ops/proxy.md). Without a proxy nobody knows, and it is the worker's user who is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from prefect.context import FlowRunContext

from flows.steps import whoami

LOGIN = UUID("50c1e000-0000-4000-8000-10617050c1e0")  # Prefect-Automation-Id that the proxy sends (infra/nginx/)
SCHEDULE = "planification"


@dataclass(frozen=True)
class Asked:
    who: str
    trigger: str
    """See flows.lake.trail.Entry."""


_asked: ContextVar[Asked | None] = ContextVar("socle_asked", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """For the flow runs that this one starts: Prefect does not say of those who asked for them."""
    token = _asked.set(asked())
    try:
        yield
    finally:
        _asked.reset(token)


def asked() -> Asked:
    if (known := _asked.get()) is not None:
        return known
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None:
        return Asked(whoami(), "command")
    made = run.created_by
    if run.auto_scheduled or (made is not None and made.type == "SCHEDULE"):
        return Asked(SCHEDULE, "schedule")
    if made is not None and made.display_value:
        return Asked(made.display_value, "login" if made.id == LOGIN else "automation")
    return Asked(whoami(), "command" if run.deployment_id is None else "unnamed")
