"""Runs, schedules, queues and workers, as the Prefect server has them.

A run belongs to the project and flow of its deployment; one without (`socle run`) to those that its parameters and its flow
name. Runs that another run started do not count. Ended runs are asked for once, and remembered as long as the window: what is
remembered is only what a new start would read again.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.deployments import FLOWS
from flows.monitor import Samples
from flows.monitor.api import PAGE, PrefectApi
from flows.monitor.schedules import Times, times
from flows.project import NAME

ENDED = ("completed", "failed", "crashed", "cancelled")
BEGUN = ("pending", "running", "paused", "cancelling")
PLAN_S = 300  # between two readings of the deployments
OVERLAP_S = 300  # an end may be written later than it says: clocks differ
TOP = {"parent_task_run_id": {"is_null_": True}}
WAITS = {"AwaitingConcurrencySlot": "place", "AwaitingRetry": "retry"}

Key = tuple[str, str]
"""Project and flow."""


@dataclass(frozen=True)
class Ended:
    key: Key
    state: str
    at: float
    seconds: float


@dataclass
class Plan:
    """What is deployed."""

    keys: dict[str, Key] = field(default_factory=dict)
    """Deployment -> project and flow."""
    known: set[Key] = field(default_factory=set)
    flows: dict[str, str] = field(default_factory=dict)
    """Flow -> its name."""
    pools: dict[str, int] = field(default_factory=dict)
    """Pool -> deployments in it."""
    schedules: dict[Key, list[dict[str, Any]]] = field(default_factory=dict)
    """The active ones."""
    read_at: float = 0.0
    deployed: int = -1
    """Deployments of anybody: another number, and it is read again."""


class Runs:
    """One exporter's view of one server."""

    def __init__(self, api: PrefectApi, window_hours: float) -> None:
        self.api, self.window_s = api, window_hours * 3600
        self.plan = Plan()
        self.ended: dict[str, Ended] = {}
        self.last: dict[Key, Ended] = {}
        self.last_success: dict[Key, Ended] = {}
        self.looked_up: set[str] = set()  # deployments whose runs from before the window were asked for

    def collect(self) -> Samples:
        """Raises: SystemFailure if the server does not answer."""
        samples, now = Samples(), time.time()
        deployed = self.api.count("deployments/count")
        if now - self.plan.read_at > PLAN_S or deployed != self.plan.deployed:
            self._read_plan(now, deployed)
        self._read_ended(now)
        self._look_up()
        self._add_ended(samples, now)
        self._add_active(samples, now)
        self._add_due(samples, now)
        self._add_workers(samples)
        samples.attempt("schedules", lambda: self._add_schedules(samples, now))
        return samples

    # -- what is deployed

    def _read_plan(self, now: float, deployed: int) -> None:
        plan = Plan(read_at=now, deployed=deployed)
        plan.flows = {f["id"]: f["name"] for f in self.api.pages("flows/filter") if f["name"] in FLOWS}
        for deployment in self.api.pages("deployments/filter"):
            flow, project = plan.flows.get(deployment["flow_id"]), deployment["name"]
            if flow is None or not re.fullmatch(NAME, project):
                continue
            key = plan.keys[deployment["id"]] = (project, flow)
            if pool := deployment["work_pool_name"]:
                plan.pools[pool] = plan.pools.get(pool, 0) + 1
            if active := [s for s in deployment["schedules"] if s["active"] and not deployment["paused"]]:
                plan.schedules[key] = active
        plan.known = set(plan.keys.values())
        self.plan = plan
        self.looked_up &= set(plan.keys)
        for remembered in (self.last, self.last_success):  # a project that is gone is forgotten
            for key in set(remembered) - plan.known:
                del remembered[key]

    def _key(self, run: dict[str, Any]) -> Key | None:
        if run["deployment_id"]:
            return self.plan.keys.get(run["deployment_id"])
        key = (str((run["parameters"] or {}).get("project")), self.plan.flows.get(run["flow_id"], ""))
        return key if key in self.plan.known else None

    # -- runs that ended

    def _read_ended(self, now: float) -> None:
        newest = max((run.at for run in self.ended.values()), default=0.0)
        since = max(now - self.window_s, newest - OVERLAP_S)
        body = {"flow_runs": TOP | {"end_time": {"after_": _iso(since)}}, "sort": "END_TIME_DESC"}
        for run in self.api.pages("flow_runs/filter", body):
            if ended := self._as_ended(run):
                self.ended[run["id"]] = ended
                self._remember(ended)
        self.ended = {id_: run for id_, run in self.ended.items() if run.at > now - self.window_s}

    def _as_ended(self, run: dict[str, Any]) -> Ended | None:
        key, state = self._key(run), run["state_type"].lower()
        if key is None or state not in ENDED or not run["end_time"]:
            return None
        return Ended(key, state, _seconds(run["end_time"]), float(run["total_run_time"]))

    def _remember(self, run: Ended) -> None:
        for known in (self.last, self.last_success):
            if (known is self.last or run.state == "completed") and (run.key not in known or known[run.key].at <= run.at):
                known[run.key] = run

    def _look_up(self) -> None:
        """Of deployments that did not run, or did not succeed, within the window: their latest such runs, once."""
        new = [deployment for deployment in self.plan.keys if deployment not in self.looked_up]
        for known, states in ((self.last, ENDED), (self.last_success, ("completed",))):
            unknown = [deployment for deployment in new if self.plan.keys[deployment] not in known]
            for start in range(0, len(unknown), PAGE):
                self._look_up_some(unknown[start : start + PAGE], states)
        self.looked_up |= set(new)

    def _look_up_some(self, deployments: list[str], states: Iterable[str]) -> None:
        """The newest page of all of them together; those that others crowded out are asked for again."""
        while deployments:
            wanted = {"deployment_id": {"any_": deployments}, "state": _types(states), "end_time": {"is_null_": False}}
            found = self.api.ask("flow_runs/filter", {"flow_runs": TOP | wanted, "sort": "END_TIME_DESC", "limit": PAGE})
            for run in found:
                if ended := self._as_ended(run):
                    self._remember(ended)
            seen = {run["deployment_id"] for run in found}
            deployments = [d for d in deployments if d not in seen] if len(found) == PAGE else []

    def _add_ended(self, samples: Samples, now: float) -> None:
        by_key: dict[Key, list[Ended]] = {key: [] for key in self.plan.known}
        for run in self.ended.values():
            if run.key in by_key:
                by_key[run.key].append(run)
        for key, runs in by_key.items():
            for state in ENDED:
                samples.add("socle_runs_ended", sum(r.state == state for r in runs), **_labels(key), state=state)
            if runs:
                seconds = [r.seconds for r in runs]
                for name, value in (("median", statistics.median(seconds)), ("max", max(seconds)), ("sum", sum(seconds))):
                    samples.add("socle_run_duration_seconds", value, **_labels(key), statistic=name)
        for key, run in self.last.items():
            samples.add("socle_run_last_end_timestamp_seconds", run.at, **_labels(key))
            for state in ENDED:
                samples.add("socle_run_last_state", run.state == state, **_labels(key), state=state)
        for key, run in self.last_success.items():
            samples.add("socle_run_last_success_timestamp_seconds", run.at, **_labels(key))
            samples.add("socle_run_last_duration_seconds", run.seconds, **_labels(key))

    # -- runs that did not

    def _add_active(self, samples: Samples, now: float) -> None:
        since: dict[tuple[Key, str], list[float]] = defaultdict(list)
        for run in self.api.pages("flow_runs/filter", {"flow_runs": TOP | {"state": _types(BEGUN)}, "sort": "ID_DESC"}):
            if key := self._key(run):
                since[key, run["state_type"].lower()].append(_seconds(run["state"]["timestamp"]))
        for key in self.plan.known:
            for state in BEGUN:
                found = since.get((key, state), [])
                samples.add("socle_runs_active", len(found), **_labels(key), state=state)
                samples.add("socle_runs_oldest_seconds", max(0.0, now - min(found, default=now)), **_labels(key), state=state)

    def _add_due(self, samples: Samples, now: float) -> None:
        due: dict[tuple[str, str], list[float]] = defaultdict(list)
        wanted = {"state": _types(("scheduled",)), "expected_start_time": {"before_": _iso(now)}}
        for run in self.api.pages("flow_runs/filter", {"flow_runs": TOP | wanted, "sort": "EXPECTED_START_TIME_ASC"}):
            if key := self._key(run):
                due[key[0], WAITS.get(run["state_name"], "worker")].append(_seconds(run["expected_start_time"]))
        for project in self._projects():
            for reason in ("worker", "place", "retry"):
                samples.add("socle_runs_due", len(due.get((project, reason), [])), project=project, waits_for=reason)
            late = now - min(due.get((project, "worker"), [now]))
            samples.add("socle_runs_late_seconds", max(0.0, late), project=project)

    def _projects(self) -> Iterable[str]:
        return sorted({project for project, _ in self.plan.known})

    # -- who does the work

    def _add_workers(self, samples: Samples) -> None:
        for pool, deployments in self.plan.pools.items():
            samples.add("socle_deployments", deployments, pool=pool)
            online = [w for w in self.api.pages(f"work_pools/{pool}/workers/filter") if w["status"] == "ONLINE"]
            samples.add("socle_workers_online", len(online), pool=pool)
        projects = set(self._projects())
        paused = {p["name"] for p in self.api.pages("work_pools/filter") if p["is_paused"]}
        for pool in self.plan.pools:
            for queue in self.api.pages(f"work_pools/{pool}/queues/filter"):
                if queue["name"] not in projects:
                    continue
                samples.add("socle_queue_paused", queue["is_paused"] or pool in paused, project=queue["name"])
                if queue["last_polled"]:
                    samples.add("socle_queue_polled_timestamp_seconds", _seconds(queue["last_polled"]), project=queue["name"])

    def _add_schedules(self, samples: Samples, now: float) -> None:
        for key, schedules in self.plan.schedules.items():
            found: list[Times] = [t for s in schedules if (t := times(s["schedule"], now))]
            if not found:
                continue
            changed = max(_seconds(s["updated"] or s["created"]) for s in schedules)
            samples.add("socle_schedule_period_seconds", min(t.period_s for t in found), **_labels(key))
            samples.add("socle_schedule_next_timestamp_seconds", min(t.next for t in found), **_labels(key))
            samples.add("socle_schedule_changed_timestamp_seconds", changed, **_labels(key))


def _labels(key: Key) -> dict[str, str]:
    return {"project": key[0], "flow": key[1]}


def _types(states: Iterable[str]) -> dict[str, Any]:
    return {"type": {"any_": [state.upper() for state in states]}}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _iso(seconds: float) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)).isoformat()
