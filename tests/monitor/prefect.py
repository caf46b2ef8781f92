"""A Prefect server of memory: it answers the questions that flows/monitor/api.py asks, as the real one does."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

Json = dict[str, Any]


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass
class Server:
    flows: list[Json] = field(default_factory=list)
    deployments: list[Json] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    pools: list[Json] = field(default_factory=lambda: [{"name": "socle", "is_paused": False}])
    queues: list[Json] = field(default_factory=list)
    workers: list[Json] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    status: int = 200

    def deploy(self, project: str, flow: str, schedules: list[Json] | None = None, paused: bool = False) -> str:
        known = {f["name"]: f["id"] for f in self.flows}
        if flow not in known:
            self.flows.append({"id": str(uuid.uuid4()), "name": flow})
            known[flow] = self.flows[-1]["id"]
        made = {
            "id": str(uuid.uuid4()),
            "name": project,
            "flow_id": known[flow],
            "work_pool_name": "socle",
            "paused": paused,
            "schedules": schedules or [],
        }
        self.deployments.append(made)
        return str(made["id"])

    def run(self, deployment: str | None, state: str, at: float, seconds: float = 10.0, **more: Any) -> Json:
        """A run that came into that state at that time."""
        flow = next((d["flow_id"] for d in self.deployments if d["id"] == deployment), None)
        made = {
            "id": str(uuid.uuid4()),
            "deployment_id": deployment,
            "flow_id": flow,
            "parameters": {},
            "parent_task_run_id": None,
            "state_type": state,
            "state_name": state.title(),
            "state": {"timestamp": iso(at)},
            "end_time": iso(at) if state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None,
            "expected_start_time": iso(at),
            "total_run_time": seconds,
        } | more
        self.runs.append(made)
        return made

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/")
        self.asked[path] += 1
        if self.status != 200:
            return httpx.Response(self.status, text="secret")
        body = json.loads(request.content) if request.content else {}
        if path == "health":
            return httpx.Response(200, json=True)
        if path == "deployments/count":
            return httpx.Response(200, json=len(self.deployments))
        found = {
            "flows/filter": self.flows,
            "deployments/filter": self.deployments,
            "work_pools/filter": self.pools,
            "work_pools/socle/queues/filter": self.queues,
            "work_pools/socle/workers/filter": self.workers,
        }.get(path)
        if found is None:
            assert path == "flow_runs/filter", path
            found = [r for r in self.runs if _matches(r, body["flow_runs"])]
            if body["sort"] == "END_TIME_DESC":
                found = sorted(found, key=lambda r: r["end_time"] or "", reverse=True)
        assert body["limit"] <= 200
        start = body.get("offset", 0)
        return httpx.Response(200, json=found[start : start + body["limit"]])


def _matches(run: Json, wanted: Json) -> bool:
    wanted = json.loads(json.dumps(wanted))
    fine = [(run["parent_task_run_id"] is None) is wanted.pop("parent_task_run_id")["is_null_"]]
    if end := wanted.pop("end_time", None):
        fine.append(run["end_time"] is not None and run["end_time"] > end.get("after_", ""))
    if state := wanted.pop("state", None):
        fine.append(run["state_type"] in state["type"]["any_"])
    if deployment := wanted.pop("deployment_id", None):
        fine.append(run["deployment_id"] in deployment["any_"])
    if expected := wanted.pop("expected_start_time", None):
        fine.append(run["expected_start_time"] < expected["before_"])
    assert not wanted, wanted
    return all(fine)
