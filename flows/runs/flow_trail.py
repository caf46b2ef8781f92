"""The audit trail around a flow run: on record before anything changes, and again with how it ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from prefect import get_run_logger
from prefect.runtime import flow_run

from flows.errors import StorageError
from flows.lake import Lake
from flows.lake.touched import Touched
from flows.lake.trail import Entry, Trail
from flows.runs.who import asked
from flows.settings import Settings, load_settings
from flows.steps.trail import NOT_RECORDED, ended, new_entry, record_end
from flows.validation import project_names


@dataclass
class FlowTrail:
    """Of one flow run. Until it has begun, its ends are recorded nowhere."""

    touched: Touched
    entry: Entry | None = None
    trail: Trail | None = None
    settings: Settings | None = None
    closed: bool = False

    async def begin(self, flow: str, project: str, parameters: dict[str, Any]) -> None:
        """Raises: StorageError; the run must not go on then."""
        settings = load_settings()
        if project not in project_names(settings.root):
            return  # it has no bucket: the run ends with that
        by = asked()
        given = {k: v for k, v in parameters.items() if k not in ("project", "reason")}
        self.entry = new_entry(
            project,
            flow,
            parameters=given,
            reason=str(parameters.get("reason") or ""),
            who=by.who,
            trigger=by.trigger,
            run_id=str(flow_run.id),
        )
        self.settings = settings.for_project(project)
        trail = await anyio.to_thread.run_sync(self._open)
        await anyio.to_thread.run_sync(trail.start, self.entry)
        self.trail = trail

    async def done(self) -> None:
        """Raises: SystemFailure if it cannot be recorded."""
        if self.trail is not None and self.entry is not None and self.settings is not None:
            self.closed = True
            await anyio.to_thread.run_sync(record_end, self.trail, ended(self.entry, self.touched, {}), self.settings.audit_patience_s)

    async def failed(self, error: Exception) -> None:
        """What the run failed of is worth more than its record: that it is missing is said in the log."""
        if self.trail is None or self.entry is None or self.settings is None or self.closed:
            return
        self.closed = True
        down = isinstance(error, StorageError)  # and was waited for already: asked once more, as a service that never answered
        trail, patience_s = (self._open(), 0.0) if down else (self.trail, self.settings.audit_patience_s)
        try:
            await anyio.to_thread.run_sync(trail.end, ended(self.entry, self.touched, {}, error), patience_s)
        except StorageError as unrecorded:
            get_run_logger().error("%s (%s)", NOT_RECORDED, unrecorded.message)

    def stopped(self, error: BaseException) -> None:
        """Somebody cancelled the run, or its worker ends: its process has little time left, and may wait for nothing."""
        if self.trail is not None and self.entry is not None and not self.closed:
            self.closed = True
            with suppress(StorageError):
                self._open().end(ended(self.entry, self.touched, {}, error))

    def _open(self) -> Trail:
        assert self.entry is not None and self.settings is not None
        return Trail(Lake(self.settings), self.entry.project)
